"""Count in fixed windows of time, atomically, in the default cache.

The key of a count contains the number of its window, so a window that has ended needs no deletion and cannot
be lengthened by further attempts. An attempt is reserved before the work, and refunded if the work turns out
not to count. Reading first and writing later would let simultaneous attempts read the same number.

Some caches cannot increase a number atomically, such as Django's database cache. There each attempt takes a
free slot, which is an entry of its own, because ``add`` is atomic.

If the cache fails, each process counts for itself, so a cache that is down stops neither the logins nor the
limits.
"""

from __future__ import annotations

import hashlib
import logging
import math
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import ClassVar, Final

from django.core.cache import DEFAULT_CACHE_ALIAS, cache, caches
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.dummy import DummyCache

from drf_tessera.conf import current_tenant
from drf_tessera.exceptions import TooManyAttempts
from drf_tessera.forks import after_fork

logger: Final = logging.getLogger(__name__)

PAUSE: Final = 10.0
"""Seconds for which a cache that has failed is not asked again. Each request would wait for its timeout."""

MAX_KEYS: Final = 20_000
"""The most keys that one process counts by itself. A key takes about 300 bytes."""

MAX_SLOTS: Final = 1000
"""The largest limit that is counted in slots. One statement asks for all slots, so it must not grow long."""

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
    """The key of the count, or of the slot."""
    shared: bool
    in_slot: bool = False

    def refund(self) -> None:
        """Undo the attempt, because it does not count."""
        if not self.shared:
            _own.add(self.key, -1)
            return
        with suppress(ValueError, _CacheDownError), _watched():  # ValueError: the window has ended
            if self.in_slot:
                cache.delete(self.key)
            else:
                cache.decr(self.key)


def read_clock() -> float:
    """Return the seconds since the epoch. Tests replace this function."""
    return time.time()


def read_rate(rate: str) -> tuple[int, int]:
    """Return the number and the seconds of a rate such as ``10/min``."""
    number, _, unit = rate.partition("/")
    return int(number), _SECONDS[unit[0]]


def reserve(budget: Budget) -> Reservation:
    """Count one attempt.

    Raises:
        Spent: the budget is spent. The attempt was not counted.
    """
    now = read_clock()
    window = int(now // budget.seconds)
    ends = (window + 1) * budget.seconds
    tenant = current_tenant()
    name = f"{tenant}\n{budget.key}" if tenant else budget.key
    digest = hashlib.sha256(name.encode("utf-8", "backslashreplace")).hexdigest()
    key = f"tessera:{_OwnCounts.series}{budget.name}:{digest}:{window}"
    spent = Spent(budget, key, max(1, math.ceil(ends - now)))
    found = (_reserve_in_lots if budget.lot > 1 else _reserve_exactly)(budget, key, ends)
    if found is None:
        raise spent
    return found


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
    """Undo all these attempts, and empty the list."""
    while held:
        held.pop().refund()


def is_first(spent: Spent) -> bool:
    """Return whether nobody has asked this before about the budget in its window."""
    key = f"{spent.key}:told"
    if _own.add(key, 1, read_clock() + spent.retry_after) > 1:
        return False
    try:
        with _watched():
            return bool(cache.add(key, 1, spent.budget.seconds))
    except _CacheDownError:
        return True


def _reserve_exactly(budget: Budget, key: str, ends: float) -> Reservation | None:
    """Reserve in the cache. If the cache fails or stores nothing, reserve in this process."""
    kind = type(caches[DEFAULT_CACHE_ALIAS])
    try:
        if not issubclass(kind, DummyCache):
            with _watched():
                # The method of Django's base class reads first and writes later.
                in_slot = kind.incr is BaseCache.incr and budget.limit <= MAX_SLOTS
                return (_reserve_slot if in_slot else _reserve_number)(budget, key)
    except (_CacheDownError, ValueError):
        pass
    if _own.add(key, 1, ends) <= budget.limit:
        return Reservation(budget, key, shared=False)
    _own.add(key, -1)
    return None


def _reserve_number(budget: Budget, key: str) -> Reservation | None:
    found = cache.get(key)
    if found is not None and int(found) >= budget.limit:
        return None  # one question is enough to refuse a flood
    if found is None:
        cache.add(key, 0, budget.seconds)
    if cache.incr(key) <= budget.limit:
        return Reservation(budget, key, shared=True)
    cache.decr(key)
    return None


def _reserve_slot(budget: Budget, key: str) -> Reservation | None:
    slots = {f"{key}:{number}" for number in range(budget.limit)}
    while free := sorted(slots.difference(cache.get_many(slots))):
        slot = secrets.choice(free)  # by chance, because simultaneous attempts see the same free slots
        if cache.add(slot, 1, budget.seconds):
            return Reservation(budget, slot, shared=True, in_slot=True)
        slots.remove(slot)  # somebody else took it, or the database is read-only
    return None


def _reserve_in_lots(budget: Budget, key: str, ends: float) -> Reservation | None:
    """Count in this process, and exchange counts with the others when there are enough."""
    if _own.count(key) >= budget.limit:
        return None
    _own.add(key, 1, ends)
    lot = _own.take(key, budget.lot)
    if lot:
        try:
            with _watched():
                cache.add(key, 0, budget.seconds)
                _own.settle(key, lot, cache.incr(key, lot))
        except (_CacheDownError, ValueError):
            _own.settle(key, lot, None)
    return Reservation(budget, key, shared=False)


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

    series: ClassVar[str] = ""
    """Begins the keys, in a process whose tests do not count for each other (:func:`begin_anew`)."""

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
        """Record the shared count after :meth:`take`. ``None`` means that the cache did not count."""
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
        now = read_clock()
        live = {key: count for key, count in self._counts.items() if count.ends > now}
        # If a flood of keys has filled the memory, the older half goes.
        half = list(live.items())[-(MAX_KEYS // 2) :]
        self._counts = dict(half)


_own = _OwnCounts()
after_fork(_own.forget)


def forget_counts() -> None:
    """Drop the counts of this process. The counts in the cache stay."""
    _own.forget()
    _outage.end()


def begin_anew() -> None:
    """Drop all attempts, for the next test. Nothing in the cache is deleted, because it is the project's.

    From now on this process counts under keys of its own. So neither earlier tests nor the tests of another
    process, which may use the same cache, spend the limits of this test.
    """
    forget_counts()
    _OwnCounts.series = f"{secrets.token_hex(8)}:"


# -- A cache that fails ----------------------------------------------------------------------------


class _CacheDownError(Exception):
    """The cache cannot be asked now."""


class _Outage:
    """Whether the cache fails, and since when it is left alone."""

    def __init__(self) -> None:
        self.began: float | None = None

    def begin(self) -> None:
        if self.began is None:
            logger.exception("The default cache does not answer. Each process now counts the logins itself.")
        self.began = time.monotonic()

    def end(self) -> None:
        if self.began is not None:
            logger.warning("The default cache answers again.")
            self.began = None

    def is_paused(self) -> bool:
        # Under a clock that a test has frozen, the failure may lie in the future.
        return self.began is not None and 0 <= time.monotonic() - self.began < PAUSE


_outage = _Outage()


@contextmanager
def _watched() -> Iterator[None]:
    """Record every failure of the cache in the block. A ``ValueError`` is an answer of the cache.

    Raises:
        _CacheDownError: the cache fails, or has failed a moment ago.
    """
    if _outage.is_paused():
        raise _CacheDownError
    try:
        yield
    except ValueError:
        raise
    except Exception as error:  # each client of a cache has errors of its own
        _outage.begin()
        raise _CacheDownError from error
    _outage.end()
