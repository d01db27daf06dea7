"""A parameter has two names: one for callers, and one that error reports know."""

from __future__ import annotations

from inspect import signature

import pytest

from drf_tessera.legacy import renamed


@renamed(credentials="attrs")
def validate(credentials: str, more: int = 0) -> tuple[str, int]:
    """Return both."""
    return credentials, more


def test_both_names_and_the_position_reach_the_parameter() -> None:
    assert validate("a", more=1) == validate(credentials="a", more=1) == ("a", 1)
    assert validate(attrs="a", more=1) == ("a", 1)  # type: ignore[call-arg]  # the name of the original


def test_two_values_for_one_parameter_are_refused() -> None:
    with pytest.raises(TypeError):
        validate("a", attrs="b")  # type: ignore[call-arg]  # the name of the original


def test_the_signature_is_that_of_the_original() -> None:
    assert list(signature(validate).parameters) == ["attrs", "more"]
    assert validate.__doc__ == "Return both."
