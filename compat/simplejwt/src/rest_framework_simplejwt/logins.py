"""The sessions that a login has started: all of them end if the login fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import UUID

from drf_tessera import sessions
from drf_tessera.exceptions import TemporarilyUnavailable
from rest_framework_simplejwt.utils import logger

_begun: ContextVar[list[UUID] | None] = ContextVar("rest_framework_simplejwt_begun", default=None)


@contextmanager
def all_or_nothing() -> Iterator[None]:
    """End the sessions that the block started if the block fails, because no client gets their tokens."""
    begun: list[UUID] = []
    mark = _begun.set(begun)
    try:
        yield
    except Exception:
        for session_id in begun:
            try:
                sessions.revoke(session_id)
            except TemporarilyUnavailable:
                logger.exception("The session %s could not be ended. No client has its tokens.", session_id)
        raise
    finally:
        _begun.reset(mark)


def note_begun(session_id: UUID) -> None:
    """Remember a session for :func:`all_or_nothing`."""
    begun = _begun.get()
    if begun is not None:
        begun.append(session_id)
