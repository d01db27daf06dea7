"""A transport is one class and two lines: the views, the serializers and the sessions do not know it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from rest_framework.test import APIClient

from drf_tessera.conf import LIMITS, settings, transports, values
from drf_tessera.http import TRANSPORTS
from drf_tessera.rest.serializers import LoginSerializer
from drf_tessera.tokens import refresh as refresh_module
from tests.conftest import PASSWORD, bearer

HEADER = "X-Refresh-Token"


class OwnHeaderTransport:
    """A third transport, as a project of an odd proxy might want it."""

    ambient = False
    in_body = False

    def read(self, request: HttpRequest, body: dict[str, Any]) -> str | None:
        return request.headers.get(HEADER)

    def deliver(self, request: HttpRequest, response: HttpResponse, grant: Any, body: dict[str, Any]) -> None:
        body.pop("refresh", None)
        if grant.refresh is not None:
            response[HEADER] = grant.refresh

    def clear(self, request: HttpRequest, response: HttpResponse, ended: Any) -> None:
        response[HEADER] = ""


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    limits = transports.TransportLimits(profile="proxy", refresh_length=4096)
    monkeypatch.setitem(LIMITS, "own", limits)  # type: ignore[arg-type]  # a mapping that code does not change
    monkeypatch.setitem(transports.PROFILES, "proxy", "own")  # type: ignore[arg-type]  # the same
    monkeypatch.setitem(TRANSPORTS, "own", OwnHeaderTransport())  # type: ignore[arg-type]  # the same
    settings.TESSERA = {"PROFILE": "proxy"}


@pytest.mark.usefixtures("own")
def test_a_third_transport_logs_in_refreshes_and_logs_out(api: APIClient, anna: AbstractBaseUser) -> None:
    login = api.post("/api/token/", {"username": anna.get_username(), "password": PASSWORD})
    assert (login.status_code, "refresh" in login.json()) == (200, False)
    token = login[HEADER]
    again = api.post("/api/token/refresh/", {}, headers={HEADER: token})
    assert again.status_code == 200, again.content
    assert again[HEADER] != token
    assert api.get("/me/", **bearer(again.json()["access"])).status_code == 200
    out = api.post("/api/token/revoke/", {}, headers={HEADER: again[HEADER]})
    assert out.json() == {"revoked": True}
    gone = api.post("/api/token/refresh/", {}, headers={HEADER: again[HEADER]})
    assert gone.json()["code"] == "session_revoked"


@pytest.mark.usefixtures("own")
def test_its_token_is_refused_by_another_transport(api: APIClient, anna: AbstractBaseUser) -> None:
    login = api.post("/api/token/", {"username": anna.get_username(), "password": PASSWORD})
    answer = api.post("/api/token/refresh/", {"refresh": login[HEADER]})
    assert (answer.status_code, answer.json()["code"]) == (401, "transport_mismatch")


@pytest.mark.usefixtures("own")
def test_a_request_without_any_refresh_token_is_refused(api: APIClient, db: None) -> None:
    answer = api.post("/api/token/refresh/", {})
    assert (answer.status_code, answer.json()["code"]) == (401, "refresh_missing")


def test_the_tables_agree() -> None:
    assert tuple(LIMITS) == tuple(TRANSPORTS) == tuple(LoginSerializer().fields["transport"].choices)
    assert settings.PROFILES is values.PROFILES is transports.PROFILES
    assert refresh_module.LIMITS is LIMITS
