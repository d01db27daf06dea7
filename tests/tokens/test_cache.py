"""A map of limited size that keeps the recently used entries."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drf_tessera.tokens.cache import LRU

pytestmark = pytest.mark.once  # no Django


@pytest.mark.slow
@given(size=st.integers(0, 9), keys=st.lists(st.sampled_from("abcdefghijklmn"), max_size=60))
def test_it_never_holds_more_than_its_size_and_keeps_the_latest_half(size: int, keys: list[str]) -> None:
    found: LRU[str] = LRU(size)
    for number, key in enumerate(keys):
        if found.get(key) is None:
            found.put(key, key.upper())
        assert len(found) <= size
        latest = list(dict.fromkeys(reversed(keys[: number + 1])))[: size // 2]
        assert [found.get(name) for name in reversed(latest)] == [name.upper() for name in reversed(latest)]


def test_size_zero_remembers_nothing() -> None:
    found: LRU[int] = LRU(0)
    found.put("a", 1)
    assert (found.get("a"), len(found)) == (None, 0)


@pytest.mark.parametrize("uses", [0, 3])
def test_a_forgotten_entry_is_gone_from_both_halves(uses: int) -> None:
    found: LRU[int] = LRU(4)
    for key in ["a", *"bcd"[:uses]]:
        found.put(key, 1)
    found.forget("a")
    found.forget("never there")
    assert found.get("a") is None


def test_threads_do_not_break_its_bound() -> None:
    found: LRU[int] = LRU(50)

    def use(start: int) -> None:
        for number in range(3000):
            key = str((start * 7 + number) % 90)
            value = found.get(key)
            assert value in (None, int(key))
            found.put(key, int(key))
            if number % 13 == 0:
                found.forget(key)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(use, range(8)))
    assert len(found) <= 50


def test_the_repr_shows_no_entry() -> None:
    found: LRU[int] = LRU(2)
    found.put("secret", 1)
    assert repr(found) == "<LRU: 1 of 2>"
