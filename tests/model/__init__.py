"""Explores every interleaving of a session's clients, and of a thief, against the refresh rule.

``python -m tests.model`` prints the table. ``tests/test_rotation_model.py`` checks the table.

``rules``    the shipped rule, which is called and not copied, and the rules that it was compared with
``trees``    the rules that give each use of a token its own successor
``world``    the possible events: tabs, messages, time, a thief, a restored database
``explore``  every state that can be reached, the fewest lost answers, the thief's bound
``table``    the rules side by side
"""
