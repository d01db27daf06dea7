"""Each authentication class accepts Django's own request, as a middleware has it, and REST framework's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.urls import path
from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_page
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, ErrorDetail
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView
from rest_framework_jwt.authentication import JSONWebTokenAuthentication
from rest_framework_simplejwt.authentication import (
    JWTAuthentication as SimpleJWTAuthentication,
)
from rest_framework_simplejwt.authentication import JWTStatelessUserAuthentication

from drf_tessera import JWTAuthentication, OptionalJWTAuthentication, StrictJWTAuthentication, sessions
from tests.conftest import bearer, make_user
from tests.docs.pages import DOCS

pytestmark = pytest.mark.django_db

CLASSES: list[type[BaseAuthentication]] = [
    JWTAuthentication,
    StrictJWTAuthentication,
    OptionalJWTAuthentication,
    SimpleJWTAuthentication,
    JWTStatelessUserAuthentication,
    JSONWebTokenAuthentication,
]
OPTIONAL = (OptionalJWTAuthentication,)
WRAPPERS: dict[str, Callable[[HttpRequest], Any]] = {"Django": lambda request: request, "drf": Request}


@pytest.fixture(params=CLASSES, ids=lambda kind: f"{kind.__module__.partition('.')[0]}.{kind.__name__}")
def authentication(request: pytest.FixtureRequest) -> BaseAuthentication:
    return request.param()


@pytest.fixture(params=WRAPPERS.values(), ids=WRAPPERS.keys())
def wrap(request: pytest.FixtureRequest) -> Callable[[HttpRequest], Any]:
    return request.param


def make_request(authentication: BaseAuthentication, token: str | None, **more: Any) -> HttpRequest:
    prefix = "JWT" if isinstance(authentication, JSONWebTokenAuthentication) else "Bearer"
    header = {} if token is None else {"HTTP_AUTHORIZATION": f"{prefix} {token}"}
    return RequestFactory().get("/", **header, **more)


def test_a_good_token(
    authentication: BaseAuthentication, wrap: Callable[[HttpRequest], Any], anna: AbstractBaseUser
) -> None:
    found = authentication.authenticate(wrap(make_request(authentication, sessions.start(anna).access)))
    assert found is not None
    assert str(found[0].pk) == str(anna.pk)


def test_no_token(authentication: BaseAuthentication, wrap: Callable[[HttpRequest], Any]) -> None:
    assert authentication.authenticate(wrap(make_request(authentication, None))) is None


def test_a_bad_token(authentication: BaseAuthentication, wrap: Callable[[HttpRequest], Any]) -> None:
    request = make_request(authentication, "a.b.c")
    if isinstance(authentication, OPTIONAL):
        assert authentication.authenticate(wrap(request)) is None
        assert request.token_error.code == "token_malformed"
        return
    with pytest.raises(APIException) as caught:
        authentication.authenticate(wrap(request))
    assert caught.value.status_code == 401
    codes: Any = caught.value.get_codes()
    if isinstance(authentication, SimpleJWTAuthentication):  # its errors have the form of simplejwt's
        detail: Any = caught.value.detail
        assert detail["code"] == codes["code"] == "token_not_valid"
        assert set(codes["messages"][0].values()) == {"token_not_valid"}
        return
    assert isinstance(codes, str)
    assert caught.value.get_full_details() == {"message": str(caught.value), "code": codes}


@pytest.mark.parametrize("kind", [JWTAuthentication, StrictJWTAuthentication])
def test_for_a_request_of_django_the_detail_is_a_text_with_its_code(kind: type[BaseAuthentication]) -> None:
    with pytest.raises(APIException) as caught:
        kind().authenticate(make_request(kind(), "a.b.c"))
    assert isinstance(caught.value.detail, ErrorDetail)
    assert caught.value.detail.code == "token_malformed"


def test_the_challenge(authentication: BaseAuthentication, wrap: Callable[[HttpRequest], Any]) -> None:
    assert 'realm="api"' in str(authentication.authenticate_header(wrap(make_request(authentication, None))))


@pytest.mark.parametrize("kind", [JWTAuthentication, StrictJWTAuthentication, OptionalJWTAuthentication])
def test_the_access_cookie(
    kind: type[BaseAuthentication],
    wrap: Callable[[HttpRequest], Any],
    anna: AbstractBaseUser,
    settings: Any,
) -> None:
    settings.TESSERA = {"PROFILE": "browser", "ACCESS_COOKIE": True}
    access = sessions.start(anna, transport="cookie").access
    request = RequestFactory().get("/", HTTP_COOKIE=f"__Host-tessera_access_token={access}")
    found = kind().authenticate(wrap(request))
    assert found is not None
    assert found[0].pk == anna.pk


def test_the_cookie_of_djangorestframework_jwt(
    wrap: Callable[[HttpRequest], Any], anna: AbstractBaseUser, settings: Any
) -> None:
    settings.JWT_AUTH = {"JWT_AUTH_COOKIE": "token"}
    request = RequestFactory().post("/", HTTP_COOKIE=f"token={sessions.start(anna).access}")
    request.META["HTTP_SEC_FETCH_SITE"] = "same-origin"
    found = JSONWebTokenAuthentication().authenticate(wrap(request))
    assert found is not None
    assert found[0].pk == anna.pk


# -- Middleware ------------------------------------------------------------------------------------


def demand(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Return a middleware that catches no error."""

    def middleware(request: HttpRequest) -> HttpResponse:
        found = JWTAuthentication().authenticate(request)
        if found is not None:
            request.user, request.auth = found  # type: ignore[assignment,attr-defined]
        response = get_response(request)
        response["X-User"] = str(request.user.pk)
        return response

    return middleware


def identify(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Return the middleware of the page, as the page has it."""
    code = (DOCS / "howto" / "use.md").read_text().partition("## In a middleware")[2].split("```python")[1]
    names: dict[str, Any] = {}
    exec(code.partition("```")[0], names)  # noqa: S102 - a page of this repository
    inner = names["identify"](get_response)

    def middleware(request: HttpRequest) -> HttpResponse:
        response = inner(request)
        response["X-User"] = str(request.user.pk)
        return response

    return middleware


@pytest.fixture(params=["demand", "identify"])
def early(request: pytest.FixtureRequest, settings: Any) -> str:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.{request.param}"]
    return str(request.param)


def test_a_middleware_finds_the_user(api: APIClient, early: str, anna: AbstractBaseUser) -> None:
    answer = api.get("/me/", **bearer(sessions.start(anna).access))
    assert (answer.status_code, answer["X-User"]) == (200, str(anna.pk))
    assert api.get("/public/")["X-User"] == "None"


def test_a_bad_token_in_a_middleware_is_answered_without_a_server_error(api: APIClient, early: str) -> None:
    """Only a view of REST framework can answer 401. Without one, Django answers 400."""
    answer = api.get("/me/", **bearer("a.b.c"))
    assert answer.status_code == {"demand": 400, "identify": 401}[early]


# -- Another header --------------------------------------------------------------------------------


class Elsewhere(JWTAuthentication):
    """A project's own place, as bytes, like the result of REST framework's ``get_authorization_header``."""

    def get_header(self, request: Any) -> bytes | None:
        found = request.META.get("HTTP_X_ELSEWHERE")
        return None if found is None else found.encode()


def test_a_subclass_reads_another_place(wrap: Callable[[HttpRequest], Any], anna: AbstractBaseUser) -> None:
    request = RequestFactory().get("/", HTTP_X_ELSEWHERE=f"Bearer {sessions.start(anna).access}")
    found = Elsewhere().authenticate(wrap(request))
    assert found is not None
    assert found[0].pk == anna.pk
    assert Elsewhere().authenticate(wrap(RequestFactory().get("/"))) is None


@pytest.mark.parametrize(
    "setting",
    [{"TESSERA": {"HEADER_NAME": "X-Api-Token"}}, {"SIMPLE_JWT": {"AUTH_HEADER_NAME": "HTTP_X_API_TOKEN"}}],
    ids=["TESSERA", "SIMPLE_JWT"],
)
def test_another_header(
    api: APIClient, anna: AbstractBaseUser, settings: Any, setting: dict[str, Any]
) -> None:
    """``Authorization`` belongs to somebody else then, such as the proxy before a staging site."""
    for name, value in setting.items():
        setattr(settings, name, value)
    access = sessions.start(anna).access
    moved = {"HTTP_X_API_TOKEN": f"Bearer {access}"}
    basic = {"HTTP_AUTHORIZATION": "Basic YTpi"}
    for route in ("/me/", "/strict/", "/public/", "/api/token/sessions/"):
        answer = api.get(route, **moved, **basic)
        assert answer.status_code == 200
        assert "X-Api-Token" in answer["Vary"]
    assert api.get("/me/", **bearer(access)).status_code == 401
    refused = api.get("/me/", **bearer(access), HTTP_X_API_TOKEN="Bearer x")
    assert (refused.status_code, refused.json()["code"]) == (401, "token_malformed")
    assert api.post("/api/token/revoke/", **moved, **basic).json() == {"revoked": True}
    assert api.get("/me/", **moved).status_code == 401


@method_decorator(cache_page(60), name="dispatch")
class Cached(APIView):
    authentication_classes = (OptionalJWTAuthentication,)

    def get(self, request: Request) -> Response:
        return Response({"pk": str(request.user.pk)})


urlpatterns = [path("cached/", Cached.as_view())]


@pytest.mark.parametrize("name", ["Authorization", "X-Api-Token"])
def test_a_cache_shows_nobody_the_answer_of_another(
    api: APIClient, anna: AbstractBaseUser, settings: Any, name: str
) -> None:
    settings.ROOT_URLCONF = __name__
    settings.TESSERA = {"HEADER_NAME": name}
    key, bob = f"HTTP_{name.upper().replace('-', '_')}", make_user("bob")
    headers: list[tuple[Any, dict[str, Any]]] = [
        (user.pk, {key: f"Bearer {sessions.start(user).access}"}) for user in (anna, bob)
    ]
    for pk, header in 2 * [*headers, (None, {})]:
        answer = api.get("/cached/", **header)
        assert answer.json() == {"pk": str(pk)}
        assert name in answer["Vary"]
