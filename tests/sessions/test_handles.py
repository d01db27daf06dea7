"""The handle of a session finds the session, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone

from drf_tessera import sessions
from drf_tessera.exceptions import RefreshInvalid, SessionExpired, SessionRevoked, SessionUnknown
from drf_tessera.models import Session, pack_parent
from drf_tessera.rotation import Position
from drf_tessera.sessions import HANDLE_PREFIX, read_handle, write_handle
from drf_tessera.tokens import read_refresh_token

pytestmark = pytest.mark.django_db


@pytest.fixture
def handle(anna: AbstractBaseUser) -> str:
    return write_handle(read_refresh_token(sessions.start(anna).refresh or ""))


def test_a_handle_finds_its_session(handle: str, anna: AbstractBaseUser) -> None:
    facts = read_handle(handle)
    assert facts.session_id == Session.objects.get().pk
    assert facts.sub == str(anna.pk)
    assert facts.expires_at == int(Session.objects.get().expires_at.timestamp())


def test_no_endpoint_takes_a_handle_for_a_token(handle: str) -> None:
    with pytest.raises(RefreshInvalid):
        sessions.refresh(handle)
    with pytest.raises(RefreshInvalid):
        sessions.revoke_by_refresh_token(handle)


@pytest.mark.parametrize("change", ["", "x", "é", "!", "AAAA", "no prefix", "another mark"])
def test_every_other_text_is_refused(handle: str, change: str) -> None:
    text = HANDLE_PREFIX + change
    if change == "no prefix":
        text = handle.removeprefix(HANDLE_PREFIX)
    if change == "another mark":
        text = handle[:-8] + ("A" * 8 if not handle.endswith("A" * 8) else "B" * 8)
    with pytest.raises(RefreshInvalid):
        read_handle(text)


def test_the_handle_of_an_ended_session_says_so(handle: str) -> None:
    with pytest.raises(SessionExpired):
        read_handle(handle, now=timezone.now() + timedelta(days=400))
    sessions.revoke(read_handle(handle).session_id)
    with pytest.raises(SessionRevoked):
        read_handle(handle)
    Session.objects.all().delete()
    with pytest.raises(SessionUnknown):
        read_handle(handle)


def test_a_session_that_was_never_refreshed_has_no_parent() -> None:
    assert pack_parent(Position(generation=0, parent=None, recoveries=0, rotated_at=None)) is None


def test_a_text_as_long_as_a_handle_need_not_be_one(handle: str) -> None:
    for letter in ("!", "\u00e9"):
        with pytest.raises(RefreshInvalid):
            read_handle(handle[:-1] + letter)
