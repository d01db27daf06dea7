"""The signal ``new_device``: a login from a network or with a user agent that no earlier session has."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone
from rest_framework.test import APIClient

from drf_tessera import sessions, signals
from drf_tessera.models import Session
from drf_tessera.sessions import Client
from tests.conftest import PASSWORD, make_user

pytestmark = pytest.mark.django_db

NOW = timezone.now().replace(microsecond=0)
HOME, NEAR, AWAY = "2001:db8:1:1::5", "2001:db8:1:1::6", "198.51.100.7"


@pytest.fixture
def heard() -> Iterator[list[dict[str, Any]]]:
    found: list[dict[str, Any]] = []

    def receive(sender: Any, signal: Any, **arguments: Any) -> None:
        assert sender is Session
        found.append(arguments)

    signals.new_device.connect(receive)
    yield found
    signals.new_device.disconnect(receive)


def test_a_login_over_the_endpoint_carries_the_address_and_the_device(
    api: APIClient,
    anna: AbstractBaseUser,
    heard: list[dict[str, Any]],
    django_capture_on_commit_callbacks: Any,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        body = {"username": "anna", "password": PASSWORD}
        where = {"REMOTE_ADDR": AWAY, "HTTP_USER_AGENT": "A phone\n" + "x" * 5000}
        session = api.post("/api/token/", body, **where).json()["session"]
    (found,) = heard
    assert found == {
        "session_id": Session.objects.get().pk,
        "sub": str(anna.pk),
        "address": AWAY,
        "device": ("A phone " + "x" * 247)[:64],
        "new_network": True,
        "new_device": True,
    }
    assert str(found["session_id"]) == session


@pytest.mark.parametrize(
    ("ip", "user_agent", "news"),
    [
        (HOME, "A phone", None),
        (NEAR, "A phone", None),
        (HOME, "A tablet", (False, True)),
        (AWAY, "A phone", (True, False)),
        (AWAY, "A tablet", (True, True)),
        (None, "A phone", None),
        (None, "A tablet", (False, True)),
    ],
)
def test_a_network_or_a_device_may_be_new(
    anna: AbstractBaseUser,
    heard: list[dict[str, Any]],
    django_capture_on_commit_callbacks: Any,
    *,
    ip: str | None,
    user_agent: str,
    news: tuple[bool, bool] | None,
) -> None:
    sessions.start(anna, client=Client(ip=HOME, user_agent="A phone"))
    sessions.start(make_user("bob"), client=Client(ip=AWAY, user_agent="A tablet"))  # another user
    heard.clear()
    with django_capture_on_commit_callbacks(execute=True):
        sessions.start(anna, client=Client(ip=ip, user_agent=user_agent))
    assert [(told["new_network"], told["new_device"]) for told in heard] == ([news] if news else [])


def test_a_session_that_has_ended_still_makes_a_place_known(
    anna: AbstractBaseUser, heard: list[dict[str, Any]], django_capture_on_commit_callbacks: Any
) -> None:
    sessions.revoke(sessions.start(anna, client=Client(ip=HOME, user_agent="A phone")).session_id)
    heard.clear()
    with django_capture_on_commit_callbacks(execute=True):
        sessions.start(anna, client=Client(ip=HOME, user_agent="A phone"))
    assert heard == []


def test_without_a_receiver_a_login_asks_for_no_earlier_sessions(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(session: Session) -> None:
        raise AssertionError("the earlier sessions were read")

    monkeypatch.setattr("drf_tessera.sessions.places.find_news", fail)
    sessions.start(anna, client=Client(ip=HOME))


# -- Another network -------------------------------------------------------------------------------


@pytest.fixture
def moves() -> Iterator[list[dict[str, Any]]]:
    found: list[dict[str, Any]] = []

    def receive(sender: Any, signal: Any, **arguments: Any) -> None:
        found.append(arguments)

    signals.network_changed.connect(receive)
    yield found
    signals.network_changed.disconnect(receive)


@pytest.mark.parametrize(
    ("before", "after"), [(HOME, AWAY), (HOME, NEAR), (HOME, None), (None, HOME), (None, None)]
)
def test_a_login_from_another_network_says_what_a_project_needs_to_decide(
    anna: AbstractBaseUser,
    moves: list[dict[str, Any]],
    django_capture_on_commit_callbacks: Any,
    before: str | None,
    after: str | None,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        first = sessions.start(anna, client=Client(ip=before, user_agent="A phone"), now=NOW)
        sessions.start(make_user("other"), client=Client(ip="203.0.113.1"), now=NOW)
        second = sessions.start(
            anna, client=Client(ip=after, user_agent="A tablet"), now=NOW + timedelta(hours=2)
        )
    assert first.session_id != second.session_id
    assert moves == [
        {
            "session_id": second.session_id,
            "sub": str(anna.pk),
            "address": after,
            "device": "A tablet",
            "previous_address": before,
            "previous_device": "A phone",
            "elapsed": 7200.0,
        }
    ] * ((before, after) == (HOME, AWAY))


def test_the_latest_use_counts_and_not_the_latest_login(
    anna: AbstractBaseUser, moves: list[dict[str, Any]], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        home = sessions.start(anna, client=Client(ip=HOME), now=NOW)
        sessions.start(anna, client=Client(ip=NEAR), now=NOW + timedelta(minutes=1))
        sessions.refresh(str(home.refresh), now=NOW + timedelta(hours=1))
        sessions.start(anna, client=Client(ip=AWAY), now=NOW + timedelta(hours=2))
    (found,) = moves
    assert (found["previous_address"], found["elapsed"]) == (HOME, 3600.0)
