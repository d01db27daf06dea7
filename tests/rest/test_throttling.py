"""The limits on guessing passwords."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from rest_framework.settings import api_settings
from rest_framework.test import APIClient

from tests.conftest import PASSWORD, bearer, log_in

pytestmark = pytest.mark.django_db


def attempt(api: APIClient, name: str, field: str = "username", **extra: str) -> int:
    return api.post("/api/token/", {field: name, "password": "wrong"}, **extra).status_code


def test_one_account_has_ten_attempts_a_minute_from_all_addresses(
    api: APIClient, anna: AbstractBaseUser
) -> None:
    statuses = [attempt(api, "anna", REMOTE_ADDR=f"192.0.2.{index}") for index in range(11)]
    assert statuses == [401] * 10 + [429]
    answer = api.post("/api/token/", {"username": "anna", "password": PASSWORD})
    assert (answer.status_code, answer.json()["code"]) == (429, "throttled")
    assert 0 < int(answer["Retry-After"]) <= 60
    assert attempt(api, "bob") == 401


def test_a_number_for_a_name_is_its_text(api: APIClient) -> None:
    statuses = [
        api.post("/api/token/", {"username": name, "password": "x"}).status_code for name in ("5", 5) * 5
    ]
    assert statuses == [401] * 10
    assert api.post("/api/token/", {"username": 5, "password": "x"}).status_code == 429


@pytest.mark.parametrize("alias", ["ANNA", " anna", "\uff41nna", "Anna "])
def test_other_ways_to_write_a_name_have_no_budget_of_their_own(api: APIClient, alias: str) -> None:
    for _ in range(10):
        attempt(api, "anna")
    assert attempt(api, alias) == 429


def test_the_address_and_the_name_are_one_field_to_it(api: APIClient) -> None:
    for index in range(10):
        attempt(api, "anna@example.com", field=("username", "email")[index % 2])
    assert attempt(api, "ANNA@example.com", field="email") == 429


def test_sixty_attempts_a_minute_from_one_address(api: APIClient) -> None:
    statuses = [attempt(api, f"user{index}") for index in range(61)]
    assert statuses == [401] * 60 + [429]
    assert attempt(api, "another", REMOTE_ADDR="192.0.2.1") == 401


def test_a_forwarded_address_is_believed_only_from_counted_proxies(
    api: APIClient, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TESSERA = {"LOGIN_RATE_PER_ADDRESS": "2/min"}
    spoofed = [attempt(api, f"a{index}", HTTP_X_FORWARDED_FOR=f"10.0.0.{index}") for index in range(3)]
    assert spoofed == [401, 401, 429]
    monkeypatch.setattr(api_settings, "NUM_PROXIES", 1)
    honest = [attempt(api, f"b{index}", HTTP_X_FORWARDED_FOR=f"x, 10.0.1.{index}") for index in range(3)]
    assert honest == [401] * 3
    behind = [attempt(api, f"c{index}", HTTP_X_FORWARDED_FOR=f"{index}, 10.0.2.1") for index in range(3)]
    assert behind == [401, 401, 429]


def test_a_network_of_ipv6_is_one_address(api: APIClient, settings: Any) -> None:
    settings.TESSERA = {"LOGIN_RATE_PER_ADDRESS": "2/min"}
    tries = [attempt(api, f"d{index}", REMOTE_ADDR=f"2001:db8::{index}") for index in range(3)]
    assert tries == [401, 401, 429]
    assert attempt(api, "e", REMOTE_ADDR="2001:db8:0:1::1") == 401


@pytest.mark.parametrize("rate", ["LOGIN_RATE_PER_ACCOUNT", "LOGIN_RATE_PER_ADDRESS"])
def test_the_rates_are_settings_and_live(api: APIClient, settings: Any, rate: str) -> None:
    settings.TESSERA = {rate: "1/hour"}
    assert [attempt(api, "anna") for _ in range(2)] == [401, 429]
    settings.TESSERA = {rate: None}
    assert attempt(api, "anna") == 401


def test_a_body_that_names_nobody_is_left_to_the_serializer(api: APIClient) -> None:
    for body in ([1], {"username": [5], "password": "x"}, {"username": "", "password": "x"}):
        assert [api.post("/api/token/", body).status_code for _ in range(12)] == [400] * 12


def test_a_client_without_an_address_is_limited_too(api: APIClient, settings: Any) -> None:
    """A request over a Unix socket has no address."""
    settings.TESSERA = {"LOGIN_RATE_PER_ADDRESS": "1/min"}
    assert [attempt(api, f"u{index}", REMOTE_ADDR="") for index in range(2)] == [401, 429]


def test_refreshes_and_calls_are_not_limited(api: APIClient, anna: AbstractBaseUser) -> None:
    body = log_in(api, anna)
    for _ in range(100):
        assert api.post("/api/token/refresh/", {"refresh": body["refresh"]}).status_code == 200
        assert api.get("/me/", **bearer(body["access"])).status_code == 200
