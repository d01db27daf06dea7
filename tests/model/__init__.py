"""Explore each interleaving of a session's clients and a thief under the refresh rule.

``python -m tests.model`` prints the table. ``tests/test_rotation_model.py`` checks the rule against the
table.

``rules``    the shipped rule, which is called and not copied, and the rules that it was compared with
``trees``    the rules in which each use of a token creates its own successor
``world``    the possible events: tabs, messages, time, a thief, a restored database
``explore``  all reachable states, the fewest lost answers, the bound of the thief
``table``    the rules side by side
``scenes``   three short scenes for the page of the demo: ``python -m tests.model.scenes``
``brownout`` clients that try again while every answer is lost, in seconds
``unnoticed`` the time for which the cleverest thief goes unnoticed
``minutes``  both in minutes, before and now: ``python -m tests.model.minutes``
"""
