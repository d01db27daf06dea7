"""The views of simplejwt, with the limits of drf-tessera's views.

They run in no transaction, their answers are not cached, bodies are small, and logins are throttled. The
docstrings of the views are simplejwt's own, because they are the descriptions in the OpenAPI schema. For the
same reason ``post`` and two serializers have no docstring, as in simplejwt: drf-spectacular would show it.
"""

from __future__ import annotations

from typing import Any
from typing import Optional as Optional

from django.utils.module_loading import import_string
from django.views.decorators.debug import sensitive_variables
from rest_framework import exceptions, generics, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer as BaseSerializer
from rest_framework.views import APIView

from drf_tessera.rest.endpoints import TokenView
from drf_tessera.rest.errors import translate_own_error
from drf_tessera.rest.foreign import challenge_by, read_code
from drf_tessera.rest.reports import report_failed_refresh, report_refused_token
from drf_tessera.rest.throttling import LoginAddressThrottle, TokenThrottle, counted_login, read_field
from rest_framework_simplejwt.exceptions import InvalidToken as InvalidToken
from rest_framework_simplejwt.exceptions import TokenError, to_invalid_token
from rest_framework_simplejwt.settings import api_settings, list_header_types


class SerializerSetting:
    """The dotted path of a view's serializer, read live from a setting. Subclasses may set another path."""

    def __init__(self, setting: str) -> None:
        self.setting = setting

    def __get__(self, view: object, kind: type) -> Any:
        return getattr(api_settings, self.setting)


class TokenViewBase(TokenView, generics.GenericAPIView[Any]):
    """The common parent of the views. ``serializer_class`` takes precedence over the setting."""

    permission_classes = ()
    authentication_classes = ()
    serializer_class: Any = None
    _serializer_class: Any = ""
    _report: Any = None
    www_authenticate_realm = "api"

    def get_serializer_class(self) -> Any:
        """Return the serializer class of the view or of the setting.

        Raises:
            ImportError: the view has no serializer, or its path cannot be imported.
        """
        if self.serializer_class:
            return self.serializer_class
        named = self._serializer_class
        if not isinstance(named, str):
            return named
        try:
            return import_string(named)
        except ImportError as error:
            raise ImportError(f"Could not import serializer '{named}'") from error

    def get_authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401."""
        return challenge_by(list_header_types()[0], self.www_authenticate_realm, request)

    def handle_exception(self, exc: Exception) -> Response:
        """Return an error in the format of simplejwt."""
        found = to_invalid_token(exc) if isinstance(exc, TokenError) else translate_own_error(exc)
        if self._report and isinstance(found, exceptions.AuthenticationFailed):
            self._report(read_code(found), self.request)
        return APIView.handle_exception(self, found)

    @sensitive_variables()
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # noqa: D102 - see the module
        credentials = self.get_serializer(data=request.data)
        try:
            credentials.is_valid(raise_exception=True)
        except TokenError as error:  # here, because the post() of a project catches InvalidToken
            raise to_invalid_token(error) from error
        return Response(credentials.validated_data, status=status.HTTP_200_OK)


class TokenObtainPairView(TokenViewBase):
    """
    Takes a set of user credentials and returns an access and refresh JSON web
    token pair to prove the authentication of those credentials.
    """

    _serializer_class = SerializerSetting("TOKEN_OBTAIN_SERIALIZER")
    throttle_classes = (LoginAddressThrottle,)

    post = counted_login(TokenViewBase.post)


class TokenRefreshView(TokenViewBase):
    """
    Takes a refresh type JSON web token and returns an access type JSON web
    token if the refresh token is valid.
    """

    _serializer_class = SerializerSetting("TOKEN_REFRESH_SERIALIZER")
    throttle_classes = (TokenThrottle,)

    @staticmethod
    def _report(code: str, request: Request) -> None:
        report_failed_refresh(code, request, read_field(request, "refresh"))


class TokenObtainSlidingView(TokenViewBase):
    """
    Takes a set of user credentials and returns a sliding JSON web token to
    prove the authentication of those credentials.
    """

    _serializer_class = SerializerSetting("SLIDING_TOKEN_OBTAIN_SERIALIZER")
    throttle_classes = (LoginAddressThrottle,)

    post = counted_login(TokenViewBase.post)  # a serializer of the project may check the password


class TokenRefreshSlidingView(TokenViewBase):
    """
    Takes a sliding JSON web token and returns a new, refreshed version if the
    token's refresh period has not expired.
    """

    _serializer_class = SerializerSetting("SLIDING_TOKEN_REFRESH_SERIALIZER")


class TokenVerifyView(TokenViewBase):
    """
    Takes a token and indicates if it is valid.  This view provides no
    information about a token's fitness for a particular use.
    """

    _serializer_class = SerializerSetting("TOKEN_VERIFY_SERIALIZER")
    throttle_classes = (TokenThrottle,)
    _report = staticmethod(report_refused_token)


class TokenBlacklistView(TokenViewBase):
    """
    Takes a token and blacklists it. Must be used with the
    `rest_framework_simplejwt.token_blacklist` app installed.
    """

    _serializer_class = SerializerSetting("TOKEN_BLACKLIST_SERIALIZER")
    throttle_classes = (TokenThrottle,)
    _report = staticmethod(report_refused_token)


token_obtain_pair = TokenObtainPairView.as_view()
token_refresh = TokenRefreshView.as_view()
token_verify = TokenVerifyView.as_view()
token_blacklist = TokenBlacklistView.as_view()
token_obtain_sliding = TokenObtainSlidingView.as_view()
token_refresh_sliding = TokenRefreshSlidingView.as_view()


def __getattr__(name: str) -> Any:
    if name == "AUTH_HEADER_TYPES":
        return list_header_types()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
