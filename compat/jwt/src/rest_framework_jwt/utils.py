"""The handlers of djangorestframework-jwt: a payload for a user, and tokens in and out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import jwt
from django.conf import settings as django_settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from drf_tessera import sessions
from drf_tessera.adoption import is_foreign
from drf_tessera.exceptions import Refusal, TokenExpired
from drf_tessera.inspection import sign_access_token
from drf_tessera.revocation import check_session
from drf_tessera.tokens import (
    REGISTERED_CLAIMS,
    AccessToken,
    read_refresh_token,
    recall_access_token,
    verify_access_token,
)
from drf_tessera.users import find_user_by
from rest_framework_jwt.settings import api_settings

NOBODY: Final = "The payload names no active user: a token without a user belongs to no session."


def jwt_get_secret_key(payload: Mapping[str, Any] | None = None) -> Any:
    """Give the key under which a token of djangorestframework-jwt was signed; that may be the user's own."""
    if api_settings.JWT_GET_USER_SECRET_KEY is None:
        return api_settings.JWT_SECRET_KEY
    user = find_user_by("pk", (payload or {}).get("user_id"))
    return None if user is None else str(api_settings.JWT_GET_USER_SECRET_KEY(user))


def jwt_payload_handler(user: Any) -> dict[str, Any]:
    """Give the claims of a user's token; ``exp`` is one ``JWT_EXPIRATION_DELTA`` from now."""
    username, now = user.get_username(), datetime.now(tz=UTC)
    pk = user.pk if isinstance(user.pk, int) else str(user.pk)
    payload = {"user_id": pk, "username": username, "exp": now + api_settings.JWT_EXPIRATION_DELTA}
    if hasattr(user, "email"):
        payload["email"] = user.email
    payload[user.USERNAME_FIELD] = username
    if api_settings.JWT_ALLOW_REFRESH:
        payload["orig_iat"] = int(now.timestamp())
    if api_settings.JWT_AUDIENCE is not None:
        payload["aud"] = api_settings.JWT_AUDIENCE
    if api_settings.JWT_ISSUER is not None:
        payload["iss"] = api_settings.JWT_ISSUER
    return payload


def jwt_get_user_id_from_payload_handler(payload: Mapping[str, Any]) -> Any:
    """Give the user's key out of a payload."""
    return payload.get("user_id")


def jwt_get_username_from_payload_handler(payload: Mapping[str, Any]) -> Any:
    """Give the user's name out of a payload."""
    return payload.get("username")


def jwt_response_payload_handler(
    token: str, user: AbstractBaseUser | None = None, request: Any = None
) -> dict[str, Any]:
    """Give the body of the answer to a login or a refresh."""
    return {"token": token}


def select_claims(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Give of a payload what a token of drf-tessera says besides its own."""
    return {name: value for name, value in payload.items() if name not in REGISTERED_CLAIMS}


@sensitive_variables()
def jwt_encode_handler(payload: Mapping[str, Any]) -> str:
    """Start a session for the payload's user and give its access token, so that it can be ended.

    Raises:
        ValueError: the payload names no active user, or would outlive ``JWT_EXPIRATION_DELTA``.
    """
    user = find_user_by("pk", payload.get("user_id"))
    if user is None:
        raise ValueError(NOBODY)
    ends = _to_seconds(payload["exp"]) if "exp" in payload else None
    if ends is not None and ends > time.time() + api_settings.JWT_EXPIRATION_DELTA.total_seconds() + 1:
        raise ValueError("The payload's exp is later than JWT_EXPIRATION_DELTA allows: make that longer.")
    try:
        grant = sessions.start(user)
    except Refusal as error:
        raise ValueError(NOBODY) from error
    login = read_refresh_token(grant.refresh or "").login
    if ends is not None:
        login = replace(login, expires_at=min(login.expires_at, ends))
    return sign_access_token(login, select_claims(payload))


def _to_seconds(moment: Any) -> int:
    if not isinstance(moment, datetime):
        return int(moment)
    # One without a time zone is in UTC, as for PyJWT: handlers that are older than time zones write utcnow().
    return int((moment if timezone.is_aware(moment) else moment.replace(tzinfo=UTC)).timestamp())


@sensitive_variables()
def jwt_decode_handler(token: str | bytes) -> dict[str, Any]:
    """Verify a token, of drf-tessera or of djangorestframework-jwt, and give its claims.

    Raises:
        jwt.InvalidTokenError: in one of its kinds; ``ExpiredSignatureError`` and ``DecodeError`` above all.
    """
    raw = token.decode("ascii", "replace") if isinstance(token, bytes) else token
    if is_foreign(raw):
        return decode_legacy(raw)
    try:
        found = verify_own(raw)
    except TokenExpired as error:
        raise jwt.ExpiredSignatureError(error.detail) from None
    except Refusal as error:
        raise jwt.DecodeError(error.detail) from None
    return {name: found[name] for name in found.claims}


@sensitive_variables()
def verify_own(raw: str) -> AccessToken:
    """Verify an access token of drf-tessera, and that its session has not been ended.

    Raises:
        Refusal: it is not accepted.
        TemporarilyUnavailable: which sessions have ended is not known just now.
    """
    key = f"jwt\n{raw}"  # no header can hold a line break
    found = recall_access_token(key) or verify_access_token(raw, remember_as=key)
    check_session(found.session_id)
    return found


@sensitive_variables()
def decode_legacy(raw: str) -> dict[str, Any]:
    """Verify a token of djangorestframework-jwt, or one that the project signed as the tutorial does.

    ``JWT_VERIFY`` and ``JWT_VERIFY_EXPIRATION`` switch nothing off. The algorithm is the project's.

    Raises:
        jwt.InvalidTokenError: in one of its kinds.
    """
    for key in _list_keys(raw):
        try:
            return jwt.decode(
                raw,
                key,
                algorithms=[api_settings.JWT_ALGORITHM],
                audience=api_settings.JWT_AUDIENCE,
                issuer=api_settings.JWT_ISSUER,
                leeway=api_settings.JWT_LEEWAY,
                options={"require": ["exp"]},
            )
        except jwt.InvalidSignatureError:
            continue
        except jwt.InvalidKeyError as error:
            raise jwt.DecodeError(str(error)) from None
    raise jwt.DecodeError("Signature verification failed")


def _list_keys(raw: str) -> list[Any]:
    if api_settings.JWT_PUBLIC_KEY:
        return [api_settings.JWT_PUBLIC_KEY]
    if api_settings.JWT_GET_USER_SECRET_KEY is not None:
        # Whose key it is says the token; that it is theirs says the signature, in a moment.
        key = jwt_get_secret_key(jwt.decode(raw, options={"verify_signature": False}))
        return [] if not key else [key]
    if read_own_key():
        return [api_settings.JWT_SECRET_KEY]
    return [django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS]


def read_own_key() -> Any:
    """Give the key that the project chose for its tokens, if it did."""
    return api_settings.user_settings.get("JWT_SECRET_KEY")
