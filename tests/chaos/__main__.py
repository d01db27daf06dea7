"""``python -m tests.chaos --minutes 5 --seed 7``. The exit code is 1 if a bound was broken."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Final

from tests.chaos import tempo
from tests.chaos.plan import KINDS, choose_kinds
from tests.chaos.round import STORES, Order, Round
from tests.chaos.services import Services, find_missing
from tests.chaos.table import Result, make_result, write_report

_CLIENTS: Final = 60


def say(text: str) -> None:
    """Print a line of progress."""
    print(text, flush=True)


def read_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="the length of the run, without its start")
    parser.add_argument("--seed", type=int, default=None, help="repeat the faults of another run")
    parser.add_argument("--clients", type=int, default=_CLIENTS, help="each has three tabs")
    parser.add_argument("--store", choices=STORES, default=None, help="by default one half of the time each")
    parser.add_argument("--only", nargs="+", choices=KINDS, default=(), help="only these kinds of faults")
    parser.add_argument("--reckless", action="store_true", help="some clients break the rules for clients")
    parser.add_argument("--report", type=Path, default=None, help="write the result to a Markdown file too")
    parser.add_argument(
        "--keep", type=Path, default=None, help="copy the logs of the app servers to a folder"
    )
    chosen = parser.parse_args(arguments)
    if not choose_stores(chosen):
        parser.error("Redis can only fail where it is the store.")
    return chosen


def choose_stores(chosen: argparse.Namespace) -> list[str]:
    """Return the stores of the rounds. A store that none of the chosen faults concerns has no round."""
    stores = STORES if chosen.store is None else (chosen.store,)
    return [store for store in stores if choose_kinds(store, tuple(chosen.only))]


def make_order(chosen: argparse.Namespace, seed: int, store: str, seconds: float) -> Order:
    """Return the parameters of a round."""
    return Order(
        seed=seed,
        seconds=seconds,
        store=store,
        clients=chosen.clients,
        say=say,
        only=tuple(chosen.only),
        reckless=chosen.reckless,
    )


def run(chosen: argparse.Namespace, seed: int) -> list[Result]:
    """Run one round with each store, and judge it."""
    stores = choose_stores(chosen)
    length, services, results = chosen.minutes * 60 / len(stores), Services(), []
    try:
        services.start(tempo.OFFSETS)
        for store in stores:
            order = make_order(chosen, seed, store, length)
            say(f"{length:.0f} s with {chosen.clients} clients, seed {seed}, revocations in: {store}")
            records = asyncio.run(Round(order, services).run())
            results.append(make_result(order, records))
    finally:
        if chosen.keep is not None:
            chosen.keep.mkdir(parents=True, exist_ok=True)
            for app in services.apps:
                (chosen.keep / app.log.name).write_bytes(app.log.read_bytes() if app.log.exists() else b"")
        services.stop()
    return results


def write_command(chosen: argparse.Namespace, seed: int) -> str:
    """Return the arguments that repeat this run."""
    command = f"--minutes {chosen.minutes:g} --seed {seed} --clients {chosen.clients}"
    command += f" --store {chosen.store}" if chosen.store else ""
    command += " --reckless" if chosen.reckless else ""
    return command + (" --only " + " ".join(map(repr, chosen.only)) if chosen.only else "")


def main(arguments: list[str]) -> int:
    """Run chaos from the command line."""
    chosen = read_arguments(arguments)
    missing = find_missing()
    if missing:
        say(f"\nCHAOS DID NOT RUN. It needs {', '.join(missing)}, and this machine does not have that.\n")
        return int(os.environ.get("CI") == "true")
    seed = chosen.seed if chosen.seed is not None else int(time.time())
    results, command = run(chosen, seed), f'make chaos CHAOS="{write_command(chosen, seed)}"'
    report = write_report(results, command)
    say(f"\n{report}")
    if chosen.report is not None:
        chosen.report.write_text(report)
    breaches = sum(len(result.breaches) for result in results)
    say(f"{breaches} BREACHES. Run it again: {command}" if breaches else "No bound was broken.")
    return int(bool(breaches))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
