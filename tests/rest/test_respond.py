"""A login of a project ends as ours does: the tokens travel by their transport, and no cache stores them."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest
from django.test import Client
from django.urls import path
from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient

from drf_tessera import sessions
from drf_tessera.models import Session
from drf_tessera.rest.requests import find_client
from drf_tessera.rest.responses import respond
from tests.conftest import PASSWORD, make_user
from tests.urls import urlpatterns as usual

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.rest.test_respond")]


@api_view(["POST"])
@authentication_classes([])
@permission_classes([])
def register(request: Request) -> Response:
    """Register, in the three lines of the guide."""
    user: Any = make_user(request.data["username"])
    grant = sessions.start(user, client=find_client(request))
    return respond(request, user, grant, status=201)


urlpatterns = [*usual, path("register/", register)]


def test_a_registration_logs_in(api: APIClient) -> None:
    answer = api.post("/register/", {"username": "carl"})
    assert answer.status_code == 201
    body = answer.json()
    assert body["user"]["username"] == "carl"
    assert "no-store" in answer["Cache-Control"]
    assert api.get("/me/", HTTP_AUTHORIZATION=f"Bearer {body['access']}").status_code == 200
    assert api.post("/api/token/refresh/", {"refresh": body["refresh"]}).status_code == 200


def test_with_cookies_the_refresh_token_is_not_in_the_body(api: APIClient, settings: Any) -> None:
    settings.TESSERA = {"PROFILE": "browser"}
    answer = api.post("/register/", {"username": "carl"})
    assert "refresh" not in answer.json()
    assert api.post("/api/token/refresh/", {}).status_code == 200


def test_another_site_cannot_log_its_visitors_in(settings: Any) -> None:
    settings.TESSERA = {"PROFILE": "browser"}
    browser = APIClient(enforce_csrf_checks=True)
    answer = browser.post(
        "/register/",
        {"username": "carl"},
        HTTP_ORIGIN="https://evil.example",
        HTTP_SEC_FETCH_SITE="cross-site",
    )
    assert answer.status_code == 403
    assert not answer.cookies
    assert Session.objects.get().revoked_at is not None


def test_the_user_of_the_body_can_be_chosen(anna: AbstractBaseUser, rf: Any) -> None:
    plain: HttpRequest = rf.post("/")
    body = respond(plain, anna, sessions.start(anna), user_data={"nickname": "Anni"}).data
    assert body["user"] == {"nickname": "Anni"}


def test_our_own_login_ends_in_the_same_way(anna: AbstractBaseUser, rf: Any) -> None:
    own = Client().post("/api/token/", {"username": anna.get_username(), "password": PASSWORD})
    assert respond(rf.post("/"), anna, sessions.start(anna)).data.keys() == own.json().keys()
