"""The tokens of a session outside of a refresh: inspect a refresh token, sign another access token.

These functions serve interfaces that hand out tokens one by one, such as those of legacy packages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from drf_tessera import rotation
from drf_tessera.conf import get_settings
from drf_tessera.database import MAX_ATTEMPTS, is_transaction_lost
from drf_tessera.exceptions import RefreshContended, SessionUnknown
from drf_tessera.moments import to_timestamp
from drf_tessera.sessions import rows
from drf_tessera.sessions.clock import choose_moment
from drf_tessera.sessions.grants import measure_idle
from drf_tessera.sessions.refreshing import REFUSALS
from drf_tessera.sessions.revoking import SUSPECT, end_suspect
from drf_tessera.tokens import (
    RefreshToken,
    SessionFacts,
    mint_access_token,
    read_refresh_token,
    write_refresh_token,
)
from drf_tessera.users import describe_session


@sensitive_variables()
def inspect_refresh_token(
    token: str, *, transport: str | None = None, now: datetime | None = None, recoveries: int | None = None
) -> RefreshToken:
    """Return a refresh token that would be accepted now, without spending it. One query.

    A replaced token ends its session here as it does in a refresh. Inside a transaction of the caller's, that
    end is part of the transaction. A client that never refreshes cannot reveal a theft: a copy of its token
    is as good as the token.

    Raises:
        RefreshInvalid, TransportMismatch, RefreshReused, RefreshLost, SessionUnknown, SessionRevoked,
            SessionExpired, UserInactive, RefreshContended: see :func:`drf_tessera.sessions.refresh`.
    """
    found = read_refresh_token(token, transport=transport)
    policy = get_settings().choose_policy(recoveries, idle=measure_idle(found.facts))
    given = choose_moment(now)
    for _ in range(MAX_ATTEMPTS):
        session, state, moment = rows.read(found, with_user=False, now=given)
        outcome = rotation.decide(state, found.generation, moment, policy, found.branch).outcome
        if outcome in REFUSALS:
            raise REFUSALS[outcome]
        if outcome not in SUSPECT:
            return found
        try:
            end_suspect(session, outcome, moment)
        except RefreshContended:
            if is_transaction_lost():
                raise
    raise RefreshContended


@sensitive_variables()
def preview_refresh(token: str, *, now: datetime | None = None) -> rotation.Outcome:
    """Return what a refresh would do now, and do nothing. One query.

    Raises:
        RefreshInvalid, RefreshReused, RefreshLost, SessionUnknown, SessionRevoked, SessionExpired,
            UserInactive: as :func:`refresh`, but the session of a replaced token goes on.
    """
    found = read_refresh_token(token)
    _, state, moment = rows.read(found, with_user=False, now=choose_moment(now))
    policy = get_settings().choose_policy(idle=measure_idle(found.facts))
    outcome = rotation.decide(state, found.generation, moment, policy, found.branch).outcome
    error = REFUSALS.get(outcome) or SUSPECT.get(outcome)
    if error is not None:
        raise error
    return outcome


@sensitive_variables()
def sign_access_token(
    facts: SessionFacts, extra: Mapping[str, Any], *, now: datetime | None = None, jti: str | None = None
) -> str:
    """Sign another access token of a live session, with ``extra`` claims.

    No query, unless ``CLAIMS`` or ``USER_FIELDS`` need the row.

    Args:
        facts: the facts of the session. The token expires no later than they say.
        extra: further claims of the token.
        now: the time of issue. The present, by default.
        jti: the id of the token. A random id, by default.

    Raises:
        ClaimsHookError: a claim is registered, has no JSON form, or is too long.
        SessionUnknown: the session no longer exists, and the hook needs it.
    """
    own: Mapping[str, Any] = {}
    if get_settings().reads_user:
        session = rows.select_sessions().filter(pk=facts.session_id).select_related("user").first()
        if session is None:
            raise SessionUnknown
        own = describe_session(session.user, session)
    return mint_access_token(facts, {**own, **extra}, now or timezone.now(), jti=jti)[0]


@sensitive_variables()
def rewrite_refresh_token(token: RefreshToken, claims: Mapping[str, Any], *, scope: str | None = None) -> str:
    """Write a refresh token again with other ``claims``: the same session, generation and secret.

    Args:
        token: the refresh token.
        claims: the claims of the access tokens that the new text leads to.
        scope: another scope for those access tokens, if given.

    Raises:
        ClaimsHookError: the claims have no JSON form.
        ProjectError: the claims are too long.
    """
    facts = replace(token.facts, claims=claims, scope=token.facts.scope if scope is None else scope)
    return write_refresh_token(facts, token.generation, token.secret, token.branch)


@sensitive_variables()
def shorten_refresh_token(token: RefreshToken, until: datetime) -> RefreshToken:
    """Shorten the session of a token that was just issued, and return the token of the shorter session.

    This is for interfaces that hand out a token first and learn later how long it lasts. If the lifetime is
    known at the login, give ``lifetimes`` to :func:`drf_tessera.sessions.start` instead. A session that was
    refreshed keeps its end, because its access tokens may be valid until then.

    Args:
        token: the first refresh token of a session.
        until: the new end of the session. A later time than the present end changes nothing.
    """
    rows.shorten(token.facts.session_id, until)
    ends = min(int(to_timestamp(until)), token.facts.expires_at)
    return replace(token, facts=replace(token.facts, expires_at=ends))
