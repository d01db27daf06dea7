"""Target 9: the cost of a poll, and the load on the store, by ended sessions a second and by processes.

A writer writes notices at a steady rate, and readers poll once a second. Each of them is a process. The store
is PostgreSQL's table, or a Redis of this run beside the table. After that, a process starts with 300,000
notices that still matter.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace as vary
from typing import Any, Final

from benchmarks import servers
from benchmarks.peers import TESSERA, Peer
from benchmarks.progress import advance, say
from benchmarks.results import Outcome, Table, Target
from benchmarks.scale import Scale
from benchmarks.workers import Worker, working

RATES: Final = (10, 100, 1_000, 10_000)
PROCESSES: Final = (1, 8, 64)
PAPER: Final = 1_000
LIVE: Final = 20_000
"""The notices that are in the table from the start, so that no plan profits from an empty table."""

CHECK: Final = 15.0
"""Seconds after which a process with Redis reads the table, with the default settings."""

STARTING: Final = 300_000
STORES: Final = {"postgres": "PostgreSQL", "redis": "Redis"}


def measure(scale: Scale) -> Outcome:
    """Measure both stores."""
    outcome = Outcome()
    rows: list[tuple[str, ...]] = []
    with ExitStack() as stack:
        for store, peer in _list_peers(stack).items():
            if peer is None:
                say("redis-server is not there (it is Debian's package `redis-server`)")
                continue
            with working(peer, "postgres", name=f"feed_{store}") as worker:
                worker.ask("feed.prepare", live=LIVE)
                found = {
                    "polls": _measure_polls(worker, store, scale),
                    "start": _measure_start(worker, store),
                    "packed": {
                        str(rate): worker.ask("feed.simulate", count=rate, rounds=scale.pick(20, 5))
                        for rate in RATES
                    },
                }
            outcome.data[store] = found
            rows += [_show(store, key, it) for key, it in found["polls"].items() if it["polls"]]
    outcome.tables += [
        _tabulate_polls(rows, scale),
        _tabulate_paper(outcome.data),
        _tabulate_start(outcome.data),
    ]
    outcome.targets += _judge(outcome.data)
    return outcome


def _list_peers(stack: ExitStack) -> dict[str, Peer | None]:
    """Return the project with each store. Start a Redis if there is a program for it."""
    port = stack.enter_context(servers.running_redis()) if servers.find_redis() else None
    if port is None:
        return {"postgres": TESSERA, "redis": None}
    caches = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
        "notices": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": f"redis://{servers.HOST}:{port}/0",
        },
    }
    ours = {**TESSERA.settings["TESSERA"], "REVOCATION_CACHE": "notices"}
    return {"postgres": TESSERA, "redis": vary(TESSERA, settings={"TESSERA": ours, "CACHES": caches})}


def _measure_polls(worker: Worker, store: str, scale: Scale) -> dict[str, Any]:
    # Nobody can tell the reads of Redis from its writes. So its writes are measured alone too.
    counts = PROCESSES if store == "postgres" else (0, *PROCESSES)
    steps = [(rate, count) for rate in RATES for count in counts]
    return {
        f"{rate} {count}": worker.ask(
            "feed.measure", rate=rate, processes=count, seconds=_find_seconds(scale, count), live=LIVE
        )
        for rate, count in advance(f"polls of {STORES[store]}", steps)
    }


def _find_seconds(scale: Scale, processes: int) -> int:
    return scale.pick(10, 2 if 0 < processes < PROCESSES[-1] else 1)


def _measure_start(worker: Worker, store: str) -> dict[str, Any]:
    say(f"the start of a process with {STARTING:,} notices, {STORES[store]}")
    found: dict[str, Any] = worker.ask("feed.start", live=STARTING)
    return found


def choose_processes(data: dict[str, Any], store: str, rate: int) -> int:
    """Return the largest number of processes at which nearly all notices arrived in time."""
    learned = {
        count: it["counts"]["learned"] / max(1, it["polls"])
        for count in PROCESSES
        for it in [data[store]["polls"][f"{rate} {count}"]]
    }
    good = [count for count, found in learned.items() if found >= 0.9 * rate]
    return good[-1] if good else max(learned, key=learned.__getitem__)


def _find_load(data: dict[str, Any], store: str, rate: int) -> float | None:
    """Return the seconds of CPU of the store for one poll. ``None``: the database is on another machine."""
    found = data[store]["polls"][f"{rate} {choose_processes(data, store, rate)}"]
    spent = found["store"]
    if store == "redis":
        alone = data[store]["polls"][f"{rate} 0"]
        writes = alone["cache"]["cpu"] / alone["written"]["count"] * found["written"]["count"]
        spent = (spent or 0.0) + max(0.0, found["cache"]["cpu"] - writes)
    return None if spent is None else spent / max(1, found["polls"])


def _show(store: str, key: str, found: dict[str, Any]) -> tuple[str, ...]:
    rate, processes = key.split()
    polls, counts = found["polls"], found["counts"]
    return (
        STORES[store],
        f"{int(rate):,}",
        processes,
        f"{found['polls']} of {found['wanted']:.0f}",
        f"{1e3 * found['cpu']:.1f}",
        f"{1e3 * found['wall']:.1f}",
        f"{(counts.get('statements', 0) + counts.get('commands', 0)) / polls:.1f}",
        f"{(counts.get('rows', 0) + counts.get('entries', 0)) / polls:,.0f}",
        f"{counts['learned'] / polls:,.0f}",
    )


def _tabulate_polls(rows: list[tuple[str, ...]], scale: Scale) -> Table:
    return Table(
        title="The feed: a poll, by ended sessions a second and processes",
        note="Each process polls once a second. CPU is the time of the reading thread for one poll, and"
        " elapsed is the median time from its start to its end. Statements of PostgreSQL and commands of"
        " Redis, and the rows or entries that they return, are those of one poll. All processes, the store"
        " and the writer share the machine, so with many processes and ended sessions it is too small: then"
        f" there are fewer polls than wanted, and the writer writes less. {_find_seconds(scale, 8)} seconds"
        " each.",
        header=(
            "store",
            "ended a second",
            "processes",
            "polls",
            "CPU, ms",
            "elapsed, ms",
            "statements",
            "rows",
            "new notices",
        ),
        rows=rows,
    )


def find_database_load(data: dict[str, Any], store: str, rate: int) -> float | None:
    """Return the seconds of CPU of the database for one process and second, on paper if the store is Redis.

    A process with Redis reads the table every 15 seconds, and finds only the rows that Redis did not bring.
    So a reading costs as much as a poll of the table that finds almost nothing.
    """
    few = _find_load(data, "postgres", RATES[0])
    return few / CHECK if few is not None and store == "redis" else _find_load(data, store, rate)


def _tabulate_paper(data: dict[str, Any]) -> Table:
    """Return the load on the store, measured for one poll and multiplied."""
    rows = []
    for store in data:
        for rate in RATES:
            cost, database = _find_load(data, store, rate), find_database_load(data, store, rate)
            loads = ["-"] * 5
            if cost is not None and database is not None:
                shares = [cost * count for count in (*PROCESSES[1:], PAPER)]
                loads = [f"{1e3 * cost:.2f}", *(f"{100 * it:,.1f} %" for it in (*shares, PAPER * database))]
            own = data[store]["polls"][f"{rate} {choose_processes(data, store, rate)}"]["cpu"]
            packed = data[store]["packed"][str(rate)]["seconds"]
            rows.append((STORES[store], f"{rate:,}", *loads, f"{100 * own:.1f} %", f"{1e3 * packed:.1f}"))
    return Table(
        title="The feed: the load on the store, on paper",
        note="CPU of the store for one poll, measured with as many processes as get all notices here, and"
        " multiplied with 8, 64 and 1,000 processes: 100 % is one core. The database column is the load on"
        f" PostgreSQL with 1,000 processes. With Redis it is the reading of the table every {CHECK:.0f}"
        " seconds, which returns only the rows that Redis did not bring."
        " The last columns are for a process: the share of a core that its polls take, and a"
        " simulation, in which a relay hands over the ids of a second as one packed value (milliseconds).",
        header=(
            "store",
            "ended a second",
            "store, ms a poll",
            "8 processes",
            "64",
            "1,000",
            "database at 1,000",
            "each process",
            "packed, ms",
        ),
        rows=rows,
    )


def _tabulate_start(data: dict[str, Any]) -> Table:
    return Table(
        title=f"The feed: a process that starts with {STARTING:,} notices",
        note="Seconds until the process lets the first request in. Until then requests are answered with"
        " 503, and requests that need no feed go on: the pause is the longest time for which another thread"
        " did not run.",
        header=("store", "seconds", "CPU", "statements", "longest pause of another thread, ms"),
        rows=[
            (
                STORES[store],
                f"{found['start']['seconds']:.1f}",
                f"{found['start']['cpu']:.1f}",
                f"{found['start']['statements']}",
                f"{1e3 * found['start']['pause']:.0f}",
            )
            for store, found in data.items()
        ],
    )


def _judge(data: dict[str, Any]) -> list[Target]:
    found = [_miss("feed with Redis", "redis-server is not there")] if "redis" not in data else []
    for store, measured in data.items():
        thousand = measured["polls"]["1000 8"]
        counts = thousand["counts"]
        # Each poll also returns the newest row or entry of the poll before, as a proof.
        read = counts.get("rows", 0) + counts.get("entries", 0) - thousand["polls"]
        extra = read / max(1, counts["learned"])
        start = measured["start"]
        found += [
            Target(
                number=9,
                what=f"a poll at 1,000 ended sessions a second, {STORES[store]}",
                wanted="at most 27 ms of CPU, half of the 53 ms before",
                reached=f"{1e3 * thousand['cpu']:.1f} ms",
                met=thousand["cpu"] <= 0.027,
            ),
            Target(
                number=9,
                what=f"rows that are read for each new notice, {STORES[store]}",
                wanted="1 (at most 1.1)",
                reached=f"{extra:.2f}",
                met=extra <= 1.1,
            ),
            Target(
                number=9,
                what=f"start of a process with {STARTING:,} notices, {STORES[store]}",
                wanted="other threads go on (no pause above 250 ms)",
                reached=f"{1e3 * start['pause']:.0f} ms; the start takes {start['seconds']:.1f} s",
                met=start["pause"] <= 0.25,
            ),
        ]
    return found


def _miss(what: str, reason: str) -> Target:
    return Target(number=9, what=what, wanted="", reached=reason, met=None)
