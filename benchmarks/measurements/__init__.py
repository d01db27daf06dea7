"""One module for each target of the performance that was promised.

Each has a function ``measure(scale)`` that gives an ``Outcome``. A peer that cannot be measured stands
in its table with the reason.
"""
