"""One login may last longer or shorter than others, from its first token to its last."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone
from rest_framework.test import APIClient

from drf_tessera import sessions
from drf_tessera.conf import Lifetimes
from drf_tessera.exceptions import ProjectError, SessionExpired, TransportUnavailable
from drf_tessera.models import Session
from drf_tessera.tokens import read_refresh_token, verify_access_token
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SHORT = Lifetimes(idle=HOUR, absolute=DAY)
LONG = Lifetimes(idle=timedelta(days=60), absolute=timedelta(days=365))


@pytest.fixture(params=["one statement", "with the row"])
def way(request: pytest.FixtureRequest, settings: Any) -> None:
    """Refresh in the one statement, and in the way that reads the row first."""
    if request.param == "with the row":
        settings.TESSERA = {"CLAIMS": "tests.sessions.test_lifetimes.describe"}


def describe(user: object, session: object) -> dict[str, Any]:
    return {"color": "green"}


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("lifetimes", [SHORT, LONG])
def test_row_and_answers_say_the_same_at_birth_and_after_each_refresh(
    anna: AbstractBaseUser, lifetimes: Lifetimes
) -> None:
    now = timezone.now()
    grant = sessions.start(anna, lifetimes=lifetimes, now=now)
    born = now
    for _ in range(3):
        row = Session.objects.get()
        assert (row.idle_expires_at, row.expires_at) == (now + lifetimes.idle, born + lifetimes.absolute)
        assert abs(grant.refresh_expires_in - lifetimes.idle.total_seconds()) <= 1
        assert read_refresh_token(grant.refresh or "").facts.expires_at == int(row.expires_at.timestamp())
        now += lifetimes.idle / 2
        grant = sessions.refresh(grant.refresh or "", now=now)


@pytest.mark.usefixtures("way")
def test_a_session_ends_when_it_is_idle_for_its_own_time(anna: AbstractBaseUser) -> None:
    now = timezone.now()
    grant = sessions.start(anna, lifetimes=SHORT, now=now)
    grant = sessions.refresh(grant.refresh or "", now=now + HOUR / 2)
    with pytest.raises(SessionExpired):
        sessions.refresh(grant.refresh or "", now=now + HOUR / 2 + HOUR)


@pytest.mark.parametrize(
    "lifetimes",
    [
        Lifetimes(idle=timedelta(seconds=20), absolute=DAY),
        Lifetimes(idle=HOUR, absolute=timedelta(seconds=20)),
    ],
)
def test_no_access_token_outlives_a_short_session(anna: AbstractBaseUser, lifetimes: Lifetimes) -> None:
    now = timezone.now()
    grant = sessions.start(anna, lifetimes=lifetimes, now=now)
    assert 18 <= grant.expires_in <= 20
    assert verify_access_token(grant.access).expires_at <= now.timestamp() + 20


@pytest.mark.parametrize(
    "lifetimes", [Lifetimes(idle=timedelta(0), absolute=DAY), Lifetimes(idle=DAY, absolute=-DAY)]
)
def test_a_session_lasts_at_least_a_second(anna: AbstractBaseUser, lifetimes: Lifetimes) -> None:
    with pytest.raises(ProjectError, match="at least a second"):
        sessions.start(anna, lifetimes=lifetimes)
    assert not Session.objects.exists()


# -- The transport ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "first"), [("api", "header"), ("browser", "cookie"), (["browser", "api"], "cookie")]
)
def test_without_a_choice_the_first_transport_of_the_profile_is_taken(
    anna: AbstractBaseUser, settings: Any, profile: Any, first: str
) -> None:
    settings.TESSERA = {"PROFILE": profile}
    grant = sessions.start(anna)
    assert grant.transport == first
    assert sessions.refresh(grant.refresh or "", transport=first).refresh


def test_a_transport_that_the_profile_does_not_offer_is_refused(
    anna: AbstractBaseUser, settings: Any
) -> None:
    settings.TESSERA = {"PROFILE": "browser"}
    with pytest.raises(TransportUnavailable):
        sessions.start(anna, transport="header")
    assert not Session.objects.exists()


# -- "Remember me" ---------------------------------------------------------------------------------


def log_in(**more: object) -> Any:
    api = APIClient()
    answer = api.post("/api/token/", {"username": "anna", "password": PASSWORD, **more}, format="json")
    assert answer.status_code == 200, answer.content
    return api, answer


def read_cookie(answer: Any) -> Any:
    (name,) = [name for name in answer.cookies if "refresh" in name]
    return answer.cookies[name]


def lasts(end: datetime) -> timedelta:
    return timedelta(seconds=round((end - timezone.now()).total_seconds() / 60) * 60)


REMEMBER = {"REMEMBER_ME": (LONG.idle, LONG.absolute), "PROFILE": ["browser", "api"]}


@pytest.mark.parametrize("more", [{}, {"remember": False}])
def test_a_login_that_is_not_remembered_ends_with_the_browser(
    anna: AbstractBaseUser, settings: Any, more: dict[str, Any]
) -> None:
    settings.TESSERA = REMEMBER
    api, answer = log_in(**more)
    assert (read_cookie(answer)["max-age"], read_cookie(answer)["expires"]) == ("", "")
    assert lasts(Session.objects.get().expires_at) == timedelta(days=90)
    again = api.post("/api/token/refresh/", {}, format="json")
    assert (read_cookie(again)["max-age"], read_cookie(again)["expires"]) == ("", "")


def test_a_login_that_is_remembered_has_the_longer_lifetimes(anna: AbstractBaseUser, settings: Any) -> None:
    settings.TESSERA = REMEMBER
    api, answer = log_in(remember=True)
    row = Session.objects.get()
    assert (lasts(row.idle_expires_at), lasts(row.expires_at)) == (LONG.idle, LONG.absolute)
    for found in (answer, api.post("/api/token/refresh/", {}, format="json")):
        assert abs(read_cookie(found)["max-age"] - LONG.idle.total_seconds()) < 120


def test_without_the_setting_each_login_is_remembered_for_the_usual_time(
    anna: AbstractBaseUser, settings: Any
) -> None:
    settings.TESSERA = {"PROFILE": "browser"}
    _, answer = log_in(remember=True)
    assert abs(read_cookie(answer)["max-age"] - timedelta(days=14).total_seconds()) < 120


def test_the_access_cookie_ends_with_the_browser_too(anna: AbstractBaseUser, settings: Any) -> None:
    settings.TESSERA = {**REMEMBER, "ACCESS_COOKIE": True}
    assert all(cookie["max-age"] == "" for cookie in log_in()[1].cookies.values())
    assert all(cookie["max-age"] for cookie in log_in(remember=True)[1].cookies.values())
