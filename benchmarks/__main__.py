"""``python -m benchmarks [NAME ...] [--quick]``: measure, print the tables, and write them into files."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from importlib import import_module
from typing import Final

from benchmarks import environments, results, workers
from benchmarks.peers import PEERS, ROOT, TESSERA
from benchmarks.progress import say
from benchmarks.scale import Scale

MEASUREMENTS: Final = {
    "protected": 1,
    "http": 2,
    "tokens": 3,
    "refresh": 4,
    "storage": 5,
    "pruning": 6,
    "revocation": 7,
    "login": 8,
    "feed": 9,
    "memory": 10,
    "clearing": 11,
    "updates": 12,
    "logins": 13,
    "rotation": 14,
}
"""The names of the measurements, and the number of each target."""

ALONE: Final = frozenset(
    {"tokens", "revocation", "feed", "memory", "clearing", "updates", "logins", "rotation"}
)
"""The measurements without a peer. They need one environment."""

PLOT: Final = "plot"


def main() -> int:
    """Run the measurements of the command line. Return 1 if a measurement failed."""
    arguments = _read_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Stopped."))  # so servers and databases are removed
    names = arguments.names or list(MEASUREMENTS)
    begun, load = time.monotonic(), os.getloadavg()[0]
    peers = PEERS if set(names) - ALONE else (TESSERA,)
    needed = list(dict.fromkeys(peer.environment for peer in peers))
    missing = environments.make_all([*needed, PLOT])
    if environments.OURS in missing:
        return 1
    workers.make_keys()
    scale = Scale(quick=arguments.quick, missing=missing)
    outcomes = {}
    failed = {}
    for number, name in enumerate(names, 1):
        say(f"=== {number} of {len(names)}: {name} ===")
        try:
            outcomes[name] = import_module(f"benchmarks.measurements.{name}").measure(scale)
        except workers.WorkerError as error:
            failed[name] = str(error)
            say(f"{name}: FAILED: {error}")
            lost = results.Target(
                number=MEASUREMENTS[name], what=name, wanted="", reached=f"failed: {error}", met=None
            )
            outcomes[name] = results.Outcome(targets=[lost])
    versions = {name: environments.list_packages(name) for name in needed if name not in missing}
    complete = not arguments.quick and not failed and set(outcomes) == set(MEASUREMENTS)
    run = results.Run(
        minutes=(time.monotonic() - begun) / 60, load=(load, os.getloadavg()[0]), quick=arguments.quick
    )
    path = results.write(outcomes, run, complete=complete, versions=versions, keep=arguments.keep)
    if PLOT not in missing:
        picture = path.with_name(f"{arguments.keep or 'performance'}.svg")
        command = [str(environments.python_of(PLOT)), "-m", "benchmarks.plot", str(path), str(picture)]
        subprocess.run(command, cwd=ROOT, check=True)
    print(results.show_targets(outcomes))
    say(f"written to {path.parent.relative_to(ROOT)}")
    for name, problem in failed.items():
        say(f"FAILED: {name}: {problem}")
    return 1 if failed else 0


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MEASUREMENTS))
    parser.add_argument("--quick", action="store_true", help="small numbers: only to see that it works")
    parser.add_argument(
        "--keep", default="", help="write a part into benchmarks/results/KEEP.md, beside the whole run"
    )
    found = parser.parse_args()
    for name in found.names:
        if name not in MEASUREMENTS:
            parser.error(f"{name!r} is not one of: {', '.join(MEASUREMENTS)}")
    return found


if __name__ == "__main__":
    sys.exit(main())
