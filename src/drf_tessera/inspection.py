"""A session's tokens beside a refresh: look at a refresh token, sign one more access token.

For interfaces that hand out tokens one by one, such as those of the packages that came before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from drf_tessera import ledger, rotation
from drf_tessera.conf import get_settings
from drf_tessera.exceptions import (
    RefreshContended,
    SessionExpired,
    SessionRevoked,
    SessionUnknown,
    TransportMismatch,
    UserInactive,
)
from drf_tessera.rotation import Outcome
from drf_tessera.sessions import end_stolen
from drf_tessera.tokens import (
    Login,
    RefreshToken,
    mint_access_token,
    read_refresh_token,
    to_timestamp,
    write_refresh_token,
)
from drf_tessera.users import describe_session

_REFUSALS = {
    Outcome.REVOKED: SessionRevoked,
    Outcome.EXPIRED: SessionExpired,
    Outcome.USER_INACTIVE: UserInactive,
}


@sensitive_variables()
def inspect_refresh_token(
    text: str, *, transport: str | None = None, now: datetime | None = None, recoveries: int | None = None
) -> RefreshToken:
    """Tell whether a refresh token would be taken now, and do not spend it. One query.

    What was replaced and comes back ends its session here as it does in a refresh; inside a transaction
    that end stands or falls with it. But whoever never refreshes shows no theft: a copy of the token is as
    good as the token.

    Raises:
        RefreshInvalid, TransportMismatch, RefreshReused, SessionUnknown, SessionRevoked, SessionExpired,
            UserInactive, RefreshContended: as :func:`drf_tessera.sessions.refresh` does.
    """
    token = read_refresh_token(text)
    if transport is not None and token.login.transport != transport:
        raise TransportMismatch
    policy, moment = get_settings().choose_policy(recoveries), now or timezone.now()
    for _ in range(ledger.MAX_ATTEMPTS):
        session, state = ledger.read(token, with_user=False)
        outcome = rotation.decide(state, token.generation, moment, policy).outcome
        if outcome in _REFUSALS:
            raise _REFUSALS[outcome]
        if outcome is not Outcome.REUSED:
            return token
        try:
            end_stolen(session, moment)
        except RefreshContended:
            continue
    raise RefreshContended


@sensitive_variables()
def sign_access_token(login: Login, extra: Mapping[str, Any], *, now: datetime | None = None) -> str:
    """Sign one more access token of a session that stands, with ``extra`` claims beside its own.

    No query, unless ``CLAIMS`` or ``USER_FIELDS`` have to be asked.

    Raises:
        ClaimsHookError: a claim is registered, or has no JSON form, or it is too much.
        SessionUnknown: the session that the hook should be told of is not there any more.
    """
    found: Mapping[str, Any] = {}
    if get_settings().reads_user:
        session = ledger.select_sessions().filter(pk=login.session_id).select_related("user").first()
        if session is None:
            raise SessionUnknown
        found = describe_session(session.user, session)
    return mint_access_token(login, {**found, **extra}, to_timestamp(now or timezone.now()))[0]


@sensitive_variables()
def rewrite_refresh_token(token: RefreshToken, claims: Mapping[str, Any], *, scope: str | None = None) -> str:
    """Write a refresh token again, with other ``claims``: the same session, generation and secret.

    With another ``scope`` too, if one is given: it holds for all that this token begins.

    Raises:
        ClaimsHookError: the claims have no JSON form.
        ProjectError: they are too long.
    """
    login = replace(token.login, claims=claims, scope=token.login.scope if scope is None else scope)
    return write_refresh_token(login, token.generation, token.secret)
