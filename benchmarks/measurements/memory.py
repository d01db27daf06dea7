"""Target 10: the memory of a process at a million ended sessions in one lifetime of an access token.

Each way runs in a new process. It learns of ended sessions second by second, for two lifetimes, and drops the
old ones as the feed does. The bytes are the growth of the resident memory.
"""

from __future__ import annotations

from typing import Any, Final

from benchmarks.peers import TESSERA
from benchmarks.progress import advance
from benchmarks.results import Outcome, Table, Target
from benchmarks.scale import Scale
from benchmarks.workers import working

MILLION: Final = 1_000_000
LIMIT: Final = 64e6
_WAYS: Final = {
    "sessions": "sessions, one notice each",
    "users": "users, one notice for all sessions of each",
    "dict": "for comparison: a Python dict of UUIDs",
}


def measure(scale: Scale) -> Outcome:
    """Measure a million ended sessions. A quick run measures as many, and fewer of the other ways."""
    outcome = Outcome()
    rows = []
    for kind, title in advance("memory", list(_WAYS.items())):
        count = MILLION if kind == "sessions" else scale.pick(MILLION, 100_000)
        with working(TESSERA, "sqlite", name=f"memory_{kind}") as worker:
            found = worker.ask("memory.measure", sessions=count, lifetimes=2, kind=kind)
        outcome.data[kind] = {**found, "count": count}
        rows.append(_show(title, count, found))
    outcome.tables.append(
        Table(
            title="Memory of a process that knows of ended sessions",
            note="MB of resident memory at the peak of two lifetimes of access tokens (five minutes each). A"
            " notice is kept for 365 seconds, and is dropped together with others of its age. So a process"
            " holds more than those of one lifetime. A lookup is for a session that has not ended.",
            header=("ended in one lifetime", "number", "held", "MB", "bytes each", "lookup, microseconds"),
            rows=rows,
        )
    )
    peak = outcome.data["sessions"]["peak"]
    outcome.targets.append(
        Target(
            number=10,
            what=f"memory at {MILLION:,} ended sessions in one access lifetime",
            wanted="at most 64 MB",
            reached=f"{peak / 1e6:.0f} MB, for {outcome.data['sessions']['held']:,} notices",
            met=peak <= LIMIT,
        )
    )
    return outcome


def _show(title: str, count: int, found: dict[str, Any]) -> tuple[str, ...]:
    lookups = found["lookups"]
    return (
        title,
        f"{count:,}",
        f"{found['held']:,}",
        f"{found['peak'] / 1e6:.1f}",
        f"{found['peak'] / found['held']:.0f}",
        "-" if lookups is None else f"{1e6 * lookups:.2f}",
    )
