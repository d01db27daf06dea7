"""Receivers learn of each access token that a plain view refuses, once, and where it came from."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest
from django.test import AsyncClient, Client, RequestFactory

from drf_tessera import sessions
from drf_tessera.exceptions import Refusal, TokenExpired
from drf_tessera.http import LateRefuser, report_refused_token
from drf_tessera.plain import LateRefusal, authenticate
from tests.conftest import bearer

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.plain.urls")]

MIDDLEWARE = "drf_tessera.plain.TokenMiddleware"
ORIGIN = {"address": "192.0.2.1", "user_agent": "curl/8"}
SENT: dict[str, Any] = {"REMOTE_ADDR": "192.0.2.1", "HTTP_USER_AGENT": "curl/8\n"}


@pytest.fixture(params=["middleware", "decorator alone"])
def way(request: pytest.FixtureRequest, settings: Any) -> str:
    if request.param == "middleware":
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, MIDDLEWARE]
    return str(request.param)


@pytest.mark.parametrize("name", ["sync", "async", "async-class", "me"])
def test_a_bad_token_is_told_once(way: str, name: str, refused_tokens: list[dict[str, Any]]) -> None:
    assert Client().get(f"/{name}/", **SENT, **bearer("rubbish")).status_code == 401
    assert refused_tokens == [{"code": "token_malformed", **ORIGIN}]


def test_a_bad_token_is_told_once_under_asgi(way: str, refused_tokens: list[dict[str, Any]]) -> None:
    answer = async_to_sync(AsyncClient().get)("/async/", headers={"authorization": "Bearer rubbish"})
    assert answer.status_code == 401
    assert [told["code"] for told in refused_tokens] == ["token_malformed"]


@pytest.mark.parametrize("name", ["sync", "async"])
def test_a_user_who_turns_out_to_be_inactive_is_told(
    way: str, name: str, refused_tokens: list[dict[str, Any]], anna: AbstractBaseUser
) -> None:
    access = sessions.start(anna).access
    get_user_model().objects.filter(pk=anna.pk).update(is_active=False)
    name = {"sync": "loading", "async": "async"}[name]
    assert Client().get(f"/{name}/", **SENT, **bearer(access)).status_code == 401
    assert refused_tokens == [{"code": "user_inactive", **ORIGIN}]


def test_a_view_behind_the_middleware_alone(refused_tokens: list[dict[str, Any]], settings: Any) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, MIDDLEWARE]
    assert Client().get("/public/", **SENT, **bearer("rubbish")).status_code == 200
    assert refused_tokens == [{"code": "token_malformed", **ORIGIN}]


def test_neither_a_missing_token_nor_a_missing_scope_is_told(
    way: str, refused_tokens: list[dict[str, Any]], anna: AbstractBaseUser
) -> None:
    access = sessions.start(anna).access
    assert Client().get("/sync/").status_code == 401
    assert Client().get("/scoped/", **bearer(access)).status_code == 403
    assert refused_tokens == []


@pytest.mark.parametrize("name", ["personal", "async-personal"])
def test_a_personal_token_that_the_view_accepts_is_not_told(
    way: str, name: str, refused_tokens: list[dict[str, Any]], anna: AbstractBaseUser, settings: Any
) -> None:
    settings.TESSERA = {"PERSONAL_TOKEN_SCOPES": ["notes:read"]}
    token = sessions.issue_personal_token(anna, name="script", scope="notes:read").text
    assert Client().get(f"/{name}/", **bearer(token)).status_code == 200
    assert refused_tokens == []
    assert Client().get("/sync/", **bearer(token)).status_code == 401
    assert [told["code"] for told in refused_tokens] == ["personal_token_refused"]


def test_the_address_is_that_behind_proxies(refused_tokens: list[dict[str, Any]], settings: Any) -> None:
    settings.REST_FRAMEWORK = {"NUM_PROXIES": 1}
    forwarded = {"x-forwarded-for": "10.0.0.1, 198.51.100.7"}
    Client(headers=forwarded).get("/sync/", **SENT, **bearer("rubbish"))
    assert [told["address"] for told in refused_tokens] == ["198.51.100.7"]


def test_a_user_that_outlives_the_request_is_not_told(
    refused_tokens: list[dict[str, Any]], anna: AbstractBaseUser
) -> None:
    request = RequestFactory().get("/", headers={"authorization": f"Bearer {sessions.start(anna).access}"})
    found = authenticate(request)
    assert found is not None
    users = [found.user, pickle.loads(pickle.dumps(found.user))]  # noqa: S301 - our own bytes
    get_user_model().objects.filter(pk=anna.pk).delete()
    del request, found
    for user in users:
        with pytest.raises(LateRefusal):
            user.get_username()
    assert refused_tokens == []


def test_nothing_is_told_about_a_request_of_our_own(refused_tokens: list[dict[str, Any]]) -> None:
    with sessions.unreported():
        report_refused_token("token_malformed", HttpRequest())
        with pytest.raises(Refusal):
            authenticate(RequestFactory().get("/", headers={"authorization": "Bearer rubbish"}))
    assert refused_tokens == []


def test_the_parent_makes_no_exception() -> None:
    with pytest.raises(NotImplementedError):
        LateRefuser.make(TokenExpired())
