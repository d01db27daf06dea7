"""A user that turns out to be gone is a 401, also if others look at ``request.user`` after the refusal.

Error handlers, middleware and log filters read the user of every request. After a refusal they find an
anonymous user, as they would if the row had been read before the view.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.functional import SimpleLazyObject
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView, exception_handler
from rest_framework_jwt.authentication import JSONWebTokenAuthentication
from rest_framework_simplejwt.authentication import JWTAuthentication as SimpleJWTAuthentication

from drf_tessera import JWTAuthentication, OptionalJWTAuthentication, sessions

pytestmark = pytest.mark.django_db

seen: list[Any] = []


def note(user: Any) -> None:
    """Read a user as people's code does."""
    seen.append((user.is_authenticated, user.email if user.is_authenticated else str(user)))


class Touch(APIView):
    def get(self, request: Request) -> Response:
        return Response({"email": request.user.email})  # type: ignore[union-attr]


class Keep(Touch):
    """Keep the user in another place, as packages do that know the user of each thread."""

    def get(self, request: Request) -> Response:
        request._request.kept = SimpleLazyObject(lambda: request.user)  # type: ignore[attr-defined]
        return super().get(request)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        note(request.user)
        return super().finalize_response(request, response, *args, **kwargs)


class LogFilter(logging.Filter):
    def filter(self, record: Any) -> bool:
        if hasattr(record, "request"):
            note(record.request.user)
        return True


def read_in_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    note(context["request"].user)
    note(context["request"]._request.user)
    return exception_handler(exc, context)


def read_after_view(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[..., HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        note(request.user)
        note(getattr(request, "kept", request.user))
        return response

    return middleware


CLASSES: dict[str, tuple[type[BaseAuthentication], str]] = {
    "native": (JWTAuthentication, "Bearer"),
    "optional": (OptionalJWTAuthentication, "Bearer"),
    "simplejwt": (SimpleJWTAuthentication, "Bearer"),
    "jwt": (JSONWebTokenAuthentication, "JWT"),
}
urlpatterns: list[Any] = []


@pytest.fixture(params=CLASSES.values(), ids=CLASSES.keys(), autouse=True)
def header(request: pytest.FixtureRequest, anna: AbstractBaseUser, settings: Any) -> Any:
    """The header of a user who was deactivated without a signal."""
    kind, prefix = request.param
    urlpatterns[:] = [
        path(f"{view.__name__.lower()}/", view.as_view(authentication_classes=[kind]))
        for view in (Touch, Keep)
    ]
    settings.ROOT_URLCONF = __name__
    seen.clear()
    access = sessions.start(anna).access
    get_user_model().objects.update(is_active=False)
    return {"HTTP_AUTHORIZATION": f"{prefix} {access}"}


@pytest.mark.parametrize("view", ["touch", "keep"])
@pytest.mark.parametrize("handler", ["rest_framework.views.exception_handler", f"{__name__}.read_in_handler"])
def test_a_later_look_finds_nobody(
    api: APIClient, header: dict[str, str], settings: Any, view: str, handler: str
) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.read_after_view"]
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "EXCEPTION_HANDLER": handler}
    watch, logger = LogFilter(), logging.getLogger("django.request")
    logger.addFilter(watch)
    try:
        answer = api.get(f"/{view}/", **header)
    finally:
        logger.removeFilter(watch)
    assert answer.status_code == 401
    assert len(seen) >= 3
    assert set(seen) == {(False, "AnonymousUser")}
