"""The authentication classes of djangorestframework-jwt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jwt
from django.apps import apps
from django.contrib.auth import get_user_model as get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ImproperlyConfigured
from django.utils.encoding import smart_str as _smart_str
from django.views.decorators.debug import sensitive_variables
from rest_framework import exceptions as exceptions
from rest_framework.authentication import BaseAuthentication as BaseAuthentication
from rest_framework.authentication import get_authorization_header
from rest_framework.request import Request

from drf_tessera.database import translated_trouble
from drf_tessera.exceptions import CsrfFailed, Refusal, TemporarilyUnavailable
from drf_tessera.http import check_site
from drf_tessera.rest.errors import Unauthorized, fit_handler, to_api_exception
from drf_tessera.rest.foreign import ForeignAuthentication, reporting_refusals
from drf_tessera.rest.requests import get_django_request
from drf_tessera.users import find_user_by_name, is_active, lazy_user
from rest_framework_jwt.settings import api_settings, find_live
from rest_framework_jwt.utils import OwnClaims, decode_token, explain, is_ended, is_owner

smart_text = _smart_str  # the name of older Djangos

if apps.ready and not apps.is_installed("drf_tessera"):
    raise ImproperlyConfigured(
        'This rest_framework_jwt needs drf-tessera. Add "drf_tessera" to INSTALLED_APPS and run manage.py '
        "migrate, because drf-tessera needs a table of sessions."
    )


class BaseJSONWebTokenAuthentication(ForeignAuthentication):
    """Authenticate by a token. Subclasses define the place of the token in the request."""

    def get_jwt_value(self, request: Request) -> bytes | str | None:
        """Return the token of the request, or ``None``."""
        raise NotImplementedError

    @reporting_refusals
    @sensitive_variables()
    def authenticate(self, request: Request) -> tuple[Any, bytes | str] | None:
        """Return the user and the unchanged token, or ``None`` if the request has no token for this class."""
        if (credentials := self.get_jwt_value(request)) is None:
            return None
        token = credentials.decode("ascii", "replace") if isinstance(credentials, bytes) else credentials
        try:
            with translated_trouble():
                payload = decode_token(token)
        except jwt.InvalidTokenError as error:
            raise _refuse(*explain(error)) from None
        except (Refusal, TemporarilyUnavailable) as error:
            raise to_api_exception(error) from None
        return self.authenticate_credentials(payload), credentials

    def authenticate_credentials(self, payload: dict[str, Any]) -> AbstractBaseUser:
        """Return the active user of a verified payload. A payload of drf-tessera needs no query.

        Raises:
            AuthenticationFailed: there is no such user, or the user is not active.
        """
        if isinstance(payload, OwnClaims):
            try:
                return lazy_user(payload.token, refuse=self.refuse_late, fail=to_api_exception)
            except (Refusal, TemporarilyUnavailable) as error:
                raise to_api_exception(error) from None
        try:
            with translated_trouble():
                return self._load_user(payload)
        except TemporarilyUnavailable as error:
            raise to_api_exception(error) from error

    def _load_user(self, payload: dict[str, Any]) -> AbstractBaseUser:
        username = api_settings.JWT_PAYLOAD_GET_USERNAME_HANDLER(payload)
        if not username:
            raise _refuse("Invalid payload.", "token_claim_invalid")
        user = find_user_by_name(username)
        if user is None or not is_owner(user, payload):
            raise _refuse("Invalid signature.", "user_gone")
        if not is_active(user):
            raise _refuse("User account is disabled.", "user_inactive")
        if is_ended(user, payload):
            raise _refuse("Signature has expired.", "session_ended")
        return user


class JSONWebTokenAuthentication(BaseJSONWebTokenAuthentication):
    """Authenticate by ``Authorization: JWT <token>``; without this header by the cookie ``JWT_AUTH_COOKIE``.

    A browser also sends the cookie with requests that other sites start. Therefore a request with the
    cookie must come from the site itself if the request changes something.
    """

    www_authenticate_realm = "api"

    def get_jwt_value(self, request: Request) -> bytes | str | None:
        """Return the token of the header or the cookie."""
        credentials = get_authorization_header(request).split()
        if not credentials:
            return self._read_cookie(request)
        if credentials[0].decode("latin-1").lower() != api_settings.JWT_AUTH_HEADER_PREFIX.lower():
            return None
        if len(credentials) == 1:
            raise _refuse("Invalid Authorization header. No credentials provided.", "header_malformed")
        if len(credentials) > 2:
            text = "Invalid Authorization header. Credentials string should not contain spaces."
            raise _refuse(text, "header_malformed")
        return credentials[1]

    def _read_cookie(self, request: Request) -> str | None:
        name = api_settings.JWT_AUTH_COOKIE
        cookie = request.COOKIES.get(name) if name else None
        if cookie is not None:
            try:
                check_site(get_django_request(request))
            except CsrfFailed as error:
                raise to_api_exception(error) from None
        return cookie

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401."""
        return f'{api_settings.JWT_AUTH_HEADER_PREFIX} realm="{self.www_authenticate_realm}"'


def _refuse(detail: str, code: str) -> Unauthorized:
    return Unauthorized(fit_handler({"detail": detail, "code": code}))


if not TYPE_CHECKING:
    __getattr__ = find_live(
        __name__,
        {
            "jwt_decode_handler": "JWT_DECODE_HANDLER",
            "jwt_get_username_from_payload": "JWT_PAYLOAD_GET_USERNAME_HANDLER",
        },
    )
