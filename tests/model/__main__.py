"""Print the table: ``python -m tests.model``. With ``--traces`` also print how sessions are lost."""

from __future__ import annotations

import sys

from tests.model.explore import explore
from tests.model.table import HEADER, RULES, SHIPPED, judge_all, judge_stored
from tests.model.world import Model


def report_progress(states: int) -> None:
    """Show the progress on a terminal, but not in a file."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{states} states ...\r")


def main(arguments: list[str]) -> None:
    """Explore the rules, and print the table."""
    print(HEADER)  # noqa: T201 - for people
    for line in judge_all(report_progress):
        print(line, flush=True)  # noqa: T201
        if "--traces" in arguments:
            print(*(f"    {text}" for text in line.trace), sep="\n")  # noqa: T201
    print("\nClients that store the refresh token of each answer; in the window they get:")  # noqa: T201
    for line in judge_stored(report_progress):
        print(line, flush=True)  # noqa: T201
        if "--traces" in arguments:
            print(*(f"    {text}" for text in line.trace), sep="\n")  # noqa: T201
    if "--traces" in arguments:
        graph = explore(Model(rule=RULES[SHIPPED], thief=True))
        print("\nHow a thief gets the most out of the rule that ships:")  # noqa: T201
        print(*(f"    {text}" for text in graph.find_run(graph.find_bound() or 0)), sep="\n")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
