"""The project that ``tools.walk`` goes through, and the way: login, calls, refreshes, a theft, a logout."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db.models import F
from django.urls import include, path
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from drf_tessera.models import Session
from tools.walk import PASSWORD, Recorder, recording


class Me(APIView):
    """A view of the project."""

    permission_classes = (IsAuthenticated,)

    def get(self, request: Request) -> Response:
        """Return who asks, without loading the user."""
        return Response({"id": request.user.pk})


urlpatterns = [path("api/token/", include("drf_tessera.rest.urls")), path("me/", Me.as_view())]


def go() -> Iterator[Recorder]:
    """Run the way, and yield the steps of each request that is shown."""
    call_command("migrate", verbosity=0)
    User.objects.create_user("anna", "anna@example.com", PASSWORD)
    refresh("", log_in("")[0]["refresh"])  # compile and cache first what is made once in a process
    tokens, steps = log_in("Login")
    yield steps
    yield call("The first call with an access token", tokens["access"])
    yield call("The next call with it", tokens["access"])
    first = tokens["refresh"]
    tokens, steps = refresh("Refresh", first)
    yield steps
    yield refresh("The same refresh token again, within the grace window", first)[1]
    let_the_window_pass()
    refresh("", tokens["refresh"])
    yield refresh("The same refresh token again, after its successor was used: a theft", first)[1]
    tokens, _ = log_in("")
    call("", tokens["access"])
    yield log_out("Logout", tokens["refresh"])
    yield call("A call after the logout", tokens["access"])


def log_in(title: str) -> tuple[dict[str, str], Recorder]:
    """Log in by a password."""
    return _post(title, "", username="anna", password=PASSWORD)


def refresh(title: str, token: str) -> tuple[dict[str, str], Recorder]:
    """Refresh by a token in the body."""
    return _post(title, "refresh/", refresh=token)


def log_out(title: str, token: str) -> Recorder:
    """Log out by a refresh token in the body."""
    return _post(title, "revoke/", refresh=token)[1]


def call(title: str, token: str) -> Recorder:
    """Call the project's view."""
    with recording(title) as recorder:
        answer = APIClient().get("/me/", headers={"Authorization": f"Bearer {token}"})
    recorder.title += f": {answer.status_code}"
    return recorder


def let_the_window_pass() -> None:
    """Move the last rotation into the past, so that nobody has to wait."""
    Session.objects.update(rotated_at=F("rotated_at") - timedelta(hours=2))


def _post(title: str, address: str, **body: Any) -> tuple[dict[str, str], Recorder]:
    with recording(title) as recorder:
        answer = APIClient().post(f"/api/token/{address}", body, format="json")
    recorder.title += f": {answer.status_code}"
    return answer.json(), recorder
