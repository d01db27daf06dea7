"""The notices of sessions that ended early, and what a process has learned from them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID


class Notice(NamedTuple):
    """The news that one session has ended. None of the session's access tokens lives past ``until``."""

    session_id: UUID
    until: int
    """Seconds since the epoch."""


class Ended:
    """The sessions that ended early, as far as one process knows. Several threads may use it."""

    def __init__(self) -> None:
        self._sessions: dict[UUID, int] = {}
        self._doubted: set[UUID] = set()

    def __len__(self) -> int:
        return len(self._sessions)

    def __contains__(self, session_id: UUID) -> bool:
        return session_id in self._sessions

    def learn(self, notices: Iterable[Notice]) -> None:
        """Record notices."""
        self._sessions.update(notices)

    def forget(self, session_id: UUID) -> None:
        """Drop the notice of a session, because it was rolled back."""
        self._sessions.pop(session_id, None)
        self._doubted.discard(session_id)

    def drop_old(self, present: float) -> None:
        """Drop the notices that no access token needs at ``present``, in seconds since the epoch."""
        for session_id in [key for key, until in list(self._sessions.items()) if until <= present]:
            self.forget(session_id)

    def doubt(self, session_ids: Iterable[UUID]) -> None:
        """Record that the notices of these sessions may be rolled back, because their transaction is open.

        A check within the transaction pulls the notices. Without this record, the feed would still know them
        after a rollback.
        """
        self._doubted.update(session_ids)

    def trust(self, session_ids: Iterable[UUID]) -> None:
        """Record that the notices of these sessions are committed."""
        self._doubted.difference_update(session_ids)

    def is_certain(self, session_id: UUID) -> bool:
        """Return whether the notice of a session can no longer be rolled back."""
        return session_id not in self._doubted
