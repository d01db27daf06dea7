"""The authentication class of djangorestframework-jwt."""

from __future__ import annotations

from typing import Any

import jwt
from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ImproperlyConfigured
from django.views.decorators.debug import sensitive_variables
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.request import Request

from drf_tessera.adoption import is_foreign
from drf_tessera.csrf import check_site
from drf_tessera.exceptions import CsrfFailed, Refusal, TemporarilyUnavailable
from drf_tessera.rest.errors import to_api_exception, to_late_refusal
from drf_tessera.users import find_user
from rest_framework_jwt.settings import api_settings
from rest_framework_jwt.utils import verify_own

if apps.ready and not apps.is_installed("drf_tessera"):
    raise ImproperlyConfigured(
        'rest_framework_jwt is here drf-tessera. Add "drf_tessera" to INSTALLED_APPS and run manage.py '
        "migrate: it has a table of sessions."
    )


class BaseJSONWebTokenAuthentication(BaseAuthentication):
    """Authenticate by a token; where it stands in the request say subclasses."""

    def get_jwt_value(self, request: Request) -> bytes | str | None:
        """Give the token of the request, or ``None``."""
        raise NotImplementedError

    @sensitive_variables()
    def authenticate(self, request: Request) -> tuple[Any, bytes | str] | None:
        """Give the user and the token as it came, or ``None`` if the request has none for us."""
        value = self.get_jwt_value(request)
        if value is None:
            return None
        raw = value.decode("ascii", "replace") if isinstance(value, bytes) else value
        try:
            if api_settings.uses_default("JWT_DECODE_HANDLER") and not is_foreign(raw):
                return find_user(verify_own(raw), refuse=to_late_refusal), value
            payload = api_settings.JWT_DECODE_HANDLER(raw)
        except (Refusal, TemporarilyUnavailable) as error:
            raise to_api_exception(error) from None
        except jwt.ExpiredSignatureError:
            raise _refuse("Signature has expired.", "token_expired") from None
        except jwt.DecodeError:
            raise _refuse("Error decoding signature.", "token_invalid") from None
        except jwt.InvalidTokenError:
            raise _refuse("Incorrect authentication credentials.", "token_invalid") from None
        return self.authenticate_credentials(payload), value

    def authenticate_credentials(self, payload: dict[str, Any]) -> AbstractBaseUser:
        """Give the active user that a verified payload names.

        Raises:
            AuthenticationFailed: there is none.
        """
        username = api_settings.JWT_PAYLOAD_GET_USERNAME_HANDLER(payload)
        if not isinstance(username, str) or not username or "\0" in username:  # PostgreSQL takes no NUL
            raise _refuse("Invalid payload.", "token_claim_invalid")
        model = get_user_model()
        try:
            user = model._default_manager.get_by_natural_key(username)
        except model.DoesNotExist:
            raise _refuse("Invalid signature.", "user_gone") from None
        if not user.is_active:
            raise _refuse("User account is disabled.", "user_inactive")
        return user


class JSONWebTokenAuthentication(BaseJSONWebTokenAuthentication):
    """Authenticate by ``Authorization: JWT <token>``, or the cookie ``JWT_AUTH_COOKIE`` where there is none.

    A cookie travels with what other sites make a browser send, so a request by cookie that changes
    something has to come from the site itself.
    """

    www_authenticate_realm = "api"

    def get_jwt_value(self, request: Request) -> bytes | str | None:
        """Give the token of the header or the cookie."""
        parts = get_authorization_header(request).split()
        if not parts:
            return self._read_cookie(request)
        if parts[0].decode("latin-1").lower() != api_settings.JWT_AUTH_HEADER_PREFIX.lower():
            return None
        if len(parts) == 1:
            raise _refuse("Invalid Authorization header. No credentials provided.", "header_malformed")
        if len(parts) > 2:
            text = "Invalid Authorization header. Credentials string should not contain spaces."
            raise _refuse(text, "header_malformed")
        return parts[1]

    def _read_cookie(self, request: Request) -> str | None:
        name = api_settings.JWT_AUTH_COOKIE
        value = request.COOKIES.get(name) if name else None
        if value is not None:
            try:
                check_site(request._request)
            except CsrfFailed as error:
                raise to_api_exception(error) from None
        return value

    def authenticate_header(self, request: Request) -> str:
        """Write the challenge of a 401."""
        return f'{api_settings.JWT_AUTH_HEADER_PREFIX} realm="{self.www_authenticate_realm}"'


def _refuse(detail: str, code: str) -> exceptions.AuthenticationFailed:
    return exceptions.AuthenticationFailed({"detail": detail, "code": code})
