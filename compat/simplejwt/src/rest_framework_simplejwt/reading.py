"""Texts of tokens in, verified claims out: tokens of drf-tessera and of simplejwt."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from drf_tessera import sessions, tokens
from drf_tessera.conf import HEADER
from drf_tessera.exceptions import RefreshInvalid, Refusal
from drf_tessera.revocation import check_session
from drf_tessera.sessions import HANDLE_PREFIX, is_foreign, read_handle
from drf_tessera.users import find_user_by
from rest_framework_simplejwt import legacy
from rest_framework_simplejwt.exceptions import TokenError, to_token_error
from rest_framework_simplejwt.settings import api_settings, count_recoveries


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A verified token: its claims, and the part of drf-tessera that it belongs to."""

    claims: dict[str, Any]
    verified: tokens.AccessToken | None = None
    """The access token of drf-tessera."""
    current: tokens.RefreshToken | None = field(default=None, repr=False)
    """The refresh token of drf-tessera."""
    login: tokens.SessionFacts | None = None
    """The session. ``None`` for an access token that simplejwt issued."""


def to_text(token: Any) -> str:
    """Return the text of a token. Bytes that are not ASCII become a text that is not a token."""
    return token.decode("ascii", "replace") if isinstance(token, bytes) else str(token)


@sensitive_variables()
def read_access(token: str, token_type: str | None = "access") -> Found:  # noqa: S107 - a kind of token
    """Verify an access token.

    Raises:
        TokenError: the token is not accepted.
    """
    credentials = f"simplejwt\n{token}"
    found = tokens.recall_access_token(credentials)
    if found is None:
        if token.startswith((tokens.REFRESH_PREFIX, HANDLE_PREFIX)):
            raise TokenError(_("Token has wrong type"))
        if is_foreign(token):
            return Found(claims=legacy.decode(token, token_type))
    try:
        found = found or tokens.verify_access_token(token, credentials=credentials)
        check_session(found)
    except Refusal as error:
        raise to_token_error(error) from None
    claims = {name: found[name] for name in found.claims}
    name_user(claims, found.sub)
    if api_settings.JTI_CLAIM:
        claims.setdefault(api_settings.JTI_CLAIM, found.jti)
    return Found(claims=claims, verified=found, login=found.facts)


@sensitive_variables()
def read_refresh(token: str) -> Found:
    """Verify a refresh token, or the handle of a session. Nothing is spent.

    Raises:
        TokenError: the token is not accepted.
    """
    try:
        if token.startswith(HANDLE_PREFIX):
            login = read_handle(token)
            claims = describe_session(login)
            if api_settings.USER_ID_CLAIM not in claims:
                user = find_user_by("pk", login.sub)
                claims[api_settings.USER_ID_CLAIM] = str(getattr(user, api_settings.USER_ID_FIELD, None))
            return Found(claims=claims, login=login)
        credentials, most = legacy.exchange(token), count_recoveries()
        current = sessions.inspect_refresh_token(credentials, transport=HEADER, recoveries=most)
    except Refusal as error:
        raise explain_refresh(error, token) from None
    return Found(claims=describe_session(current.facts), current=current, login=current.facts)


@sensitive_variables()
def explain_refresh(error: Refusal, token: str) -> TokenError:
    """Return simplejwt's error for a refresh token that was refused. An access token has the wrong type."""
    if isinstance(error, RefreshInvalid):
        with suppress(Refusal):
            tokens.verify_access_token(token)
            return TokenError(_("Token has wrong type"))
    return to_token_error(error)


@sensitive_variables()
def read_any(token: str) -> Found:
    """Verify a token of any type.

    Raises:
        TokenError: the token is not accepted.
    """
    if token.startswith(tokens.REFRESH_PREFIX) or legacy.is_refresh(token):
        return read_refresh(token)
    return read_access(token, token_type=None)


def describe_session(login: tokens.SessionFacts) -> dict[str, Any]:
    """Return the claims of the refresh token of a session."""
    claims = {**login.claims, "exp": login.expires_at, "iat": login.auth_time}
    name_user(claims, login.sub)
    if login.scope:
        claims["scope"] = login.scope
    claims[api_settings.JTI_CLAIM or "jti"] = login.session_id.hex
    if api_settings.TOKEN_TYPE_CLAIM:
        claims[api_settings.TOKEN_TYPE_CLAIM] = "refresh"
    return claims


def name_user(claims: dict[str, Any], sub: str) -> None:
    """Add the claim of the user's id to the claims of a token that this package did not create."""
    if api_settings.USER_ID_FIELD in {"id", "pk"}:
        claims.setdefault(api_settings.USER_ID_CLAIM, sub)
