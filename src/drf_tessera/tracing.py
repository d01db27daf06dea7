"""Spans around the steps that cost time, for a tracer of the project.

Without a tracer they cost almost nothing.

The steps are :data:`LOGIN`, :data:`REFRESH`, :data:`AUTHENTICATE` and :data:`PULL`. The integration with a
tracer calls :func:`use_tracer`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, Final, TypeVar, cast

LOGIN: Final = "tessera.login"
"""From credentials, or from the answer to a challenge, to a session."""

REFRESH: Final = "tessera.refresh"
"""From a refresh token to new tokens."""

AUTHENTICATE: Final = "tessera.authenticate"
"""From the token of a request to its user."""

PULL: Final = "tessera.revocations.pull"
"""The reading of ended sessions, once per poll."""

Facts = Mapping[str, str | int]
"""The attributes of a span. They contain no secret."""

Finish = Callable[[Callable[[Any], Facts], Any], None]
"""Adds the facts of a result to a span. The arguments: a function from results to facts, and the result."""

Tracer = Callable[[str], AbstractContextManager[Finish] | None]
"""Returns the span of a step by its name. ``None`` means that the step is not recorded."""

Function = TypeVar("Function", bound=Callable[..., Any])

_current: Final[ContextVar[str]] = ContextVar("drf_tessera_span", default="")
"""The step under way. A step inside of the same step has no span of its own."""

_tracer: Tracer | None = None


def use_tracer(tracer: Tracer | None) -> None:
    """Open spans by ``tracer`` from now on. ``None`` opens no spans."""
    global _tracer  # noqa: PLW0603 - one slot, read on each request
    _tracer = tracer


def traced(name: str, describe: Callable[[Any], Facts]) -> Callable[[Function], Function]:
    """Return a decorator that puts a function or a coroutine function into a span.

    ``sensitive_variables`` stands above it, if an argument is secret.

    Args:
        name: the step.
        describe: returns the facts of a result.
    """

    # Scrubbers of error reports hide variables by the names ``credentials``, ``secret`` and ``token``.
    def decorate(function: Function) -> Function:
        if iscoroutinefunction(function):

            @wraps(function)
            async def acall(*credentials: Any, **secret: Any) -> Any:
                span = _find_span(name)
                if span is None:
                    return await function(*credentials, **secret)
                with _enter(span, name) as finish:
                    token = await function(*credentials, **secret)
                    finish(describe, token)
                return token

            return cast("Function", acall)

        @wraps(function)
        def call(*credentials: Any, **secret: Any) -> Any:
            span = _find_span(name)
            if span is None:
                return function(*credentials, **secret)
            with _enter(span, name) as finish:
                token = function(*credentials, **secret)
                finish(describe, token)
            return token

        return cast("Function", call)

    return decorate


def _find_span(name: str) -> AbstractContextManager[Finish] | None:
    """Return the span of a step, unless the same step is around it."""
    return None if _tracer is None or _current.get() == name else _tracer(name)


@contextmanager
def _enter(span: AbstractContextManager[Finish], name: str) -> Iterator[Finish]:
    before = _current.set(name)
    try:
        with span as finish:
            yield finish
    finally:
        _current.reset(before)
