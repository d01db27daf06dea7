"""A refresh that waited for too long is not judged, because its client has gone on with a newer token."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone

from drf_tessera import sessions
from drf_tessera.exceptions import TemporarilyUnavailable
from drf_tessera.models import Session
from drf_tessera.sessions import refreshing, rows

pytestmark = pytest.mark.django_db


class Waiting:
    """A database that answers a read after some time, by the clock of the refresh."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
        self.now, self.seconds, self.read = 1000.0, seconds, rows.read
        monkeypatch.setattr(refreshing, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(rows, "read", self.answer)

    def answer(self, *args: Any, **more: Any) -> Any:
        self.now += self.seconds
        return self.read(*args, **more)


def test_a_parent_that_comes_late_spends_nothing(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    first = sessions.start(anna, now=now)
    newest = sessions.refresh(first.refresh or "", now=now)  # the client has repeated it at another server
    before = Session.objects.values().get()
    with monkeypatch.context() as patch:
        Waiting(patch, seconds=15.5)
        with pytest.raises(TemporarilyUnavailable):
            sessions.refresh(first.refresh or "", now=now + timedelta(minutes=2))
    assert Session.objects.values().get() == before
    assert sessions.refresh(newest.refresh or "", now=now + timedelta(minutes=3)).refresh


def test_a_token_that_was_replaced_long_ago_is_not_taken_for_a_theft_then(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    first = sessions.start(anna, now=now)
    second = sessions.refresh(first.refresh or "", now=now)
    sessions.refresh(second.refresh or "", now=now + timedelta(minutes=2))
    Waiting(monkeypatch, seconds=15.5)
    with pytest.raises(TemporarilyUnavailable):
        sessions.refresh(first.refresh or "", now=now + timedelta(minutes=2))
    assert Session.objects.get().revoked_at is None


def test_a_request_that_is_slow_is_judged(anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    first = sessions.start(anna, now=now)
    sessions.refresh(first.refresh or "", now=now)
    Waiting(monkeypatch, seconds=14.5)
    assert sessions.refresh(first.refresh or "", now=now + timedelta(minutes=2)).refresh


def test_without_a_window_each_request_is_judged(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.TESSERA = {"REFRESH_GRACE": 0}
    now = timezone.now()
    first = sessions.start(anna, now=now)
    sessions.refresh(first.refresh or "", now=now)
    Waiting(monkeypatch, seconds=60)
    assert sessions.refresh(first.refresh or "", now=now + timedelta(minutes=2)).refresh
