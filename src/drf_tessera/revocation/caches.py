"""A Django cache that carries notices of ended sessions, beside the table.

The table is the truth. A notice is written there in the transaction that ends the session, also if a cache
carries the news. A cache can lose entries: it is emptied, it fails over, or a publisher dies between the
commit and the cache. So a reader of the cache reads the table too if it has any doubt, and now and then
without a doubt.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Final

from django.core.cache import BaseCache, caches
from django.utils.translation import gettext_noop

from drf_tessera.exceptions import ProjectError, RevocationUnavailable
from drf_tessera.revocation.notices import Heard, Notice, read_entry, write_entry
from drf_tessera.revocation.stores import BATCH, MOST_ROWS, OVERLAP, DatabaseStore

logger: Final = logging.getLogger(__name__)

MOST_SILENCE: Final = 30.0
"""Seconds after which a reader of the cache reads the table, although it has no doubt."""


class CacheStore:
    """A Django cache that all processes share and that counts atomically, such as Redis.

    The cache carries the news, and the table is the truth. A reader reads the table in these cases:

    - It has just started, or the cache did not answer the last time.
    - The counter was begun again, went back, or jumped: the cache was emptied or has failed over.
    - There is another entry under the last number that was read: a fail-over has lost numbers, and they were
      given out again.
    - A number has had no entry for :data:`OVERLAP`: its publisher has died.
    - An entry cannot be read.
    - The last reading of the table was ``silence`` seconds ago. So a logout is known after this time, even if
      nothing in the cache shows that it was lost.
    - Two entries have the number of one row: a fail-over of the database has lost rows.

    Each entry carries the number of its row. So a reading without a doubt returns only the rows that are
    missing among those of the entries. A reader in doubt also reads again what the entries have told it since
    the last reading.
    """

    joins_transaction = False

    _COUNTER: Final = "drf_tessera:revocation"

    _FARTHEST: Final = 100_000
    """If the counter is further ahead than this, the reader assumes that another counter was begun."""

    _MOST_HEARD: Final = 200_000
    """If a reader hears more between two readings of the table, it forgets this, and reads the rows."""

    def __init__(self, alias: str, *, table: Callable[[], str] = str, silence: float = MOST_SILENCE) -> None:
        """Read the cache ``alias``.

        Args:
            alias: the alias in ``CACHES``.
            table: returns a name for the table. The readers of each table have numbers of their own. It is
                called in the thread that uses the store, because it may make a query.
            silence: the number of seconds after which the table is read without a doubt.
        """
        self._alias, self._name_table, self._silence = alias, table, silence
        self._table = DatabaseStore()
        self.is_behind: bool = False
        self._has_more = False
        """Whether the last pull has left notices in the cache."""
        self._is_table_next = False
        """Whether the next pull reads the table, and not the cache."""
        self._in_doubt = True
        self._checked_at = float("-inf")
        """The time of the last complete reading of the table."""
        self._head: int | None = None
        """The last number that this reader has asked for."""
        self._last: tuple[int, object] | None = None
        """The number and the entry of the last notice that was read."""
        self._awaited: dict[int, float] = {}
        """The numbers whose notices cannot be read yet, and the time at which each was first missed."""
        self._heard: Heard = Heard()
        """The rows of the notices of the cache since the last reading of the table."""

    @cached_property
    def _counter(self) -> str:
        # The braces put all keys of a table into one slot of a Redis Cluster, so that one command reads many.
        return f"{{{':'.join(filter(None, (self._COUNTER, self._name_table())))}}}"

    @property
    def skew(self) -> float | None:
        """The seconds by which this server's clock is ahead of the database's."""
        return self._table.skew

    def record(self, notices: Sequence[Notice]) -> list[Notice]:
        """Insert a row for each notice. Return the notices with their rows."""
        return self._table.record(notices)

    def rewind(self) -> None:
        """Read the whole table at the next pulls."""
        self._table.rewind()
        self._is_table_next = False
        self._head, self._last, self._awaited, self._heard, self._in_doubt = None, None, {}, Heard(), True

    def copy(self) -> CacheStore:
        """Return another reader that continues where this one has arrived."""
        other = CacheStore(self._alias, table=self._name_table, silence=self._silence)
        other._table = self._table.copy()
        other._in_doubt, other._checked_at = self._in_doubt, self._checked_at
        other._head, other._last, other._awaited = self._head, self._last, dict(self._awaited)
        other._heard = self._heard.copy()
        return other

    def publish(self, notices: Sequence[Notice]) -> None:
        """Reserve a number for each notice, and write the notice under its number."""
        try:
            cache = caches[self._alias]
            batches = [notices[start : start + BATCH] for start in range(0, len(notices), BATCH)]
            missing = [name for batch in batches for name in self._write(cache, batch)]
        except ProjectError:  # the table that names the counter is missing
            raise
        except Exception as error:  # each cache backend has exceptions of its own
            raise self._explain(error) from error
        if missing:
            raise RevocationUnavailable(gettext_noop("The cache did not store all revocations."))

    def _write(self, cache: BaseCache, batch: Sequence[Notice]) -> list[str]:
        last = self._count(cache, len(batch))
        timeout = max(item.until for item in batch) - time.time() + OVERLAP
        entries = {self._name(last - index): write_entry(item) for index, item in enumerate(batch)}
        # django-redis returns None, and not the names of the entries that were not stored.
        return list(cache.set_many(entries, timeout=int(timeout)) or ())

    def pull(self) -> list[Notice]:
        """Return the new notices of the cache. If there are none, return those of the table, if that is due.

        The table may hang or fail. So the notices of the cache are returned first, and the next pull reads
        the table.
        """
        now = time.monotonic()
        if not self._is_table_next:
            try:
                news = self._pull(caches[self._alias], now)
            except ProjectError:  # the table that names the counter is missing
                self._in_doubt = True
                raise
            except Exception as error:  # each cache backend has exceptions of its own
                self._in_doubt = True
                raise self._explain(error) from error
            is_due = self._in_doubt or not 0 <= now - self._checked_at < self._silence
            if news or not is_due:
                self._is_table_next = is_due
                self.is_behind = self._has_more or is_due
                return news
        self._is_table_next = False
        found = self._check_table(now)
        self.is_behind = self._has_more or self._in_doubt
        return found

    def _explain(self, error: Exception) -> RevocationUnavailable | ProjectError:
        # The name is compared, because this package imports no driver of a cache.
        if type(error).__name__ != "MovedError":
            return RevocationUnavailable()
        return ProjectError(
            f"The cache {self._alias!r} is a Redis Cluster, but its backend does not know clusters. Use a"
            " backend for Redis Cluster, or another Redis."
        )

    def _check_table(self, now: float) -> list[Notice]:
        """Read the table. Without a doubt, a table may be silent."""
        if self._in_doubt:
            news = self._table.pull()
        else:
            self._checked_at = now  # first, because the table may hang
            table = self._table.copy()  # if the reading fails, what was heard proves nothing about the table
            table.skip(self._heard)
            try:
                news = table.pull()
            except RevocationUnavailable:
                logger.warning("The table of revocations could not be checked.", exc_info=True)
                return []
            except ProjectError:
                self._in_doubt = True  # until there is a table
                raise
            self._table = table
        self._heard = Heard()
        self._in_doubt, self._checked_at = self._table.is_behind, now
        return news

    def _pull(self, cache: BaseCache, now: float) -> list[Notice]:
        head = self._read_head(cache)
        known = self._head
        if known is None or not known <= head <= known + self._FARTHEST:
            # The table contains all notices with numbers up to here, because it is written first.
            self._in_doubt, self._has_more = True, False
            self._head, self._awaited = head, {}
            entry = self._read(cache, [head]).get(head)
            self._last = None if entry is None else (head, entry)
            return []
        last = min(head, known + MOST_ROWS)
        self._has_more = last < head
        self._awaited |= dict.fromkeys(range(known + 1, last + 1), now)
        numbers = [*self._awaited, *([self._last[0]] if self._last else [])]
        found = self._read(cache, numbers)
        self._head = last
        self._compare_last(found)
        return self._take(found, now)

    def _compare_last(self, found: dict[int, object]) -> None:
        """Check that the last notice that was read is still there. An expired one proves nothing."""
        if self._last is not None and found.pop(self._last[0], None) != self._last[1]:
            self._in_doubt, self._last = True, None

    def _take(self, found: dict[int, object], now: float) -> list[Notice]:
        news = []
        for number, entry in found.items():
            self._awaited.pop(number, None)
            try:
                news.append(read_entry(entry))
            except ValueError:
                self._report_unreadable(number)
            else:
                self._hear(news[-1])
        if found:
            newest = max(found)
            if self._last is None or newest > self._last[0]:
                self._last = newest, found[newest]
        given_up = [number for number, missed in self._awaited.items() if not now - OVERLAP < missed <= now]
        for number in given_up:
            del self._awaited[number]
            self._in_doubt = True
        return news

    def _hear(self, notice: Notice) -> None:
        if notice.row is None:
            return
        if not self._heard.add(notice):
            self._in_doubt = True
        if len(self._heard) > self._MOST_HEARD:
            self._heard = Heard()

    def _report_unreadable(self, number: int) -> None:
        self._awaited.pop(number, None)
        self._in_doubt = True
        logger.error("The cache %r has an unreadable revocation, number %d.", self._alias, number)

    def _read_head(self, cache: BaseCache) -> int:
        """Read the counter, or begin one. A cache that hides its failures has no counter even then."""
        try:
            head = cache.get(self._counter)
            head = None if head is None else int(head)
        except Exception:
            # If the cache answers, then the counter itself is unreadable.
            cache.get(self._name(0))
            logger.exception("The cache %r has an unreadable counter of revocations.", self._alias)
            cache.delete(self._counter)
            head = None
        if head is None:
            self._head = None
            self._begin(cache)
            head = cache.get(self._counter)
        if head is None:
            raise RevocationUnavailable(gettext_noop("The cache does not store anything."))
        return int(head)

    def _begin(self, cache: BaseCache) -> None:
        # The number of milliseconds is beyond every number that was used before the cache was emptied.
        cache.add(self._counter, int(time.time() * 1000), timeout=None)

    def _read(self, cache: BaseCache, numbers: Sequence[int]) -> dict[int, object]:
        """Read entries. If one of them stops the cache's own reading, find it, and read the others."""
        names = {self._name(number): number for number in numbers}
        try:
            return {names[name]: entry for name, entry in cache.get_many(names).items()} if names else {}
        except Exception:  # noqa: BLE001 - each cache backend has exceptions of its own
            cache.get(self._name(0))  # raises if the cache does not answer at all
            if len(numbers) == 1:
                self._report_unreadable(numbers[0])
                return {}
        middle = len(numbers) // 2
        return self._read(cache, numbers[:middle]) | self._read(cache, numbers[middle:])

    def _count(self, cache: BaseCache, step: int) -> int:
        try:
            return cache.incr(self._counter, step)
        except ValueError:
            self._begin(cache)
            return cache.incr(self._counter, step)

    def _name(self, number: int) -> str:
        return f"{self._counter}:{number}"
