"""The views of djangorestframework-jwt, with the limits of drf-tessera's views.

``post`` has no docstring, because drf-spectacular would show it in place of the docstring of the view.
"""

from __future__ import annotations

from datetime import datetime as datetime
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model as get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables
from rest_framework import status as status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from drf_tessera.conf import get_settings
from drf_tessera.exceptions import CsrfFailed
from drf_tessera.http import check_site, is_secure
from drf_tessera.rest.endpoints import TokenView
from drf_tessera.rest.errors import translate_own_error
from drf_tessera.rest.requests import get_django_request
from drf_tessera.rest.throttling import LoginAddressThrottle, TokenThrottle, counted_login
from rest_framework_jwt.serializers import (
    JSONWebTokenSerializer,
    RefreshJSONWebTokenSerializer,
    VerifyJSONWebTokenSerializer,
)
from rest_framework_jwt.settings import api_settings, find_live


class JSONWebTokenAPIView(TokenView):
    """The common parent of the views."""

    permission_classes = ()
    authentication_classes = ()
    serializer_class: Any = None

    def get_serializer_context(self) -> dict[str, Any]:
        """Return the context of the serializer."""
        return {"request": self.request, "view": self}

    def get_serializer_class(self) -> Any:
        """Return the class of the serializer.

        Raises:
            ImproperlyConfigured: the view has no ``serializer_class``.
        """
        if self.serializer_class is None:
            name = type(self).__name__
            raise ImproperlyConfigured(
                f"{name} needs a serializer_class, or a get_serializer_class() method."
            )
        return self.serializer_class

    def get_serializer(self, *args: Any, **credentials: Any) -> Any:
        """Return the serializer, with its context."""
        credentials["context"] = self.get_serializer_context()
        return self.get_serializer_class()(*args, **credentials)

    def handle_exception(self, exc: Exception) -> Response:
        """Return an error in the format of djangorestframework-jwt."""
        return APIView.handle_exception(self, translate_own_error(exc))

    def _choose_cookie(self, request: HttpRequest) -> str | None:
        """Return the name of the cookie, if the answer may set the cookie.

        The answer to a request from another site sets no cookie, because the other site could log its
        visitors in as another user. Its answer has the token only in the body, and the other site cannot
        read the body. A client that is not a browser also gets the token only in the body.
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
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # noqa: D102 - see the module
        name = self._choose_cookie(get_django_request(request))
        credentials = self.get_serializer(data=request.data)
        credentials.is_valid(raise_exception=True)
        token = credentials.object["token"]
        user = credentials.object.get("user") or request.user
        response = Response(api_settings.JWT_RESPONSE_PAYLOAD_HANDLER(token, user, request))
        if name:
            settings = get_settings()
            response.set_cookie(
                name,
                token,
                max_age=int(settings.access_lifetime.total_seconds()),
                httponly=True,
                samesite=settings.cookie_samesite,
                secure=is_secure(get_django_request(request)),
            )
        return response


class ObtainJSONWebToken(JSONWebTokenAPIView):
    """Exchange credentials for a token."""

    serializer_class = JSONWebTokenSerializer
    throttle_classes = (LoginAddressThrottle,)

    post = counted_login(JSONWebTokenAPIView.post)


class VerifyJSONWebToken(JSONWebTokenAPIView):
    """Check whether a token is valid."""

    serializer_class = VerifyJSONWebTokenSerializer
    throttle_classes = (TokenThrottle,)


class RefreshJSONWebToken(JSONWebTokenAPIView):
    """Exchange a token that has not expired for a new token."""

    serializer_class = RefreshJSONWebTokenSerializer
    throttle_classes = (TokenThrottle,)


obtain_jwt_token = ObtainJSONWebToken.as_view()
refresh_jwt_token = RefreshJSONWebToken.as_view()
verify_jwt_token = VerifyJSONWebToken.as_view()


if not TYPE_CHECKING:
    names = {"jwt_response_payload_handler": "JWT_RESPONSE_PAYLOAD_HANDLER"}
    __getattr__ = find_live(__name__, names)
