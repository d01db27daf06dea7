"""Processes that read which sessions have ended, and one process that ends sessions.

The readers are forks of the child. Each has a feed and a connection of its own, and polls once a second, as
the processes of a service do. The writer writes notices at a steady rate.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

from django.conf import settings
from django.core.cache import caches
from django.db import connection, connections

from benchmarks.inside import database
from drf_tessera.conf import get_settings
from drf_tessera.exceptions import RevocationUnavailable
from drf_tessera.revocation.feed import Feed, _make_store
from drf_tessera.revocation.notices import Ended, Notice
from drf_tessera.revocation.stores import DatabaseStore, Store
from drf_tessera.workers.crews import Turn

POLL: Final = 1.0
STALENESS: Final = 30.0
KEEP: Final = 365.0
"""Seconds for which a notice is kept with the default lifetime of access tokens, and the margins."""

GROUP: Final = 0.05
"""The writer writes as many notices at once as come in this number of seconds."""

_LOCAL: Final = {"", "localhost", "127.0.0.1", "::1"}
_FILL: Final = """
INSERT INTO tessera_revocation (session_id, until, scope)
SELECT gen_random_uuid(), extract(epoch FROM now())::bigint + 365, '' FROM generate_series(1, %s)
"""


def prepare(*, live: int) -> None:
    """Create a database with ``live`` notices that still matter."""
    database.create(users=1)
    _fill(live)


def _fill(live: int) -> None:
    database.run("TRUNCATE tessera_revocation RESTART IDENTITY")
    if "notices" in settings.CACHES:
        caches["notices"].clear()
    database.run(_FILL, live)
    database.run("VACUUM ANALYZE tessera_revocation")


def _make_feed(store: Store | None = None) -> Feed:
    made = store or _make_store(get_settings().revocation_cache, STALENESS)
    return Feed(made, poll=POLL, staleness=STALENESS, keep=KEEP)


# -- Readers and a writer ------------------------------------------------------------------------------


def measure(*, rate: int, processes: int, seconds: float, live: int) -> dict[str, Any]:
    """Return the costs of ``processes`` readers that poll while ``rate`` sessions end a second.

    Args:
        rate: ended sessions a second.
        processes: the number of readers.
        seconds: the length of the measurement, after one more second.
        live: the number of notices that are there at the start.
    """
    _fill(live)
    feed = _make_feed()
    feed._pull_here()  # the forks continue from here, as processes do that have run for a while
    connections.close_all()
    caches.close_all()
    readers = [_fork(_read, feed, seconds=seconds, place=index / processes) for index in range(processes)]
    writer = _fork(_write, feed, seconds=seconds, rate=rate)
    lines = [line for _, line in (*readers, writer)]
    for line in lines:
        line.recv()
    before, begin = _read_cache_load(), time.monotonic() + 0.2
    for line in lines:
        line.send(begin)
    found = [line.recv() for line in lines]
    load = {name: value - before[name] for name, value in _read_cache_load().items()}
    for process, _ in (*readers, writer):
        process.join()
    return {**_summarise(found[:-1], seconds), "written": found[-1], "cache": load}


def _fork(work: Callable[..., None], feed: Feed, **arguments: Any) -> tuple[Any, Connection]:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(feed, theirs), kwargs=arguments, daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _read(feed: Feed, line: Connection, *, seconds: float, place: float) -> None:
    """Read the news once a second, beginning at ``place`` within the second, and send the costs.

    The first poll finds less than the news of a second, so it does not count.
    """
    mine = _make_feed(feed.store.copy())
    counts = _count(mine.store)
    mine._pull_here()
    line.send(True)
    begin = line.recv()
    polls: list[list[float]] = []
    served, known = _read_served(), 0
    due = begin + place * POLL
    while due < begin + POLL + seconds:
        time.sleep(max(0.0, due - time.monotonic()))
        due = time.monotonic() + POLL
        wall, used = time.perf_counter(), time.thread_time()
        mine._pull(Turn())
        polls.append([time.perf_counter() - wall, time.thread_time() - used])
        if len(polls) == 1:
            counts.clear()
            served, known = _read_served(), len(mine.ended)
    after = _read_served()
    spent = None if served is None or after is None else after - served
    counts["learned"] = len(mine.ended) - known
    line.send({"polls": polls[1:], "counts": counts, "store": spent, "failed": mine._failing})
    connections.close_all()


def _write(feed: Feed, line: Connection, *, seconds: float, rate: int) -> None:
    """Write notices at ``rate``, and send their number and the time that the store's process needed."""
    store = feed.store
    store.record(_make_notices(1))
    line.send(True)
    begin = line.recv()
    served = _read_served()
    size = max(1, round(rate * GROUP))
    count, due = 0, begin
    while due < begin + POLL + seconds:
        time.sleep(max(0.0, due - time.monotonic()))
        notices = store.record(_make_notices(size))
        if not store.joins_transaction:
            store.publish(notices)
        count += size
        due = max(due + size / rate, time.monotonic() - 10 * GROUP)
    after = _read_served()
    line.send({"count": count, "store": None if served is None or after is None else after - served})
    connections.close_all()


def _make_notices(count: int) -> list[Notice]:
    until = int(time.time() + KEEP)
    return [Notice(UUID(bytes=os.urandom(16)), until) for _ in range(count)]


def _count(store: Any) -> Counter[str]:
    """Count the statements and the rows of a store, and the entries that it reads from the cache."""
    counts: Counter[str] = Counter()
    fetch = DatabaseStore._fetch

    def count_rows(self: DatabaseStore, wanted: Any) -> Any:
        found = fetch(self, wanted)
        counts["statements"] += 1
        counts["rows"] += len(found)
        return found

    DatabaseStore._fetch = count_rows  # type: ignore[method-assign]
    if not store.joins_transaction:
        read, read_head = store._read, store._read_head

        def count_entries(cache: Any, numbers: Any) -> Any:
            found = read(cache, numbers)
            counts["commands"] += bool(numbers)
            counts["entries"] += len(found)
            return found

        def count_head(cache: Any) -> Any:
            counts["commands"] += 1
            return read_head(cache)

        store._read, store._read_head = count_entries, count_head
    return counts


def _read_served() -> float | None:
    """Return the seconds of CPU that the database has spent on this connection. ``None``: it is elsewhere."""
    if connection.settings_dict["HOST"] not in _LOCAL or connection.connection is None:
        return None
    served = Path("/proc") / str(connection.connection.info.backend_pid)
    try:
        if (served / "comm").read_text().strip() != "postgres":
            return None
        return int((served / "schedstat").read_text().split()[0]) / 1e9
    except OSError:
        return None


def _read_cache_load() -> dict[str, float]:
    """Return the seconds of CPU of the Redis, its commands, and the bytes that it has sent."""
    if "notices" not in settings.CACHES:
        return {}
    found = caches["notices"]._cache.get_client(None).info()  # type: ignore[attr-defined]
    return {
        "cpu": found["used_cpu_user"] + found["used_cpu_sys"],
        "commands": found["total_commands_processed"],
        "sent": found["total_net_output_bytes"],
    }


def _summarise(found: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    polls = [poll for reader in found for poll in reader["polls"]]
    if any(reader["failed"] for reader in found):
        raise RevocationUnavailable("A reader could not read its store.")
    counts = sum((reader["counts"] for reader in found), Counter[str]())
    stores = [reader["store"] for reader in found]
    return {
        "wanted": len(found) * seconds / POLL,
        "polls": len(polls),
        "wall": statistics.median(poll[0] for poll in polls) if polls else 0.0,
        "cpu": sum(poll[1] for poll in polls) / max(1, len(polls)),
        "counts": dict(counts),
        "store": None if None in stores else sum(stores),
    }


# -- The start of a process ----------------------------------------------------------------------------


def start(*, live: int) -> dict[str, Any]:
    """Start a feed with ``live`` notices, as a new process does. Return how long it takes.

    Requests come every 50 ms. They are refused with 503 until all notices are read. Another thread notes its
    longest pause, because it stands for the requests that need no feed.
    """
    _fill(live)
    feed = _make_feed()
    counts = _count(feed.store)
    over = threading.Event()
    pauses = [0.0]
    thread = threading.Thread(target=_note_pauses, args=(over, pauses))
    thread.start()
    begun, used, refused = time.perf_counter(), time.process_time(), 0
    while True:
        asked = time.perf_counter()
        try:
            feed.check(uuid4())
            break
        except RevocationUnavailable:
            refused += 1
            time.sleep(max(0.0, 0.05 + asked - time.perf_counter()))
    found = {
        "seconds": time.perf_counter() - begun,
        "cpu": time.process_time() - used,
        "refused": refused,
        "notices": len(feed.ended),
        "statements": counts["statements"],
    }
    over.set()
    thread.join()
    return {**found, "pause": pauses[0]}


def _note_pauses(over: threading.Event, pauses: list[float]) -> None:
    before = time.perf_counter()
    while not over.is_set():
        time.sleep(0.001)
        now = time.perf_counter()
        pauses[0] = max(pauses[0], now - before - 0.001)
        before = now


# -- A simulation --------------------------------------------------------------------------------------


def simulate(*, count: int, rounds: int) -> dict[str, float]:
    """Return the seconds that ``count`` ids need if a relay hands them over as one packed text.

    No relay exists. This is the work of a process beyond the reading of one value.
    """
    packed = os.urandom(16 * count)
    until = int(time.monotonic() + KEEP)
    times = []
    for _ in range(rounds):
        ended = Ended()
        ended.drop_old(time.monotonic())
        used = time.thread_time()
        ended.learn(Notice(UUID(bytes=packed[at : at + 16]), until) for at in range(0, len(packed), 16))
        times.append(time.thread_time() - used)
    return {"seconds": statistics.median(times), "bytes": float(len(packed))}
