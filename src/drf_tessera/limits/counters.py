"""Count in fixed windows of time, in the default cache, and atomically where the cache can.

The key of a count contains the number of its window, so a window that has ended needs no deletion and cannot
be lengthened by further attempts. An attempt is reserved before the work, and refunded if the work turns out
not to count. Reading first and writing later would let simultaneous attempts read the same number.

If the cache fails, each process counts for itself, so a cache that is down stops neither the logins nor the
limits.
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from django.core.cache import cache

from drf_tessera.exceptions import TooManyAttempts

logger: Final = logging.getLogger("drf_tessera")

CACHE_PAUSE: Final = 5.0
"""Seconds after a failure of the cache in which it is not asked again. Each request would wait for it."""

MAX_KEYS: Final = 20_000
"""The most keys that one process counts by itself. A key takes about 300 bytes."""

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """At most ``limit`` attempts in each window of ``seconds`` for one ``key``."""

    name: str
    """The name of the limit. Signals carry it."""
    key: str = field(repr=False)
    """The account, the network or the session. Any text, because the cache only gets its digest."""
    limit: int
    seconds: int
    lot: int = 1
    """How many attempts a process counts by itself before it adds them to the shared count.

    With 1 the limit is exact. With more, most attempts need no cache, and the other processes learn about
    them later.
    """


class Spent(TooManyAttempts):
    """A budget is spent until the end of its window."""

    def __init__(self, budget: Budget, key: str, retry_after: int) -> None:
        self.budget: Budget = budget
        self.key: str = key
        super().__init__(retry_after)


@dataclass(frozen=True, slots=True)
class Reservation:
    """One attempt that is counted. :meth:`refund` takes it back."""

    budget: Budget
    key: str = field(repr=False)
    shared: bool

    def refund(self) -> None:
        """Take the attempt back, because it does not count."""
        if not self.shared:
            _own.add(self.key, -1)
            return
        with suppress(ValueError, _CacheDownError), _watched():  # ValueError: the window has ended
            cache.decr(self.key)


def read_rate(rate: str) -> tuple[int, int]:
    """Return the number and the seconds of a rate such as ``10/min``."""
    number, _, unit = rate.partition("/")
    return int(number), _SECONDS[unit[0]]


def reserve(budget: Budget) -> Reservation:
    """Count one attempt.

    Raises:
        Spent: the budget is spent. The attempt was not counted.
    """
    now = time.time()
    window = int(now // budget.seconds)
    ends = (window + 1) * budget.seconds
    digest = hashlib.sha256(budget.key.encode("utf-8", "backslashreplace")).hexdigest()
    key = f"tessera:{budget.name}:{digest}:{window}"
    spent = Spent(budget, key, max(1, math.ceil(ends - now)))
    if budget.lot > 1:
        fits, shared = _reserve_in_lots(budget, key, ends), False
    else:
        fits, shared = _reserve_exactly(budget, key, ends)
    if not fits:
        raise spent
    return Reservation(budget, key, shared)


def reserve_all(budgets: Iterable[Budget]) -> list[Reservation]:
    """Count one attempt in each budget, or in none of them.

    Raises:
        Spent: one of the budgets is spent.
    """
    held: list[Reservation] = []
    try:
        for budget in budgets:
            held.append(reserve(budget))  # noqa: PERF401 - the list must have the first ones when one raises
    except Spent:
        refund_all(held)
        raise
    return held


def refund_all(held: list[Reservation]) -> None:
    """Take all these attempts back, and empty the list."""
    while held:
        held.pop().refund()


def is_first(spent: Spent) -> bool:
    """Return whether nobody has asked this before about the budget in its window."""
    key = f"{spent.key}:told"
    if _own.add(key, 1, time.time() + spent.retry_after) > 1:
        return False
    try:
        with _watched():
            return bool(cache.add(key, 1, spent.budget.seconds))
    except _CacheDownError:
        return True


def _reserve_exactly(budget: Budget, key: str, ends: float) -> tuple[bool, bool]:
    """Return whether the attempt fits, and whether the cache has counted it."""
    try:
        with _watched():
            return _reserve_shared(budget, key), True
    except (_CacheDownError, ValueError):  # ValueError: the cache stores nothing (DummyCache)
        fits = _own.add(key, 1, ends) <= budget.limit
        if not fits:
            _own.add(key, -1)
        return fits, False


def _reserve_shared(budget: Budget, key: str) -> bool:
    found = cache.get(key)
    if found is not None and int(found) >= budget.limit:
        return False  # one question is enough to refuse a flood
    if found is None:
        cache.add(key, 0, budget.seconds)
    if cache.incr(key) <= budget.limit:
        return True
    cache.decr(key)
    return False


def _reserve_in_lots(budget: Budget, key: str, ends: float) -> bool:
    """Count in this process, and exchange counts with the others when there are enough."""
    if _own.count(key) >= budget.limit:
        return False
    _own.add(key, 1, ends)
    lot = _own.take(key, budget.lot)
    if lot:
        try:
            with _watched():
                cache.add(key, 0, budget.seconds)
                _own.settle(key, lot, cache.incr(key, lot))
        except (_CacheDownError, ValueError):
            _own.settle(key, lot, None)
    return True


# -- The counts of this process --------------------------------------------------------------------


@dataclass(slots=True)
class _Count:
    ends: float
    pending: int = 0
    """Attempts that only this process knows."""
    travelling: int = 0
    """Attempts that are being added to the shared count."""
    shared: int = 0
    """The shared count, as this process has last seen it."""


class _OwnCounts:
    """Counts in the memory of this process."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin again, with a new lock: after a fork the old one may be held by a thread that is gone."""
        self._lock = Lock()
        self._counts: dict[str, _Count] = {}

    def count(self, key: str) -> int:
        """Return the attempts that this process knows of."""
        found = self._counts.get(key)
        return 0 if found is None else found.shared + found.pending + found.travelling

    def add(self, key: str, number: int, ends: float | None = None) -> int:
        """Add attempts, and return how many there are. Without ``ends`` a new count is not begun."""
        with self._lock:
            found = self._counts.get(key)
            if found is None:
                if ends is None:
                    return 0
                self._make_room()
                found = self._counts[key] = _Count(ends)
            found.pending += number
            return found.shared + found.pending + found.travelling

    def take(self, key: str, lot: int) -> int:
        """Return the attempts to add to the shared count, or 0 if they are fewer than ``lot``."""
        with self._lock:
            found = self._counts.get(key)
            if found is None or found.pending < lot:
                return 0
            taken, found.pending = found.pending, 0
            found.travelling += taken
            return taken

    def settle(self, key: str, taken: int, shared: int | None) -> None:
        """Note the shared count after :meth:`take`. ``None`` means that the cache did not count."""
        with self._lock:
            found = self._counts.get(key)
            if found is None:
                return
            found.travelling -= taken
            if shared is None:
                found.pending += taken
            else:
                found.shared = max(found.shared, shared)

    def _make_room(self) -> None:
        if len(self._counts) < MAX_KEYS:
            return
        now = time.time()
        live = {key: count for key, count in self._counts.items() if count.ends > now}
        # If a flood of keys has filled the memory, the older half goes.
        half = list(live.items())[-(MAX_KEYS // 2) :]
        self._counts = dict(half)


_own = _OwnCounts()
os.register_at_fork(after_in_child=_own.forget)


def forget_counts() -> None:
    """Forget the counts of this process. The counts in the cache stay."""
    _own.forget()
    _outage.end()


# -- A cache that fails ----------------------------------------------------------------------------


class _CacheDownError(Exception):
    """The cache cannot be asked now."""


class _Outage:
    """Whether the cache fails, and the time until which it is left alone."""

    def __init__(self) -> None:
        self.until = 0.0

    def begin(self) -> None:
        if not self.until:
            logger.exception("The default cache fails, so each process counts logins by itself.")
        self.until = time.monotonic() + CACHE_PAUSE

    def end(self) -> None:
        if self.until:
            logger.warning("The default cache answers again.")
            self.until = 0.0


_outage = _Outage()


@contextmanager
def _watched() -> Iterator[None]:
    """Note every failure of the cache in the block. A ``ValueError`` is an answer of the cache.

    Raises:
        _CacheDownError: the cache fails, or has failed a moment ago.
    """
    if _outage.until > time.monotonic():
        raise _CacheDownError
    try:
        yield
    except ValueError:
        raise
    except Exception as error:  # each client of a cache has errors of its own
        _outage.begin()
        raise _CacheDownError from error
    _outage.end()
