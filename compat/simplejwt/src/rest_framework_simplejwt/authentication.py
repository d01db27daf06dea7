"""The authentication classes of simplejwt.

They accept tokens of drf-tessera, and also tokens of simplejwt until these tokens expire.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.views.decorators.debug import sensitive_variables
from rest_framework import HTTP_HEADER_ENCODING, authentication
from rest_framework.request import Request

from drf_tessera.exceptions import Refusal, TemporarilyUnavailable
from drf_tessera.rest.errors import to_api_exception, to_late_refusal
from drf_tessera.users import is_active, lazy_user
from rest_framework_simplejwt import legacy
from rest_framework_simplejwt.exceptions import AuthenticationFailed, InvalidToken, TokenError
from rest_framework_simplejwt.models import AuthUser as AuthUser  # noqa: PLC0414 - projects import it here
from rest_framework_simplejwt.models import TokenUser
from rest_framework_simplejwt.settings import api_settings, list_header_types
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, UntypedToken


class JWTAuthentication(authentication.BaseAuthentication):
    """Authenticate by a token in the header. Only a token that simplejwt issued needs a query."""

    www_authenticate_realm = "api"
    media_type = "application/json"

    def __init__(self) -> None:
        self.user_model = get_user_model()

    @sensitive_variables()
    def authenticate(self, request: Request) -> tuple[Any, AccessToken] | None:
        """Return the user and the token, or ``None`` if the request has no token for this class."""
        authorization = self.get_header(request)
        credentials = None if authorization is None else self.get_raw_token(authorization)
        if credentials is None:
            return None
        token = self.get_validated_token(credentials)
        return self.get_user(token), token

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401."""
        return f'{list_header_types()[0]} realm="{self.www_authenticate_realm}"'

    def get_header(self, request: Request) -> bytes | None:
        """Return the header ``AUTH_HEADER_NAME``, or ``None``."""
        authorization = request.META.get(api_settings.AUTH_HEADER_NAME)
        return (
            authorization.encode(HTTP_HEADER_ENCODING, "replace")
            if isinstance(authorization, str)
            else authorization
        )

    def get_raw_token(self, authorization: bytes) -> bytes | None:
        """Return the token after a scheme of ``AUTH_HEADER_TYPES``; ``None`` for another scheme.

        Raises:
            AuthenticationFailed: the scheme is correct, but the rest of the header is malformed.
        """
        credentials = authorization.split()
        if not credentials or credentials[0].decode("latin-1") not in list_header_types():
            return None
        if len(credentials) != 2:
            raise AuthenticationFailed(
                "Authorization header must contain two space-delimited values",
                code="bad_authorization_header",
            )
        return credentials[1]

    @sensitive_variables()
    def get_validated_token(self, token: bytes | str) -> AccessToken:
        """Verify a token with the classes of ``AUTH_TOKEN_CLASSES``.

        Raises:
            InvalidToken: no class accepts the token.
        """
        messages = []
        for kind in filter(is_access_class, api_settings.AUTH_TOKEN_CLASSES):
            try:
                return kind(token)  # type: ignore[no-any-return]  # a setting
            except TokenError as error:
                messages.append(
                    {
                        "token_class": kind.__name__,
                        "token_type": kind.token_type,
                        "message": str(error),
                        "reason": error.code,
                    }
                )
            except TemporarilyUnavailable as error:
                raise to_api_exception(error) from error
        raise InvalidToken({"detail": "Given token not valid for any token type", "messages": messages})

    def get_user(self, validated_token: AccessToken) -> Any:
        """Return the token's user. A token of drf-tessera needs no query.

        Raises:
            InvalidToken, AuthenticationFailed: there is no such user, or the user is not active.
        """
        if validated_token.verified is not None:
            try:
                return lazy_user(validated_token.verified, refuse=to_late_refusal)
            except Refusal as error:
                raise AuthenticationFailed(error.detail, code=error.code) from None
            except TemporarilyUnavailable as error:
                raise to_api_exception(error) from error
        return self._find_legacy_user(validated_token.payload)

    def _find_legacy_user(self, claims: dict[str, Any]) -> AbstractBaseUser:
        if api_settings.USER_ID_CLAIM not in claims:
            raise InvalidToken("Token contained no recognizable user identification")
        user = legacy.find_user(claims)
        if user is None:
            raise AuthenticationFailed("User not found", code="user_not_found")
        if not is_active(user):
            raise AuthenticationFailed("User is inactive", code="user_inactive")
        if not legacy.password_holds(claims, user):
            raise AuthenticationFailed("The user's password has been changed.", code="password_changed")
        return user


class JWTStatelessUserAuthentication(JWTAuthentication):
    """Authenticate by a token in the header. The user consists only of the token's claims."""

    def get_user(self, validated_token: AccessToken) -> TokenUser:
        """Return a user of ``TOKEN_USER_CLASS``."""
        if api_settings.USER_ID_CLAIM not in validated_token:
            raise InvalidToken("Token contained no recognizable user identification")
        return api_settings.TOKEN_USER_CLASS(validated_token)  # type: ignore[no-any-return]  # a setting


JWTTokenUserAuthentication = JWTStatelessUserAuthentication


def is_access_class(kind: Any) -> bool:
    """Return whether a class accepts access tokens and no other tokens. Other classes are ignored."""
    named = isinstance(kind, type) and issubclass(kind, AccessToken)
    return named and not issubclass(kind, RefreshToken | UntypedToken)


def default_user_authentication_rule(user: Any) -> bool:
    """Return whether the user exists and is active."""
    return user is not None and is_active(user)


def __getattr__(name: str) -> Any:
    if name == "AUTH_HEADER_TYPES":
        return list_header_types()
    if name == "AUTH_HEADER_TYPE_BYTES":
        return {scheme.encode(HTTP_HEADER_ENCODING) for scheme in list_header_types()}
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
