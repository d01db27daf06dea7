"""Real applications run on drf-tessera's ``rest_framework_simplejwt`` as on the original."""

from __future__ import annotations

from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone
from rest_framework.test import APIClient

from tests.conftest import PASSWORD, bearer

pytest.importorskip("dj_rest_auth", reason="tests/compat/test_applications_run.py runs this elsewhere")

from drf_tessera.models import Session  # imported late, because the line above may skip the file
from drf_tessera.revocation.feed import get_feed

pytestmark = pytest.mark.django_db(transaction=True)
LOGIN = {"username": "anna", "password": PASSWORD}


def test_the_original_is_not_there() -> None:
    with pytest.raises(PackageNotFoundError):
        version("djangorestframework-simplejwt")


# -- dj-rest-auth ----------------------------------------------------------------------------------


def test_dj_rest_auth_with_cookies(api: APIClient, anna: AbstractBaseUser) -> None:
    answer = api.post("/dj/login/", LOGIN)
    assert answer.status_code == 200, answer.content
    assert answer.json()["user"]["username"] == "anna"
    assert answer.json()["refresh"] == ""
    first = api.cookies["refresh"].value
    assert first.startswith("tsr_")
    assert api.cookies["refresh"]["httponly"]
    assert api.get("/dj/user/").json()["username"] == "anna"
    assert api.post("/dj/token/verify/", {"token": api.cookies["access"].value}).status_code == 200
    refreshed = api.post("/dj/token/refresh/", {})
    assert refreshed.status_code == 200
    assert "refresh" not in refreshed.json()
    assert api.cookies["refresh"].value != first
    assert Session.objects.count() == 1
    token = api.cookies["access"].value
    assert api.post("/dj/logout/", {}).status_code == 200
    get_feed.forget()
    assert api.get("/dj/user/", **bearer(token)).status_code == 401
    assert APIClient().post("/dj/token/refresh/", {"refresh": first}).status_code == 401


def test_dj_rest_auth_sets_a_cookie_that_works_for_each_order_of_answers(
    api: APIClient, anna: AbstractBaseUser
) -> None:
    api.post("/dj/login/", LOGIN)
    for _ in range(8):
        sent = api.cookies["refresh"].value
        assert api.post("/dj/token/refresh/", {}).status_code == 200
        api.cookies["refresh"] = sent  # the second tab sent it before the first answer arrived
        assert api.post("/dj/token/refresh/", {}).status_code == 200
        assert api.cookies["refresh"].value != sent
        Session.objects.update(rotated_at=timezone.now() - timedelta(minutes=5))
    assert Session.objects.get().revoked_at is None


def test_dj_rest_auth_refuses_a_wrong_password(api: APIClient, anna: AbstractBaseUser) -> None:
    assert api.post("/dj/login/", {**LOGIN, "password": "x"}).status_code == 400
    assert api.post("/dj/token/refresh/", {}).status_code == 401
    assert api.get("/dj/user/").status_code == 401


def test_dj_rest_auths_change_of_password_ends_every_session(api: APIClient, anna: AbstractBaseUser) -> None:
    api.post("/dj/login/", LOGIN)
    words = {"new_password1": "another horse", "new_password2": "another horse"}
    assert api.post("/dj/password/change/", words).status_code == 200
    get_feed.forget()
    assert api.get("/dj/user/").status_code == 401


# -- djoser ----------------------------------------------------------------------------------------


def test_djoser(api: APIClient, anna: AbstractBaseUser) -> None:
    pair = api.post("/djoser/jwt/create/", LOGIN).json()
    assert pair.keys() == {"access", "refresh"}
    for scheme in ("JWT", "Bearer"):
        answer = api.get("/djoser/me/", HTTP_AUTHORIZATION=f"{scheme} {pair['access']}")
        assert answer.json()["username"] == "anna"
    assert api.post("/djoser/jwt/verify/", {"token": pair["access"]}).status_code == 200
    again = api.post("/djoser/jwt/refresh/", {"refresh": pair["refresh"]}).json()
    assert api.get("/djoser/me/", **bearer(again["access"])).status_code == 200
    assert api.post("/token/blacklist/", {"refresh": again["refresh"]}).status_code == 200
    get_feed.forget()
    assert api.get("/djoser/me/", **bearer(again["access"])).status_code == 401
    assert api.post("/djoser/jwt/refresh/", {"refresh": again["refresh"]}).status_code == 401


def test_djosers_strategy_for_social_logins(anna: AbstractBaseUser, api: APIClient) -> None:
    from djoser.social.token.jwt import TokenStrategy

    pair = TokenStrategy.obtain(anna)
    assert api.get("/djoser/me/", **bearer(pair["access"])).status_code == 200


# -- drf-spectacular -------------------------------------------------------------------------------


def test_spectaculars_own_extensions_match(api: APIClient, anna: AbstractBaseUser) -> None:
    schema: Any = api.get("/schema/", {"format": "json"}).json()
    shapes, paths = schema["components"]["schemas"], schema["paths"]
    assert set(shapes["TokenObtainPair"]["properties"]) == {"access", "refresh", "username", "password"}
    assert shapes["TokenObtainPair"]["properties"]["access"]["readOnly"]
    assert shapes["TokenObtainPair"]["properties"]["password"]["writeOnly"]
    assert set(shapes["TokenRefresh"]["properties"]) == {"access", "refresh"}
    assert set(shapes["TokenVerify"]["properties"]) == {"token"}
    assert paths["/token/"]["post"]["requestBody"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/TokenObtainPair"
    }
    assert schema["components"]["securitySchemes"]["jwtAuth"]["scheme"] == "bearer"
    assert {"jwtAuth": []} in paths["/djoser/me/"]["get"]["security"]
