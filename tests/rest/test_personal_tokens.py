"""Personal access tokens: made and ended by their user, accepted where a view says so, and by nobody else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest, JsonResponse
from django.test import Client
from django.urls import include, path
from django.utils import timezone
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from drf_tessera import JWTAuthentication, sessions
from drf_tessera.contrib.adrf import AsyncJWTAuthentication
from drf_tessera.exceptions import PersonalTokenInvalid, ProjectError, UserInactive
from drf_tessera.models import Session
from drf_tessera.plain import TokenMiddleware, token_required
from drf_tessera.rest.authentication import PersonalTokenAuthentication
from drf_tessera.rest.permissions import HasScope
from drf_tessera.sessions import personal
from drf_tessera.tokens import PERSONAL_PREFIX, PersonalToken, recall_access_token
from tests.conftest import bearer, log_in
from tests.plain.test_coroutines import make_request, no_threads

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


class Scripts(APIView):
    authentication_classes = (PersonalTokenAuthentication,)
    permission_classes = (IsAuthenticated,)

    def get(self, request: Any) -> Response:
        return Response({"sub": request.auth.sub, "name": getattr(request.auth, "name", None)})


class Reading(Scripts):
    permission_classes = (HasScope("notes:read"),)


class People(Scripts):
    authentication_classes = (JWTAuthentication,)


@token_required(personal=True, scopes=("notes:read",))
def plain(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"pk": str(request.user.pk)})


@token_required
def people_alone(request: HttpRequest) -> JsonResponse:
    return JsonResponse({})


urlpatterns = [
    path("api/token/", include("drf_tessera.rest.urls")),
    path("api/personal/", include("drf_tessera.rest.personal_urls")),
    path("scripts/", Scripts.as_view()),
    path("reading/", Reading.as_view()),
    path("people/", People.as_view()),
    path("plain/", plain),
    path("people-alone/", people_alone),
]


@pytest.fixture(autouse=True)
def _scopes(settings: Any) -> None:
    settings.TESSERA = {"PERSONAL_TOKEN_SCOPES": ["notes:read", "notes:write"]}


def make(user: AbstractBaseUser, **chosen: Any) -> sessions.IssuedToken:
    return sessions.issue_personal_token(user, **{"name": "CI", **chosen})


def call(token: str, where: str = "scripts") -> Any:
    return APIClient().get(f"/{where}/", **bearer(token))


# -- The endpoints ---------------------------------------------------------------------------------


def test_a_user_makes_lists_uses_and_ends_a_token(api: APIClient, anna: AbstractBaseUser) -> None:
    access = log_in(api, anna)["access"]
    made = api.post(
        "/api/personal/", {"name": "CI", "scope": "notes:read notes:read", "days": 7}, **bearer(access)
    )
    assert made.status_code == 201, made.content
    token, shown = made.json()["token"], made.json()["session"]
    assert token.startswith("tsk_")
    assert (shown["device"], shown["scope"], shown["personal"], shown["current"]) == (
        "CI",
        "notes:read",
        True,
        False,
    )
    assert "no-store" in made.headers["Cache-Control"]
    assert call(token, "reading").json() == {"sub": str(anna.pk), "name": "CI"}
    listed = api.get("/api/personal/", **bearer(access)).json()
    assert [row["id"] for row in listed] == [shown["id"]]
    both = api.get("/api/token/sessions/", **bearer(access)).json()
    assert {row["personal"] for row in both} == {True, False}
    assert api.delete(f"/api/personal/{shown['id']}/", **bearer(access)).status_code == 204
    assert call(token).json()["code"] == "session_ended"
    again = api.delete(f"/api/personal/{shown['id']}/", **bearer(access))
    assert (again.status_code, again.json()["code"]) == (404, "session_not_found")


def test_the_endpoint_of_sessions_ends_a_token_too(api: APIClient, anna: AbstractBaseUser) -> None:
    access, made = log_in(api, anna)["access"], make(anna)
    assert api.delete(f"/api/token/sessions/{made.session.pk}/", **bearer(access)).status_code == 204
    assert call(made.text).status_code == 401


def test_the_endpoint_of_tokens_ends_no_login_and_no_token_of_others(
    api: APIClient, anna: AbstractBaseUser, bob: AbstractBaseUser
) -> None:
    body = log_in(api, anna)
    for other in (body["session"], make(bob).session.pk, "nonsense"):
        assert api.delete(f"/api/personal/{other}/", **bearer(body["access"])).status_code == 404


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_request"),
        ({"name": " "}, "invalid_request"),
        ({"name": "x" * 65}, "invalid_request"),
        ({"name": "a", "days": 0}, "invalid_request"),
        ({"name": "a", "days": "soon"}, "invalid_request"),
        ({"name": "a", "scope": "admin"}, "scope_unavailable"),
        ({"name": "a", "scope": 'quote"'}, "scope_unavailable"),
        ({"name": "a", "scope": ["x"]}, "invalid_request"),
    ],
)
def test_bad_input_is_a_400(api: APIClient, anna: AbstractBaseUser, body: Any, code: str) -> None:
    answer = api.post("/api/personal/", body, **bearer(log_in(api, anna)["access"]))
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_a_server_without_scopes_says_so(api: APIClient, anna: AbstractBaseUser, settings: Any) -> None:
    settings.TESSERA = {**settings.TESSERA, "PERSONAL_TOKEN_SCOPES": []}
    answer = api.post("/api/personal/", {"name": "a", "scope": "x"}, **bearer(log_in(api, anna)["access"]))
    assert answer.json() == {"detail": "A token cannot have scopes here.", "code": "scope_unavailable"}


def test_a_session_with_scopes_makes_no_wider_token(api: APIClient, anna: AbstractBaseUser) -> None:
    access = sessions.start(anna, scope="notes:read").access
    wide = api.post("/api/personal/", {"name": "a", "scope": "notes:write"}, **bearer(access))
    assert wide.json()["code"] == "scope_unavailable"
    same = api.post("/api/personal/", {"name": "a", "scope": "notes:read"}, **bearer(access))
    assert same.status_code == 201


def test_a_token_lasts_no_longer_than_the_setting(
    api: APIClient, anna: AbstractBaseUser, settings: Any
) -> None:
    settings.TESSERA = {"PERSONAL_TOKEN_LIFETIME": timedelta(days=3)}
    made = api.post("/api/personal/", {"name": "a", "days": 3650}, **bearer(log_in(api, anna)["access"]))
    session = Session.objects.get(pk=made.json()["session"]["id"])
    assert session.expires_at - session.created_at == timedelta(days=3)


def test_a_user_has_a_limited_number_of_tokens(
    api: APIClient, anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(personal, "MOST_PERSONAL_TOKENS", 1)
    make(anna)
    answer = api.post("/api/personal/", {"name": "a"}, **bearer(log_in(api, anna)["access"]))
    assert (answer.status_code, answer.json()["code"]) == (400, "personal_tokens_full")


@pytest.mark.parametrize(
    ("method", "where"),
    [
        ("get", "/people/"),
        ("get", "/people-alone/"),
        ("get", "/api/token/sessions/"),
        ("delete", "/api/token/sessions/"),
        ("post", "/api/personal/"),
        ("post", "/api/token/revoke/"),
    ],
)
def test_a_token_opens_nothing_that_does_not_ask_for_it(
    method: str, where: str, anna: AbstractBaseUser
) -> None:
    made = make(anna)
    call(made.text)  # it is remembered now
    answer = getattr(APIClient(), method)(where, **bearer(made.text))
    assert (answer.status_code, answer.json()["code"]) == (401, "personal_token_refused")
    answer = APIClient().post("/api/token/verify/", {"token": made.text})
    assert answer.json()["code"] == "personal_token_refused"


# -- The token -------------------------------------------------------------------------------------


def test_scopes_are_checked(anna: AbstractBaseUser) -> None:
    refused = call(make(anna).text, "reading")
    assert (refused.status_code, "insufficient_scope" in refused.headers["WWW-Authenticate"]) == (403, True)
    assert call(make(anna, scope="notes:read").text, "reading").status_code == 200
    assert Client().get("/plain/", **bearer(make(anna).text)).json()["code"] == "insufficient_scope"
    assert Client().get("/plain/", **bearer(make(anna, scope="notes:read").text)).status_code == 200


@pytest.mark.usefixtures("still_feed")
def test_a_remembered_token_needs_no_query(anna: AbstractBaseUser, django_assert_num_queries: Any) -> None:
    made = make(anna)
    assert call(made.text).status_code == 200
    with django_assert_num_queries(0):
        assert call(made.text).status_code == 200


def test_a_token_is_asked_for_again_after_the_access_lifetime(
    anna: AbstractBaseUser, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notice of its end is not kept for longer, and neither does deactivation by ``update`` send one."""
    made = make(anna)
    asked = timezone.now().timestamp()
    monkeypatch.setattr(personal.time, "time", lambda: asked - 301)
    assert call(made.text).status_code == 200
    monkeypatch.undo()
    settings.TESSERA = {}
    type(anna)._base_manager.filter(pk=anna.pk).update(is_active=False)
    assert call(made.text).json()["code"] == "user_inactive"


def test_a_copy_of_the_table_lets_nobody_in(anna: AbstractBaseUser) -> None:
    made = make(anna)
    row = Session.objects.get(pk=made.session.pk)
    secret = made.text.removeprefix(PERSONAL_PREFIX)
    assert secret.encode() not in bytes(row.secret_hash)
    assert made.text not in repr(made)
    assert made.text not in repr(vars(row))


@pytest.mark.parametrize("text", [f"tsk_{rest}" for rest in ("", "A" * 43, "!" * 43, "ü" * 43, "A" * 42)])
def test_another_text_is_refused(anna: AbstractBaseUser, text: str) -> None:
    with pytest.raises(PersonalTokenInvalid):
        sessions.verify_personal_token(text)
    if text.isascii():
        assert call(text).json()["code"] == "personal_token_invalid"


def test_a_login_is_not_a_personal_token(anna: AbstractBaseUser) -> None:
    made = make(anna)
    Session.objects.filter(pk=made.session.pk).update(personal=False)
    assert call(made.text).json()["code"] == "personal_token_invalid"


def test_an_expired_token_and_another_tenant_are_refused(anna: AbstractBaseUser, settings: Any) -> None:
    made = make(anna, lifetime=timedelta(hours=1), now=timezone.now() - timedelta(hours=2))
    assert call(made.text).json()["code"] == "session_expired"
    valid = make(anna)
    settings.TESSERA = {"TENANT": lambda request: "acme"}
    assert call(valid.text).json()["code"] == "personal_token_invalid"


def test_a_revoked_token_is_refused_by_its_row(anna: AbstractBaseUser) -> None:
    made = make(anna)
    sessions.revoke(made.session.pk)
    assert call(made.text).json()["code"] == "session_revoked"


def test_a_token_ends_with_the_password(anna: Any) -> None:
    made = make(anna)
    assert call(made.text).status_code == 200
    anna.set_password("another one")
    anna.save()
    assert call(made.text).json()["code"] == "session_ended"


def test_a_login_evicts_no_token_and_knows_no_place_from_it(anna: AbstractBaseUser, settings: Any) -> None:
    made = make(anna, client=sessions.Client(ip="192.0.2.1"))
    settings.TESSERA = {"MAX_SESSIONS_PER_USER": 1}
    for _ in range(3):
        sessions.start(anna)
    assert call(made.text).status_code == 200
    assert not sessions.has_logged_in_from(type(anna)._base_manager.filter(pk=anna.pk), "192.0.2.1")


def test_the_last_use_is_written_once_an_hour(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(anna, now=timezone.now() - timedelta(days=1))

    def use(hours: float) -> Any:
        sessions.verify_personal_token(made.text, now=made.session.created_at + timedelta(hours=hours))
        return Session.objects.get(pk=made.session.pk).rotated_at - made.session.created_at

    assert [use(hours) for hours in (1, 1.5, 3)] == [timedelta(hours=hours) for hours in (1, 1, 3)]


def test_a_database_that_is_read_only_stops_no_request(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    from drf_tessera.exceptions import DatabaseUnavailable

    def fail(*given: object) -> None:
        raise DatabaseUnavailable

    monkeypatch.setattr(personal.rows, "note_use", fail)
    assert call(make(anna).text).status_code == 200


@pytest.mark.parametrize(
    "chosen",
    [
        {"name": ""},
        {"name": "a", "scope": 'a"b'},
        {"name": "a", "scope": "x" * 256},
        {"name": "a", "lifetime": timedelta(days=366)},
        {"name": "a", "lifetime": timedelta(0)},
    ],
)
def test_a_mistake_of_the_project_is_an_error(anna: AbstractBaseUser, chosen: Any) -> None:
    with pytest.raises(ProjectError):
        make(anna, **chosen)


def test_an_inactive_user_gets_no_token(anna: Any) -> None:
    anna.is_active = False
    with pytest.raises(UserInactive):
        make(anna)


def test_a_spelling_that_is_not_usual_is_not_remembered(anna: AbstractBaseUser) -> None:
    made = make(anna)
    for _ in range(2):
        assert APIClient().get("/scripts/", HTTP_AUTHORIZATION=f"bearer  {made.text}").status_code == 200
    assert recall_access_token(f"\n\nbearer  {made.text}") is None


def test_claims_of_the_project_are_in_a_token(anna: AbstractBaseUser, settings: Any) -> None:
    settings.TESSERA = {"CLAIMS": lambda user, session: {"plan": "pro", "label": session.label}}
    token = sessions.verify_personal_token(make(anna).text)
    assert isinstance(token, PersonalToken)
    assert (token["plan"], token["label"], token.jti) == ("pro", "CI", str(token.session_id))


# -- Other ways in ---------------------------------------------------------------------------------


class Wide(TokenMiddleware):
    personal = True


@pytest.mark.parametrize("kind", ["Wide", "TokenMiddleware"])
def test_the_decorator_decides_behind_each_middleware(
    kind: str, anna: AbstractBaseUser, settings: Any
) -> None:
    place = __name__ if kind == "Wide" else "drf_tessera.plain"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{place}.{kind}"]
    made = make(anna, scope="notes:read")
    for _ in range(2):
        assert Client().get("/plain/", **bearer(made.text)).status_code == 200
        refused = Client().get("/people-alone/", **bearer(made.text))
        assert refused.json()["code"] == "personal_token_refused"


@pytest.mark.usefixtures("still_feed")
def test_a_coroutine_with_a_known_token_takes_no_thread(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(anna, scope="notes:read")

    class Async(AsyncJWTAuthentication):
        accepts_personal_tokens = True

    @token_required(personal=True)
    async def view(request: HttpRequest) -> JsonResponse:
        return JsonResponse({"pk": str(request.user.pk)})

    @async_to_sync
    async def twice() -> Any:
        await view(make_request("header", made.text))
        with no_threads(monkeypatch):
            found = await Async().authenticate(make_request("header", made.text))
            return found, await view(make_request("header", made.text))

    (_, token), answer = twice()
    assert (token.name, answer.status_code) == ("CI", 200)
