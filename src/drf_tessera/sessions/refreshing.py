"""Exchange a refresh token. The normal case is one statement. Every other case reads the row first."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from drf_tessera import rotation, signals
from drf_tessera.conf import Settings, get_settings
from drf_tessera.database import MAX_ATTEMPTS, is_managed_by_hand, is_transaction_lost, outlive_restart
from drf_tessera.exceptions import (
    RefreshContended,
    Refusal,
    SessionExpired,
    SessionRevoked,
    TemporarilyUnavailable,
    UserInactive,
)
from drf_tessera.models import columns_tell_who_is_active
from drf_tessera.moments import to_timestamp
from drf_tessera.rotation import Outcome
from drf_tessera.sessions import rows
from drf_tessera.sessions.clock import choose_moment
from drf_tessera.sessions.grants import Grant, count_seconds, measure_idle, trace_grant
from drf_tessera.sessions.revoking import SUSPECT, end_suspect
from drf_tessera.tokens import (
    RefreshToken,
    make_branch,
    mint_access_token,
    read_refresh_token,
    write_refresh_token,
)
from drf_tessera.tracing import REFRESH, traced
from drf_tessera.users import describe_session

REFUSALS: Final[Mapping[Outcome, type[Refusal]]] = {
    Outcome.REVOKED: SessionRevoked,
    Outcome.EXPIRED: SessionExpired,
    Outcome.USER_INACTIVE: UserInactive,
}


@dataclass(frozen=True, slots=True)
class _Moments:
    """The times of one refresh."""

    present: datetime
    """The time of issue of the access token."""
    judged: datetime | None
    """The time at which the token is judged. ``None`` means the time of the database's clock."""
    begun: float
    """The time at which the refresh began, by the monotonic clock."""


@sensitive_variables()
@traced(REFRESH, trace_grant)
def refresh(
    token: str, *, transport: str | None = None, now: datetime | None = None, recoveries: int | None = None
) -> Grant:
    """Exchange a refresh token for an access token and, outside the grace window, its successor.

    The normal case is one ``UPDATE`` and no other statement. With a ``CLAIMS`` hook the session and its user
    are read first, so that a hook that fails has not spent the token. They are also read first if only the
    user's own code can tell whether the user is active
    (:func:`~drf_tessera.models.columns_tell_who_is_active`).

    Inside a transaction of the caller's, the refresh is part of that transaction, and costs savepoints. If
    the transaction is rolled back, the session continues with either token. But a stolen session stays ended,
    because its end is repeated after the transaction.

    Args:
        token: a stranger's text.
        transport: how the text came, if that is known. It must be the transport that the token was issued
            for.
        now: the present. By default the token is judged by the clock of the database, which all servers
            share, and the access token is dated by the clock of this server. If a test has stopped or moved
            the clock of this process, that clock applies to both.
        recoveries: how many lost answers in a row are forgiven, ``REFRESH_RECOVERIES`` by default. Recoveries
            above the setting do not extend the session's idle limit.

    Raises:
        RefreshInvalid: the text is not a refresh token of ours. No query was made unless the MAC is right.
        TransportMismatch: the token was issued for another transport. No query was made.
        RefreshReused: the token was replaced before. The session has been ended, and that is committed.
        RefreshLost: the token was replaced, and its recoveries are used up. The session has been ended too.
        SessionUnknown, SessionRevoked, SessionExpired, UserInactive: the session or its user has that state.
        RefreshContended: other writers were faster each time. Nothing is lost; try again.
        DatabaseUnavailable: the database cannot be used. Nothing is lost; try again.
        RuntimeError: autocommit is off. Nobody could repeat the end of a stolen session after a rollback.
    """
    parsed = read_refresh_token(token, transport=transport)
    if is_managed_by_hand():
        raise RuntimeError(
            "sessions.refresh() needs autocommit. Set AUTOCOMMIT to True for the database of the sessions, "
            "or call set_autocommit(True) before the refresh."
        )
    settings, moments = get_settings(), _Moments(now or timezone.now(), choose_moment(now), time.monotonic())
    grant = None
    if not settings.reads_user and columns_tell_who_is_active():
        grant = _swap(parsed, moments, settings)
    if grant is None:
        grant = _settle(parsed, moments, settings, recoveries)
    rows.report(
        signals.session_refreshed,
        session_id=grant.session_id,
        sub=grant.sub,
        outcome=grant.outcome.value if grant.outcome else "",
    )
    return grant


@sensitive_variables()
def refresh_proved(
    token: str,
    ways: tuple[str, ...],
    *,
    transport: str | None = None,
    auth_time: datetime | None = None,
    now: datetime | None = None,
) -> Grant:
    """Exchange a refresh token as :func:`refresh` does, after its user has proved their identity again.

    ``ways`` are added to ``amr``, and ``auth_time`` is set, in the row and in the tokens of the grant. It has
    a refresh token in every case, because the old one leads to the old proof. The later refreshes of the
    session cost what they did. Two more statements.

    Args:
        token: see :func:`refresh`.
        ways: how the user was authenticated (RFC 8176).
        transport: see :func:`refresh`.
        auth_time: the time of the proof. By default the present.
        now: see :func:`refresh`.

    Raises:
        RefreshInvalid, TransportMismatch and others: see :func:`refresh`.
    """
    parsed = read_refresh_token(token, transport=transport)
    moment = auth_time or now or timezone.now()
    amr = tuple(dict.fromkeys((*parsed.facts.amr, *ways)))
    facts = replace(parsed.facts, auth_time=int(to_timestamp(moment)), amr=amr)
    # Before the token is spent, because an error must not cost the client its answer.
    rows.prove(facts.session_id, moment, " ".join(amr))
    credentials = write_refresh_token(facts, parsed.generation, parsed.secret, parsed.branch)
    grant = refresh(credentials, transport=transport, now=now)
    return replace(grant, refresh=grant.refresh or grant.spare)


@sensitive_variables()
def _swap(token: RefreshToken, moments: _Moments, settings: Settings) -> Grant | None:
    """Move to the next generation in one statement. ``None`` means that the row has to be read."""
    now, idle = moments.present, measure_idle(token.facts)
    window = settings.choose_policy(idle=idle).measure_window(0)
    position = rotation.rotate(token.generation, now, token.branch)
    grant = _make_grant(token, Outcome.ROTATED, position, idle_expires_at=now + idle, extra={}, now=now)
    try:
        swap = partial(rows.swap, token, position, moments.judged, window, idle)
        moved = outlive_restart(swap)
    except RefreshContended:
        if is_transaction_lost():
            raise
        return None
    return grant if moved else None


@sensitive_variables()
def _settle(token: RefreshToken, moments: _Moments, settings: Settings, recoveries: int | None) -> Grant:
    """Read the row, decide, and write. Read again if another writer moved the row in between."""
    for _ in range(MAX_ATTEMPTS):
        try:
            return outlive_restart(partial(_attempt, token, moments, settings, recoveries))
        except RefreshContended:
            if is_transaction_lost():
                raise
    raise RefreshContended


@sensitive_variables()
def _attempt(token: RefreshToken, moments: _Moments, settings: Settings, recoveries: int | None) -> Grant:
    session, state, now = rows.read(token, with_user=settings.reads_user, now=moments.judged)
    policy = settings.choose_policy(recoveries, idle=measure_idle(token.facts))
    _check_age(moments, policy)
    decision = rotation.decide(state, token.generation, now, policy, token.branch)
    if decision.outcome in SUSPECT:
        end_suspect(session, decision.outcome, now)
    if decision.outcome in REFUSALS:
        raise REFUSALS[decision.outcome]
    # The hook runs before the write, so a hook that fails has not spent the token.
    extra = describe_session(session.user, session) if settings.reads_user else {}
    position = decision.position
    stays = position is None or position.recoveries > settings.refresh_recoveries
    idle = session.idle_expires_at if stays else now + measure_idle(token.facts)
    present = moments.present
    here = idle - now + present  # the same limit by the clock of this server
    grant = _make_grant(token, decision.outcome, position, idle_expires_at=here, extra=extra, now=present)
    if decision.spare is not None:
        credentials = _write_spare(token, decision.spare, session.generation)
        repeated = decision.outcome is Outcome.REPEATED
        return replace(grant, refresh=credentials) if repeated else replace(grant, spare=credentials)
    row = rows.select_sessions().filter(pk=session.pk)
    if position is not None and not rows.move(row, session.generation, position, idle):
        raise RefreshContended
    return grant


def _check_age(moments: _Moments, policy: rotation.Policy) -> None:
    """Refuse to judge a token that has waited for too long, for example for a database that hung.

    The rule assumes that a message takes less than half a window. The client of an older request has given
    up, and may have a newer token from another server. Its own old token would then look like a theft.

    Raises:
        TemporarilyUnavailable: the refresh began more than half a window ago. Nothing has changed.
    """
    if policy.grace and time.monotonic() - moments.begun > policy.grace.total_seconds() / 2:
        raise TemporarilyUnavailable


@sensitive_variables()
def _write_spare(token: RefreshToken, kind: rotation.Spare, current: int) -> str:
    """Write a refresh token for an answer in the window. Nothing is written to the database."""
    if kind is rotation.Spare.SAME:
        return write_refresh_token(token.facts, token.generation, token.secret, token.branch)
    return write_refresh_token(token.facts, current, token.secret, make_branch())


@sensitive_variables()
def _make_grant(
    token: RefreshToken,
    outcome: Outcome,
    position: rotation.Position | None,
    *,
    idle_expires_at: datetime,
    extra: Mapping[str, Any],
    now: datetime,
) -> Grant:
    facts = token.facts
    credentials, expires_in = mint_access_token(facts, extra, now)
    return Grant(
        session_id=facts.session_id,
        sub=facts.sub,
        access=credentials,
        expires_in=expires_in,
        refresh=write_refresh_token(facts, position.generation, token.secret) if position else None,
        refresh_expires_in=count_seconds(idle_expires_at, facts, now),
        outcome=outcome,
        transport=facts.transport,
        persistent=facts.persistent,
    )
