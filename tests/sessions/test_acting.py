"""Impersonation: a person acts as another one for some minutes (RFC 8693)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.urls import include, path
from django.utils import timezone
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from drf_tessera import sessions, signals
from drf_tessera.exceptions import ClaimsHookError, ProjectError, SessionExpired
from drf_tessera.models import Session
from drf_tessera.rest.authentication import JWTAuthentication
from drf_tessera.rest.permissions import NotImpersonated, RecentLogin
from drf_tessera.rest.proving import ProveView
from drf_tessera.sessions import acting
from drf_tessera.tokens import verify_access_token
from tests.conftest import PASSWORD, bearer

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


def make_view(kind: Any) -> Any:
    class Guarded(APIView):
        authentication_classes = (JWTAuthentication,)
        permission_classes = (kind,)

        def get(self, request: Any) -> Response:
            return Response({"pk": str(request.user.pk)})

    return Guarded.as_view()


urlpatterns = [
    path("api/token/", include("drf_tessera.rest.urls")),
    path("api/token/prove/", ProveView.as_view()),
    path("api/personal/", include("drf_tessera.rest.personal_urls")),
    path("own/", make_view(NotImpersonated)),
    path("recent/", make_view(RecentLogin(timedelta(hours=1)))),
]


@pytest.fixture
def taken(anna: AbstractBaseUser, bob: AbstractBaseUser) -> sessions.Grant:
    """Anna acts as Bob."""
    return sessions.impersonate(anna, bob, 10)


def test_the_token_says_who_acts(taken: sessions.Grant, anna: Any, bob: Any) -> None:
    token = verify_access_token(taken.access)
    assert (token.sub, token["act"], token.amr) == (str(bob.pk), {"sub": str(anna.pk)}, ())
    row = Session.objects.get()
    assert (row.user_id, row.actor, row.amr) == (bob.pk, str(anna.pk), "")


def test_a_refresh_keeps_the_actor_and_extends_nothing(anna: Any, bob: Any) -> None:
    now = timezone.now().replace(microsecond=0)
    grant = sessions.impersonate(anna, bob, 10, now=now)
    later = sessions.refresh(grant.refresh or "", now=now + timedelta(minutes=9))
    assert later.expires_in == later.refresh_expires_in == 60
    assert verify_access_token(later.access, now=now + timedelta(minutes=9))["act"] == {"sub": str(anna.pk)}
    with pytest.raises(SessionExpired):
        sessions.refresh(later.refresh or "", now=now + timedelta(minutes=11))


def test_no_hook_can_hide_the_actor(taken: sessions.Grant, settings: Any) -> None:
    settings.TESSERA = {"CLAIMS": lambda user, session: {"act": None}}
    with pytest.raises(ClaimsHookError):
        sessions.refresh(taken.refresh or "")


def test_only_some_people_may_act(anna: Any, bob: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PermissionDenied):
        sessions.impersonate(anna, anna, 10)
    for minutes in (0, 61):
        with pytest.raises(ProjectError):
            sessions.impersonate(anna, bob, minutes)
    bob.is_superuser = True
    with pytest.raises(PermissionDenied):
        sessions.impersonate(anna, bob, 10)
    anna.is_superuser = True
    sessions.impersonate(anna, bob, 10)
    monkeypatch.setattr(acting, "ACTOR_LENGTH", 0)
    with pytest.raises(ProjectError):
        sessions.impersonate(anna, bob, 10)


def test_the_actor_changes_no_session(api: APIClient, taken: sessions.Grant, bob: Any) -> None:
    own, token = sessions.start(bob), bearer(taken.access)
    calls = [
        api.delete("/api/token/sessions/", **token),
        api.delete("/api/token/sessions/others/", **token),
        api.delete(f"/api/token/sessions/{own.session_id}/", **token),
        api.post("/api/personal/", {"name": "script", "scope": "", "days": 1}, **token),
        api.post("/api/token/prove/", {"refresh": taken.refresh, "password": PASSWORD}),
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in calls} == {(403, "impersonated")}
    assert sessions.live_sessions(bob.pk).count() == 2


def test_the_actor_can_stop(api: APIClient, taken: sessions.Grant) -> None:
    assert api.post("/api/token/revoke/", {"refresh": taken.refresh}).json() == {"revoked": True}


def test_views_can_refuse_the_actor(api: APIClient, taken: sessions.Grant, bob: Any) -> None:
    """The user has proved nothing, so the session is not a recent login either."""
    token = bearer(taken.access)
    assert (api.get("/own/", **token).status_code, api.get("/recent/", **token).status_code) == (403, 403)
    token = bearer(sessions.start(bob).access)
    assert (api.get("/own/", **token).status_code, api.get("/recent/", **token).status_code) == (200, 200)


def test_both_see_the_session_and_can_end_it(api: APIClient, anna: Any, bob: Any) -> None:
    for person in (anna, bob):
        found_in = sessions.impersonate(anna, bob, 10)
        token = bearer(sessions.start(person).access)
        (found,) = [row for row in api.get("/api/token/sessions/", **token).json() if row["actor"]]
        assert (found["id"], found["actor"]) == (str(found_in.session_id), str(anna.pk))
        assert api.delete(f"/api/token/sessions/{found['id']}/", **token).status_code == 204
        assert api.delete(f"/api/token/sessions/{found['id']}/", **token).status_code == 404


def test_nobody_is_logged_out_by_it(anna: Any, bob: Any, settings: Any) -> None:
    settings.TESSERA = {"MAX_SESSIONS_PER_USER": 1}
    sessions.start(bob)
    sessions.impersonate(anna, bob, 10)
    assert sessions.live_sessions(bob.pk).count() == 2


def test_it_is_told(anna: Any, bob: Any, django_capture_on_commit_callbacks: Any) -> None:
    heard: list[Any] = []

    def hear(**told: Any) -> None:
        heard.append((told["sub"], told["actor"]))

    signals.session_impersonated.connect(hear)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            sessions.impersonate(anna, bob, 10)
    finally:
        signals.session_impersonated.disconnect(hear)
    assert heard == [(str(bob.pk), str(anna.pk))]
