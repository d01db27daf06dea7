"""Plain views of Django behind the middleware, the decorator and the class."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import AbstractBaseUser
from django.test import AsyncClient, Client, RequestFactory

from drf_tessera import sessions
from drf_tessera.exceptions import IssuerUnavailable, ProjectError, TooManyAttempts
from drf_tessera.http import write_refusal
from drf_tessera.plain import TokenMiddleware
from drf_tessera.revocation import feed
from drf_tessera.revocation.rulings import Rulings
from tests.conftest import bearer
from tests.issuers.material import issuer, make_jwk, write_claims, write_token
from tests.rest.csrf_cases import OWN

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.plain.urls")]

MIDDLEWARE = "drf_tessera.plain.TokenMiddleware"
LOGIN = "django.contrib.auth.middleware.LoginRequiredMiddleware"
ONE = make_jwk("one")
PROTECTED = ["sync", "async", "sync-class", "async-class", "decorated-class"]


@pytest.fixture(params=["middleware", "decorator alone"])
def way(request: pytest.FixtureRequest, settings: Any) -> str:
    if request.param == "middleware":
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, MIDDLEWARE]
    return request.param


@pytest.fixture
def behind(settings: Any) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, MIDDLEWARE]


@pytest.fixture
def access(anna: AbstractBaseUser) -> str:
    return sessions.start(anna).access


@pytest.mark.parametrize("name", PROTECTED)
def test_a_token_opens_each_kind_of_view(way: str, name: str, access: str, anna: AbstractBaseUser) -> None:
    answer = Client().get(f"/{name}/", **bearer(access))
    assert (answer.status_code, answer.json()["pk"]) == (200, str(anna.pk))
    assert answer.headers["Vary"].startswith("Authorization")


@pytest.mark.slow
@pytest.mark.parametrize("name", PROTECTED)
@pytest.mark.parametrize(
    ("headers", "code", "challenge"),
    [
        ({}, "not_authenticated", 'Bearer realm="api"'),
        ({"authorization": "Bearer nonsense"}, "token_malformed", 'error="invalid_token"'),
        ({"authorization": "Bearer a b"}, "header_malformed", 'error="invalid_request"'),
        ({"authorization": "Basic abc"}, "not_authenticated", 'Bearer realm="api"'),
    ],
)
def test_a_view_refuses_with_a_code(
    way: str, name: str, headers: dict[str, str], code: str, challenge: str
) -> None:
    answer = Client().get(f"/{name}/", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert challenge in answer.headers["WWW-Authenticate"]
    assert "no-store" in answer.headers["Cache-Control"]


def test_an_ended_session_is_refused_with_its_code(way: str, anna: AbstractBaseUser) -> None:
    grant = sessions.start(anna)
    sessions.revoke(grant.session_id)
    answer = Client().get("/sync/", **bearer(grant.access))
    assert (answer.status_code, answer.json()["code"]) == (401, "session_ended")


def test_scopes_are_needed(way: str, anna: AbstractBaseUser, access: str) -> None:
    answer = Client().get("/scoped/", **bearer(access))
    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
    assert 'scope="notes:read"' in answer.headers["WWW-Authenticate"]
    wide = sessions.start(anna, scope="notes:read notes:write").access
    assert Client().get("/scoped/", **bearer(wide)).status_code == 200


def test_a_user_who_is_gone_is_noticed_late(
    way: str, anna: AbstractBaseUser, access: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row is read in the view, and the refusal has the code all the same."""
    monkeypatch.setattr(Rulings, "has_ended", lambda *given: False)
    type(anna)._base_manager.filter(pk=anna.pk).delete()
    answer = Client().get("/async/", **bearer(access))
    assert (answer.status_code, answer.json()["code"]) == (401, "user_gone")


# -- The middleware --------------------------------------------------------------------------------


@pytest.mark.usefixtures("behind")
@pytest.mark.parametrize("name", ["public", "apublic"])
def test_a_public_view_sees_the_reason(name: str, access: str, anna: AbstractBaseUser) -> None:
    assert Client().get(f"/{name}/").json() == {"pk": None, "error": None, "method": "GET"}
    assert Client().get(f"/{name}/", **bearer(access)).json()["pk"] == str(anna.pk)
    bad = Client().get(f"/{name}/", **bearer("nonsense"))
    assert (bad.status_code, bad.json()["pk"], bad.json()["error"]) == (200, None, "token_malformed")


@pytest.mark.usefixtures("behind")
def test_a_bad_token_does_not_fall_back_to_the_session_of_django(anna: AbstractBaseUser) -> None:
    client = Client()
    client.force_login(anna)
    assert client.get("/public/").json()["pk"] == str(anna.pk)
    assert client.get("/public/", **bearer("nonsense")).json()["pk"] is None


@pytest.mark.usefixtures("behind")
def test_the_views_of_rest_framework_stay_as_they_are(access: str) -> None:
    assert Client().get("/rest/", **bearer("nonsense")).status_code == 200
    assert Client().get("/rest/", **bearer(access)).status_code == 200


def test_the_middleware_works_without_sessions_of_django(
    settings: Any, access: str, anna: AbstractBaseUser
) -> None:
    settings.MIDDLEWARE = [MIDDLEWARE]
    assert Client().get("/public/").json()["pk"] is None
    assert Client().get("/public/", **bearer(access)).json()["pk"] == str(anna.pk)


def test_login_required_middleware_lets_tokens_in(settings: Any, access: str) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, MIDDLEWARE, LOGIN]
    client = Client()
    assert client.get("/form/", **bearer(access)).status_code == 200
    assert client.get("/form/").status_code == 302  # a person goes to the page for logging in
    assert client.get("/form/", **bearer("nonsense")).json()["code"] == "token_malformed"
    assert client.get("/public/", **bearer("nonsense")).status_code == 200
    assert client.get("/sync/").json()["code"] == "not_authenticated"
    assert client.get("/sync-class/").json()["code"] == "not_authenticated"


@pytest.mark.usefixtures("behind")
def test_a_template_and_the_classes_of_django_know_the_user(access: str, anna: AbstractBaseUser) -> None:
    assert anna.get_username() in Client().get("/page-class/", **bearer(access)).content.decode()
    assert Client().get("/page/", **bearer(access)).status_code == 200
    assert Client().get("/page/").status_code == 302


@pytest.mark.usefixtures("behind")
def test_a_subclass_may_leave_out_paths(settings: Any, access: str) -> None:
    settings.MIDDLEWARE[-1] = f"{__name__}.NotForPublic"
    assert Client().get("/public/", **bearer(access)).json()["pk"] is None
    assert Client().get("/page/", **bearer(access)).status_code == 200


class NotForPublic(TokenMiddleware):
    def is_for(self, request: Any) -> bool:
        return not request.path.startswith("/public/")


@pytest.mark.usefixtures("behind")
@pytest.mark.parametrize("name", ["public", "apublic", "sync", "async"])
def test_a_token_that_cannot_be_judged_is_a_503(
    name: str, access: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed.Feed, "_is_fresh", lambda self: False)
    answer = Client().get(f"/{name}/", **bearer(access))
    assert (answer.status_code, answer.json()["code"]) == (503, "revocation_unavailable")
    assert answer.headers["Retry-After"] == "1"
    headers = {"authorization": f"Bearer {access}"}
    feed.get_feed.forget()  # the next check pulls
    assert async_to_sync(AsyncClient().get)(f"/{name}/", headers=headers).status_code == 503


@pytest.mark.parametrize("path", ["public", "apublic", "page"])
@pytest.mark.parametrize("kind", ["TokenMiddleware", "NotForPublic"])
def test_asgi_sees_the_same(path: str, kind: str, access: str, anna: AbstractBaseUser, settings: Any) -> None:
    ours = MIDDLEWARE if kind == "TokenMiddleware" else f"{__name__}.{kind}"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, ours]
    get: Any = async_to_sync(AsyncClient().get)
    good = get(f"/{path}/", headers={"authorization": f"Bearer {access}"})
    left_out = kind == "NotForPublic" and path == "public"
    assert good.json()["pk"] == (None if left_out else str(anna.pk))
    bad = get(f"/{path}/", headers={"authorization": "Bearer nonsense"})
    if path == "page":
        assert bad.status_code == 302
    else:
        assert bad.json()["error"] == (None if left_out else "token_malformed")


@pytest.mark.usefixtures("behind")
def test_the_middleware_answers_for_views_and_templates(
    access: str, anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row is read late, and the user is gone, or the database cannot be used."""
    monkeypatch.setattr(Rulings, "has_ended", lambda *given: False)
    type(anna)._base_manager.filter(pk=anna.pk).delete()
    answer = Client().get("/page-class/", **bearer(access))
    assert (answer.status_code, answer.json()["code"]) == (401, "user_gone")
    assert "error_description" in answer.headers["WWW-Authenticate"]
    busy = Client().get("/busy/", **bearer(access))
    assert (busy.status_code, busy.json()["code"]) == (503, "database_unavailable")


def test_each_kind_of_error_has_its_answer() -> None:
    request = RequestFactory().get("/")
    with pytest.raises(ProjectError):
        write_refusal(ProjectError("a mistake"), request)
    assert write_refusal(TooManyAttempts(7), request).headers["Retry-After"] == "7"
    assert write_refusal(IssuerUnavailable(9), request).headers["Retry-After"] == "9"


@pytest.mark.usefixtures("behind")
def test_an_error_of_the_project_stays_an_error(access: str) -> None:
    with pytest.raises(ValueError, match="not ours"):
        Client().get("/boom/", **bearer(access))


# -- Cookies ---------------------------------------------------------------------------------------


@pytest.fixture
def browser(anna: AbstractBaseUser, settings: Any, way: str) -> Client:
    settings.TESSERA = {"PROFILE": "browser", "ACCESS_COOKIE": True}
    client = Client(enforce_csrf_checks=True)
    sent = {"username": anna.get_username(), "password": "correct horse battery staple"}
    answer = client.post("/api/token/", sent, headers={"origin": OWN, "host": "api.example.com"}, secure=True)
    assert answer.status_code == 200, answer.content
    return client


def post(client: Client, name: str, **headers: str) -> Any:
    return client.post(f"/{name}/", headers={"host": "api.example.com", **headers}, secure=True)


@pytest.mark.parametrize("name", ["sync", "sync-class", "async-class"])
def test_the_cookie_authenticates_the_site_and_no_other(browser: Client, name: str) -> None:
    assert post(browser, name, origin=OWN).status_code == 200
    evil = post(browser, name, origin="https://evil.example")
    assert (evil.status_code, evil.json()["code"]) == (403, "csrf_origin")
    assert post(browser, name).json()["code"] == "csrf_token"  # an old browser, without Django's token


def test_the_check_of_django_remains_for_a_page_with_the_cookie(browser: Client, settings: Any) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, MIDDLEWARE]
    answer = post(browser, "form", origin=OWN)
    assert answer.status_code == 403
    assert b"CSRF" in answer.content


def test_a_request_with_a_header_needs_no_csrf_token(settings: Any, access: str) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, MIDDLEWARE]
    client = Client(enforce_csrf_checks=True)
    assert client.post("/form/", **bearer(access)).status_code == 200
    assert client.post("/form/", **bearer("nonsense")).json()["error"] == "token_malformed"
    assert client.post("/form/").status_code == 403


@pytest.mark.parametrize("name", ["sync", "async"])
def test_a_token_of_another_issuer_opens_a_view_for_its_user(
    name: str, settings: Any, anna: AbstractBaseUser
) -> None:
    settings.TESSERA = {"ISSUERS": [issuer(ONE, user_field=type(anna).USERNAME_FIELD)]}
    sent = write_token(ONE, write_claims(sub=anna.get_username()))
    for _ in range(2):  # the second time from memory
        answer = Client().get(f"/{name}/", **bearer(sent))
        assert (answer.status_code, answer.json()["pk"]) == (200, str(anna.pk))
