"""``revoke/`` takes the form of RFC 7009, beside its own."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.contrib.auth.models import AbstractBaseUser
from rest_framework.test import APIClient

from drf_tessera import sessions
from tests.conftest import bearer

pytestmark = pytest.mark.django_db

FORM = "application/x-www-form-urlencoded"


def revoke(api: APIClient, token: str, **more: Any) -> Any:
    headers = {name: more.pop(name) for name in list(more) if name.isupper()}
    body = urlencode({"token": token, **more})
    return api.post("/api/token/revoke/", body, content_type=FORM, **headers)


def is_live(grant: sessions.Grant, user: AbstractBaseUser) -> bool:
    return sessions.live_sessions(user.pk).filter(pk=grant.session_id).exists()


@pytest.mark.parametrize("hint", [None, "refresh_token", "access_token", "nonsense", ""])
@pytest.mark.parametrize("kind", ["refresh", "access"])
def test_a_token_of_either_kind_ends_its_session(
    api: APIClient, anna: AbstractBaseUser, kind: str, hint: str | None
) -> None:
    """The hint never counts (section 2.1: a server may ignore it)."""
    grant = sessions.start(anna)
    more = {} if hint is None else {"token_type_hint": hint}
    answer = revoke(api, str(getattr(grant, kind)), **more)
    assert (answer.status_code, answer.json()) == (200, {"revoked": True})
    assert not is_live(grant, anna)
    assert api.get("/me/", **bearer(grant.access)).status_code == 401
    answer = revoke(api, str(getattr(grant, kind)), **more)
    assert (answer.status_code, answer.json()) == (200, {"revoked": False})


@pytest.mark.parametrize("token", ["rubbish", "tsr_rubbish", "a.b.c", "x" * 20_000, "\u00e9"])
def test_an_unknown_token_is_not_an_error(api: APIClient, token: str) -> None:
    answer = revoke(api, token)
    assert (answer.status_code, answer.json()) == (200, {"revoked": False})


def test_only_the_named_session_is_ended(api: APIClient, anna: AbstractBaseUser) -> None:
    grant = sessions.start(anna)
    for token in (str(grant.refresh), grant.access):
        assert revoke(api, token, session=uuid4()).json() == {"revoked": False}
    assert is_live(grant, anna)
    assert revoke(api, grant.access, session=grant.session_id).json() == {"revoked": True}


def test_nothing_else_of_the_request_counts(api: APIClient, anna: AbstractBaseUser) -> None:
    """A caller may name a token that is not its own: to hold it is enough."""
    mine, other = sessions.start(anna), sessions.start(anna)
    revoke(api, other.access, refresh=str(mine.refresh), **bearer(mine.access))
    assert (is_live(mine, anna), is_live(other, anna)) == (True, False)


def test_the_refresh_token_of_a_cookie_never_comes_in_a_body(
    api: APIClient, anna: AbstractBaseUser, settings: Any
) -> None:
    settings.TESSERA = {"PROFILE": ["browser", "api"]}
    grant = sessions.start(anna, transport="cookie")
    assert revoke(api, str(grant.refresh)).json() == {"revoked": False}
    assert is_live(grant, anna)
    assert revoke(api, grant.access).json() == {"revoked": True}


@pytest.mark.parametrize(("body", "code"), [("token=", "token_missing"), ("token=%00", "invalid_request")])
def test_a_malformed_request_is_a_400(api: APIClient, body: str, code: str) -> None:
    answer = api.post("/api/token/revoke/", body, content_type=FORM)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_the_requests_of_a_session_are_counted(api: APIClient, anna: AbstractBaseUser, settings: Any) -> None:
    settings.TESSERA = {"TOKEN_RATE_PER_SESSION": "2/min"}
    grant = sessions.start(anna)
    assert [revoke(api, grant.access).status_code for _ in range(3)] == [200, 200, 429]


def test_a_malformed_request_has_the_members_that_oauth_clients_read(api: APIClient) -> None:
    """RFC 7009, section 2.2.1, refers to the errors of RFC 6749."""
    found = api.post("/api/token/revoke/", {"token": ["a", "b"]}, format="json").json()
    assert (found["error"], found["error_description"]) == ("invalid_request", found["detail"])
    refused = api.post("/api/token/revoke/", {"refresh": "rubbish"}).json()
    assert "error" not in refused, "a logout of our own client is not one of OAuth"
