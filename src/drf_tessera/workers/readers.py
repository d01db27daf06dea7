"""Rows that a request needs, read by a thread of the crew."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import Final, Generic, TypeVar

from django.utils.asyncio import async_unsafe

from drf_tessera.database import find_place, is_alone, is_in_transaction
from drf_tessera.exceptions import DatabaseUnavailable
from drf_tessera.forks import notice_fork
from drf_tessera.workers.crews import Turn, Worker, is_in_crew

T = TypeVar("T")

LEAST_PATIENCE: Final = 1.0
"""Seconds for which a request waits for a reading, also if ``REVOCATION_POLL`` is shorter.

Otherwise a process that has just started on a busy machine would refuse its first requests.
"""

_NEVER: Final = float("inf")
ANY_TIME: Final = float("-inf")


def find_limit(staleness: float) -> float:
    """Return the seconds without progress after which a turn is given up.

    Args:
        staleness: ``REVOCATION_MAX_STALENESS`` in seconds.
    """
    return max(2.0, min(10.0, staleness / 3))


class RowReader(Generic[T]):
    """Reads in a thread of the crew, so that a database that hangs does not hold the request that needs it.

    Requests that ask at the same time share a reading.

    Args:
        read: reads on the connection of its thread, and knows no request.
        poll: ``REVOCATION_POLL`` in seconds. A request waits for one poll at most.
        staleness: ``REVOCATION_MAX_STALENESS`` in seconds.
    """

    def __init__(self, read: Callable[[], T], *, poll: float, staleness: float) -> None:
        self._read = read
        self._patience = max(poll, LEAST_PATIENCE)
        self._limit = find_limit(staleness)
        self._worker: Worker | None = None
        self._found: T
        self._lock = Lock()
        """Held by the request that reads by itself."""
        self._began = _NEVER
        """The time at which the last such reading began."""

    @async_unsafe("You cannot call this from an async context - use a thread or sync_to_async.")
    def read(self, since: float = ANY_TIME) -> T:
        """Return what a reading found that began after ``since``, by the monotonic clock.

        This thread reads by itself if it has a transaction open, because another connection would not see
        what it has written. One thread at a time does so, and the others share what it has found.

        Raises:
            DatabaseUnavailable: the reading takes too long.
            Exception: each error of ``read``.
        """
        notice_fork()
        if is_alone() or is_in_crew():
            return self._read()
        if is_in_transaction():
            return self._read_here(since)
        worker = self._find_worker()
        try:
            turn = worker.ask(since)
        except RuntimeError:  # this system starts no thread, or the interpreter is being shut down
            return self._read()
        turn.wait(0.0 if worker.is_suspect else self._patience)
        turn.check()
        if turn.is_lost or not turn.over.is_set():
            raise DatabaseUnavailable
        return self._found

    def forget(self) -> None:
        """Drop the reading of the last request that read by itself. The next such request reads again."""
        self._began = _NEVER

    def _read_here(self, since: float) -> T:
        """Read in this thread. If the database hangs, it holds one such request, and the others give up."""
        if not self._lock.acquire(timeout=self._patience):
            raise DatabaseUnavailable
        try:
            if not since <= self._began <= time.monotonic():
                began = time.monotonic()
                self._found, self._began = self._read(), began
            return self._found
        finally:
            self._lock.release()

    def _find_worker(self) -> Worker:
        """Return a worker for the place of the tables. A router may name another place than before."""
        place = find_place()
        if self._worker is None or self._worker.place.name != place.name:
            self._worker = Worker(self._work, lose=lambda: None, limit=self._limit, place=place)
        return self._worker

    def _work(self, turn: Turn) -> None:
        turn.began = time.monotonic()
        found = self._read()
        if not turn.is_lost:
            self._found = found
