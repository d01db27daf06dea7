"""Tokens that simplejwt itself issued. This module reads them until they expire, and writes no such token."""

from __future__ import annotations

import json
from typing import Any, Final

import jwt
from django.conf import settings as django_settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from drf_tessera.legacy import pyjwt, to_seconds
from drf_tessera.models import SCOPE_LENGTH
from drf_tessera.moments import LATEST
from drf_tessera.sessions import LegacyToken, adopt, is_closed, is_foreign, name_token
from drf_tessera.tokens import REGISTERED_CLAIMS, is_scope, read_refresh_token
from drf_tessera.users import find_user_by
from rest_framework_simplejwt.exceptions import ExpiredTokenError, TokenError
from rest_framework_simplejwt.listing import PACKAGE, is_blacklisted, note_adoption
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.utils import format_lazy, get_md5_hash_password

MOST_BYTES: Final = 5_500
"""The limit for the JSON of an old token's own claims. Within it both new tokens keep to their limits."""


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
        raise ExpiredTokenError(_("Token is expired")) from None
    except jwt.MissingRequiredClaimError as error:
        raise TokenError(format_lazy(_("Token has no '{}' claim"), error.claim)) from None
    except jwt.InvalidTokenError:
        raise TokenError(_("Token is invalid")) from None
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
        raise TokenError(_("Token has no id"))
    found = claims.get(api_settings.TOKEN_TYPE_CLAIM)
    if api_settings.TOKEN_TYPE_CLAIM is not None and not found:
        raise TokenError(_("Token has no type"))
    if api_settings.TOKEN_TYPE_CLAIM is not None and token_type not in (None, found):
        raise TokenError(_("Token has wrong type"))
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
        raise TokenError(_("Token is invalid"))
    if not is_foreign(token):
        return token
    claims = decode(token, "refresh")
    user = find_user(claims)
    if user is None or not password_holds(claims, user):
        raise TokenError("User not found")
    jti = find_jti(claims, token)
    if is_blacklisted(jti):
        raise TokenError(_("Token is blacklisted"))
    old = make_predecessor(claims, jti)
    if len(json.dumps(old.claims)) > MOST_BYTES:  # in ASCII, as in a refresh token
        raise TokenError("The claims of this token cannot be kept in a new token; log in again.")
    credentials = adopt(old, user)
    note_adoption(user, read_refresh_token(credentials), jti)
    return credentials


def find_jti(claims: dict[str, Any], token: str) -> str:
    """Return the id of a verified token of simplejwt.

    Without ``JTI_CLAIM`` simplejwt wrote tokens without an id, and could not list them in its table.
    """
    name = api_settings.JTI_CLAIM
    return name_token(token) if name is None else str(claims[name])


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


def check_user(claims: dict[str, Any], user: AbstractBaseUser) -> bool:
    """Return whether no event has ended a token of simplejwt early: a new password, a logout everywhere.

    One query. ``CHECK_REVOKE_TOKEN`` also compares the digest of the password in the token.
    """
    return password_holds(claims, user) and not is_closed(user.pk, find_issue_time(claims))


def find_issue_time(claims: dict[str, Any]) -> int:
    """Return the time of issue of a token of simplejwt in seconds. Without ``iat`` it is an estimate."""
    issued = claims.get("iat")
    if isinstance(issued, int | float) and 0 <= issued <= LATEST:
        return int(issued)
    lifetime = api_settings.ACCESS_TOKEN_LIFETIME.total_seconds()
    return max(0, int(claims["exp"] - lifetime)) if "exp" in claims else 0


def password_holds(claims: dict[str, Any], user: AbstractBaseUser) -> bool:
    """Return whether the password is still the same. Without ``CHECK_REVOKE_TOKEN`` always return true."""
    if not api_settings.CHECK_REVOKE_TOKEN:
        return True
    return bool(claims.get(api_settings.REVOKE_TOKEN_CLAIM) == get_md5_hash_password(user.password))
