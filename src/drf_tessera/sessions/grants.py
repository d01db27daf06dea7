"""The result of a login or a refresh, and the facts of a session for its tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from drf_tessera.conf import HEADER, get_settings
from drf_tessera.models import Session
from drf_tessera.moments import to_timestamp
from drf_tessera.rotation import Outcome
from drf_tessera.tokens import SessionFacts
from drf_tessera.tracing import Facts
from drf_tessera.users import write_sub


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The tokens that a login or a refresh hands out.

    ``refresh`` is ``None`` within the grace window, unless a lost answer is repeated. The client keeps the
    refresh token that it has. Give ``spare`` to clients that store the refresh token of each answer in any
    case.
    """

    session_id: UUID
    sub: str
    access: str = field(repr=False)
    expires_in: int
    """Seconds until the access token expires."""
    refresh: str | None = field(repr=False)
    refresh_expires_in: int
    """Seconds until the session ends if it is not refreshed."""
    outcome: Outcome | None
    """``None`` for a login."""
    transport: str
    """How the tokens of the session travel: ``conf.HEADER`` or ``conf.COOKIE``."""
    persistent: bool = True
    """Whether a cookie of the session outlives the browser."""
    spare: str | None = field(default=None, repr=False)
    """Within the grace window: a refresh token that is as good as the one that the client has."""


def trace_grant(grant: Grant) -> Facts:
    """Return the facts of a grant for its span."""
    outcome = {} if grant.outcome is None else {"tessera.outcome": grant.outcome.value}
    return {"session.id": str(grant.session_id), **outcome}


def measure_idle(facts: SessionFacts) -> timedelta:
    """Return the time after which a session ends if it is not refreshed."""
    chosen = facts.idle
    return get_settings().session_idle_lifetime if chosen is None else timedelta(seconds=chosen)


def count_seconds(idle_expires_at: datetime, facts: SessionFacts, now: datetime) -> int:
    """Return the seconds until a session ends if it is not refreshed."""
    return max(0, int(min(to_timestamp(idle_expires_at), facts.expires_at) - to_timestamp(now)))


def describe_row(
    session: Session, transport: str = HEADER, claims: Mapping[str, Any] | None = None
) -> SessionFacts:
    """Return the facts of a session's row. The row knows neither the transport nor the claims."""
    return SessionFacts(
        session_id=session.pk,
        sub=write_sub(session.user_id),
        auth_time=int(to_timestamp(session.auth_time)),
        expires_at=int(to_timestamp(session.expires_at)),
        amr=tuple(session.amr.split()),
        scope=session.scope,
        transport=transport,
        claims=claims or {},
    )
