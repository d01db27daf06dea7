"""Where the news of ended sessions is kept between processes: a table, or a Django cache.

A store numbers what is published, and a reader asks for what came after the last number that it saw.
Numbers are given before the news can be seen (a transaction commits later, a cache is written after
its counter), so every reader looks back over the numbers of the last :data:`OVERLAP` as well. No clock
of another machine is compared with another: time is measured by the reader alone, monotonically.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

from django.core.cache import BaseCache, caches
from django.db import Error, InterfaceError, OperationalError, models, transaction

from drf_tessera.database import find_database
from drf_tessera.exceptions import RevocationUnavailable
from drf_tessera.models import Revocation

OVERLAP: Final = 10.0
"""Seconds that a publisher may take from getting a number to being seen."""

BATCH: Final = 500


class Notice(NamedTuple):
    """One session has ended, and none of its access tokens lives past ``until``."""

    session_id: UUID
    until: int
    """Seconds since the epoch."""


class Store(Protocol):
    """One reader's view of a store. Not for several threads at once."""

    joins_transaction: bool
    """Whether what is published in a transaction is undone with it."""

    def publish(self, notices: Sequence[Notice]) -> None:
        """Make the news known to all readers.

        Raises:
            RevocationUnavailable: it is not known whether they will ever see it.
        """

    def pull(self) -> list[Notice]:
        """Give all news that this reader may not have seen yet, and perhaps some that it has.

        Raises:
            RevocationUnavailable: nothing was learned.
        """

    def rewind(self) -> None:
        """Give everything again with the next pull."""


class DatabaseStore:
    """The table :class:`~drf_tessera.models.Revocation`, in the database of the sessions.

    News is written in the transaction that ends the session: both are there or neither.
    """

    joins_transaction = True

    def __init__(self) -> None:
        self._newest: deque[tuple[float, int, UUID]] = deque()
        """The newest row of each pull, and when that was seen: the last that is older than the
        overlap, and all since."""

    def publish(self, notices: Sequence[Notice]) -> None:
        """Insert a row for each."""
        rows = [Revocation(session_id=item.session_id, until=item.until) for item in notices]
        try:
            self._rows().bulk_create(rows, batch_size=BATCH)
        except Error as error:
            raise RevocationUnavailable from error

    def pull(self) -> list[Notice]:
        """Read the rows since the overlap began: one statement, as a rule with one row in its answer."""
        now = time.monotonic()
        found = self._read_on(now)
        if found is None:
            found = _fetch(self._rows().filter(until__gt=int(time.time())))
        if found:
            last, session_id, _ = found[-1]
            if not self._newest or self._newest[-1][1:] != (last, session_id):
                self._newest.append((now, last, session_id))
        return [Notice(session_id, until) for _, session_id, until in found]

    def rewind(self) -> None:
        """Begin with the first row."""
        self._newest.clear()

    def _read_on(self, now: float) -> list[tuple[int, UUID, int]] | None:
        """Read from the last row that was seen an overlap ago; ``None``: read from the beginning.

        The row itself is asked for too. If it is not there any more, or is another one, the table was
        pruned or restored from a backup, and its numbers prove nothing.
        """
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


def _fetch(rows: models.QuerySet[Revocation]) -> list[tuple[int, UUID, int]]:
    wanted = rows.order_by("pk").values_list("pk", "session_id", "until")
    connection = transaction.get_connection(rows.db)
    try:
        try:
            return list(wanted)
        except (OperationalError, InterfaceError):
            if connection.in_atomic_block or not connection.autocommit:
                raise
            # Perhaps only this connection is dead: it was opened before the server was restarted.
            connection.close()
            return list(wanted.all())
    except Error as error:
        raise RevocationUnavailable from error


class CacheStore:
    """A Django cache that all processes share, and that counts atomically: Redis.

    Not part of any transaction, so the caller publishes after the commit. A cache that is emptied has
    forgotten what was published, while the processes that heard it have not; what has ended stays
    ended in the database in any case, so a forgotten access token works for its few minutes at most.
    """

    joins_transaction = False

    _COUNTER: Final = "drf_tessera:revocation"
    _FARTHEST: Final = 100_000
    """More news than this at once is taken for a counter that was begun anew."""

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self._head: int | None = None
        self._awaited: dict[int, float] = {}
        """Numbers that were given and whose news is not there yet, and when they were first missed."""

    def publish(self, notices: Sequence[Notice]) -> None:
        """Take a number for each and write it down."""
        try:
            cache = caches[self._alias]
            batches = [notices[start : start + BATCH] for start in range(0, len(notices), BATCH)]
            missing = [name for batch in batches for name in self._write(cache, batch)]
        except Exception as error:  # each cache backend has exceptions of its own
            raise RevocationUnavailable from error
        if missing:
            raise RevocationUnavailable(f"The cache did not take {len(missing)} revocations.")

    def _write(self, cache: BaseCache, batch: Sequence[Notice]) -> list[str]:
        last = self._count(cache, len(batch))
        timeout = max(item.until for item in batch) - time.time() + OVERLAP
        entries = {
            self._name(last - index): (item.session_id.hex, item.until) for index, item in enumerate(batch)
        }
        return list(cache.set_many(entries, timeout=int(timeout)))

    def pull(self) -> list[Notice]:
        """Read the counter, and what it counted since the last time."""
        try:
            return self._pull(caches[self._alias], time.monotonic())
        except Exception as error:  # each cache backend has exceptions of its own
            raise RevocationUnavailable from error

    def rewind(self) -> None:
        """Read back from the newest."""
        self._head, self._awaited = None, {}

    def _pull(self, cache: BaseCache, now: float) -> list[Notice]:
        head = self._read_head(cache)
        if self._head is None or not self._head <= head <= self._head + self._FARTHEST:
            found = self._read_back(cache, head, now)
        else:
            since = dict.fromkeys(range(self._head + 1, head + 1), now)
            self._awaited = {
                number: missed for number, missed in self._awaited.items() if missed > now - OVERLAP
            } | since
            found = self._read(cache, self._awaited)
            for number in found:
                del self._awaited[number]
        self._head = head
        return list(found.values())

    def _read_head(self, cache: BaseCache) -> int:
        """Read the counter, or begin one: a cache that hides its failures gives none even then."""
        head = cache.get(self._COUNTER)
        if head is None:
            self._begin(cache)
            head = cache.get(self._COUNTER)
        if head is None:
            raise RevocationUnavailable("The cache keeps nothing.")
        return int(head)

    def _begin(self, cache: BaseCache) -> None:
        # Beyond every number that was given before the cache was emptied.
        cache.add(self._COUNTER, int(time.time() * 1000), timeout=None)

    def _read_back(self, cache: BaseCache, head: int, now: float) -> dict[int, Notice]:
        """Read backwards from the newest, until a whole batch has been forgotten by the cache."""
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
        return {names[name]: Notice(UUID(hex=raw), until) for name, (raw, until) in entries.items()}

    def _count(self, cache: BaseCache, step: int) -> int:
        try:
            return cache.incr(self._COUNTER, step)
        except ValueError:
            self._begin(cache)
            return cache.incr(self._COUNTER, step)

    def _name(self, number: int) -> str:
        return f"{self._COUNTER}:{number}"
