"""Where the present work comes from, for the audit trail: the client and the person who acts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from drf_tessera.sessions.starting import Client, describe_origin

_current: ContextVar[tuple[Callable[[], Client], str] | None] = ContextVar("drf_tessera_origin", default=None)


@contextmanager
def acting_for(find: Callable[[], Client], *, actor: str = "") -> Iterator[None]:
    """Remember in the block where its work comes from. The client is found only if somebody asks.

    Args:
        find: a function that returns the client of the request.
        actor: the primary key, as text, of a person who acts on the sessions of others.
    """
    mark = _current.set((find, actor))
    try:
        yield
    finally:
        _current.reset(mark)


def find_origin() -> dict[str, str | None]:
    """Return ``address``, ``user_agent`` and ``actor``, as far as they are known."""
    found = _current.get()
    if found is None:
        return {}
    find, actor = found
    return {**describe_origin(find()), **({"actor": actor} if actor else {})}
