"""The compact collections: they say the same as a set and a dict of Python, and need little memory."""

from __future__ import annotations

import time
import tracemalloc
from random import getrandbits, shuffle
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
