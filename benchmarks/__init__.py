"""Measure drf-tessera beside its peers: ``make bench``, or ``python -m benchmarks --help``.

- ``peers``: what is measured, and in which environment
- ``environments``: one virtual environment for each peer, under ``.bench/``
- ``project``: a small Django project, whose authentication is chosen by an environment variable
- ``inside``: what runs in a peer's environment, as a child process that answers calls over pipes
- ``workers``: those children, seen from outside, and how they take turns
- ``measurements``: one module for each target
- ``spread``: medians, ratios, and how far they scatter
- ``comparison``: what a peer does where drf-tessera differs; a command of its own, for the README
- ``results``: the tables and the files; ``plot``: the picture

All but ``project``, ``inside`` and ``plot`` need nothing but the standard library.
"""
