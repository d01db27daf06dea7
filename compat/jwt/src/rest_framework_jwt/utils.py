"""The handlers of djangorestframework-jwt: a payload for a user, and tokens in and out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import jwt
from django.conf import settings as django_settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from drf_tessera import sessions
from drf_tessera.exceptions import ProjectError, Refusal, TokenError, TokenExpired
from drf_tessera.legacy.pyjwt import decode, peek
from drf_tessera.revocation import check_session
from drf_tessera.sessions import is_foreign, sign_access_token
from drf_tessera.tokens import (
    REGISTERED_CLAIMS,
    AccessToken,
    SessionFacts,
    read_refresh_token,
    recall_access_token,
    verify_access_token,
)
from drf_tessera.users import find_user_by, find_user_by_name
from rest_framework_jwt.settings import api_settings

NOBODY: Final = "The payload names no active user: a token without a user belongs to no session."


def jwt_get_secret_key(payload: Mapping[str, Any] | None = None) -> Any:
    """Give the key under which a token of djangorestframework-jwt was signed; that may be the user's own."""
    if api_settings.JWT_GET_USER_SECRET_KEY is None:
        return api_settings.JWT_SECRET_KEY
    user = find_user_by("pk", api_settings.JWT_PAYLOAD_GET_USER_ID_HANDLER(payload or {}))
    # No key is none: as a text it would be one that everybody knows.
    key = None if user is None else api_settings.JWT_GET_USER_SECRET_KEY(user)
    return str(key) if key else None


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


@dataclass(slots=True, kw_only=True)
class Occasion:
    """What a token is made for: a login of ``user``, or one more token of ``login``."""

    user: AbstractBaseUser
    client: sessions.Client | None = None
    login: SessionFacts | None = None
    over: bool = False
    """Also to whoever has a copy of the context, such as a task."""


_occasion: ContextVar[Occasion | None] = ContextVar("rest_framework_jwt_occasion", default=None)


@contextmanager
def encoding_for(user: AbstractBaseUser, **known: Any) -> Iterator[None]:
    """Say what the next tokens are for, also to a project's handler that calls :func:`jwt_encode_handler`."""
    occasion = Occasion(user=user, **known)
    mark = _occasion.set(occasion)
    try:
        yield
    finally:
        occasion.over = True
        _occasion.reset(mark)


@sensitive_variables()
def jwt_encode_handler(payload: Mapping[str, Any]) -> str:
    """Start a session for the payload's user and give its access token, so that it can be ended.

    Whose it is says the user name, as it does in a token; where there is none, ``user_id``. In a login it is
    for the very user whose password was checked, and in a refresh for the same session.

    Raises:
        ValueError: the payload names no active user.
        ProjectError: it has what no token here can have; see :func:`start_session`.
    """
    occasion = _occasion.get()
    named = api_settings.JWT_PAYLOAD_GET_USERNAME_HANDLER(payload)
    if occasion and not occasion.over and (not named or str(named) == occasion.user.get_username()):
        if occasion.login is not None:
            return _sign(occasion.login, payload)
        return start_session(occasion.user, payload, occasion.client)
    user = _find_owner(payload, named)
    if user is None:
        raise ValueError(NOBODY)
    try:
        return start_session(user, payload)
    except Refusal as error:
        raise ValueError(NOBODY) from error


def _find_owner(payload: Mapping[str, Any], username: Any) -> AbstractBaseUser | None:
    if not username:
        return find_user_by("pk", api_settings.JWT_PAYLOAD_GET_USER_ID_HANDLER(payload))
    user = find_user_by_name(username)
    return user if user is not None and is_owner(user, payload) else None


def is_owner(user: AbstractBaseUser, payload: Mapping[str, Any]) -> bool:
    """Tell whether a payload's ``user_id`` agrees: a name may be somebody else's by now."""
    named = api_settings.JWT_PAYLOAD_GET_USER_ID_HANDLER(payload)
    # A payload of the project's own making may say something else by it, unless it chooses the key.
    loose = not api_settings.uses_default("JWT_PAYLOAD_HANDLER") and not api_settings.JWT_GET_USER_SECRET_KEY
    return named is None or loose or str(named) == str(user.pk)


@sensitive_variables()
def start_session(
    user: AbstractBaseUser, payload: Mapping[str, Any], client: sessions.Client | None = None
) -> str:
    """Start a session for a user and give an access token with a payload's claims.

    Raises:
        Refusal: the user may not log in (any more).
        ProjectError: the payload would outlive ``JWT_EXPIRATION_DELTA``, or has what cannot go into a token.
    """
    grant = sessions.start(user, client=client)
    try:
        return _sign(read_refresh_token(grant.refresh or "").facts, payload)
    except ProjectError:
        sessions.revoke(grant.session_id)  # nobody gets its token
        raise


def _sign(login: SessionFacts, payload: Mapping[str, Any]) -> str:
    ends = min(login.expires_at, _read_expiry(payload))
    return sign_access_token(replace(login, expires_at=ends), select_claims(payload))


def _read_expiry(payload: Mapping[str, Any]) -> int:
    moment, limit = payload.get("exp"), time.time() + api_settings.JWT_EXPIRATION_DELTA.total_seconds() + 1
    if isinstance(moment, datetime):
        # One without a time zone is in UTC, as for PyJWT: old handlers write utcnow().
        moment = (moment if timezone.is_aware(moment) else moment.replace(tzinfo=UTC)).timestamp()
    if moment is None:
        return int(limit)
    if isinstance(moment, bool) or not isinstance(moment, int | float) or not 0 <= moment <= limit:
        raise ProjectError(
            f"The payload's exp is {moment!r}, and no token lives longer than JWT_EXPIRATION_DELTA: make "
            "that longer, or leave exp out."
        )
    return int(moment)


class OwnClaims(dict[str, Any]):
    """The claims of a token of drf-tessera, which says by itself whose it is."""

    def __init__(self, token: AccessToken, claims: Mapping[str, Any] | None = None) -> None:
        super().__init__(claims if claims is not None else {name: token[name] for name in token.claims})
        self.token = token


@sensitive_variables()
def decode_token(raw: str) -> dict[str, Any]:
    """Verify a token by ``JWT_DECODE_HANDLER``, which may have made another dict of one of ours.

    Raises:
        jwt.InvalidTokenError: in one of its kinds.
        Refusal: the session of a token of ours has ended.
    """
    payload: dict[str, Any] = api_settings.JWT_DECODE_HANDLER(raw)
    if isinstance(payload, OwnClaims) or is_foreign(raw) or not isinstance(payload, Mapping):
        return payload
    try:
        own = OwnClaims(verify_own(raw))
    except TokenError:
        return payload  # of a kind that the project's handler alone knows
    name = api_settings.JWT_PAYLOAD_GET_USERNAME_HANDLER
    # What the handler takes out or puts in counts: by another name it is another's, by none nobody's.
    return OwnClaims(own.token, payload) if name(payload) and name(payload) == name(own) else payload


@sensitive_variables()
def jwt_decode_handler(token: str | bytes) -> dict[str, Any]:
    """Verify a token, of drf-tessera or of djangorestframework-jwt, and give its claims.

    Raises:
        jwt.InvalidTokenError: in one of its kinds; ``ExpiredSignatureError`` and ``DecodeError`` above all.
        TemporarilyUnavailable: which sessions have ended is not known just now.
    """
    raw = token.decode("ascii", "replace") if isinstance(token, bytes) else token
    if is_foreign(raw):
        return decode_legacy(raw)
    try:
        return OwnClaims(verify_own(raw))
    except TokenExpired as error:
        raise jwt.ExpiredSignatureError(error.detail) from error
    except Refusal as error:
        raise jwt.DecodeError(error.detail) from error


def explain(error: jwt.InvalidTokenError) -> tuple[str, str]:
    """Give the text and the code of a refusal: djangorestframework-jwt's own text where it has one."""
    if isinstance(error, jwt.ExpiredSignatureError):
        return "Signature has expired.", TokenExpired.code
    reason = error.__cause__ if isinstance(error.__cause__, Refusal) else TokenError()
    if not isinstance(reason, TokenError):
        return reason.detail, reason.code
    known = isinstance(error, jwt.DecodeError)
    return "Error decoding signature." if known else "Incorrect authentication credentials.", reason.code


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

    ``JWT_VERIFY`` and ``JWT_VERIFY_EXPIRATION`` switch nothing off.

    Raises:
        jwt.InvalidTokenError: in one of its kinds.
    """
    claims = decode(
        raw,
        _list_keys(raw),
        algorithm=api_settings.JWT_ALGORITHM,
        audience=api_settings.JWT_AUDIENCE,
        issuer=api_settings.JWT_ISSUER,
        leeway=api_settings.JWT_LEEWAY,
    )
    if claims.get("token_type") == "refresh":
        raise jwt.InvalidTokenError("A refresh token of simplejwt")  # where a project has both
    return claims


def _list_keys(raw: str) -> list[Any]:
    if api_settings.JWT_PUBLIC_KEY:
        return [api_settings.JWT_PUBLIC_KEY]
    if api_settings.JWT_GET_USER_SECRET_KEY is not None:
        # Whose key it is says the token; that it is theirs says the signature, in a moment.
        key = jwt_get_secret_key(peek(raw))
        return [key] if key else []
    if read_own_key():
        return [api_settings.JWT_SECRET_KEY]
    return [django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS]


def read_own_key() -> Any:
    """Give the key that the project chose for its tokens, if it did."""
    return api_settings.user_settings.get("JWT_SECRET_KEY")
