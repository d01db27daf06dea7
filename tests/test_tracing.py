"""A step opens one span by the tracer of the project, and none without a tracer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from drf_tessera.tracing import LOGIN, REFRESH, traced, use_tracer

pytestmark = pytest.mark.once


@pytest.fixture
def opened() -> Iterator[list[Any]]:
    found: list[Any] = []

    @contextmanager
    def open_span(name: str) -> Iterator[Any]:
        found.append(name)
        yield lambda describe, result: found.append(describe(result))

    use_tracer(open_span)
    yield found
    use_tracer(None)


@traced(LOGIN, lambda result: {"result": result})
def add(one: int, *, other: int) -> int:
    """Return the sum."""
    return one + other


@traced(LOGIN, lambda result: {"result": result})
async def aadd(one: int, *, other: int) -> int:
    return add(one, other=other)


@traced(REFRESH, lambda result: {})
def outside() -> int:
    return add(1, other=2)


def test_a_step_has_one_span_with_the_facts_of_its_result(opened: list[Any]) -> None:
    assert add(1, other=2) == 3
    assert opened == [LOGIN, {"result": 3}]
    opened.clear()
    assert async_to_sync(aadd)(1, other=2) == 3
    assert opened == [LOGIN, {"result": 3}], "the step inside of the same step has no span"


def test_a_step_inside_of_another_step_has_a_span(opened: list[Any]) -> None:
    outside()
    assert opened == [REFRESH, LOGIN, {"result": 3}, {}]


def test_a_step_that_fails_is_left(opened: list[Any]) -> None:
    with pytest.raises(TypeError):
        add("1", other=2)  # type: ignore[arg-type]
    add(1, other=2)
    assert opened == [LOGIN, LOGIN, {"result": 3}]


def test_without_a_tracer_the_function_is_called_and_keeps_its_name() -> None:
    assert add(1, other=2) == async_to_sync(aadd)(1, other=2) == 3
    assert (add.__name__, add.__doc__) == ("add", "Return the sum.")
