"""Every endpoint answers a request that was authenticated without a token, as tests of projects do it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import AbstractBaseUser
from rest_framework.test import APIClient

from drf_tessera import sessions
from drf_tessera.http import find_view_class
from drf_tessera.rest.urls import urlpatterns
from drf_tessera.tokens import verify_access_token
from tests.conftest import make_user

pytestmark = pytest.mark.django_db

AUTHS: dict[str, Any] = {"nothing": None, "a text": "x", "an object": object()}
METHODS = ("get", "post", "delete", "head", "options")


@pytest.mark.parametrize("auth", AUTHS.values(), ids=AUTHS)
def test_no_endpoint_needs_a_token_of_ours_then(anna: AbstractBaseUser, auth: Any) -> None:
    for pattern in urlpatterns:
        for method in METHODS:
            if hasattr(find_view_class(pattern.callback), method):
                api = APIClient(raise_request_exception=True)
                api.force_authenticate(anna, token=auth)
                url = "/api/token/" + str(pattern.pattern).replace("<str:session_id>", str(uuid4()))
                answer = getattr(api, method)(url, {})
                expected = {"post": {400}}.get(method, {200, 404})
                assert answer.status_code in expected, (method, url, answer.status_code, answer.content)


def test_no_session_is_the_current_one_then(anna: AbstractBaseUser) -> None:
    other = sessions.start(make_user("other"))
    grants = [sessions.start(anna) for _ in range(2)]
    api = APIClient()
    api.force_authenticate(anna)
    assert [row["current"] for row in api.get("/api/token/sessions/").json()] == [False, False]
    assert api.delete(f"/api/token/sessions/{grants[0].session_id}/").status_code == 204
    assert api.delete("/api/token/sessions/others/").json() == {"revoked": 1}
    assert sessions.live_sessions(anna.pk).count() == 0
    verify_access_token(other.access)
    assert sessions.revoke(other.session_id)


def test_with_a_token_of_ours_its_session_is_the_current_one(anna: AbstractBaseUser) -> None:
    grant, _ = sessions.start(anna), sessions.start(anna)
    api = APIClient()
    api.force_authenticate(anna, token=verify_access_token(grant.access))
    assert sorted(row["current"] for row in api.get("/api/token/sessions/").json()) == [False, True]
    assert api.delete("/api/token/sessions/others/").json() == {"revoked": 1}
    assert api.delete(f"/api/token/sessions/{grant.session_id}/").status_code == 204
