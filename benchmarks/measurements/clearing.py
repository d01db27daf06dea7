"""Target 11: the end of a million sessions while requests go on.

One process calls ``sessions.revoke_everybody``. Another process makes a request every ten milliseconds, a
call and a refresh in turn, and notes how long each had to wait after its due time. The work pauses every half
second for as long. So the requests during the work and those of the pauses meet the same machine.

A refresh waits for the disk, and so does the call behind it. A disk of a virtual machine makes people wait
for half a second now and then, also when nobody else uses it. So this is measured twice: on the machine's
server, and on a PostgreSQL with its data in memory. The target is judged in memory, where no disk disturbs.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace as vary
from pathlib import Path
from typing import Any, Final

from benchmarks.peers import TESSERA
from benchmarks.progress import advance, say
from benchmarks.results import Outcome, Table, Target
from benchmarks.scale import Scale
from benchmarks.spread import percentile
from benchmarks.workers import Worker, working

INTERVAL: Final = 0.01
SLICE: Final = 0.5
CLIENTS: Final = 200
MOST: Final = 0.05
SHARED: Final = Path("/dev/shm")  # noqa: S108 - Linux keeps its files in memory
PERIODS: Final = ("before", "during", "in the pauses", "after")
KINDS: Final = ("call", "refresh")
ENOUGH: Final = 100
"""The 99th percentile of fewer requests means nothing."""

Waits = dict[str, dict[str, list[float]]]
"""The seconds of all requests, by kind and period."""


def measure(scale: Scale) -> Outcome:
    """Measure some mass logouts in memory and on the disk. Each has requests before, during and after it."""
    rows = scale.pick(1_000_000, 20_000)
    with _in_memory() as port:
        found = {} if port is None else {"in memory": _measure_place(scale, rows, {"PGPORT": port})}
    found["on the disk"] = _measure_place(scale, rows, {})
    outcome = Outcome(data={**next(iter(found.values())), "disk": found["on the disk"]})
    outcome.tables += [_tabulate(place, data) for place, data in found.items()]
    outcome.targets += _judge(outcome.data) if "in memory" in found else [_NOT_JUDGED]
    return outcome


@contextmanager
def _in_memory() -> Iterator[str | None]:
    """Run a PostgreSQL with its data in memory. Yield its port, or ``None`` if it cannot run here."""
    from tests.servers import Postgres  # the environment of the plot does not have what it needs

    if not SHARED.is_dir() or not all(map(shutil.which, ("initdb", "pg_ctl"))):
        say(f"this needs PostgreSQL's own programs on the path, and {SHARED}")
        yield None
        return
    server = Postgres(SHARED)
    try:
        server.start()
        yield str(server.port)
    finally:
        server.remove()


def _measure_place(scale: Scale, rows: int, variables: dict[str, str]) -> dict[str, Any]:
    # Without a window, few clients can refresh again and again, and each refresh writes.
    settings = {**TESSERA.settings["TESSERA"], "REFRESH_GRACE": 0, "TOKEN_RATE_PER_SESSION": None}
    peer = vary(TESSERA, settings={"TESSERA": settings})
    waits: Waits = {kind: {period: [] for period in PERIODS} for kind in KINDS}
    statuses: Counter[str] = Counter()
    works = []
    with working(peer, "postgres", name="clearing", variables=variables) as clients:
        say(f"filling {rows:,} sessions")
        clients.ask("clearing.prepare", rows=rows, users=1000, clients=CLIENTS)
        other = Worker(peer, "postgres", name="clearing", log="clearing-ends", variables=variables)
        try:
            for number in advance("mass logouts", list(range(scale.pick(2, 8)))):
                if number:
                    clients.ask("clearing.refill", rows=rows)
                requests, work = _run(clients, other, seconds=scale.pick(20, 1))
                works.append(work)
                statuses.update(str(status) for _, status, _, _ in requests)
                for kind, found in sort_waits(requests, work["slices"]).items():
                    for period, values in found.items():
                        waits[kind][period] += values
        finally:
            other.close(drop=False)
    return {"rows": rows, "works": works, "waits": waits, "statuses": dict(statuses)}


def _run(clients: Worker, other: Worker, *, seconds: int) -> tuple[list[list[Any]], dict[str, Any]]:
    """Make requests before, during and after a mass logout. Return them, and the work."""
    requests: list[list[Any]] = []

    def sustain(count: int) -> None:
        for _ in range(count):
            requests.extend(clients.ask("clearing.sustain", seconds=0.25, interval=INTERVAL))

    sustain(seconds * 4)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(other.ask, "clearing.end_everybody", slice_seconds=SLICE)
        while not future.done():
            sustain(1)
        work = future.result()
    sustain(seconds * 4)
    return requests, work


def sort_waits(requests: list[list[Any]], slices: list[list[float]]) -> Waits:
    """Sort the waits by their period. A request that meets the work at any moment belongs to the work."""
    waits: Waits = {kind: {period: [] for period in PERIODS} for kind in KINDS}
    for kind, _, answered, wait in requests:
        if any(answered - wait <= end and answered >= start for start, end in slices):
            period = "during"
        elif answered < slices[0][0]:
            period = "before"
        else:
            period = "after" if answered - wait > slices[-1][1] else "in the pauses"
        waits[kind][period].append(wait)
    return waits


def _show(waits: list[float]) -> tuple[str, ...]:
    if not waits:
        return ("0", "-", "-", "-")
    return (f"{len(waits):,}", *(f"{1e3 * percentile(waits, percent):,.1f}" for percent in (50, 99, 100)))


def _tabulate(place: str, data: dict[str, Any]) -> Table:
    works = data["works"]
    busy = sum(end - start for work in works for start, end in work["slices"]) / len(works)
    peak = max(work["peak"] for work in works)
    return Table(
        title=f"Requests during the end of all sessions, PostgreSQL {place}",
        note=f"{len(works)} times, `sessions.revoke_everybody` ended {data['rows']:,} sessions and those of"
        f" {CLIENTS} clients, in {busy:.1f} s of work and with {peak / 1e6:.0f} MB of memory."
        " Milliseconds are the wait of a request after its due time. There was one every"
        f" {INTERVAL * 1e3:.0f} ms. A client whose session has ended gets 401, logs in again and goes on."
        " The work pauses every half second.",
        header=("request", "period", "requests", "median", "99 %", "longest"),
        rows=[
            (kind, period, *_show(found)) for kind in KINDS for period, found in data["waits"][kind].items()
        ],
    )


_NOT_JUDGED: Final = Target(
    number=11,
    what="mass logout while requests go on, with the data in memory",
    wanted="at most 50 ms",
    reached="needs PostgreSQL's own programs on the path",
    met=None,
)


def _judge(data: dict[str, Any]) -> list[Target]:
    targets, rows = [], f"{data['rows']:,}"
    for kind in KINDS:
        waits = data["waits"][kind]
        without, during = waits["before"] + waits["after"], waits["during"]
        more = percentile(during, 99) - percentile(without, 99) if during else 0.0
        targets.append(
            Target(
                number=11,
                what=f"mass logout of {rows} sessions: additional wait of a {kind}, 99th percentile",
                wanted="at most 50 ms",
                reached=f"{1e3 * more:,.1f} ms, in {len(during):,} requests",
                met=more <= MOST if len(during) >= ENOUGH else None,
            )
        )
    wrong = {status: count for status, count in data["statuses"].items() if status not in {"200", "401"}}
    targets.append(
        Target(
            number=11,
            what="answers meanwhile other than 200 and 401",
            wanted="none",
            reached=str(wrong) if wrong else f"none of {sum(data['statuses'].values()):,}",
            met=not wrong,
        )
    )
    return targets
