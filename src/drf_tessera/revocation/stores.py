"""The stores that carry notices of ended sessions between processes: a table, or a Django cache.

A store numbers the notices, and a reader asks for the notices after the last number that it saw. A notice
gets its number before readers can see it, because a transaction commits later and a cache is written after
its counter. So every reader also reads the numbers of the last :data:`OVERLAP` again. Only the reader
measures time, with its own monotonic clock, so the clocks of two machines are never compared.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, Protocol
from uuid import UUID

from django.core.cache import BaseCache, caches
from django.db import Error, models

from drf_tessera.database import find_database, read_calmly
from drf_tessera.exceptions import RevocationUnavailable
from drf_tessera.models import Revocation
from drf_tessera.revocation.notices import Notice, read_entry, read_scope, write_entry, write_scope

OVERLAP: Final = 10.0
"""The number of seconds after which readers can see a notice, at the latest, once it has its number."""

BATCH: Final = 500


class Store(Protocol):
    """One reader's view of a store. Only one thread at a time may use it."""

    joins_transaction: bool
    """Whether notices that are published in a transaction are rolled back with the transaction."""

    def publish(self, notices: Sequence[Notice]) -> None:
        """Make the notices known to all readers.

        Raises:
            RevocationUnavailable: some notices may never reach the readers.
        """

    def pull(self) -> list[Notice]:
        """Return all notices that this reader may not have seen yet, and perhaps some that it has seen.

        Raises:
            RevocationUnavailable: the store could not be read.
        """

    def rewind(self) -> None:
        """Return all notices again at the next pull."""


class DatabaseStore:
    """The table :class:`~drf_tessera.models.Revocation`, in the database of the sessions.

    A notice is written in the transaction that ends the session, so both are committed or neither.
    """

    joins_transaction = True

    def __init__(self) -> None:
        self._newest: deque[tuple[float, int, UUID]] = deque()
        """The newest row of each pull, and the time at which it was seen. The first entry is the last one
        that is older than the overlap."""

    def publish(self, notices: Sequence[Notice]) -> None:
        """Insert a row for each notice."""
        rows = [make_row(item) for item in notices]
        try:
            self._rows().bulk_create(rows, batch_size=BATCH)
        except Error as error:
            raise RevocationUnavailable from error

    def pull(self) -> list[Notice]:
        """Read the rows since the overlap began. This is one statement, which usually returns one row."""
        now = time.monotonic()
        found = self._read_on(now)
        if found is None:
            found = _fetch(self._rows().filter(until__gt=int(time.time())))
        if found:
            last, session_id, *_ = found[-1]
            if not self._newest or self._newest[-1][1:] != (last, session_id):
                self._newest.append((now, last, session_id))
        return [read_row(*columns) for _, *columns in found]

    def rewind(self) -> None:
        """Begin with the first row at the next pull."""
        self._newest.clear()

    def _read_on(self, now: float) -> list[tuple[Any, ...]] | None:
        """Read from the last row that was seen an overlap ago. ``None`` means: read from the beginning.

        That row itself is read too. If the row no longer exists, or another row has its number, then the
        table was pruned or restored from a backup, and its numbers prove nothing.
        """
        if self._newest and self._newest[-1][0] > now:
            self._newest.clear()  # a test has stopped or moved the clock
        while len(self._newest) > 1 and self._newest[1][0] <= now - OVERLAP:
            self._newest.popleft()
        if not self._newest or self._newest[0][0] > now - OVERLAP:
            return None
        _, base, session_id = self._newest[0]
        found = _fetch(self._rows().filter(pk__gte=base))
        if found and found[0][:2] == (base, session_id):
            return found
        self._newest.clear()
        return None

    def _rows(self) -> models.QuerySet[Revocation]:
        return Revocation._default_manager.using(find_database())


def make_row(notice: Notice) -> Revocation:
    """Return the row of a notice. It is not saved."""
    return Revocation(session_id=notice.session_id, until=notice.until, scope=write_scope(notice.scope))


def read_row(session_id: UUID, until: int, scope: str) -> Notice:
    """Return the notice of the columns of a row."""
    return Notice(session_id, until, read_scope(scope))


def _fetch(rows: models.QuerySet[Revocation]) -> list[tuple[Any, ...]]:
    wanted = rows.order_by("pk").values_list("pk", "session_id", "until", "scope")
    try:
        return read_calmly(lambda: list(wanted.all()))
    except Error as error:
        raise RevocationUnavailable from error


class CacheStore:
    """A Django cache that all processes share and that counts atomically, such as Redis.

    A cache does not take part in a transaction, so the caller publishes after the commit. If the cache is
    emptied, the processes that have read a notice still know it, but other processes never see it. The
    session stays ended in the database in any case. So these processes accept its access token until the
    token expires, for a few minutes at most.
    """

    joins_transaction = False

    _COUNTER: Final = "drf_tessera:revocation"
    _FARTHEST: Final = 100_000
    """If the counter is further ahead than this, the reader assumes that another counter was begun."""

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self._head: int | None = None
        self._awaited: dict[int, float] = {}
        """The numbers whose notices cannot be read yet, and the time at which each was first missed."""

    def publish(self, notices: Sequence[Notice]) -> None:
        """Reserve a number for each notice, and write the notice under its number."""
        try:
            cache = caches[self._alias]
            batches = [notices[start : start + BATCH] for start in range(0, len(notices), BATCH)]
            missing = [name for batch in batches for name in self._write(cache, batch)]
        except Exception as error:  # each cache backend has exceptions of its own
            raise RevocationUnavailable from error
        if missing:
            raise RevocationUnavailable(f"The cache did not store {len(missing)} revocations.")

    def _write(self, cache: BaseCache, batch: Sequence[Notice]) -> list[str]:
        last = self._count(cache, len(batch))
        timeout = max(item.until for item in batch) - time.time() + OVERLAP
        entries = {self._name(last - index): write_entry(item) for index, item in enumerate(batch)}
        return list(cache.set_many(entries, timeout=int(timeout)))

    def pull(self) -> list[Notice]:
        """Read the counter, and the notices that were numbered since the last pull."""
        try:
            return self._pull(caches[self._alias], time.monotonic())
        except Exception as error:  # each cache backend has exceptions of its own
            raise RevocationUnavailable from error

    def rewind(self) -> None:
        """Read backwards from the newest notice at the next pull."""
        self._head, self._awaited = None, {}

    def _pull(self, cache: BaseCache, now: float) -> list[Notice]:
        head = self._read_head(cache)
        if self._head is None or not self._head <= head <= self._head + self._FARTHEST:
            found = self._read_back(cache, head, now)
        else:
            since = dict.fromkeys(range(self._head + 1, head + 1), now)
            self._awaited = {
                number: missed for number, missed in self._awaited.items() if now - OVERLAP < missed <= now
            } | since
            found = self._read(cache, self._awaited)
            for number in found:
                del self._awaited[number]
        self._head = head
        return list(found.values())

    def _read_head(self, cache: BaseCache) -> int:
        """Read the counter, or begin one. A cache that hides its failures has no counter even then."""
        head = cache.get(self._COUNTER)
        if head is None:
            self._begin(cache)
            head = cache.get(self._COUNTER)
        if head is None:
            raise RevocationUnavailable("The cache does not store anything.")
        return int(head)

    def _begin(self, cache: BaseCache) -> None:
        # The number of milliseconds is beyond every number that was used before the cache was emptied.
        cache.add(self._COUNTER, int(time.time() * 1000), timeout=None)

    def _read_back(self, cache: BaseCache, head: int, now: float) -> dict[int, Notice]:
        """Read backwards from the newest notice, until the cache has no notice of a whole batch."""
        found: dict[int, Notice] = {}
        self._awaited = {}
        for start in range(head, 0, -BATCH):
            numbers = range(start, max(0, start - BATCH), -1)
            batch = self._read(cache, numbers)
            if start == head:
                self._awaited = {number: now for number in numbers if number not in batch}
            if not batch:
                break
            found |= batch
        return found

    def _read(self, cache: BaseCache, numbers: Any) -> dict[int, Notice]:
        names = {self._name(number): number for number in numbers}
        if not names:
            return {}
        entries = cache.get_many(names)
        return {names[name]: read_entry(entry) for name, entry in entries.items()}

    def _count(self, cache: BaseCache, step: int) -> int:
        try:
            return cache.incr(self._COUNTER, step)
        except ValueError:
            self._begin(cache)
            return cache.incr(self._COUNTER, step)

    def _name(self, number: int) -> str:
        return f"{self._COUNTER}:{number}"
