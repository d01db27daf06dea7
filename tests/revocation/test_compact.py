"""The compact set: it says the same as a set of Python, and it needs little memory."""

from __future__ import annotations

import time
import tracemalloc
from random import getrandbits
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drf_tessera.revocation.compact import CompactIds
from drf_tessera.revocation.notices import Ended, Notice

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
    ended = Ended()
    tracemalloc.start()
    try:
        ended.learn(Notice(key, present + 60 + index * 300 // len(ids)) for index, key in enumerate(ids))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(ended) == len(ids)
    assert peak <= 64 * 2**20
    assert all(ended.judge(key, "1", present) is True for key in ids[::1000])
    assert not any(ended.judge(uuid4(), "1", present) for _ in range(1000))
    ended.drop_old(present + 360 + 300)
    assert len(ended) == 0
