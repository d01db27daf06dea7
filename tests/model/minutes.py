"""The refresh rule in minutes, before and now: ``python -m tests.model.minutes`` prints the tables.

``docs/explanation/refresh.md`` has the same tables, and a test compares them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from drf_tessera.rotation import Policy
from tests.model.brownout import CLIENTS, LENGTHS, find_longest
from tests.model.rules import GRACE
from tests.model.unnoticed import find_unnoticed

NOW: Final = Policy(grace=GRACE, recoveries=5, longest=timedelta(days=7))
"""The policy that ships: no window outlasts half of ``SESSION_IDLE_LIFETIME`` (14 days)."""
BEFORE: Final = Policy(grace=GRACE, recoveries=5, longest=GRACE)
"""Windows of one length. In such windows no answer is repeated either."""
PERIODS: Final = (1, 5, 15)


def list_clients() -> Iterator[str]:
    """Yield the lines of the table of brownouts."""
    yield "| how the client tries again | before | now |"
    yield "|---|---|---|"
    for name, client in CLIENTS.items():
        found = [_write_minutes(find_longest(client, policy)) for policy in (BEFORE, NOW)]
        yield f"| {name} | {found[0]} | {found[1]} |"


def list_thieves() -> Iterator[str]:
    """Yield the lines of the table of thieves."""
    yield "| the owner's client refreshes | before | now | if it stores each answer: before | now |"
    yield "|---|---|---|---|---|"
    for minutes in PERIODS:
        period = timedelta(minutes=minutes)
        found = [
            find_unnoticed(policy, period, stores_each=stores)
            for stores in (False, True)
            for policy in (BEFORE, NOW)
        ]
        name = "each minute" if minutes == 1 else f"every {minutes} minutes"
        yield f"| {name} | {' | '.join('without bound' if it is None else f'{it:g} min' for it in found)} |"


def _write_minutes(minutes: float) -> str:
    return f"{minutes:g} min" if minutes < LENGTHS[-1] else f"{minutes:g} min and more"


if __name__ == "__main__":
    print(*list_clients(), "", *list_thieves(), sep="\n")  # noqa: T201 - for people
