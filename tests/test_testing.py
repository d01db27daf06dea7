"""The clients and tokens for the tests of a project, with any runner."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.core.cache import cache
from rest_framework.test import APIClient

from drf_tessera.exceptions import ClaimsHookError
from drf_tessera.models import Session
from drf_tessera.testing import (
    client_for,
    client_with,
    ended_token,
    expired_token,
    forget_attempts,
    wrong_audience_token,
)
from drf_tessera.tokens import verify_access_token

pytestmark = pytest.mark.django_db

TOKENS = {
    "token_expired": expired_token,
    "token_wrong_audience": wrong_audience_token,
    "session_ended": ended_token,
}


def test_a_client_is_logged_in_by_a_real_session(anna: AbstractBaseUser) -> None:
    client = client_for(anna, scope="notes:read", amr=("otp",), tenant="blue")
    assert client.get("/me/").json()["id"] == str(anna.pk)
    assert client.grant is not None
    assert client.grant.session_id == Session.objects.get().pk
    token = verify_access_token(client.grant.access)
    assert (token.scope, token.amr, token["tenant"]) == ("notes:read", ("otp",), "blue")


def test_a_registered_claim_is_refused(anna: AbstractBaseUser) -> None:
    with pytest.raises(ClaimsHookError, match="'exp'"):
        client_for(anna, exp=5)


@pytest.mark.parametrize("code", TOKENS)
def test_each_bad_token_is_refused_for_its_own_reason(anna: AbstractBaseUser, code: str) -> None:
    """The good token before and after shows that only this token is bad."""
    good, bad = client_for(anna), client_with(TOKENS[code](anna))
    answer = bad.get("/me/")
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert good.get("/me/").status_code == 200
    assert bad.grant is None


def test_the_header_of_the_settings_is_sent(anna: AbstractBaseUser, settings: Any) -> None:
    settings.TESSERA = {"HEADER_NAME": "X-Authorization", "HEADER_PREFIX": "JWT"}
    client = client_for(anna)
    assert client.get("/me/").status_code == 200
    assert list(client._credentials) == ["HTTP_X_AUTHORIZATION"]


@pytest.mark.slow
def test_forgotten_attempts_do_not_count(anna: AbstractBaseUser) -> None:
    """And nothing of the project's is deleted from the cache."""
    cache.set("of-the-project", 1)

    def fail() -> int:
        answer = APIClient().post("/api/token/", {"username": anna.get_username(), "password": "x"})
        return answer.status_code

    while fail() != 429:
        pass
    assert fail() == 429
    forget_attempts()
    assert fail() == 401
    assert cache.get("of-the-project") == 1
