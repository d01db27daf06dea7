"""Where the present work comes from, for the audit trail: the client and the person who acts.

The signals of refusals are sent here too. They carry the client, and are sent at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from django.dispatch import Signal

from drf_tessera.models import Session
from drf_tessera.sessions.starting import Client, describe_origin

_unreported: Final[ContextVar[bool]] = ContextVar("drf_tessera_unreported", default=False)

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


@contextmanager
def unreported() -> Iterator[None]:
    """Send no signal of a refusal inside the block, because no request of a stranger is there."""
    before = _unreported.set(True)
    try:
        yield
    finally:
        _unreported.reset(before)


def report_refusal(signal: Signal, find: Callable[[], Client], **arguments: Any) -> None:
    """Send the signal of a refusal with ``address`` and ``user_agent``, if somebody listens.

    Args:
        signal: one of :mod:`drf_tessera.signals` that has both arguments.
        find: a function that returns the client of the request.
        arguments: the other arguments of the signal.
    """
    if is_heard(signal):
        signal.send_robust(Session, **arguments, **describe_origin(find()))


def is_heard(signal: Signal) -> bool:
    """Return whether the signal of a refusal has a receiver, and is not held back by :func:`unreported`."""
    return signal.has_listeners(Session) and not _unreported.get()
