"""Authentication classes for ``REST_FRAMEWORK["DEFAULT_AUTHENTICATION_CLASSES"]`` or a view."""

from __future__ import annotations

import weakref
from typing import Any, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from drf_tessera.conf import get_settings
from drf_tessera.exceptions import Refusal, TemporarilyUnavailable
from drf_tessera.rest.errors import LateRefusal, remember_failure, to_api_exception, write_challenge
from drf_tessera.tokens import AccessToken, verify_access_token
from drf_tessera.transports import read_bearer_token
from drf_tessera.users import find_user, load_user


class JWTAuthentication(BaseAuthentication):
    """Authenticate by ``Authorization: Bearer <access token>``.

    ``request.user`` is the user and ``request.auth`` the verified
    :class:`~drf_tessera.tokens.AccessToken`. No query: the user's row is loaded when it is looked at,
    and sessions that ended are known from memory (``USER = "database"`` asks on every request). No
    header, or one of another scheme, is left to the next class; a bad token is a 401 with a code.
    """

    @sensitive_variables()
    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, AccessToken] | None:
        """Give the user and the token, or ``None`` if this request carries no token for us."""
        header = cast("str", request.META.get("HTTP_AUTHORIZATION", ""))
        try:
            text = read_bearer_token(header, get_settings().header_prefix)
            if text is None:
                return None
            token = verify_access_token(text)
            return self.find_user(request._request, token), token
        except Refusal as error:
            remember_failure(request._request, error)
            self.refuse(error)
            return None
        except TemporarilyUnavailable as error:
            raise to_api_exception(error) from error

    def find_user(self, request: HttpRequest, token: AccessToken) -> AbstractBaseUser:
        """Give the user of a verified token."""
        return find_user(token, refuse=_LateRefuser(request))

    def refuse(self, error: Refusal) -> None:
        """Answer a bad token. Subclasses may let the request go on as anonymous by returning."""
        raise to_api_exception(error) from None

    def authenticate_header(self, request: Request) -> str:
        """Write the challenge of a 401; without one REST framework would answer 403."""
        return write_challenge(request)


class StrictJWTAuthentication(JWTAuthentication):
    """The same, but the user is loaded and the session asked after on every request, by one query.

    For views where a second is too long, whatever ``USER`` is.
    """

    def find_user(self, request: HttpRequest, token: AccessToken) -> AbstractBaseUser:
        """Load the user of a verified token."""
        return load_user(token)


class OptionalJWTAuthentication(JWTAuthentication):
    """The same for public views: a bad token makes the request anonymous instead of a 401.

    Why it was refused stays on the request: ``request.token_error`` is the error, with its ``code``.
    """

    def refuse(self, error: Refusal) -> None:
        """Let the request go on without a user."""


class _LateRefuser:
    """Refuses a user who is looked at and gone: with a 401, and its reason in the challenge.

    The request is held weakly, since it holds the user: a cycle would be left to the collector at
    every request. A copy of the user that outlives its request, or is pickled, does without.
    """

    __slots__ = ("_request",)

    def __init__(self, request: HttpRequest | None = None) -> None:
        self._request = (lambda: None) if request is None else weakref.ref(request)

    def __call__(self, error: Refusal) -> LateRefusal:
        request = self._request()
        if request is not None:
            remember_failure(request, error)
        return LateRefusal({"detail": error.detail, "code": error.code})

    def __reduce__(self) -> tuple[Any, ...]:
        return _LateRefuser, ()
