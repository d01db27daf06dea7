"""Django Ninja: both security classes, the OpenAPI schema, and our codes."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest
from django.test import AsyncClient, Client
from django.urls import path
from ninja import NinjaAPI

from drf_tessera import sessions
from drf_tessera.contrib.ninja import AsyncJWTAuth, JWTAuth, connect
from drf_tessera.revocation import feed
from drf_tessera.revocation.rulings import Rulings
from tests.conftest import bearer
from tests.plain.test_coroutines import make_request, no_threads

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

api = NinjaAPI(urls_namespace="tests.contrib.test_ninja")
connect(api)


@api.get("/sync", auth=JWTAuth())
def sync_operation(request: Any) -> dict[str, str]:
    return {"pk": str(request.user.pk), "sid": str(request.auth.session_id)}


@api.post("/sync", auth=JWTAuth())
def change(request: Any) -> dict[str, str]:
    return {"pk": str(request.user.pk)}


@api.get("/async", auth=AsyncJWTAuth())
async def async_operation(request: Any) -> dict[str, str]:
    user = await request.auser()
    return {"pk": str(user.pk), "sid": str(request.auth.session_id), "name": user.get_username()}


@api.get("/scoped", auth=JWTAuth(scopes=("notes:read",), personal=True))
def scoped(request: HttpRequest) -> dict[str, str]:
    return {}


@api.get("/public")
def public(request: HttpRequest) -> dict[str, str]:
    return {}


loose = NinjaAPI(urls_namespace="tests.contrib.test_ninja.loose")
loose.get("/sync", auth=JWTAuth())(sync_operation)
loose.get("/async", auth=AsyncJWTAuth())(async_operation)

urlpatterns = [path("api/", api.urls), path("loose/", loose.urls)]
KINDS = ["sync", "async"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("asgi", [False, True])
def test_an_operation_knows_the_user(kind: str, asgi: bool, anna: AbstractBaseUser) -> None:
    grant = sessions.start(anna)
    headers = {"authorization": f"Bearer {grant.access}"}
    get: Any = async_to_sync(AsyncClient().get) if asgi else Client().get
    for _ in range(2):
        answer = get(f"/api/{kind}", headers=headers)
        assert answer.status_code == 200, answer.content
        assert (answer.json()["pk"], answer.json()["sid"]) == (str(anna.pk), str(grant.session_id))


@pytest.mark.parametrize("kind", KINDS)
def test_refusals_have_codes_and_challenges(
    kind: str, anna: AbstractBaseUser, refused_tokens: list[dict[str, Any]]
) -> None:
    grant = sessions.start(anna)

    def ask(**headers: str) -> tuple[int, str]:
        answer = Client().get(f"/api/{kind}", **headers)
        assert "Bearer" in answer.headers["WWW-Authenticate"]
        return answer.status_code, answer.json()["code"]

    assert ask() == (401, "not_authenticated")
    assert ask(**bearer("nonsense")) == (401, "token_malformed")
    sessions.revoke(grant.session_id)
    assert ask(**bearer(grant.access)) == (401, "session_ended")
    assert Client().get("/api/public", **bearer("nonsense")).status_code == 200
    assert [told["code"] for told in refused_tokens] == ["token_malformed", "session_ended"]


def test_a_user_who_is_gone_is_refused_late(anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch) -> None:
    access = sessions.start(anna).access
    monkeypatch.setattr(Rulings, "has_ended", lambda *given: False)
    type(anna)._base_manager.filter(pk=anna.pk).delete()
    answer = Client().get("/api/async", **bearer(access))
    assert (answer.status_code, answer.json()["code"]) == (401, "user_gone")


def test_trouble_is_a_503(anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch) -> None:
    access = sessions.start(anna).access
    monkeypatch.setattr(feed.Feed, "_is_fresh", lambda self: False)
    answer = Client().get("/api/sync", **bearer(access))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")


def test_scopes_and_personal_tokens(anna: AbstractBaseUser) -> None:
    made = sessions.issue_personal_token(anna, name="CI", scope="notes:read")
    assert Client().get("/api/scoped", **bearer(made.text)).status_code == 200
    assert Client().get("/api/sync", **bearer(made.text)).json()["code"] == "personal_token_refused"
    refused = Client().get("/api/scoped", **bearer(sessions.start(anna).access))
    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
    assert 'scope="notes:read"' in refused.headers["WWW-Authenticate"]


def test_the_cookie_of_another_site_changes_nothing(anna: AbstractBaseUser, settings: Any) -> None:
    from drf_tessera.http import name_cookies

    settings.TESSERA = {"PROFILE": "browser", "ACCESS_COOKIE": True}
    client = Client(enforce_csrf_checks=True)
    client.cookies[name_cookies()[1]] = sessions.start(anna).access
    own = client.post("/api/sync", secure=True, headers={"origin": "https://testserver"})
    assert own.status_code == 200
    evil = client.post("/api/sync", secure=True, headers={"origin": "https://evil.example"})
    assert (evil.status_code, evil.json()["code"]) == (403, "csrf_origin")


def test_an_api_that_is_not_connected_refuses_without_a_code(anna: AbstractBaseUser) -> None:
    for kind, headers in ((kind, headers) for kind in KINDS for headers in ({}, bearer("nonsense"))):
        answer = Client().get(f"/loose/{kind}", **headers)
        assert (answer.status_code, list(answer.json())) == (401, ["detail"])


@pytest.mark.usefixtures("still_feed")
def test_a_known_token_takes_no_thread(anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch) -> None:
    access = sessions.start(anna).access
    auth = AsyncJWTAuth()

    @async_to_sync
    async def call() -> Any:
        await auth(make_request("header", access))
        with no_threads(monkeypatch):
            return await auth(make_request("header", access))

    assert call().sub == str(anna.pk)


def test_the_schema_names_the_scheme() -> None:
    schema = api.get_openapi_schema()
    scheme = schema["components"]["securitySchemes"]["JWTAuth"]
    assert (scheme["type"], scheme["scheme"], scheme["bearerFormat"]) == ("http", "bearer", "JWT")
    assert schema["paths"]["/api/sync"]["get"]["security"] == [{"JWTAuth": []}]
    assert schema["paths"]["/api/async"]["get"]["security"] == [{"AsyncJWTAuth": []}]
    assert "security" not in schema["paths"]["/api/public"]["get"]
