"""Tokens of other issuers in requests, beside our own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from rest_framework.test import APIClient

from drf_tessera import sessions
from drf_tessera.http.cookies import name_access_cookie
from drf_tessera.issuers import provider
from drf_tessera.issuers.fetching import FetchError
from tests.conftest import bearer
from tests.issuers.material import NAME, issuer, make_jwk, write_claims, write_token
from tests.settings import USER_MODEL
from tests.test_error_frames import watched

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls("tests.issuers.urls"),
    pytest.mark.skipif(USER_MODEL != "auth.User", reason="the entries name fields of Django's own model"),
]

ONE, TWO = make_jwk("one"), make_jwk("two")


@pytest.fixture(autouse=True)
def _issuers(settings: Any) -> None:
    settings.TESSERA = {"ISSUERS": [issuer(ONE)]}


def token(**claims: Any) -> dict[str, str]:
    return bearer(write_token(ONE, write_claims(**claims)))


def with_users(settings: Any) -> None:
    settings.TESSERA = {"ISSUERS": [issuer(ONE, user_field="username")]}


def test_a_remembered_token_needs_no_query_and_no_signature(
    api: APIClient, django_assert_num_queries: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    auth = token()
    with django_assert_num_queries(0):
        first = api.get("/whoami/", **auth)
        monkeypatch.setattr("drf_tessera.issuers.verifying.Verifier.decode", None)
        again = api.get("/whoami/", **auth)
    assert first.json() == again.json() == {"user": "u1", "issuer": NAME, "scopes": ["read", "write"]}
    assert "Authorization" in again["Vary"]


def test_a_lazy_user_needs_no_query_once_remembered(
    api: APIClient, settings: Any, anna: AbstractBaseUser, django_assert_num_queries: Callable[..., Any]
) -> None:
    with_users(settings)
    auth = token(sub="anna")
    with django_assert_num_queries(1):
        api.get("/me/", **auth)
    with django_assert_num_queries(0):
        assert api.get("/me/", **auth).json() == {"id": str(anna.pk)}
    with django_assert_num_queries(1):
        assert api.get("/name/", **auth).json() == {"name": "anna"}
    with django_assert_num_queries(1):
        assert api.get("/strict/", **auth).json() == {"id": str(anna.pk)}


def test_our_own_tokens_are_accepted_as_before(
    api: APIClient, anna: AbstractBaseUser, django_assert_num_queries: Callable[..., Any]
) -> None:
    grant = sessions.start(anna)
    api.get("/me/", **bearer(grant.access))
    with django_assert_num_queries(0):
        assert api.get("/me/", **bearer(grant.access)).status_code == 200


def test_our_own_keys_sign_for_no_other_issuer(api: APIClient, anna: AbstractBaseUser) -> None:
    """And the keys of another issuer sign nothing of ours, not even with our own name in the token."""
    ours = sessions.start(anna).access.split(".")
    theirs = write_token(ONE, write_claims()).split(".")
    for mixed in ([ours[0], theirs[1], ours[2]], [theirs[0], ours[1], theirs[2]]):
        assert api.get("/me/", **bearer(".".join(mixed))).status_code == 401
    claims = write_claims(iss="drf-tessera", aud="drf-tessera", sub=str(anna.pk))
    answer = api.get("/me/", **bearer(write_token(ONE, claims)))
    assert (answer.status_code, answer.json()["detail"]) == (
        401,
        "The access token was signed with a key that this server does not know.",
    )


@pytest.mark.parametrize(
    ("claims", "text"),
    [
        ({"aud": "other"}, "The access token is meant for another audience."),
        ({"exp": 1}, "The access token has expired."),
        ({"sub": "nobody"}, "The user of this token does not exist."),
    ],
)
def test_a_refusal_has_a_challenge(api: APIClient, settings: Any, claims: dict[str, Any], text: str) -> None:
    with_users(settings)
    answer = api.get("/me/", **token(**claims))
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == (
        f'Bearer realm="api", error="invalid_token", error_description="{text}"'
    )


def test_an_unknown_issuer_is_refused_by_our_own_rules(api: APIClient) -> None:
    answer = api.get("/me/", **token(iss="https://unknown.example"))
    assert answer.status_code == 401
    assert "invalid_token" in answer["WWW-Authenticate"]


def test_a_public_view_takes_it_too(api: APIClient) -> None:
    assert api.get("/public/", **token()).json()["id"] == f"{NAME}|u1"
    assert api.get("/public/", **token(exp=1)).json() == {"id": None, "reason": "token_expired"}


def test_a_user_who_is_gone_later_is_a_401(api: APIClient, settings: Any, anna: AbstractBaseUser) -> None:
    with_users(settings)
    auth = token(sub="anna")
    assert api.get("/name/", **auth).status_code == 200
    anna.delete()
    assert api.get("/name/", **auth).status_code == 401


def test_permissions_and_throttles_know_a_principal(api: APIClient) -> None:
    assert api.get("/staff/", **token()).status_code == 403
    assert [api.get("/once/", **token(sub=sub)).status_code for sub in ("a", "a", "b")] == [200, 429, 200]


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "sessions/"),
        ("delete", "sessions/"),
        ("delete", "sessions/others/"),
        ("delete", "sessions/6f3c2d50-0000-4000-8000-000000000000/"),
        ("post", "revoke/"),
    ],
)
def test_it_never_passes_for_a_session(  # noqa: PLR0917 - pytest passes them by name
    api: APIClient, settings: Any, anna: AbstractBaseUser, mapped: bool, method: str, path: str
) -> None:
    """Not even with the ``sid`` of a session of ours, and not for the user that it stands for."""
    if mapped:
        with_users(settings)
    grant = sessions.start(anna)
    answer = getattr(api, method)(f"/api/token/{path}", **token(sub="anna", sid=str(grant.session_id)))
    assert (answer.status_code, answer.json()["code"]) == (403, "session_missing")
    assert api.get("/strict/", **bearer(grant.access)).status_code == 200


def test_it_is_not_a_token_for_the_endpoint_that_verifies(api: APIClient, anna: AbstractBaseUser) -> None:
    answer = api.post("/api/token/verify/", {"token": write_token(ONE, write_claims())})
    assert (answer.status_code, answer.json()["code"]) == (401, "token_wrong_issuer")
    assert api.post("/api/token/verify/", {"token": sessions.start(anna).access}).status_code == 200


def test_the_access_cookie_carries_our_own_tokens_only(
    api: APIClient, settings: Any, anna: AbstractBaseUser
) -> None:
    settings.TESSERA = {"ISSUERS": [issuer(ONE)], "PROFILE": "browser", "ACCESS_COOKIE": True}
    for text, status in ((sessions.start(anna).access, 200), (write_token(ONE, write_claims()), 401)):
        api.cookies[name_access_cookie(secure=True)] = text
        assert api.get("/me/", HTTP_ORIGIN="https://testserver", secure=True).status_code == status


def test_a_provider_that_does_not_answer_is_a_503(
    api: APIClient, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(address: str) -> None:
        raise FetchError(address)

    monkeypatch.setattr(provider, "fetch", fail)
    monkeypatch.setattr(provider.Provider.__init__, "__defaults__", (fail,))
    settings.TESSERA = {"ISSUERS": [issuer(algorithms=["ES256"])]}
    answer = api.get("/me/", **token())
    assert (answer.status_code, answer.json()["code"]) == (503, "issuer_unavailable")
    assert answer["Retry-After"] == "10"


@pytest.mark.slow
def test_no_variable_of_ours_shows_the_token(api: APIClient, settings: Any, anna: AbstractBaseUser) -> None:
    """As in tests/test_error_frames.py: an error may be raised at each line."""
    with_users(settings)
    good = token(sub="anna")
    with watched() as found:
        for auth in (good, good, token(sub="nobody"), token(aud="other"), token(iss="https://x.example")):
            for path in ("/me/", "/strict/", "/public/", "/api/token/sessions/"):
                api.get(path, **auth)
            api.post("/api/token/revoke/", {}, **auth)
    assert found == set()
