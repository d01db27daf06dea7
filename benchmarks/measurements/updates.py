"""Target 12: the table of sessions after the refreshes of an hour, by fill factor.

At 1,000 refreshes a second, and with a refresh of each session in five minutes, there are 300,000 sessions,
and each is refreshed 12 times in an hour. The refreshes are UPDATEs of the columns that a refresh updates, in
random order. The table is vacuumed by the rule of autovacuum, or not at all.
"""

from __future__ import annotations

from typing import Any, Final

from benchmarks.peers import TESSERA
from benchmarks.progress import advance
from benchmarks.results import Outcome, Table, Target
from benchmarks.scale import Scale
from benchmarks.workers import working

FACTORS: Final = (85, 95, 90, 100)
CHOSEN: Final = 85
"""The fill factor of the migration."""

ROUNDS: Final = 12
_MEGA: Final = 1e6


def measure(scale: Scale) -> Outcome:
    """Measure each fill factor, with and without vacuum."""
    rows = scale.pick(300_000, 15_000)
    ways = [(factor, vacuum) for vacuum in (True, False) for factor in FACTORS]
    outcome = Outcome(data={"rows": rows})
    with working(TESSERA, "postgres", name="updates") as worker:
        worker.ask("updates.prepare")
        by_view = worker.ask("updates.refresh_by_view", count=scale.pick(2000, 300))
        found = {
            f"{factor} {'with' if vacuum else 'without'}": worker.ask(
                "updates.measure", rows=rows, rounds=ROUNDS, fill_factor=factor, vacuum=vacuum
            )
            for factor, vacuum in advance("hours of refreshes", ways)
        }
    outcome.data |= {"view": by_view, "found": found}
    outcome.tables.append(
        Table(
            title="The table of sessions after an hour of refreshes, PostgreSQL",
            note=f"{rows:,} sessions of logins with a browser, {ROUNDS} refreshes each. MB for a million"
            " sessions, before and after. `with` means vacuumed when a fifth of the rows is dead, which is"
            " autovacuum's rule. A HOT update changes no index."
            f" The real statement of a refresh made {by_view['hot']} HOT updates of {by_view['updates']}.",
            header=(
                "fill factor",
                "vacuum",
                "table, before",
                "after",
                "indexes, before",
                "after",
                "HOT updates",
                "vacuums",
            ),
            rows=[_show(name, it, rows) for name, it in found.items()],
        )
    )
    outcome.targets += _judge(outcome.data)
    return outcome


def _show(name: str, found: dict[str, Any], rows: int) -> tuple[str, ...]:
    factor, vacuum = name.split()
    sizes = [
        f"{found[moment][part] / rows:,.0f} MB"
        for part in ("table", "indexes")
        for moment in ("before", "after")
    ]
    chosen = f"**{factor}**" if int(factor) == CHOSEN else factor
    return (chosen, vacuum, *sizes, f"{100 * _find_share(found):.1f} %", str(found["vacuums"]))


def _find_share(found: dict[str, Any]) -> float:
    share: float = found["hot"] / max(1, found["updates"])
    return share


def _judge(data: dict[str, Any]) -> list[Target]:
    targets = [
        Target(
            number=12,
            what="HOT updates among refreshes through the API",
            wanted="at least 99 %",
            reached=f"{data['view']['hot']} of {data['view']['updates']}",
            met=_find_share(data["view"]) >= 0.99,
        )
    ]
    for vacuum in ("with", "without"):
        found = data["found"][f"{CHOSEN} {vacuum}"]
        before, after = (sum(found[moment].values()) for moment in ("before", "after"))
        targets.append(
            Target(
                number=12,
                what=f"an hour of refreshes at fill factor {CHOSEN}, {vacuum} vacuum",
                wanted="at least 99 % HOT updates, and growth of at most 5 %",
                reached=f"{100 * _find_share(found):.1f} %; {100 * (after / before - 1):.1f} %",
                met=_find_share(found) >= 0.99 and after <= 1.05 * before,
            )
        )
    return targets
