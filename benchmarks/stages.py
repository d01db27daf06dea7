"""``python -m benchmarks.stages``: the time of each stage of a refresh on PostgreSQL.

The command prints a Markdown table. It is not a part of ``make bench``, because it only explains one of its
numbers.
"""

from __future__ import annotations

import sys
from typing import Final

from benchmarks import environments, workers
from benchmarks.peers import TESSERA

ROWS: Final = 100_000
ROUNDS: Final = 60


def main() -> int:
    """Measure, and print the medians."""
    environments.make(environments.OURS)
    workers.make_keys()
    with workers.working(TESSERA, "postgres") as worker:
        found = worker.ask("stages.measure", rows=ROWS, rounds=ROUNDS)
    print("| stage | microseconds |")
    print("|---|---|")
    for name, spent in found.items():
        print(f"| {name} | {spent:,.0f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
