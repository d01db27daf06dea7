"""The views of djangorestframework-jwt, with drf-tessera's limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from drf_tessera.conf import get_settings
from drf_tessera.exceptions import CsrfFailed
from drf_tessera.http import check_site, is_secure
from drf_tessera.legacy import refuse_names
from drf_tessera.rest.errors import translate_error
from drf_tessera.rest.throttling import LoginAccountThrottle, LoginAddressThrottle
from drf_tessera.rest.views import TokenView
from rest_framework_jwt.serializers import (
    JSONWebTokenSerializer,
    RefreshJSONWebTokenSerializer,
    VerifyJSONWebTokenSerializer,
)
from rest_framework_jwt.settings import api_settings


class JSONWebTokenAPIView(TokenView):
    """What the views share."""

    permission_classes = ()
    serializer_class: Any = None

    def get_serializer_context(self) -> dict[str, Any]:
        """Give what the serializer may look at."""
        return {"request": self.request, "view": self}

    def get_serializer_class(self) -> Any:
        """Give the class of the serializer."""
        return self.serializer_class

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """Make the serializer."""
        kwargs["context"] = self.get_serializer_context()
        return self.get_serializer_class()(*args, **kwargs)

    def handle_exception(self, exc: Exception) -> Response:
        """Answer in the shapes of djangorestframework-jwt."""
        return APIView.handle_exception(self, translate_error(exc))

    def _choose_cookie(self, request: HttpRequest) -> str | None:
        """Give the name of the cookie, if it may be set.

        Not for another site, which could log its visitors in as somebody else: it gets the token in the body
        alone, which it cannot read. So do clients that are no browsers.
        """
        name: str | None = api_settings.JWT_AUTH_COOKIE
        try:
            if name:
                check_site(request)
        except CsrfFailed:
            if name in request.COOKIES:
                raise
            return None
        return name

    @sensitive_variables()
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Do what the serializer says."""
        name = self._choose_cookie(request._request)
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        token = serializer.object["token"]
        user = serializer.object.get("user") or request.user
        response = Response(api_settings.JWT_RESPONSE_PAYLOAD_HANDLER(token, user, request))
        if name:
            settings = get_settings()
            response.set_cookie(
                name,
                token,
                max_age=int(settings.access_lifetime.total_seconds()),
                httponly=True,
                samesite=settings.cookie_samesite,
                secure=is_secure(request._request),
            )
        return response


class ObtainJSONWebToken(JSONWebTokenAPIView):
    """Exchange credentials for a token."""

    serializer_class = JSONWebTokenSerializer
    throttle_classes = (LoginAccountThrottle, LoginAddressThrottle)

    @property
    def account_fields(self) -> tuple[str, ...]:
        """Give the names that the throttle looks for in the body."""
        named = getattr(self.get_serializer(), "username_field", get_user_model().USERNAME_FIELD)
        return (named, *LoginAccountThrottle.fields)


class VerifyJSONWebToken(JSONWebTokenAPIView):
    """Tell whether a token is valid."""

    serializer_class = VerifyJSONWebTokenSerializer


class RefreshJSONWebToken(JSONWebTokenAPIView):
    """Exchange a token that has not expired for a new one."""

    serializer_class = RefreshJSONWebTokenSerializer


obtain_jwt_token = ObtainJSONWebToken.as_view()
refresh_jwt_token = RefreshJSONWebToken.as_view()
verify_jwt_token = VerifyJSONWebToken.as_view()


if not TYPE_CHECKING:
    __getattr__ = refuse_names(__name__)
