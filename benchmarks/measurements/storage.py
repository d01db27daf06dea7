"""Target 5: the bytes of a user, by the number of refreshes, and the bytes of a million sessions.

The database is PostgreSQL. A user logs in once and refreshes. The bytes are those of all rows after that. The
database creates a million rows with random keys, as logins would: once with a browser's user agent of 111
characters, and once with the short user agent of an app.
"""

from __future__ import annotations

from typing import Any, Final

from benchmarks.peers import BLACKLIST, TESSERA
from benchmarks.progress import say
from benchmarks.results import Outcome, Table, Target
from benchmarks.scale import Scale
from benchmarks.workers import working

_FULL: Final = (0, 1, 100, 10_000)
_QUICK: Final = (0, 1, 100)
_AGENTS: Final = {"a browser's user agent of 111 characters": None, "an app's of 11": "Notes/1.0.0"}
_MEGA: Final = 1e6


def measure(scale: Scale) -> Outcome:
    """Measure both peers."""
    counts = _QUICK if scale.quick else _FULL
    million = scale.pick(1_000_000, 20_000)
    outcome = Outcome()
    grown = []
    filled = []
    for peer in (TESSERA, BLACKLIST):
        if peer.environment in scale.missing:
            grown.append((peer.title, scale.missing[peer.environment], *[""] * (len(counts) - 1)))
            continue
        with working(peer, "postgres", name=f"{peer.name}_storage") as worker:
            worker.ask("storage.begin")
            sizes = []
            for count in counts:
                say(f"{peer.name}: {count:,} refreshes of one user")
                sizes.append(worker.ask("storage.refresh", total=count))
            outcome.data[f"{peer.name} refreshes"] = dict(zip(counts, sizes, strict=True))
            grown.append((peer.title, *(f"{it['bytes']:,} in {it['rows']:,} rows" for it in sizes)))
            for name, agent in _AGENTS.items() if peer is TESSERA else [("one million refreshes", None)]:
                say(f"{peer.name}: {million:,} rows, {name}")
                found = worker.ask("storage.fill", rows=million, user_agent=agent)
                outcome.data[f"{peer.name} {name}"] = found
                filled.append((peer.title, name, *_show(found)))
    outcome.tables += [
        Table(
            title="Storage of one user, by refreshes",
            note="Bytes of all rows after one login and this number of refreshes, without indexes.",
            header=("", *(f"{count:,}" for count in counts)),
            rows=grown,
        ),
        Table(
            title=f"Storage of {million:,} sessions",
            note="MB on PostgreSQL, right after the rows were inserted and vacuumed. For simplejwt: the same"
            " number of refreshes, each with an outstanding token and a blacklisted token.",
            header=("", "with", "MB", "of which indexes", "bytes per row"),
            rows=[(*row[:4], f"{_parse(row[2]) * _MEGA / million:,.0f}") for row in filled],
        ),
    ]
    outcome.targets += _judge(counts, million, outcome.data)
    return outcome


def _show(found: dict[str, Any]) -> tuple[str, str]:
    return tuple(f"{sum(found[what].values()) / _MEGA:,.1f}" for what in ("tables", "indexes"))  # type: ignore[return-value]  # of two


def _parse(text: str) -> float:
    return float(text.replace(",", ""))


def _judge(counts: tuple[int, ...], million: int, data: dict[str, Any]) -> list[Target]:
    sizes = data[f"{TESSERA.name} refreshes"]
    # The first refresh fills two columns that were empty. Later refreshes need no more space.
    after = [sizes[count]["bytes"] for count in counts[1:]]
    shown = ", ".join(f"{count:,}" for count in counts[1:])
    reached = ", ".join(f"{size:,}" for size in after)
    targets = [
        Target(
            number=5,
            what=f"bytes of a user after {shown} refreshes",
            wanted="the same",
            reached=f"{reached}; before the first {sizes[counts[0]]['bytes']:,}",
            met=len(set(after)) == 1,
        )
    ]
    for name in _AGENTS:
        size = sum(data[f"{TESSERA.name} {name}"]["tables"].values()) / million
        targets.append(
            Target(
                number=5,
                what=f"a million sessions with their indexes, {name}",
                wanted="at most 250 MB",
                reached=f"{size:,.0f} MB",
                met=size <= 250,
            )
        )
    return targets
