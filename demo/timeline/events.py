"""The events from drf-tessera's signals, in their order.

The events are only in memory, because the demo has one process. A restart deletes the events, but not the
sessions.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import asdict, dataclass
from itertools import count
from typing import Any, Final
from uuid import UUID

from drf_tessera import signals

MAX_EVENTS: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event of one session."""

    number: int
    session: str
    kind: str
    """``started``, ``revoked``, ``reused``, ``lapsed``, or the outcome of a refresh."""
    reason: str
    at: int
    """Milliseconds since the epoch."""


_events: deque[Event] = deque(maxlen=MAX_EVENTS)
_numbers = count(1)
_lock = threading.Lock()


def connect() -> None:
    """Connect to all signals. The receivers are functions of this module, so they are never collected."""
    signals.session_started.connect(_note_start)
    signals.session_refreshed.connect(_note_refresh)
    signals.session_revoked.connect(_note_end)
    signals.refresh_reused.connect(_note_reuse)


def list_since(number: int) -> list[dict[str, Any]]:
    """Return the events after ``number``."""
    with _lock:
        return [asdict(event) for event in _events if event.number > number]


def note_lapse(session_id: UUID, seconds: int) -> None:
    """Add the time that a session has skipped."""
    _add(session_id, "lapsed", str(seconds))


def _add(session_id: UUID, kind: str, reason: str = "") -> None:
    with _lock:
        _events.append(
            Event(
                number=next(_numbers),
                session=str(session_id),
                kind=kind,
                reason=reason,
                at=time.time_ns() // 1_000_000,
            )
        )


def _note_start(session_id: UUID, **kwargs: object) -> None:
    _add(session_id, "started")


def _note_refresh(session_id: UUID, outcome: str, **kwargs: object) -> None:
    _add(session_id, outcome)


def _note_end(session_id: UUID, reason: str, **kwargs: object) -> None:
    _add(session_id, "revoked", reason)


def _note_reuse(session_id: UUID, **kwargs: object) -> None:
    _add(session_id, "reused")
