"""The views of simplejwt, with the limits of drf-tessera's views.

They run in no transaction, their answers are not cached, bodies are small, and logins are throttled.
"""

from __future__ import annotations

from typing import Any

from django.utils.module_loading import import_string
from django.views.decorators.debug import sensitive_variables
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from drf_tessera.rest.endpoints import TokenView
from drf_tessera.rest.errors import translate_error
from drf_tessera.rest.throttling import LoginAddressThrottle, TokenThrottle, counted_login
from rest_framework_simplejwt.exceptions import TokenError, to_invalid_token
from rest_framework_simplejwt.settings import api_settings, list_header_types


class TokenViewBase(TokenView, GenericAPIView[Any]):
    """The common parent of the views. ``serializer_class`` takes precedence over the setting."""

    permission_classes = ()
    serializer_class: Any = None
    setting = ""
    _serializer_class = ""
    """The dotted path of a serializer, which subclasses of simplejwt's views may set."""
    www_authenticate_realm = "api"

    def get_serializer_class(self) -> Any:
        """Return the serializer class of the view or of the setting."""
        named = self._serializer_class or getattr(api_settings, self.setting)
        return self.serializer_class or import_string(named)

    def get_authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401."""
        return f'{list_header_types()[0]} realm="{self.www_authenticate_realm}"'

    def handle_exception(self, exc: Exception) -> Response:
        """Return an error in the format of simplejwt."""
        found = to_invalid_token(exc) if isinstance(exc, TokenError) else translate_error(exc)
        return APIView.handle_exception(self, found)

    @sensitive_variables()
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Validate the request with the serializer, and return the validated data."""
        credentials = self.get_serializer(data=request.data)
        credentials.is_valid(raise_exception=True)
        return Response(credentials.validated_data)


class TokenObtainPairView(TokenViewBase):
    """Exchange credentials for an access and a refresh token."""

    setting = "TOKEN_OBTAIN_SERIALIZER"
    throttle_classes = (LoginAddressThrottle,)

    post = counted_login(TokenViewBase.post)


class TokenRefreshView(TokenViewBase):
    """Exchange a refresh token for an access token and the next refresh token."""

    setting = "TOKEN_REFRESH_SERIALIZER"
    throttle_classes = (TokenThrottle,)


class TokenVerifyView(TokenViewBase):
    """Check whether a token is valid."""

    setting = "TOKEN_VERIFY_SERIALIZER"
    throttle_classes = (TokenThrottle,)


class TokenBlacklistView(TokenViewBase):
    """Log out: end the session of a refresh token."""

    setting = "TOKEN_BLACKLIST_SERIALIZER"
    throttle_classes = (TokenThrottle,)


class TokenObtainSlidingView(TokenViewBase):
    """Refuses sliding tokens. The message names the replacement."""

    setting = "SLIDING_TOKEN_OBTAIN_SERIALIZER"


class TokenRefreshSlidingView(TokenViewBase):
    """Refuses sliding tokens. The message names the replacement."""

    setting = "SLIDING_TOKEN_REFRESH_SERIALIZER"


token_obtain_pair = TokenObtainPairView.as_view()
token_refresh = TokenRefreshView.as_view()
token_verify = TokenVerifyView.as_view()
token_blacklist = TokenBlacklistView.as_view()
token_obtain_sliding = TokenObtainSlidingView.as_view()
token_refresh_sliding = TokenRefreshSlidingView.as_view()
