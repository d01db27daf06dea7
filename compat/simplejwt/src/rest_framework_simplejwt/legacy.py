"""Tokens that simplejwt itself issued. This module reads them until they expire, and writes no such token."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, Final
from uuid import UUID

import jwt
from django.apps import apps
from django.conf import settings as django_settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.views.decorators.debug import sensitive_variables

from drf_tessera import sessions
from drf_tessera.exceptions import TemporarilyUnavailable
from drf_tessera.legacy import pyjwt, to_seconds
from drf_tessera.models import SCOPE_LENGTH
from drf_tessera.moments import LATEST
from drf_tessera.sessions import LegacyToken, adopt, adopt_many, is_foreign, name_token
from drf_tessera.tokens import REGISTERED_CLAIMS, SessionFacts, is_scope, read_refresh_token
from drf_tessera.users import find_user_by
from rest_framework_simplejwt.exceptions import ExpiredTokenError, TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.utils import (
    aware_utcnow,
    datetime_from_epoch,
    datetime_to_epoch,
    get_md5_hash_password,
    logger,
)

PACKAGE: Final = "simplejwt"
MOST_BYTES: Final = 5_500
"""The limit for the JSON of an old token's own claims. Within it both new tokens keep to their limits."""
BLACKLIST: Final = "rest_framework_simplejwt.token_blacklist"


@sensitive_variables()
def decode(token: str, token_type: str | None) -> dict[str, Any]:
    """Return the claims of a token of simplejwt, verified in the same way as simplejwt did.

    Raises:
        TokenError: the token is not valid.
    """
    try:
        claims = pyjwt.decode(
            token,
            _list_keys(),
            algorithm=api_settings.ALGORITHM,
            audience=api_settings.AUDIENCE,
            issuer=api_settings.ISSUER,
            leeway=api_settings.LEEWAY or 0,
            any_audience=api_settings.AUDIENCE is None,
        )
    except jwt.ExpiredSignatureError:
        raise ExpiredTokenError("Token is expired") from None
    except jwt.InvalidTokenError:
        raise TokenError("Token is invalid") from None
    return _check_claims(claims, token_type)


@sensitive_variables()
def is_refresh(token: str) -> bool:
    """Return whether the unverified claims of a token say that it is a refresh token of simplejwt."""
    try:
        return is_foreign(token) and pyjwt.peek(token).get(api_settings.TOKEN_TYPE_CLAIM) == "refresh"
    except jwt.InvalidTokenError:
        return False


def _list_keys() -> list[Any]:
    if not api_settings.ALGORITHM.startswith("HS"):
        return [api_settings.VERIFYING_KEY]
    given = api_settings.user_settings.get("SIGNING_KEY")
    return [given] if given else [django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS]


def _check_claims(claims: dict[str, Any], token_type: str | None) -> dict[str, Any]:
    if api_settings.JTI_CLAIM is not None and not isinstance(claims.get(api_settings.JTI_CLAIM), str):
        raise TokenError("Token has no id")
    found = claims.get(api_settings.TOKEN_TYPE_CLAIM)
    if api_settings.TOKEN_TYPE_CLAIM is not None and (not found or token_type not in (None, found)):
        raise TokenError("Token has wrong type")
    return claims


def find_user(claims: dict[str, Any]) -> AbstractBaseUser | None:
    """Return the user that the claims name, or ``None``."""
    return find_user_by(api_settings.USER_ID_FIELD, claims.get(api_settings.USER_ID_CLAIM))


@sensitive_variables()
def exchange(token: Any) -> str:
    """Return drf-tessera's refresh token for a refresh token of simplejwt.

    A token of drf-tessera is returned unchanged.

    Raises:
        TokenError: the token is not valid or is blacklisted, or its user does not exist.
    """
    if not isinstance(token, str):  # for example None, from a view that found no cookie
        raise TokenError("Token is invalid")
    if not is_foreign(token):
        return token
    claims = decode(token, "refresh")
    user = find_user(claims)
    if user is None or not password_holds(claims, user):
        raise TokenError("User not found")
    # Without JTI_CLAIM simplejwt wrote tokens without an id, and could not list them in its table.
    jti = name_token(token) if api_settings.JTI_CLAIM is None else claims[api_settings.JTI_CLAIM]
    if is_blacklisted(jti):
        raise TokenError("Token is blacklisted")
    old = make_predecessor(claims, jti)
    if len(json.dumps(old.claims)) > MOST_BYTES:  # in ASCII, as in a refresh token
        raise TokenError("The claims of this token cannot be kept in a new token; log in again.")
    credentials = adopt(old, user)
    note_session(user, read_refresh_token(credentials).facts)
    return credentials


def make_predecessor(claims: dict[str, Any], jti: str) -> LegacyToken:
    """Return drf-tessera's description of a verified token of simplejwt."""
    own = {api_settings.TOKEN_TYPE_CLAIM, api_settings.JTI_CLAIM, api_settings.REVOKE_TOKEN_CLAIM}
    kept = {name: claims[name] for name in claims.keys() - REGISTERED_CLAIMS - own}
    if api_settings.TOKEN_TYPE_CLAIM:
        kept[api_settings.TOKEN_TYPE_CLAIM] = "access"
    expires, issued = int(claims["exp"]), claims.get("iat")
    issued = int(issued) if isinstance(issued, int | float) and 0 <= issued <= LATEST else 0
    scope = claims.get("scope")
    return LegacyToken(
        package=PACKAGE,
        jti=jti,
        issued_at=issued,
        expires_at=expires + int(to_seconds(api_settings.LEEWAY)),
        claims=kept,
        scope=str(scope) if is_scope(scope) and len(str(scope)) <= SCOPE_LENGTH else "",
    )


def is_blacklisted(jti: str) -> bool:
    """Return whether simplejwt's table, if the project has it, lists the token as blacklisted.

    A ``jti`` that a database cannot store counts as blacklisted.
    """
    if not apps.is_installed(BLACKLIST):
        return False
    found: Any = apps.get_model("token_blacklist", "BlacklistedToken")
    try:
        return "\0" in jti or bool(found._default_manager.filter(token__jti=jti).exists())
    except UnicodeEncodeError:
        return True


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


def note_session(user: AbstractBaseUser, login: SessionFacts) -> Any:
    """Write one row for a session into simplejwt's table, if the project has the table.

    Some projects read these rows to log somebody out everywhere.
    """
    if not apps.is_installed(BLACKLIST):
        return None
    values = {
        "user_id": user.pk,
        "token": "",
        "created_at": datetime_from_epoch(login.auth_time),
        "expires_at": datetime_from_epoch(login.expires_at),
    }
    rows = apps.get_model("token_blacklist", "OutstandingToken")._default_manager
    return rows.get_or_create(jti=login.session_id.hex, defaults=values)[0]


def note_end(login: SessionFacts) -> None:
    """Blacklist the session's row in simplejwt's table, if there is such a row."""
    if apps.is_installed(BLACKLIST):
        rows = apps.get_model("token_blacklist", "OutstandingToken")._default_manager
        ended: Any = apps.get_model("token_blacklist", "BlacklistedToken")
        for row in rows.filter(jti=login.session_id.hex):
            ended._default_manager.get_or_create(token=row)


def end_session(row: Any) -> None:
    """End the session of a row of simplejwt's table.

    The row stands for a session, or for a token of simplejwt that started a session or could start one.
    """
    old = LegacyToken(
        package=PACKAGE,
        jti=row.jti,
        issued_at=datetime_to_epoch(row.created_at) if row.created_at else 0,
        expires_at=datetime_to_epoch(row.expires_at),
    )
    if row.token:
        if row.user_id is not None and row.expires_at > aware_utcnow():
            adopt_many([(old, row.user_id, True)])  # ended, so that a simultaneous refresh cannot start it
        sessions.revoke(old.session_id)
    with suppress(ValueError):  # not every jti of simplejwt is a UUID
        sessions.revoke(UUID(row.jti))


def password_holds(claims: dict[str, Any], user: AbstractBaseUser) -> bool:
    """Return whether the password is still the same. Without ``CHECK_REVOKE_TOKEN`` always return true."""
    if not api_settings.CHECK_REVOKE_TOKEN:
        return True
    return claims.get(api_settings.REVOKE_TOKEN_CLAIM) == get_md5_hash_password(user.password)
