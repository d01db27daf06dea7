"""The words of explanations: sessions, times, and values of strangers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

from django.utils import timezone

from drf_tessera.database import find_database
from drf_tessera.models import Session, SessionQuerySet

_REASONS: Final = {
    "logout": "its user logged out",
    "logout_all": "its user logged out everywhere",
    "password_changed": "the password of its user was changed",
    "user_inactive": "its user was made inactive",
    "user_deleted": "its user was deleted",
    "evicted": "its user had too many sessions",
    "refresh_reused": "a replaced refresh token came back, very likely after a theft",
    "refresh_lost": "too many answers in a row were lost",
    "admin": "an administrator ended it",
}


def describe_row(session_id: Any) -> str:
    """Return the life of a session in words, from its row."""
    session = SessionQuerySet(Session, using=find_database()).filter(pk=session_id).first()
    if session is None:
        return f"There is no session {session_id}. It was deleted, or it ended long ago and was pruned."
    now = timezone.now()
    begun = f"The session {session_id} began {_write_span(now, session.created_at)}"
    if session.revoked_at is not None:
        reason = _REASONS.get(session.revoked_for, session.revoked_for)
        return f"{begun}. It was ended {_write_span(now, session.revoked_at)}, because {reason}."
    limits = (
        (session.idle_expires_at, "nobody refreshed it"),
        (session.expires_at, "it reached its lifetime"),
    )
    for limit, reason in limits:
        if now >= limit:
            return f"{begun}. It expired {_write_span(now, limit)}, because {reason}."
    return f"{begun}, and was used {_write_span(now, session.last_used_at)}. It is live."


def _write_span(now: datetime, moment: datetime) -> str:
    return _write_distance((moment - now).total_seconds())


def _write_distance(seconds: float) -> str:
    return f"{write_time(-seconds)} ago" if seconds <= 0 else f"in {write_time(seconds)}"


def write_time(seconds: float) -> str:
    """Return a span of time in words."""
    for size, unit in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def tell_time(verb: str, value: object, now: float) -> str:
    """Return a time of a claim in words. The value may be anything."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 253_402_300_799:
        return f"{verb}: {quote(value)}, which is not a time"
    moment = datetime.fromtimestamp(int(value), UTC).isoformat()
    verb = "Expired" if verb == "Expires" and value <= now else verb
    return f"{verb} {_write_distance(value - now)} ({moment})"


def quote(value: object) -> str:
    """Return a value of a stranger as JSON in ASCII, so that a terminal obeys nothing in it."""
    return json.dumps(value, default=str)[:200]
