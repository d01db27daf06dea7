"""Receivers learn of each refused access token and each refused refresh, and where it came from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from rest_framework.test import APIClient

from drf_tessera import sessions, signals
from tests.conftest import bearer

pytestmark = pytest.mark.django_db

ORIGIN = {"address": "192.0.2.1", "user_agent": "curl/8"}
SENT: dict[str, Any] = {"REMOTE_ADDR": "192.0.2.1", "HTTP_USER_AGENT": "curl/8\n"}


@pytest.fixture
def heard() -> Iterator[list[dict[str, Any]]]:
    found: list[dict[str, Any]] = []

    def hear(signal: Any, sender: object, **told: Any) -> None:
        found.append(told)

    for signal in (signals.token_refused, signals.refresh_failed):
        signal.connect(hear)
    yield found
    for signal in (signals.token_refused, signals.refresh_failed):
        signal.disconnect(hear)


def test_an_access_token(api: APIClient, heard: list[dict[str, Any]]) -> None:
    assert api.get("/me/", **SENT, **bearer("rubbish")).status_code == 401
    assert heard == [{"code": "token_malformed", **ORIGIN}]


def test_an_access_token_of_a_public_view(api: APIClient, heard: list[dict[str, Any]]) -> None:
    assert api.get("/public/", **SENT, **bearer("rubbish")).status_code == 200
    assert heard == [{"code": "token_malformed", **ORIGIN}]


def test_a_token_that_is_not_verified(api: APIClient, heard: list[dict[str, Any]]) -> None:
    assert api.post("/api/token/verify/", {"token": "rubbish"}, **SENT).status_code == 401
    assert heard == [{"code": "token_malformed", **ORIGIN}]


def test_a_refresh_token_that_ends_no_session(
    api: APIClient, heard: list[dict[str, Any]], anna: AbstractBaseUser
) -> None:
    grant = sessions.start(anna, transport="header")
    assert api.post("/api/token/revoke/", {"refresh": "rubbish"}).status_code == 401
    assert api.post("/api/token/revoke/", {"refresh": grant.refresh}).status_code == 200
    assert [told["code"] for told in heard] == ["refresh_invalid"]


def test_a_user_who_turns_out_to_be_inactive(
    api: APIClient, heard: list[dict[str, Any]], anna: AbstractBaseUser
) -> None:
    grant = sessions.start(anna)
    get_user_model().objects.filter(pk=anna.pk).update(is_active=False)
    assert api.get("/name/", **SENT, **bearer(grant.access)).status_code == 401
    assert heard == [{"code": "user_inactive", **ORIGIN}]


def test_a_request_without_a_token_is_not_told(api: APIClient, heard: list[dict[str, Any]]) -> None:
    assert api.get("/me/", **SENT).status_code == 401
    assert heard == []


@pytest.mark.parametrize("listens", [True, False])
def test_a_refresh(
    api: APIClient, anna: AbstractBaseUser, request: pytest.FixtureRequest, *, listens: bool
) -> None:
    heard = request.getfixturevalue("heard") if listens else []
    grant = sessions.start(anna)
    sessions.revoke(grant.session_id)
    for token in (grant.refresh, "tsr_rubbish"):
        assert api.post("/api/token/refresh/", {"refresh": token}, **SENT).status_code == 401
    known: tuple[UUID, str] = grant.session_id, str(anna.pk)
    expected = [("session_revoked", *known), ("refresh_invalid", None, None)]
    told = [{"code": code, "session_id": key, "sub": sub, **ORIGIN} for code, key, sub in expected]
    assert heard == (told if listens else [])


def test_a_receiver_that_fails_changes_no_answer(api: APIClient) -> None:
    def fail(**told: object) -> None:
        raise ValueError("the project's own mistake")

    signals.token_refused.connect(fail)
    try:
        assert api.get("/me/", **bearer("rubbish")).status_code == 401
    finally:
        signals.token_refused.disconnect(fail)


def test_without_a_receiver_nothing_is_read_for_it(
    api: APIClient, anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The audit trail is a receiver too. A project may switch it off."""
    for signal in (signals.login_failed, signals.token_refused, signals.refresh_failed):
        monkeypatch.setattr(signal, "receivers", [])
        signal.sender_receivers_cache.clear()
    wrong = {"username": anna.get_username(), "password": "wrong"}
    assert api.post("/api/token/", wrong).status_code == 401
    assert api.post("/api/token/refresh/", {"refresh": "tsr_x"}).status_code == 401
    assert api.get("/me/", **bearer("rubbish")).status_code == 401
    for signal in (signals.login_failed, signals.token_refused, signals.refresh_failed):
        signal.sender_receivers_cache.clear()
