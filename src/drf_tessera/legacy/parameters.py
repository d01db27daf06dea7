"""Functions whose parameters have other names for their callers than in their own code."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any, TypeVar

from django.views.decorators.debug import sensitive_variables

F = TypeVar("F", bound=Callable[..., Any])


def renamed(**names: str) -> Callable[[F], F]:
    """Make a decorator that gives parameters the names that they have in another package.

    Projects may pass such a parameter by its name: ``validate(attrs=...)``. But error reports blank variables
    by their names, and know ``credentials`` and not ``attrs``.

    Args:
        names: the name in the other package for each own name, such as ``credentials="attrs"``.
    """

    def decorate(function: F) -> F:
        @wraps(function)
        @sensitive_variables()
        def call(*credentials: Any, **auth: Any) -> Any:
            for own, theirs in names.items():
                if theirs in auth:
                    auth[own] = auth.pop(theirs)
            return function(*credentials, **auth)

        shape = signature(function)
        parameters = [
            item.replace(name=names.get(item.name, item.name)) for item in shape.parameters.values()
        ]
        call.__signature__ = shape.replace(parameters=parameters)  # type: ignore[attr-defined]
        return call  # type: ignore[return-value]

    return decorate
