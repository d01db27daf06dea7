"""An exception handler of another package sees REST framework's own form, with our codes in it.

``exc.detail`` is an ``ErrorDetail`` or, for fields, lists of them. So ``get_codes()`` and
``get_full_details()`` work, and packages that flatten ``detail`` find each cause once. REST framework's own
handler and ours write the body ``{"detail", "code"}``. The errors of ``rest_framework_simplejwt`` have that
body as their ``detail``, as in simplejwt, except for packages that flatten ``detail``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.http import Http404
from django.utils import timezone
from rest_framework.exceptions import APIException, AuthenticationFailed, ErrorDetail
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.test import APIClient
from rest_framework.views import exception_handler as rest_framework_handler
from rest_framework_simplejwt.exceptions import AuthenticationFailed as SimpleJWTFailed
from rest_framework_simplejwt.exceptions import DetailDictMixin, InvalidToken

from drf_tessera import sessions
from drf_tessera.exceptions import RefreshContended, RevocationUnavailable, UserGone
from drf_tessera.rest.errors import describe_error
from tests.conftest import PASSWORD, bearer

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class World:
    api: APIClient
    user: AbstractBaseUser
    monkeypatch: pytest.MonkeyPatch

    @property
    def header(self) -> dict[str, str]:
        return bearer(sessions.start(self.user).access)

    def log_in(self, **body: Any) -> Any:
        return self.api.post("/api/token/", body)

    def refresh_twice(self) -> Any:
        text = str(sessions.start(self.user).refresh)
        for minute in (1, 2):
            newest = sessions.refresh(text, now=timezone.now() + timedelta(minutes=minute))
        sessions.refresh(str(newest.refresh), now=timezone.now() + timedelta(minutes=4))
        return self.api.post("/api/token/refresh/", {"refresh": text})

    def fail(self, path: str, error: Exception) -> None:
        def raise_it(*args: Any, **kwargs: Any) -> None:
            raise error

        self.monkeypatch.setattr(path, raise_it)

    def contend(self) -> Any:
        self.fail("drf_tessera.sessions.refresh", RefreshContended())
        return self.api.post("/api/token/refresh/", {"refresh": "x"})

    def lose_the_store(self) -> Any:
        header = self.header
        self.fail("drf_tessera.users.lazy.check_session", RevocationUnavailable())
        return self.api.get("/me/", **header)

    def lose_the_user(self) -> Any:
        header = self.header
        self.fail("drf_tessera.users.lazy.fetch_user", UserGone())
        return self.api.get("/name/", **header)

    def guess(self) -> Any:
        for _ in range(11):
            answer = self.log_in(username="anna", password="x")
        return answer

    def cross_sites(self) -> Any:
        self.api.handler.enforce_csrf_checks = True
        self.api.cookies["__Secure-tessera_refresh_token"] = "x"
        return self.api.post("/api/token/refresh/", {}, HTTP_ORIGIN="https://evil.example")


CAUSES: dict[str, tuple[int, str, Callable[[World], Any]]] = {
    "a missing field": (400, "required", lambda world: world.log_in(username="anna")),
    "no account": (400, "account_required", lambda world: world.log_in(password="x")),
    "no object": (400, "invalid", lambda world: world.api.post("/api/token/", [1])),
    "no JSON": (
        400,
        "parse_error",
        lambda world: world.api.post("/api/token/", "{", content_type="application/json"),
    ),
    "no token to end": (400, "token_missing", lambda world: world.api.post("/api/token/revoke/")),
    "a transport that is not offered": (
        400,
        "transport_unavailable",
        lambda world: world.log_in(username="anna", password=PASSWORD, transport="cookie"),
    ),
    "a wrong password": (401, "login_failed", lambda world: world.log_in(username="anna", password="no")),
    "a bad refresh token": (
        401,
        "refresh_invalid",
        lambda world: world.api.post("/api/token/refresh/", {"refresh": "x"}),
    ),
    "a stolen refresh token": (401, "refresh_reused", lambda world: world.refresh_twice()),
    "a bad token for verify": (
        401,
        "token_malformed",
        lambda world: world.api.post("/api/token/verify/", {"token": "x"}),
    ),
    "no token": (401, "not_authenticated", lambda world: world.api.get("/api/token/sessions/")),
    "a bad token": (401, "token_malformed", lambda world: world.api.get("/me/", **bearer("x"))),
    "a bad header": (401, "header_malformed", lambda world: world.api.get("/me/", **bearer("x y"))),
    "a user that is gone": (401, "user_gone", lambda world: world.lose_the_user()),
    "another site": (403, "csrf_origin", lambda world: world.cross_sites()),
    "another's session": (
        404,
        "session_not_found",
        lambda world: world.api.delete(f"/api/token/sessions/{uuid4()}/", **world.header),
    ),
    "no method": (405, "method_not_allowed", lambda world: world.api.get("/api/token/")),
    "no format": (
        406,
        "not_acceptable",
        lambda world: world.api.get("/api/token/sessions/", HTTP_ACCEPT="image/png"),
    ),
    "a large body": (413, "body_too_large", lambda world: world.log_in(username="a" * 70_000, password="x")),
    "another format": (
        415,
        "unsupported_media_type",
        lambda world: world.api.post("/api/token/", b"x", content_type="image/png"),
    ),
    "too many logins": (429, "throttled", lambda world: world.guess()),
    "a busy database": (503, "refresh_contended", lambda world: world.contend()),
    "no store of revocations": (503, "revocation_unavailable", lambda world: world.lose_the_store()),
}
FIELDS = {"a missing field", "no account", "no object"}
"""Validation errors: REST framework has lists in their details."""

seen: list[Exception] = []


def record(exc: Exception, context: dict[str, Any]) -> Response | None:
    seen.append(exc)
    return rest_framework_handler(exc, context)


def codes(exc: Any, context: dict[str, Any]) -> Response | None:
    response = rest_framework_handler(exc, context)
    if response is not None:
        response.data = {"codes": exc.get_codes()}
    return response


def full(exc: Any, context: dict[str, Any]) -> Response | None:
    response = rest_framework_handler(exc, context)
    if response is not None:
        response.data = {"error": exc.get_full_details(), "status": response.status_code}
    return response


def json_api(exc: Any, context: dict[str, Any]) -> Response | None:
    """Return the errors in the flat form of djangorestframework-jsonapi."""
    response = rest_framework_handler(exc, context)
    if response is not None:
        found = [{"code": item.code, "detail": str(item)} for item in walk(exc.detail)]
        response.data = {"errors": found}
    return response


def with_status(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Handle errors as the example in REST framework's documentation does."""
    response = rest_framework_handler(exc, context)
    if response is not None:
        response.data["status_code"] = response.status_code
    return response


def walk(detail: Any) -> Iterator[Any]:
    if isinstance(detail, dict):
        for value in detail.values():
            yield from walk(value)
    elif isinstance(detail, list):
        for value in detail:
            yield from walk(value)
    else:
        yield detail


def search(body: Any, code: str) -> bool:
    """Return whether a code stands somewhere in a body."""
    if isinstance(body, dict):
        return any(search(value, code) for value in body.values())
    return any(search(value, code) for value in body) if isinstance(body, list) else body == code


@pytest.fixture
def world(api: APIClient, anna: AbstractBaseUser, settings: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    api.raise_request_exception = True
    return World(api, anna, monkeypatch)


@pytest.fixture
def _two_profiles(settings: Any, request: pytest.FixtureRequest) -> None:
    if "another site" in request.node.name:
        settings.TESSERA = {"PROFILE": ["api", "browser"]}


def use(settings: Any, handler: str) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "EXCEPTION_HANDLER": handler}


TABLE = pytest.mark.parametrize("cause", CAUSES)


@pytest.mark.slow
@TABLE
@pytest.mark.usefixtures("_two_profiles")
def test_the_detail_has_the_form_that_rest_framework_promises(
    world: World, settings: Any, cause: str
) -> None:
    use(settings, f"{__name__}.record")
    seen.clear()
    status, code, act = CAUSES[cause]
    assert act(world).status_code == status
    exc = seen[-1]
    assert isinstance(exc, APIException)
    found = list(walk(exc.detail))
    assert all(isinstance(item, ErrorDetail) for item in found)
    assert [item.code for item in found] == [code]
    assert isinstance(exc.detail, dict | list if cause in FIELDS else ErrorDetail)
    if cause not in FIELDS:
        assert exc.get_codes() == code
        assert exc.get_full_details() == {"message": str(exc), "code": code}


@pytest.mark.slow
@TABLE
@pytest.mark.parametrize(
    "handler",
    [
        f"{__name__}.codes",
        f"{__name__}.full",
        f"{__name__}.json_api",
        "drf_standardized_errors.handler.exception_handler",
    ],
)
@pytest.mark.usefixtures("_two_profiles")
def test_its_answer_has_our_status_and_our_code(
    world: World, settings: Any, cause: str, handler: str
) -> None:
    use(settings, handler)
    status, code, act = CAUSES[cause]
    # drf-standardized-errors reports each 503 as an error of the server, and the test client would raise it.
    world.api.raise_request_exception = status != 503
    answer = act(world)
    assert answer.status_code == status
    body = answer.json()
    assert search(body, code)
    assert len(body.get("errors", [1])) == 1
    assert ("Retry-After" in answer) == (status in {429, 503})
    assert ("WWW-Authenticate" in answer) == (status == 401)


@pytest.mark.slow
@TABLE
@pytest.mark.parametrize(
    "handler", ["rest_framework.views.exception_handler", "drf_tessera.exception_handler"]
)
@pytest.mark.usefixtures("_two_profiles")
def test_without_a_foreign_handler_the_body_is_ours(
    world: World, settings: Any, cause: str, handler: str
) -> None:
    use(settings, handler)
    status, code, act = CAUSES[cause]
    answer = act(world)
    body = answer.json()
    assert answer.status_code == status
    more = {"error", "error_description"} if cause == "no token to end" else set()  # RFC 7009
    assert body.keys() - more == ({"detail", "code", "fields"} if cause in FIELDS else {"detail", "code"})
    assert more <= body.keys()
    assert search(body, code)
    assert isinstance(body["detail"], str)


@pytest.mark.parametrize(
    "cause",
    [
        cause
        for cause in CAUSES
        if cause not in FIELDS
        and cause not in {"a bad token", "a bad header", "a user that is gone", "no store of revocations"}
    ],
)
@pytest.mark.usefixtures("_two_profiles")
def test_a_handler_that_keeps_the_form_keeps_the_code(world: World, settings: Any, cause: str) -> None:
    """In the answers of the token endpoints: our browser client reads the code there."""
    use(settings, f"{__name__}.with_status")
    status, code, act = CAUSES[cause]
    body = act(world).json()
    assert (body["status_code"], body["code"]) == (status, code)


COMPAT: dict[str, tuple[str, int, str, Callable[[APIClient], Any]]] = {
    "simplejwt: a bad token": (
        "simplejwt",
        401,
        "token_not_valid",
        lambda api: api.get("/me/", **bearer("x")),
    ),
    "simplejwt: a bad header": (
        "simplejwt",
        401,
        "bad_authorization_header",
        lambda api: api.get("/me/", **bearer("x y")),
    ),
    "simplejwt: a wrong password": (
        "simplejwt",
        401,
        "no_active_account",
        lambda api: api.post("/api/token/", {"username": "anna", "password": "x"}),
    ),
    "simplejwt: a bad refresh token": (
        "simplejwt",
        401,
        "token_not_valid",
        lambda api: api.post("/api/token/refresh/", {"refresh": "x"}),
    ),
    "simplejwt: no method": ("simplejwt", 405, "method_not_allowed", lambda api: api.get("/api/token/")),
    "jwt: a bad token": (
        "jwt",
        401,
        "token_malformed",
        lambda api: api.get("/me/", HTTP_AUTHORIZATION="JWT x"),
    ),
    "jwt: a bad header": (
        "jwt",
        401,
        "header_malformed",
        lambda api: api.get("/me/", HTTP_AUTHORIZATION="JWT"),
    ),
    "jwt: no method": ("jwt", 405, "method_not_allowed", lambda api: api.get("/auth/")),
}


@pytest.mark.parametrize("cause", COMPAT)
def test_the_names_of_other_packages_promise_the_same(world: World, settings: Any, cause: str) -> None:
    package, status, code, act = COMPAT[cause]
    settings.ROOT_URLCONF = f"tests.compat.{package}_urls"
    plain = act(world.api)
    use(settings, f"{__name__}.record")
    seen.clear()
    assert act(world.api).status_code == plain.status_code == status
    exc: Any = seen[-1]
    if isinstance(exc, DetailDictMixin):
        assert exc.detail == plain.json()  # the body of simplejwt, which the handlers of its users read
        assert exc.detail["code"] == code
        assert all(isinstance(item, ErrorDetail) for item in walk(exc.detail))
        return
    assert isinstance(exc.detail, ErrorDetail)
    assert exc.get_codes() == exc.detail.code == code


@pytest.mark.parametrize("cause", COMPAT)
def test_handlers_that_flatten_a_detail_find_one_error(world: World, settings: Any, cause: str) -> None:
    package, status, code, act = COMPAT[cause]
    settings.ROOT_URLCONF = f"tests.compat.{package}_urls"
    use(settings, "drf_standardized_errors.handler.exception_handler")
    answer = act(world.api)
    assert answer.status_code == status
    assert [item["code"] for item in answer.json()["errors"]] == [code]


@pytest.mark.parametrize(
    ("cause", "kind", "has_code"),
    [
        ("simplejwt: a bad token", InvalidToken, True),
        ("simplejwt: a bad header", SimpleJWTFailed, True),
        ("simplejwt: a bad refresh token", InvalidToken, True),
        ("simplejwt: a wrong password", AuthenticationFailed, False),
    ],
)
def test_errors_of_simplejwt_have_its_class_and_its_keys(
    world: World, settings: Any, cause: str, kind: type[Exception], has_code: bool
) -> None:
    settings.ROOT_URLCONF = "tests.compat.simplejwt_urls"
    use(settings, f"{__name__}.record")
    seen.clear()
    answer = COMPAT[cause][3](world.api)
    assert type(seen[-1]) is kind
    assert ("code" in answer.json()) is has_code


def test_other_errors_of_a_project_are_its_own(world: World, settings: Any) -> None:
    """Our own handler keeps the details of exceptions of the project."""
    own = APIException({"reason": "quota", "limit": 5})
    assert describe_error(own) == {
        "detail": "A server error occurred.",
        "code": "error",
        "reason": "quota",
        "limit": "5",
    }
    assert describe_error(APIException(["a", "b"])) == {"detail": "a b", "code": "error"}
    assert rest_framework_handler(Http404(), {}) is not None


def test_the_name_for_errors_of_no_field_is_a_setting(world: World, settings: Any) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NON_FIELD_ERRORS_KEY": "errors"}
    assert api_settings.NON_FIELD_ERRORS_KEY == "errors"
    answer = world.log_in(password="x")
    assert (answer.status_code, answer.json()["code"]) == (400, "account_required")
    assert [item["code"] for item in answer.json()["fields"]["errors"]] == ["account_required"]
