"""The compact collections: they say the same as a set and a dict of Python, and need little memory."""

from __future__ import annotations

import time
import tracemalloc
from array import array
from collections.abc import Callable
from random import getrandbits, shuffle
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drf_tessera.revocation.caches import CacheStore
from drf_tessera.revocation.compact import CompactIds
from drf_tessera.revocation.notices import Ended, Heard, Notice

pytestmark = pytest.mark.once  # it asks no database

FEW = [UUID(int=number << shift | 1) for number in range(3) for shift in (0, 100, 114)]
"""Ids of few cells, so that ids meet."""

steps = st.lists(
    st.tuples(
        st.sampled_from(["add", "discard", "ask"]),
        st.one_of(st.sampled_from(FEW), st.uuids(), st.integers(0, 2**18).map(lambda low: UUID(int=low))),
    ),
    max_size=60,
)


@pytest.mark.slow
@given(steps)
def test_it_answers_as_a_set_does(steps: list[tuple[str, UUID]]) -> None:
    ids, expected = CompactIds(), set[UUID]()
    for act, key in steps:
        assert (key in ids) == (key in expected)
        if act != "ask":
            getattr(ids, act)(key)
            getattr(expected, act)(key)
        assert (key in ids) == (key in expected)
        assert len(ids) == len(expected)
    assert all(key in ids for key in expected)


def test_bytes_across_two_entries_are_not_an_id() -> None:
    """The end of one id and the start of the next one look like an id of the same cell."""
    ids = CompactIds()
    first, second = UUID(bytes=b"ab" + b"c" * 6 + b"ab" + b"d" * 6), UUID(bytes=b"ab" + b"e" * 14)
    ids.add(first)
    ids.add(second)
    across = UUID(bytes=first.bytes[8:] + second.bytes[:8])
    assert across not in ids
    ids.add(across)
    assert across in ids
    ids.discard(across)
    assert across not in ids
    assert first in ids
    assert second in ids


@pytest.mark.long
def test_a_million_ended_sessions_need_at_most_64_megabytes() -> None:
    """All sessions of a large site end within one access lifetime. A process knows each of them."""
    present = int(time.time())
    ids = [UUID(int=getrandbits(128)) for _ in range(1_000_000)]
    ended, heard = Ended(), Heard()
    tracemalloc.start()
    try:
        ended.learn(Notice(key, present + 60 + index * 300 // len(ids)) for index, key in enumerate(ids))
        for index in range(CacheStore._MOST_HEARD):  # a reader of a cache also has these
            heard.add(Notice(ids[index], present, row=index + 1))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(ended) == len(ids)
    assert peak <= 64 * 2**20
    assert all(ended.judge(key, "1", present) is True for key in ids[::1000])
    assert not any(ended.judge(uuid4(), "1", present) for _ in range(1000))
    ended.drop_old(present + 360 + 300)
    assert len(ended) == 0


def make(row: int, name: int) -> Notice:
    return Notice(UUID(int=name), 1_800_000_000, row=row)


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 2)), max_size=40))
def test_the_rows_that_were_heard_are_those_of_a_dict(steps: list[tuple[int, int]]) -> None:
    heard, expected = Heard(), dict[int, Notice]()
    for row, name in steps:
        notice = make(row, name)
        same = expected.setdefault(row, notice) == notice
        assert heard.add(notice) == same
        assert heard.copy().add(notice) == same
    assert list(heard) == sorted(expected)
    assert len(heard) == len(expected)
    assert heard.latest == (expected[max(expected)] if expected else None)


def test_a_copy_of_what_was_heard_does_not_change() -> None:
    heard = Heard()
    assert heard.add(make(1, 1))
    other = heard.copy()
    assert heard.add(make(2, 1))
    assert (list(other), other.latest, list(heard)) == ([1], make(1, 1), [1, 2])


@pytest.mark.parametrize("mixed", [False, True])
def test_a_notice_that_was_heard_needs_at_most_24_bytes(*, mixed: bool) -> None:
    """A dict of the notices would need 300."""
    rows = list(range(1, 20_001))
    if mixed:
        shuffle(rows)
    heard = Heard()
    tracemalloc.start()
    try:
        for row in rows:
            heard.add(Notice(UUID(int=getrandbits(128)), row, row=10**6 + row))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(heard) == len(rows)
    assert kept <= 24 * len(rows)


class Racing(array):  # type: ignore[type-arg]  # it has no index before Python 3.12
    """Calls ``other``, the step of another thread, before and after each slice and each append."""

    other: Callable[[], object]

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            self.other()
        found = super().__getitem__(place)
        if isinstance(place, slice):
            self.other()
        return found

    def append(self, value: int) -> None:
        self.other()
        super().append(value)
        self.other()


@pytest.mark.parametrize("copies_inside", [False, True], ids=["add during a copy", "copy during an add"])
def test_a_copy_is_whole_although_another_thread_adds_rows(*, copies_inside: bool) -> None:
    """A latest notice without its row would hide the rows before it from the next reading of the table."""
    heard, copies, numbers = Heard(), list[Heard](), iter(range(2, 1000))
    notices = {number: Notice(UUID(int=number), 1, None, number) for number in range(1, 1000)}
    heard.add(notices[1])
    heard._rows, heard._digests = Racing("q", heard._rows), Racing("Q", heard._digests)
    busy: list[int] = []

    def step() -> None:
        if not busy:
            busy.append(1)
            copies.append(heard.copy()) if copies_inside else heard.add(notices[next(numbers)])
            busy.clear()

    heard._rows.other = heard._digests.other = step
    for _ in range(5):
        heard.add(notices[next(numbers)]) if copies_inside else copies.append(heard.copy())
    assert len(copies) > 4
    for copy in copies:
        rows = list(copy)
        assert copy.latest is not None
        assert copy.latest.row in rows
        assert all(copy.add(notices[row]) for row in rows)
        assert not any(copy.add(notices[row]._replace(until=2)) for row in rows)
        assert list(copy) == rows
