"""One module for each promised performance target.

Each module has a function ``measure(scale)`` that returns an ``Outcome``. If a peer cannot be measured, its
row in the table has the reason.
"""
