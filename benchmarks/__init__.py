"""Measure drf-tessera and its peers: ``make bench``, or ``python -m benchmarks --help``.

- ``peers``: the measured packages, and the environment of each
- ``environments``: one virtual environment for each peer, under ``.bench/``
- ``project``: a small Django project; an environment variable chooses its authentication
- ``inside``: the code that runs in a peer's environment, as a child process that answers calls over pipes
- ``workers``: the parent's side of these children, and their turns
- ``measurements``: one module for each target
- ``spread``: medians, ratios, and their spread
- ``comparison``: the peers' behaviour where drf-tessera differs; a separate command, for the README
- ``results``: the tables and the files; ``plot``: the picture

All modules except ``project``, ``inside`` and ``plot`` need only the standard library.
"""
