"""Receivers learn of each token that the packages with other names refuse, and where it came from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from rest_framework.test import APIClient

from drf_tessera import sessions, signals

pytestmark = pytest.mark.django_db

ORIGIN = {"address": "192.0.2.1", "user_agent": "curl/8"}
SENT: dict[str, Any] = {"REMOTE_ADDR": "192.0.2.1", "HTTP_USER_AGENT": "curl/8"}
Heard = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def heard() -> Iterator[Heard]:
    found: Heard = []

    def hear(signal: Any, sender: object, **told: Any) -> None:
        found.append(("token" if signal is signals.token_refused else "refresh", told))

    for signal in (signals.token_refused, signals.refresh_failed):
        signal.connect(hear)
    yield found
    for signal in (signals.token_refused, signals.refresh_failed):
        signal.disconnect(hear)


def list_codes(heard: Heard) -> list[tuple[str, str]]:
    for _, told in heard:
        assert {name: told[name] for name in ORIGIN} == ORIGIN
    return [(kind, told["code"]) for kind, told in heard]


@pytest.mark.urls("tests.compat.simplejwt_urls")
class TestSimplejwt:
    def test_a_refused_access_token(self, api: APIClient, heard: Heard, anna: AbstractBaseUser) -> None:
        ended = sessions.start(anna)
        sessions.revoke(ended.session_id)
        for header in ("Bearer rubbish", "Bearer a b", f"Bearer {ended.access}"):
            assert api.get("/me/", HTTP_AUTHORIZATION=header, **SENT).status_code == 401
        assert list_codes(heard) == [
            ("token", "token_malformed"),
            ("token", "bad_authorization_header"),
            ("token", "session_ended"),
        ]

    def test_a_user_who_turns_out_to_be_gone(
        self, api: APIClient, heard: Heard, anna: AbstractBaseUser
    ) -> None:
        grant = sessions.start(anna)
        get_user_model().objects.filter(pk=anna.pk).update(is_active=False)
        answer = api.get("/active/", HTTP_AUTHORIZATION=f"Bearer {grant.access}", **SENT)
        assert answer.status_code == 401
        assert list_codes(heard) == [("token", "user_inactive")]

    def test_a_refused_refresh(self, api: APIClient, heard: Heard, anna: AbstractBaseUser) -> None:
        ended, gone = sessions.start(anna), sessions.start(anna)
        sessions.revoke(ended.session_id)
        get_user_model().objects.filter(pk=anna.pk).update(is_active=False)
        for token in (ended.refresh, gone.refresh, "rubbish"):
            assert api.post("/api/token/refresh/", {"refresh": token}, **SENT).status_code == 401
        assert [kind for kind, _ in heard] == ["refresh"] * 3
        assert [told["session_id"] for _, told in heard] == [ended.session_id, gone.session_id, None]
        assert list_codes(heard)[0] == ("refresh", "session_revoked")

    def test_a_token_that_is_not_verified(self, api: APIClient, heard: Heard) -> None:
        assert api.post("/api/token/verify/", {"token": "rubbish"}, **SENT).status_code == 401
        assert [kind for kind, _ in list_codes(heard)] == ["token"]

    def test_a_token_that_is_not_put_on_the_blacklist(
        self, api: APIClient, heard: Heard, anna: AbstractBaseUser
    ) -> None:
        for token in ("rubbish", sessions.start(anna).access):
            assert api.post("/api/token/blacklist/", {"refresh": token}, **SENT).status_code == 401
        assert [kind for kind, _ in list_codes(heard)] == ["token"] * 2

    def test_a_request_that_is_not_valid_is_not_told(self, api: APIClient, heard: Heard) -> None:
        for name in ("refresh", "verify", "blacklist"):
            assert api.post(f"/api/token/{name}/", {}, **SENT).status_code == 400
        assert api.get("/me/", **SENT).status_code == 401
        assert heard == []


@pytest.mark.urls("tests.compat.jwt_urls")
class TestJwt:
    def test_a_refused_token(self, api: APIClient, heard: Heard, anna: AbstractBaseUser) -> None:
        ended = sessions.start(anna)
        sessions.revoke(ended.session_id)
        for header in ("JWT rubbish", "JWT a b", f"JWT {ended.access}"):
            assert api.get("/me/", HTTP_AUTHORIZATION=header, **SENT).status_code == 401
        codes = list_codes(heard)
        assert [kind for kind, _ in codes] == ["token"] * 3
        assert codes[1:] == [("token", "header_malformed"), ("token", "session_ended")]

    def test_a_token_that_is_not_verified_and_one_that_is_not_refreshed(
        self, api: APIClient, heard: Heard, anna: AbstractBaseUser
    ) -> None:
        for place in ("verify", "refresh"):
            assert api.post(f"/{place}/", {"token": "rubbish"}, **SENT).status_code == 400
            assert api.post(f"/{place}/", {}, **SENT).status_code == 400
        assert [kind for kind, _ in list_codes(heard)] == ["token", "refresh"]

    def test_a_user_who_turns_out_to_be_gone(
        self, api: APIClient, heard: Heard, anna: AbstractBaseUser
    ) -> None:
        grant = sessions.start(anna)
        get_user_model().objects.filter(pk=anna.pk).update(is_active=False)
        answer = api.get("/me/", HTTP_AUTHORIZATION=f"JWT {grant.access}", **SENT)
        assert answer.status_code == 401
        assert list_codes(heard) == [("token", "user_inactive")]
