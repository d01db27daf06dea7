"""Authentication classes for ``REST_FRAMEWORK["DEFAULT_AUTHENTICATION_CLASSES"]`` or a view."""

from __future__ import annotations

from typing import cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.views.decorators.debug import sensitive_variables
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from drf_tessera.conf import get_settings
from drf_tessera.exceptions import Refusal
from drf_tessera.rest.errors import remember_failure, to_api_exception, write_challenge
from drf_tessera.tokens import AccessToken, verify_access_token
from drf_tessera.transports import read_bearer_token
from drf_tessera.users import load_user


class JWTAuthentication(BaseAuthentication):
    """Authenticate by ``Authorization: Bearer <access token>``.

    ``request.user`` is the user and ``request.auth`` the verified
    :class:`~drf_tessera.tokens.AccessToken`. One query loads the user and asks whether the session
    still stands, so a logout counts at once. No header, or one of another scheme, is left to the
    next class; a bad token is a 401 with a code.
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
            return load_user(token), token
        except Refusal as error:
            remember_failure(request._request, error)
            self.refuse(error)
            return None

    def refuse(self, error: Refusal) -> None:
        """Answer a bad token. Subclasses may let the request go on as anonymous by returning."""
        raise to_api_exception(error) from None

    def authenticate_header(self, request: Request) -> str:
        """Write the challenge of a 401; without one REST framework would answer 403."""
        return write_challenge(request)


class OptionalJWTAuthentication(JWTAuthentication):
    """The same for public views: a bad token makes the request anonymous instead of a 401.

    Why it was refused stays on the request: ``request.token_error`` is the error, with its ``code``.
    """

    def refuse(self, error: Refusal) -> None:
        """Let the request go on without a user."""
