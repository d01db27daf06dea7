"""The handlers of djangorestframework-jwt, which make payloads, and encode and decode tokens."""

from __future__ import annotations

import time
import uuid as uuid
import warnings as warnings
from calendar import timegm as timegm
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import jwt
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model as get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from drf_tessera import sessions
from drf_tessera.exceptions import ProjectError, Refusal, TokenError, TokenExpired
from drf_tessera.legacy import refuse_names
from drf_tessera.legacy.pyjwt import decode, peek
from drf_tessera.moments import LATEST
from drf_tessera.revocation import check_session
from drf_tessera.sessions import is_closed, is_foreign, sign_access_token
from drf_tessera.tokens import (
    REGISTERED_CLAIMS,
    AccessToken,
    SessionFacts,
    read_refresh_token,
    recall_access_token,
    verify_access_token,
)
from drf_tessera.users import find_user_by, find_user_by_name, read_name
from rest_framework_jwt.compat import get_username as get_username
from rest_framework_jwt.compat import get_username_field as get_username_field
from rest_framework_jwt.settings import api_settings

NOBODY: Final = "The payload names no active user, but a token without a user cannot belong to a session."


def jwt_get_secret_key(payload: Mapping[str, Any] | None = None) -> Any:
    """Return the key of a token of djangorestframework-jwt. The key may be specific to the user."""
    if api_settings.JWT_GET_USER_SECRET_KEY is None:
        return api_settings.JWT_SECRET_KEY
    user = find_user_by("pk", api_settings.JWT_PAYLOAD_GET_USER_ID_HANDLER(payload or {}))
    # Do not convert a missing key to a string, because everybody knows the string "None".
    key = None if user is None else api_settings.JWT_GET_USER_SECRET_KEY(user)
    return str(key) if key else None


def jwt_payload_handler(user: Any) -> dict[str, Any]:
    """Return the claims of a user's token. ``exp`` is ``JWT_EXPIRATION_DELTA`` after now."""
    named, now = user.get_username(), datetime.now(tz=UTC)
    username = named if isinstance(named, str | int) else read_name(user)
    pk = user.pk if isinstance(user.pk, int) else str(user.pk)
    payload = {"user_id": pk, "username": username, "exp": now + api_settings.JWT_EXPIRATION_DELTA}
    if hasattr(user, "email"):
        payload["email"] = user.email if isinstance(user.email, str | None) else str(user.email)
    payload[user.USERNAME_FIELD] = username
    if api_settings.JWT_ALLOW_REFRESH:
        payload["orig_iat"] = int(now.timestamp())
    if api_settings.JWT_AUDIENCE is not None:
        payload["aud"] = api_settings.JWT_AUDIENCE
    if api_settings.JWT_ISSUER is not None:
        payload["iss"] = api_settings.JWT_ISSUER
    return payload


def jwt_get_user_id_from_payload_handler(payload: Mapping[str, Any]) -> Any:
    """Return the user's primary key from a payload."""
    return payload.get("user_id")


def jwt_get_username_from_payload_handler(payload: Mapping[str, Any]) -> Any:
    """Return the user's name from a payload."""
    return payload.get("username")


def jwt_response_payload_handler(
    token: str, user: AbstractBaseUser | None = None, request: Any = None
) -> dict[str, Any]:
    """Return the body of the answer to a login or a refresh."""
    return {"token": token}


def select_claims(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the claims of a payload that drf-tessera does not register itself."""
    return {name: value for name, value in payload.items() if name not in REGISTERED_CLAIMS}


@dataclass(slots=True, kw_only=True)
class Occasion:
    """The purpose of a new token: a login of ``user``, or another token of ``login``."""

    user: AbstractBaseUser
    client: sessions.Client | None = None
    login: SessionFacts | None = None
    over: bool = False
    """True after the block. Code with a copy of the context, such as a task, also sees this flag."""


_occasion: ContextVar[Occasion | None] = ContextVar("rest_framework_jwt_occasion", default=None)


@contextmanager
def encoding_for(user: AbstractBaseUser, **known: Any) -> Iterator[None]:
    """Set the purpose of the tokens that the block encodes.

    The purpose also reaches a handler of the project that calls :func:`jwt_encode_handler`.
    """
    occasion = Occasion(user=user, **known)
    mark = _occasion.set(occasion)
    try:
        yield
    finally:
        occasion.over = True
        _occasion.reset(mark)


@sensitive_variables()
def jwt_encode_handler(payload: Mapping[str, Any]) -> str:
    """Start a session for the payload's user and return the session's access token.

    The user name in the payload identifies the user. A payload without a user name is identified by
    ``user_id``. In a login the token is for the user whose password was checked. In a refresh the token
    belongs to the same session as before.

    Raises:
        ValueError: the payload names no active user.
        ProjectError: the payload has a claim that is not allowed in a token; see :func:`start_session`.
    """
    occasion = _occasion.get()
    named = api_settings.JWT_PAYLOAD_GET_USERNAME_HANDLER(payload)
    if occasion and not occasion.over and (not named or str(named) == read_name(occasion.user)):
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
    """Return whether a payload's ``user_id`` is the user's key. The name may belong to another user now."""
    named = api_settings.JWT_PAYLOAD_GET_USER_ID_HANDLER(payload)
    # In a payload of the project's own handler ``user_id`` may mean something else, unless ``user_id``
    # chooses the key of the token.
    loose = not api_settings.uses_default("JWT_PAYLOAD_HANDLER") and not api_settings.JWT_GET_USER_SECRET_KEY
    return named is None or loose or str(named) == str(user.pk)


def is_ended(user: AbstractBaseUser, payload: Mapping[str, Any]) -> bool:
    """Return whether a new password or a logout everywhere has ended a token of djangorestframework-jwt.

    One query. If such a token has no time of issue, the time is estimated from its expiry.
    """
    lifetime = api_settings.JWT_EXPIRATION_DELTA.total_seconds()
    known = [payload.get(name) for name in ("iat", "orig_iat")]
    issued = next((moment for moment in known if _is_moment(moment)), None)
    ends: Any = payload.get("exp")
    estimated = ends - lifetime if _is_moment(ends) else 0
    return is_closed(user.pk, estimated if issued is None else issued)


def _is_moment(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < LATEST


@sensitive_variables()
def start_session(
    user: AbstractBaseUser, payload: Mapping[str, Any], client: sessions.Client | None = None
) -> str:
    """Start a session for a user and return an access token with the payload's claims.

    Raises:
        Refusal: the user may not log in, or may no longer log in.
        ProjectError: the payload's ``exp`` is after ``JWT_EXPIRATION_DELTA``, or a claim is not allowed in
            a token.
    """
    grant = sessions.start(user, client=client)
    try:
        return _sign(read_refresh_token(grant.refresh or "").facts, payload)
    except ProjectError:
        sessions.revoke(grant.session_id)  # no client receives a token of this session
        raise


def _sign(login: SessionFacts, payload: Mapping[str, Any]) -> str:
    ends = min(login.expires_at, _read_expiry(payload))
    return sign_access_token(replace(login, expires_at=ends), select_claims(payload))


def _read_expiry(payload: Mapping[str, Any]) -> int:
    moment, limit = payload.get("exp"), time.time() + api_settings.JWT_EXPIRATION_DELTA.total_seconds() + 1
    if isinstance(moment, datetime):
        # A datetime without a time zone is in UTC, as in PyJWT, because old handlers write utcnow().
        moment = (moment if timezone.is_aware(moment) else moment.replace(tzinfo=UTC)).timestamp()
    if moment is None:
        return int(limit)
    if isinstance(moment, bool) or not isinstance(moment, int | float) or not 0 <= moment <= limit:
        raise ProjectError(
            f"The payload's exp is {moment!r}, but no token may live longer than JWT_EXPIRATION_DELTA. "
            "Increase JWT_EXPIRATION_DELTA, or remove exp from the payload."
        )
    return int(moment)


class OwnClaims(dict[str, Any]):
    """The claims of a token of drf-tessera, with the verified token itself."""

    def __init__(self, token: AccessToken, claims: Mapping[str, Any] | None = None) -> None:
        super().__init__(claims if claims is not None else {name: token[name] for name in token.claims})
        self.token = token


@sensitive_variables()
def decode_token(token: str) -> dict[str, Any]:
    """Return the claims of a token, verified by ``JWT_DECODE_HANDLER``.

    The handler may return a plain dict for a token of drf-tessera. This function then verifies the token
    again.

    Raises:
        jwt.InvalidTokenError: the token is not valid.
        Refusal: the session of a token of drf-tessera has ended.
    """
    payload: dict[str, Any] = api_settings.JWT_DECODE_HANDLER(token)
    if isinstance(payload, OwnClaims) or is_foreign(token) or not isinstance(payload, Mapping):
        return payload
    try:
        own = OwnClaims(verify_own(token))
    except TokenError:
        return payload  # only the project's handler can read a token of this kind
    name = api_settings.JWT_PAYLOAD_GET_USERNAME_HANDLER
    # The handler may change the user name. With another name the token belongs to another user, and
    # without a name the token belongs to nobody.
    return OwnClaims(own.token, payload) if name(payload) and name(payload) == name(own) else payload


@sensitive_variables()
def jwt_decode_handler(token: Any) -> dict[str, Any]:
    """Return the claims of a token of drf-tessera or of djangorestframework-jwt, after verification.

    Raises:
        jwt.InvalidTokenError: the token is not valid. ``ExpiredSignatureError`` and ``DecodeError`` are
            the most common subclasses.
        TemporarilyUnavailable: the server cannot find out at the moment which sessions have ended.
    """
    credentials = token.decode("ascii", "replace") if isinstance(token, bytes) else token
    if not isinstance(credentials, str):
        raise jwt.DecodeError("Invalid token type. Token must be a text.")
    if is_foreign(credentials):
        return decode_legacy(credentials)
    try:
        return OwnClaims(verify_own(credentials))
    except TokenExpired as error:
        raise jwt.ExpiredSignatureError(error.detail) from error
    except Refusal as error:
        raise jwt.DecodeError(error.detail) from error


def explain(error: jwt.InvalidTokenError) -> tuple[str, str]:
    """Return the text and the code of a refusal. The text is djangorestframework-jwt's, if it has one."""
    if isinstance(error, jwt.ExpiredSignatureError):
        return "Signature has expired.", TokenExpired.code
    reason = error.__cause__ if isinstance(error.__cause__, Refusal) else TokenError()
    if not isinstance(reason, TokenError):
        return reason.detail, reason.code
    known = isinstance(error, jwt.DecodeError)
    return "Error decoding signature." if known else "Incorrect authentication credentials.", reason.code


@sensitive_variables()
def verify_own(token: str) -> AccessToken:
    """Verify an access token of drf-tessera, and check that its session has not ended.

    Raises:
        Refusal: the token is not accepted.
        TemporarilyUnavailable: the server cannot find out at the moment which sessions have ended.
    """
    credentials = f"jwt\n{token}"  # a header cannot contain a line break, so a header never hits this entry
    found = recall_access_token(credentials) or verify_access_token(token, credentials=credentials)
    check_session(found)
    return found


@sensitive_variables()
def decode_legacy(token: str) -> dict[str, Any]:
    """Return the claims of a token of djangorestframework-jwt, after verification.

    A token that the project itself signed with PyJWT, as in many tutorials, is also accepted.
    ``JWT_VERIFY`` and ``JWT_VERIFY_EXPIRATION`` do not switch any check off.

    Raises:
        jwt.InvalidTokenError: the token is not valid.
    """
    claims = decode(
        token,
        _list_keys(token),
        algorithm=api_settings.JWT_ALGORITHM,
        audience=api_settings.JWT_AUDIENCE,
        issuer=api_settings.JWT_ISSUER,
        leeway=api_settings.JWT_LEEWAY,
    )
    if claims.get("token_type") == "refresh":
        # A project may have used both packages with the same key.
        raise jwt.InvalidTokenError("A refresh token of simplejwt")
    return claims


def _list_keys(token: str) -> list[Any]:
    if api_settings.JWT_PUBLIC_KEY:
        return [api_settings.JWT_PUBLIC_KEY]
    if api_settings.JWT_GET_USER_SECRET_KEY is not None:
        # The unverified token chooses the user's key. The signature check with that key proves the user.
        key = jwt_get_secret_key(peek(token))
        return [key] if key else []
    if read_own_key():
        return [api_settings.JWT_SECRET_KEY]
    return [django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS]


def read_own_key() -> Any:
    """Return the project's own key for its tokens, if the project has set a key."""
    return api_settings.user_settings.get("JWT_SECRET_KEY")


if not TYPE_CHECKING:
    __getattr__ = refuse_names(__name__)
