"""Asynchronous views of adrf, and of projects that await their authentication classes."""

from __future__ import annotations

from typing import Any

import pytest
from adrf.views import APIView
from asgiref.sync import async_to_sync
from django.contrib.auth.models import AbstractBaseUser
from django.test import AsyncClient, Client
from django.urls import path
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from drf_tessera import JWTAuthentication, sessions
from drf_tessera.contrib.adrf import AsyncJWTAuthentication
from drf_tessera.http import name_cookies
from drf_tessera.rest.errors import Forbidden, Unauthorized
from tests.conftest import bearer
from tests.plain.test_coroutines import make_request, no_threads

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


def make_view(kind: type[JWTAuthentication]) -> Any:
    class View(APIView):
        authentication_classes = (kind,)
        permission_classes = (IsAuthenticated,)

        async def get(self, request: Any) -> Response:
            await request.user.arefresh_from_db()
            return Response({"name": request.user.get_username(), "sid": str(request.auth.session_id)})

    return View.as_view()


urlpatterns = [
    path("async/", make_view(AsyncJWTAuthentication)),
    path("usual/", make_view(JWTAuthentication)),
]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["async", "usual"])
@pytest.mark.parametrize("client", [AsyncClient, Client])
def test_a_view_of_adrf_authenticates(name: str, client: Any, anna: AbstractBaseUser) -> None:
    grant = sessions.start(anna)

    def call(token: str) -> Any:
        if client is Client:
            return Client().get(f"/{name}/", **bearer(token))
        headers = {"authorization": f"Bearer {token}"}
        return async_to_sync(AsyncClient().get)(f"/{name}/", headers=headers)

    for _ in range(2):
        answer = call(grant.access)
        assert answer.json() == {"name": anna.get_username(), "sid": str(grant.session_id)}
        assert "Authorization" in answer.headers["Vary"]
    bad = call("nonsense")
    assert (bad.status_code, bad.json()["code"]) == (401, "token_malformed")
    sessions.revoke(grant.session_id)
    assert call(grant.access).json()["code"] == "session_ended"


@pytest.mark.usefixtures("still_feed")
@pytest.mark.parametrize("way", ["header", "cookie"])
def test_a_known_token_takes_no_thread(
    way: str, anna: AbstractBaseUser, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TESSERA = {"PROFILE": "browser", "ACCESS_COOKIE": True}
    access = sessions.start(anna).access

    @async_to_sync
    async def call() -> Any:
        await AsyncJWTAuthentication().authenticate(make_request(way, access))
        with no_threads(monkeypatch):
            return await AsyncJWTAuthentication().authenticate(Request(make_request(way, access)))

    user, token = call()
    assert (user.pk, token.sub) == (anna.pk, str(anna.pk))


def test_a_user_who_is_loaded_at_once_and_a_subclass_take_a_thread(
    anna: AbstractBaseUser, settings: Any
) -> None:
    access = sessions.start(anna).access
    for kind in (ByParameter, AsyncJWTAuthentication):
        call = async_to_sync(kind().authenticate)
        assert call(make_request("header", access))
        assert call(make_request("header", access))
    settings.TESSERA = {"USER": "database"}
    access = sessions.start(anna).access
    call = async_to_sync(AsyncJWTAuthentication().authenticate)
    assert call(make_request("header", access))
    assert call(make_request("header", access))


class ByParameter(AsyncJWTAuthentication):
    def get_header(self, request: Any) -> str:
        return str(super().get_header(request))


def test_a_request_of_another_site_is_refused(anna: AbstractBaseUser, settings: Any) -> None:
    settings.TESSERA = {"PROFILE": "browser", "ACCESS_COOKIE": True}
    access = sessions.start(anna).access
    call = async_to_sync(AsyncJWTAuthentication().authenticate)
    assert call(make_request("cookie", access))
    evil = make_request("cookie", access, "post")
    evil.META["HTTP_SEC_FETCH_SITE"] = "cross-site"
    with pytest.raises(Forbidden):
        call(evil)
    evil.META["HTTP_COOKIE"] = f"{name_cookies()[1]}=bad"
    with pytest.raises(Unauthorized):
        call(evil)
