"""Target 4: a refresh on PostgreSQL, with a thousand to a million rows.

The refreshes go through the real view with the whole middleware, one for each session. The floor is a view
that makes one keyed ``UPDATE`` of the same columns of the same table, with its commit, and answers as many
bytes. One floor view uses Django's ORM, and another uses plain SQL. simplejwt rotates and blacklists, and has
as many outstanding tokens.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, Final

from benchmarks.peers import BLACKLIST, TESSERA
from benchmarks.progress import say
from benchmarks.results import Outcome, Table, Target
from benchmarks.scale import Scale
from benchmarks.spread import Spread, ratios
from benchmarks.workers import Worker, take_turns

_FULL: Final = (1_000, 10_000, 100_000, 1_000_000)
_QUICK: Final = (1_000, 5_000)


def measure(scale: Scale) -> Outcome:
    """Measure both peers at each size, all in turns."""
    sizes = _QUICK if scale.quick else _FULL
    rounds, batch = scale.pick(30, 5), scale.pick(25, 10)
    peers = [TESSERA] if BLACKLIST.environment in scale.missing else [TESSERA, BLACKLIST]
    with ExitStack() as stack:
        workers = {}
        prepared = {}
        for peer in peers:
            for size in sizes:
                say(f"{peer.name}: filling {size:,} rows")
                worker = Worker(peer, "postgres", name=f"{peer.name}_{size}")
                stack.callback(worker.close)
                ways = 3 if peer is TESSERA else 1
                prepared[f"{peer.name} {size}"] = worker.ask(
                    "refresh.prepare", rows=size, users=1000, live=ways * rounds * (batch + 3) + 40
                )
                workers[f"{peer.name} {size}"] = worker
        found = take_turns("refreshes", workers, rounds=rounds, call="refresh.measure", batch=batch)
        server = next(iter(workers.values())).ask("database.describe")
    outcome = Outcome(data={"server": server, "prepared": prepared, "rounds": found})
    outcome.tables.append(_make_table(sizes, found, prepared, server))
    outcome.targets += _judge(sizes, found)
    return outcome


def _column(found: dict[str, list[Any]], name: str, way: str = "refresh") -> list[float]:
    return [times[way] for times in found[name]]


def _make_table(
    sizes: tuple[int, ...], found: dict[str, list[Any]], prepared: dict[str, Any], server: dict[str, str]
) -> Table:
    rows = []
    for size in sizes:
        ours, theirs = f"{TESSERA.name} {size}", f"{BLACKLIST.name} {size}"
        shown = [
            Spread.of(_column(found, ours, way)).show(2, scale=1e3) for way in ("refresh", "floor", "bare")
        ]
        beside = ratios(_column(found, ours), _column(found, ours, "floor")).show(2)
        peer = Spread.of(_column(found, theirs)).show(2, scale=1e3) if theirs in found else "not measured"
        rows.append((f"{size:,}", *shown, beside, peer))
    counts = [len(it["statements"]) for it in prepared.values()]
    return Table(
        title="Refresh, PostgreSQL",
        note="Milliseconds for the view inside the process, by the number of sessions (for simplejwt:"
        " outstanding tokens, each blacklisted). The server has"
        f" {', '.join(f'{name} {value}' for name, value in server.items())}."
        f" Statements: drf-tessera {counts[0]}, simplejwt {counts[-1] if len(counts) > len(sizes) else '-'}.",
        header=(
            "sessions",
            "drf-tessera",
            "floor (ORM)",
            "floor (by hand)",
            "times floor (ORM)",
            "simplejwt",
        ),
        rows=rows,
    )


def _judge(sizes: tuple[int, ...], found: dict[str, list[Any]]) -> list[Target]:
    largest, smallest = f"{TESSERA.name} {sizes[-1]}", f"{TESSERA.name} {sizes[0]}"
    floor = ratios(_column(found, largest), _column(found, largest, "floor"))
    bare = ratios(_column(found, largest), _column(found, largest, "bare"))
    flat = ratios(_column(found, largest), _column(found, smallest))
    targets = [
        Target(
            number=4,
            what=f"refresh with {sizes[-1]:,} sessions: ratio to the floor",
            wanted="at most 1.15",
            reached=f"{floor.show(2)}; ratio to a statement written by hand {bare.show(2)}",
            met=floor.median <= 1.15,
        ),
        Target(
            number=4,
            what=f"refresh with {sizes[-1]:,} sessions: ratio to {sizes[0]:,} sessions",
            wanted="1 within noise (at most 1.1)",
            reached=flat.show(2),
            met=flat.median <= 1.1,
        ),
    ]
    theirs = f"{BLACKLIST.name} {sizes[-1]}"
    if theirs in found:
        faster = ratios(_column(found, theirs), _column(found, largest))
        targets.insert(
            1,
            Target(
                number=4,
                what="refresh: how much faster than simplejwt with rotation and blacklist",
                wanted="at least 5 times",
                reached=f"{faster.show(1)} times",
                met=faster.median >= 5,
            ),
        )
    return targets
