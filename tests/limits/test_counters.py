"""Counts in fixed windows: exact under simultaneous attempts, and without a cache too."""

from __future__ import annotations

import inspect
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from subprocess import PIPE
from typing import Any

import pytest
from django.core.cache import cache
from django.core.cache.backends.db import DatabaseCache
from django.db import connection

from drf_tessera.limits import counters
from drf_tessera.limits.counters import (
    Budget,
    Spent,
    forget_counts,
    is_first,
    read_clock,
    refund_all,
    reserve,
    reserve_all,
)
from tests.limits import database_cache
from tests.servers import PATIENCE, ROOT, Redis

LOCMEM = "django.core.cache.backends.locmem.LocMemCache"
REDIS = "django.core.cache.backends.redis.RedisCache"
DUMMY = "django.core.cache.backends.dummy.DummyCache"
NOWHERE = "redis://127.0.0.1:1/0"


def make(
    limit: int = 10, *, key: str = "anna", lot: int = 1, seconds: int = 86_400, name: str = "x"
) -> Budget:
    return Budget(name=name, key=key, limit=limit, seconds=seconds, lot=lot)


def count_fitting(budget: Budget, attempts: int) -> int:
    return sum(fits(budget) for _ in range(attempts))


def fits(budget: Budget) -> bool:
    try:
        reserve(budget)
    except Spent:
        return False
    return True


@pytest.fixture(
    params=["locmem", "dummy", "down", "database", pytest.param("redis", marks=pytest.mark.server)]
)
def any_cache(request: pytest.FixtureRequest, settings: Any) -> Iterator[str]:
    kind: str = request.param
    if kind == "database":
        request.getfixturevalue("transactional_db")
        with database_cache(settings):
            yield kind
        return
    backends = {"locmem": LOCMEM, "redis": REDIS, "dummy": DUMMY, "down": REDIS}
    where = NOWHERE if kind == "down" else ""
    if kind == "redis":
        where = request.getfixturevalue("redis").url
    settings.CACHES = {"default": {"BACKEND": backends[kind], "LOCATION": where}}
    if kind != "down":
        cache.clear()
    yield kind


def test_a_hundred_simultaneous_attempts_get_the_limit_and_no_more(any_cache: str) -> None:
    """With a cache that counts, and without one in a single process."""
    budget, start = make(), threading.Barrier(20)

    def attempt(_: int) -> list[bool]:
        start.wait()
        try:
            return [fits(budget) for _ in range(5)]
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as threads:
        found = [each for many in threads.map(attempt, range(20)) for each in many]
    assert sum(found) <= 10
    if not (any_cache == "database" and connection.vendor == "sqlite"):  # its lock refuses some attempts
        assert sum(found) == 10


SCRIPT = """
import sys, time
import django
from django.conf import settings
settings.CACHES = {"default": eval(sys.argv[1])}
django.setup()
from drf_tessera.limits.counters import Budget, Spent, reserve
budget = Budget(name="x", key="burst", limit=10, seconds=10**9)
print("ready", flush=True)
sys.stdin.readline()
fitting = 0
for _ in range(25):
    try:
        reserve(budget)
        fitting += 1
    except Spent:
        pass
print(fitting)
"""


@pytest.mark.server
@pytest.mark.parametrize("kind", ["redis", "database"])
def test_four_processes_get_the_limit_together(
    request: pytest.FixtureRequest, settings: Any, transactional_db: None, kind: str
) -> None:
    with database_cache(settings):
        if kind == "redis":
            settings.CACHES = {
                "default": {"BACKEND": REDIS, "LOCATION": request.getfixturevalue("redis").url}
            }
            cache.clear()
        name = str(connection.settings_dict["NAME"])
        whole = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.server_settings", "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", SCRIPT, repr(settings.CACHES["default"])]
        started = [
            subprocess.Popen(
                command, env={**whole, "TESSERA_SERVER_DB_NAME": name}, stdin=PIPE, stdout=PIPE, text=True
            )
            for _ in range(4)
        ]
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in started:  # each begins only now, when all have loaded Django
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        fitting = [int(process.communicate(timeout=PATIENCE)[0]) for process in started]
    assert sum(fitting) <= 10
    if not (kind == "database" and connection.vendor == "sqlite"):  # its lock refuses some attempts
        assert sum(fitting) == 10


def test_the_clock_is_that_of_the_system() -> None:
    """The other tests stand still."""
    before = time.time()
    assert before <= inspect.unwrap(read_clock)() <= time.time()


def test_a_large_limit_is_counted_without_slots(settings: Any, transactional_db: None) -> None:
    with database_cache(settings):
        held = [reserve(make(counters.MAX_SLOTS + number)) for number in range(2)]
        assert [it.in_slot for it in held] == [True, False]
        held[1].refund()
        assert reserve(make(counters.MAX_SLOTS + 1)).shared


def test_a_slot_that_cannot_be_written_is_tried_once(settings: Any, transactional_db: None) -> None:
    """A database cache answers ``False`` if its database is read-only, and for a slot that is taken."""
    with database_cache(settings), pytest.MonkeyPatch.context() as patch:
        asked: list[str] = []
        patch.setattr(DatabaseCache, "add", lambda self, key, *args: bool(asked.append(key)))
        assert not fits(make(3))
        assert len(asked) == len(set(asked)) == 3


def test_a_refund_makes_room_for_one(any_cache: str) -> None:
    budget = make(3)
    held = [reserve(budget) for _ in range(3)]
    assert not fits(budget)
    held[1].refund()
    assert [fits(budget), fits(budget)] == [True, False]


def test_a_refused_attempt_is_not_counted(any_cache: str) -> None:
    budget = make(2)
    held = [reserve(budget) for _ in range(2)]
    assert count_fitting(budget, 50) == 0
    refund_all(held)
    assert held == []
    assert count_fitting(budget, 50) == 2


def test_other_keys_and_other_names_have_budgets_of_their_own(any_cache: str) -> None:
    assert count_fitting(make(1), 2) == 1
    assert fits(make(1, key="bob"))
    assert fits(make(1, name="y"))


@pytest.mark.slow
def test_several_budgets_are_reserved_all_or_none(any_cache: str) -> None:
    free, spent = make(5, key="free"), make(1, key="spent")
    reserve(spent)
    with pytest.raises(Spent) as found:
        reserve_all([free, spent])
    assert found.value.budget == spent
    assert count_fitting(free, 9) == 5


def test_a_new_window_is_a_new_budget_and_retry_after_is_its_begin(
    any_cache: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The window cannot be lengthened by further attempts."""
    now = [1_000_000_000.0]  # a multiple of 100, and 40 seconds into a minute
    monkeypatch.setattr(counters, "read_clock", lambda: now[0])
    budget = make(2, seconds=100)
    now[0] += 75
    held = [reserve(budget) for _ in range(2)]
    now[0] += 20
    with pytest.raises(Spent) as found:
        reserve(budget)
    assert found.value.retry_after == 5
    now[0] += 5
    assert count_fitting(budget, 5) == 2
    held[0].refund()  # the refund belongs to the window that has ended
    assert not fits(budget)


def test_only_one_asks_first(any_cache: str) -> None:
    budget = make(1)
    reserve(budget)
    with pytest.raises(Spent) as found:
        reserve(budget)
    assert [is_first(found.value) for _ in range(3)] == [True, False, False]


def test_neither_key_nor_repr_show_the_account(any_cache: str) -> None:
    budget = make(key="anna\ud800@example.com")
    assert "anna" not in repr(budget) + repr(reserve(budget))


# -- A cache that fails ----------------------------------------------------------------------------


def test_a_cache_that_is_down_is_told_once_and_asked_rarely(settings: Any, caplog: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": REDIS, "LOCATION": NOWHERE}}
    with caplog.at_level(logging.WARNING):
        assert count_fitting(make(), 50) == 10
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "anna" not in caplog.text


@pytest.mark.server
def test_a_cache_that_comes_back_counts_again(
    settings: Any, caplog: Any, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CACHES = {"default": {"BACKEND": REDIS, "LOCATION": NOWHERE}}
    now = [0.0]
    monkeypatch.setattr("drf_tessera.limits.counters.time.monotonic", lambda: now[0])
    now[0] = 100.0
    assert not reserve(make(key="back")).shared
    settings.CACHES = {"default": {"BACKEND": REDIS, "LOCATION": redis.url}}
    assert not reserve(make(key="back")).shared
    now[0] += counters.PAUSE + 1
    with caplog.at_level(logging.WARNING):
        assert reserve(make(key="back")).shared
    assert "answers again" in caplog.text


@pytest.mark.server
def test_a_refund_to_a_cache_that_is_down_is_lost(settings: Any, redis: Redis) -> None:
    settings.CACHES = {"default": {"BACKEND": REDIS, "LOCATION": redis.url}}
    held = reserve(make(key="lost"))
    assert held.shared
    settings.CACHES = {"default": {"BACKEND": REDIS, "LOCATION": NOWHERE}}
    held.refund()


def test_a_value_of_somebody_else_stops_nothing() -> None:
    """The key is ours, but a shared cache may hold anything under it."""
    held = reserve(make(key="taken"))
    cache.set(held.key, "rubbish")
    assert fits(make(key="taken"))


def test_the_memory_of_one_process_is_limited(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CACHES = {"default": {"BACKEND": DUMMY}}
    monkeypatch.setattr(counters, "MAX_KEYS", 100)
    for index in range(1000):
        reserve(make(key=str(index)))
    assert len(counters._own._counts) <= 100
    assert count_fitting(make(key="999"), 20) == 9  # the latest are kept


# -- Lots ------------------------------------------------------------------------------------------


def test_in_lots_most_attempts_ask_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    for name in ("add", "incr", "get", "decr"):
        monkeypatch.setattr(type(cache._connections["default"]), name, note(asked, name), raising=True)
    budget = make(100, lot=10)
    for _ in range(9):
        reserve(budget)
    assert asked == []
    reserve(budget)
    assert asked == ["add", "incr"]


def note(asked: list[str], name: str) -> Callable[..., int]:
    def call(self: Any, *args: Any, **kwargs: Any) -> int:
        asked.append(name)
        return 10

    return call


def test_in_lots_one_process_is_exact(any_cache: str) -> None:
    budget = make(100, lot=10)
    held = [reserve(budget) for _ in range(5)]
    refund_all(held)
    assert count_fitting(budget, 150) == 100


@pytest.mark.server
def test_in_lots_two_processes_together_exceed_by_one_lot_at_most(redis: Redis, settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": REDIS, "LOCATION": redis.url}}
    cache.clear()
    budget, fitting = make(100, lot=10, key="two"), 0
    first, second = counters._own, counters._OwnCounts()
    try:
        for index in range(300):
            counters._own = (first, second)[index % 2]
            fitting += fits(budget)
    finally:
        counters._own = first
    assert 100 <= fitting <= 110


def test_after_a_fork_the_counts_begin_again() -> None:
    """The child may have inherited a lock of a thread that does not exist in the child."""
    counters._own.add("x", 1, 2e9)
    forget_counts()
    assert counters._own.count("x") == 0
    assert counters._own.add("x", -1) == 0  # a refund after the fork
    counters._own.settle("x", 1, 1)
    assert counters._own.take("x", 1) == 0


@pytest.mark.parametrize(
    ("rate", "found"),
    [("5/s", (5, 1)), ("10/min", (10, 60)), ("100/hour", (100, 3600)), ("1/day", (1, 86_400))],
)
def test_rates(rate: str, found: tuple[int, int]) -> None:
    assert counters.read_rate(rate) == found


def test_an_attempt_that_another_process_was_faster_with_is_not_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both processes read the number before either of them has increased it."""
    budget = Budget(name="raced", key="anna", limit=1, seconds=3600)
    reserve(budget)
    monkeypatch.setattr(type(cache._connections["default"]), "get", lambda *args, **kwargs: None)
    with pytest.raises(Spent) as caught:
        reserve(budget)
    monkeypatch.undo()
    assert cache.get(caught.value.key) == 1
