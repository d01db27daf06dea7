"""The authentication classes of simplejwt.

They accept tokens of drf-tessera, and also tokens of simplejwt until these tokens expire.
"""

from __future__ import annotations

from typing import Any
from typing import Optional as Optional
from typing import TypeVar as TypeVar

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables
from rest_framework import HTTP_HEADER_ENCODING
from rest_framework import authentication as authentication
from rest_framework.request import Request

from drf_tessera.database import translated_trouble
from drf_tessera.exceptions import Refusal, TemporarilyUnavailable
from drf_tessera.legacy import renamed
from drf_tessera.rest.errors import to_api_exception
from drf_tessera.rest.foreign import ForeignAuthentication, reporting_refusals
from drf_tessera.users import is_active, lazy_user
from rest_framework_simplejwt import legacy
from rest_framework_simplejwt.exceptions import AuthenticationFailed, InvalidToken, TokenError
from rest_framework_simplejwt.models import AuthUser as AuthUser
from rest_framework_simplejwt.models import Claims, TokenUser
from rest_framework_simplejwt.settings import api_settings, list_header_types
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, UntypedToken
from rest_framework_simplejwt.tokens import Token as Token
from rest_framework_simplejwt.utils import get_md5_hash_password as get_md5_hash_password


class JWTAuthentication(ForeignAuthentication):
    """Authenticate by a token in the header. Only a token that simplejwt issued needs a query."""

    www_authenticate_realm = "api"
    media_type = "application/json"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user_model = get_user_model()

    @reporting_refusals
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

    @renamed(authorization="header")
    def get_raw_token(self, authorization: bytes) -> bytes | None:
        """Return the token after a scheme of ``AUTH_HEADER_TYPES``; ``None`` for another scheme.

        Raises:
            AuthenticationFailed: the scheme is correct, but the rest of the header is malformed.
        """
        credentials = authorization.split()
        schemes = {scheme.encode(HTTP_HEADER_ENCODING) for scheme in list_header_types()}
        if not credentials or credentials[0] not in schemes:  # a get_header() of a project may return a text
            return None
        if len(credentials) != 2:
            raise AuthenticationFailed(
                _("Authorization header must contain two space-delimited values"),
                code="bad_authorization_header",
            )
        return credentials[1]

    @renamed(token="raw_token")  # noqa: S106 - a name
    @sensitive_variables()
    def get_validated_token(self, token: bytes | str) -> AccessToken:
        """Verify a token with the classes of ``AUTH_TOKEN_CLASSES``.

        Raises:
            InvalidToken: no class accepts the token.
        """
        messages = []
        for kind in filter(is_access_class, api_settings.AUTH_TOKEN_CLASSES):
            try:
                with translated_trouble():
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
        detail = _("Given token not valid for any token type")
        raise InvalidToken({"detail": detail, "messages": messages})

    def get_user(self, validated_token: Claims) -> Any:
        """Return the user of a token, or of the claims of a token. An access token needs no query.

        Raises:
            InvalidToken, AuthenticationFailed: there is no such user, or the user is not active.
        """
        verified = getattr(validated_token, "verified", None)
        try:
            if verified is not None:
                return lazy_user(verified, refuse=self.refuse_late, fail=to_api_exception)
            with translated_trouble():
                return self._load_user(validated_token)
        except Refusal as error:
            raise AuthenticationFailed(error.detail, code=error.code) from None
        except TemporarilyUnavailable as error:
            raise to_api_exception(error) from error

    def _load_user(self, token: Claims) -> AbstractBaseUser:
        if api_settings.USER_ID_CLAIM not in token:
            raise InvalidToken(NO_ID)
        claims: Any = getattr(token, "payload", token)
        user = legacy.find_user(claims)
        if user is None:
            raise AuthenticationFailed(_("User not found"), code="user_not_found")
        if not is_active(user):
            raise AuthenticationFailed(_("User is inactive"), code="user_inactive")
        # A token with a session ends with its session. Such a token has been verified, or has the claim sid.
        owned = getattr(token, "login", None) is not None or "sid" in claims
        if not owned and not legacy.check_user(claims, user):
            raise AuthenticationFailed(_("The user's password has been changed."), code="password_changed")
        return user


class JWTStatelessUserAuthentication(JWTAuthentication):
    """Authenticate by a token in the header. The user consists only of the token's claims."""

    def get_user(self, validated_token: Claims) -> TokenUser:
        """Return a user of ``TOKEN_USER_CLASS``."""
        if api_settings.USER_ID_CLAIM not in validated_token:
            raise InvalidToken(NO_ID)
        return api_settings.TOKEN_USER_CLASS(validated_token)  # type: ignore[no-any-return]  # a setting


NO_ID = _("Token contained no recognizable user identification")
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
