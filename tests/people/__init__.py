"""User models as projects have them, and the rules that hold for all of them.

``python -m tests.people MODEL`` runs the rules with one model; ``tests/users/test_people.py`` runs all.
"""
