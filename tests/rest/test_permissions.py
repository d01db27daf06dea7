"""Permissions by scope and claim, for our own tokens and for those of other issuers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.urls import path
from django.utils import translation
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from drf_tessera import sessions
from drf_tessera.exceptions import Impersonated, ProjectError, ProofNeeded, ScopeMissing
from drf_tessera.rest.permissions import HasClaim, HasScope, NotImpersonated, RecentLogin, TokenPermission
from drf_tessera.tokens import verify_access_token
from tests.conftest import bearer
from tests.issuers.material import issuer, make_jwk, write_claims, write_token

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


def make_view(*permissions: Any) -> Any:
    class View(APIView):
        permission_classes = permissions

        def get(self, request: Any) -> Response:
            return Response({})

    return View.as_view()


PERMISSIONS: dict[str, tuple[Any, ...]] = {
    "scope/": (HasScope("notes:read"),),
    "both/": (IsAuthenticated, HasScope("notes:read", "notes:write")),
    "claim/": (HasClaim("plan", "pro"),),
    "one/": (HasClaim("plan", ["pro", "team"]),),
    "or/": (HasScope("admin") | HasClaim("plan", "pro"),),
    "and/": (IsAuthenticated & HasScope("notes:read"),),
    "not/": (~HasScope("admin"),),
}
urlpatterns = [path(name, make_view(*classes)) for name, classes in PERMISSIONS.items()]

ONE = make_jwk("one")


def call(api: APIClient, path: str, **claims: Any) -> Any:
    return api.get(f"/{path}/", **bearer(write_token(ONE, write_claims(**claims))))


@pytest.fixture(autouse=True)
def _issuers(settings: Any) -> None:
    settings.TESSERA = {"ISSUERS": [issuer(ONE)]}


@pytest.mark.parametrize(
    ("path", "claims", "status"),
    [
        ("scope", {"scope": "x notes:read"}, 200),
        ("scope", {"scope": "notes:reader"}, 403),
        ("scope", {"scope": None}, 403),
        ("both", {"scope": "notes:write notes:read"}, 200),
        ("both", {"scope": "notes:read"}, 403),
        ("claim", {"plan": "pro"}, 200),
        ("claim", {"plan": ["free", "pro"]}, 200),
        ("claim", {"plan": "free"}, 403),
        ("claim", {}, 403),
        ("one", {"plan": "team"}, 200),
        ("one", {"plan": "free"}, 403),
        ("or", {"plan": "pro"}, 200),
        ("or", {"scope": "admin"}, 200),
        ("or", {}, 403),
        ("and", {"scope": "notes:read"}, 200),
        ("and", {}, 403),
        ("not", {}, 200),
        ("not", {"scope": "admin"}, 403),
    ],
)
def test_a_token_is_enough_or_not(api: APIClient, path: str, claims: dict[str, Any], status: int) -> None:
    answer = call(api, path, **claims)
    assert answer.status_code == status
    assert status == 403 or "WWW-Authenticate" not in answer


def test_our_own_tokens_have_scopes_and_claims_too(api: APIClient, anna: AbstractBaseUser) -> None:
    grant = sessions.start(anna, scope="notes:read notes:write", claims={"plan": "pro"})
    for name in ("scope", "both", "claim", "or"):
        assert api.get(f"/{name}/", **bearer(grant.access)).status_code == 200
    assert api.get("/scope/", **bearer(sessions.start(anna).access)).status_code == 403


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "challenge"),
    [
        ("both", 'Bearer realm="api", error="insufficient_scope", scope="notes:read notes:write"'),
        ("claim", 'Bearer realm="api", error="insufficient_scope"'),
    ],
)
def test_a_refusal_says_what_is_missing(api: APIClient, settings: Any, path: str, challenge: str) -> None:
    settings.REST_FRAMEWORK = {
        **settings.REST_FRAMEWORK,
        "EXCEPTION_HANDLER": "drf_tessera.exception_handler",
    }
    answer = call(api, path)
    assert answer.status_code == 403
    assert answer["WWW-Authenticate"] == challenge
    assert answer.json() == {
        "detail": "The access token does not have the permissions that this request needs.",
        "code": "insufficient_scope",
    }


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (HasScope("admin"), ScopeMissing),
        (HasClaim("plan", "pro"), ScopeMissing),
        (RecentLogin(timedelta(hours=1)), ProofNeeded),
        (NotImpersonated, Impersonated),
    ],
)
def test_a_refusal_has_the_language_of_the_request(kind: Any, error: Any) -> None:
    with translation.override("de"):
        text = str(kind().message)
    assert text != error.default_detail
    with translation.override("en"):
        assert kind().message == error.default_detail


def test_the_answer_has_the_language_and_the_challenge_stays_english(api: APIClient) -> None:
    with translation.override("ja"):
        answer = call(api, "scope")
        assert answer.json()["detail"] == ScopeMissing().detail != ScopeMissing.default_detail
    assert answer.headers["WWW-Authenticate"].isascii()


def test_nobody_is_asked_to_log_in(api: APIClient) -> None:
    answer = api.get("/scope/")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'


def test_a_user_without_a_token_has_no_scope(api: APIClient, anna: AbstractBaseUser) -> None:
    api.force_authenticate(anna)
    answer = api.get("/scope/")
    assert answer.status_code == 403
    assert "WWW-Authenticate" not in answer


def test_the_parent_decides_nothing(anna: AbstractBaseUser) -> None:
    token = verify_access_token(sessions.start(anna).access)
    with pytest.raises(NotImplementedError):
        TokenPermission().allows(token)


@pytest.mark.parametrize("scopes", [(), ("",), ("a b",), ('a"b',), (5,)])
def test_a_scope_is_one_word(scopes: tuple[Any, ...]) -> None:
    with pytest.raises(ProjectError):
        HasScope(*scopes)
