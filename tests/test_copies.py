"""Every object that the package hands to a project can be pickled, copied, compared and cached.

Celery, caches, test runners and error reporters do this with every object that they receive.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.core.cache import caches
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.views import APIView
from rest_framework_jwt.utils import OwnClaims
from rest_framework_simplejwt.models import TokenUser
from rest_framework_simplejwt.tokens import AccessToken as SimpleAccessToken
from rest_framework_simplejwt.tokens import RefreshToken as SimpleRefreshToken

from drf_tessera import AccessToken, exceptions, rotation, sessions
from drf_tessera.exceptions import TesseraError
from drf_tessera.rest.errors import to_api_exception
from drf_tessera.tokens import read_refresh_token, verify_access_token
from tests.conftest import bearer

pytestmark = pytest.mark.django_db


def verify(grant: sessions.Grant) -> AccessToken:
    return verify_access_token(grant.access)


def make_request(grant: sessions.Grant) -> Any:
    return APIView().initialize_request(APIRequestFactory().get("/", **bearer(grant.access)))


def find_user(grant: sessions.Grant) -> Any:
    from drf_tessera import JWTAuthentication

    found = JWTAuthentication().authenticate(make_request(grant))
    assert found is not None
    return found[0]


OBJECTS: dict[str, Callable[[sessions.Grant], Any]] = {
    "request.auth": verify,
    "request.auth with nested claims": lambda grant: verify_access_token(
        sessions.sign_access_token(
            read_refresh_token(str(grant.refresh)).facts, {"roles": ["a", {"b": [1, None]}], "empty": {}}
        )
    ),
    "request.user": find_user,
    "a list of both": lambda grant: [find_user(grant), verify(grant)],
    "a grant": lambda grant: grant,
    "the facts of a session": lambda grant: verify(grant).facts,
    "a refresh token": lambda grant: read_refresh_token(str(grant.refresh)),
    "a client": lambda grant: sessions.Client(ip="192.0.2.1", user_agent="x"),
    "a legacy token": lambda grant: sessions.LegacyToken(package="x", jti="1", issued_at=1, expires_at=2),
    "a reason": lambda grant: sessions.Reason.LOGOUT,
    "an outcome": lambda grant: rotation.Outcome.REUSED,
    "a user without a row": lambda grant: TokenUser(SimpleAccessToken(grant.access)),
    "a payload of rest_framework_jwt": lambda grant: OwnClaims(verify(grant)),
}
PLAIN: dict[str, Callable[[sessions.Grant], Any]] = {
    "an access token of rest_framework_simplejwt": lambda grant: SimpleAccessToken(grant.access),
    "a refresh token of rest_framework_simplejwt": lambda grant: SimpleRefreshToken(str(grant.refresh)),
}
"""Objects that can be copied, and that are compared by identity, as they were in the original."""

WAYS: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),  # noqa: S301 - its own
    "the oldest pickle": lambda value: pickle.loads(pickle.dumps(value, protocol=2)),  # noqa: S301 - its own
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "cache": lambda value: (caches["default"].set("x", value), caches["default"].get("x"))[1],
}


@pytest.fixture
def grant(anna: AbstractBaseUser) -> sessions.Grant:
    return sessions.start(anna)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("make", OBJECTS.values(), ids=OBJECTS)
def test_a_copy_is_equal(grant: sessions.Grant, make: Any, way: Any) -> None:
    original = make(grant)
    found = way(original)
    assert found == original
    assert type(found) is type(original)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("make", PLAIN.values(), ids=PLAIN)
def test_a_copy_has_the_same_claims(grant: sessions.Grant, make: Any, way: Any) -> None:
    original = make(grant)
    assert way(original).payload == original.payload


def walk(kind: type[TesseraError]) -> list[type[TesseraError]]:
    return [kind, *(below for child in kind.__subclasses__() for below in walk(child))]


ARGUMENTS: dict[type[TesseraError], tuple[Any, ...]] = {
    exceptions.TransportUnavailable: (("header",),),
    exceptions.ScopeUnavailable: (("notes:read",),),
    exceptions.TooManyAttempts: (3,),
    exceptions.FetchSiteRefused: ("cross-site",),
    exceptions.CsrfTokenRefused: ("missing",),
    exceptions.CookieAmbiguous: ("x",),
    exceptions.ChallengeRequired: ("the user", "the challenge"),
    exceptions.TokenClaimInvalid: ("sid",),
}


def make_error(kind: type[TesseraError]) -> TesseraError:
    if kind is exceptions.OriginRefused:
        return kind(same_host=True)  # type: ignore[call-arg]  # only this class has this argument
    return kind(*ARGUMENTS.get(kind, ()))


@pytest.mark.parametrize(
    "kind", [kind for kind in walk(TesseraError) if kind.__module__.startswith(f"{exceptions.__name__}.")]
)
def test_errors_survive_a_pickle(kind: type[TesseraError]) -> None:
    error = make_error(kind)
    for way in ("pickle", "copy", "deepcopy"):
        found = WAYS[way](error)
        assert (type(found), found.detail, str(found), vars(found)) == (
            kind,
            error.detail,
            str(error),
            vars(error),
        )
    if not isinstance(error, exceptions.ProjectError) and kind is not TesseraError:
        answer = WAYS["pickle"](to_api_exception(error))
        assert (answer.get_codes(), str(answer)) == (kind.code, str(to_api_exception(error)))


def test_equal_tokens_have_one_hash_and_others_differ(grant: sessions.Grant, anna: AbstractBaseUser) -> None:
    token, other = verify(grant), verify(sessions.start(anna))
    assert hash(pickle.loads(pickle.dumps(token))) == hash(token)  # noqa: S301 - its own
    assert token != other
    assert len({token, other, WAYS["pickle"](token)}) == 2


def test_a_restored_token_cannot_be_changed(grant: sessions.Grant) -> None:
    found = WAYS["pickle"](verify(grant))
    with pytest.raises(TypeError):
        found.claims["sub"] = "another"
    assert found["sid"] == str(grant.session_id)
    assert found.get("no such claim", uuid4) is uuid4


def test_forced_authentication_takes_a_restored_token(grant: sessions.Grant, anna: AbstractBaseUser) -> None:
    from drf_tessera.rest.views import SessionListView

    request = APIRequestFactory().get("/")
    force_authenticate(request, user=anna, token=WAYS["pickle"](verify(grant)))
    (row,) = SessionListView.as_view()(request).data
    assert row["current"]
