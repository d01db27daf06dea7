"""Explores every interleaving of a session's clients, and of a thief, against the refresh rule.

``python -m tests.model`` prints the table; ``tests/test_rotation_model.py`` holds the rule to it.

``rules``    the rules: the one that ships, called and not copied, and the ones it was weighed against
``trees``    those of them that give each use of a token a successor of its own
``world``    what can happen: tabs, messages, time, a thief, a restored database
``explore``  every state that can be reached, the fewest lost answers, the thief's bound
``table``    the rules side by side
"""
