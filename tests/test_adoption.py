"""Tokens of other packages: one session each, whoever brings them and how often."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from drf_tessera import sessions
from drf_tessera.adoption import Predecessor, adopt
from drf_tessera.exceptions import RefreshInvalid
from drf_tessera.models import Session
from drf_tessera.rotation import Outcome
from drf_tessera.tokens import from_timestamp, read_refresh_token, to_timestamp, verify_access_token

pytestmark = pytest.mark.django_db(transaction=True)


def make(**changes: Any) -> Predecessor:
    now = int(time.time())
    return Predecessor(
        **{"package": "x", "jti": "j", "issued_at": now - 60, "expires_at": now + 86_400, **changes}
    )


def test_one_token_is_one_session(anna: AbstractBaseUser) -> None:
    old = make(claims={"color": "green"})
    text = adopt(old, anna)
    assert adopt(old, anna) == text
    session = Session.objects.get()
    assert (session.pk, session.label) == (old.session_id, "x")
    grant = sessions.refresh(text)
    assert grant.outcome is Outcome.ROTATED
    token = verify_access_token(grant.access)
    assert (token["color"], token.auth_time) == ("green", old.issued_at)


def test_tokens_of_two_packages_are_two_sessions() -> None:
    assert make().session_id != make(package="y").session_id != make(jti="k").session_id
    assert make().session_id == make().session_id


def test_the_limits_are_the_old_tokens_first_and_then_ours(anna: AbstractBaseUser) -> None:
    old = make()
    login = read_refresh_token(adopt(old, anna)).login
    session = Session.objects.get()
    assert to_timestamp(session.idle_expires_at) == to_timestamp(session.kept_until) == old.expires_at
    assert login.expires_at == old.issued_at + 90 * 86_400 == to_timestamp(session.expires_at)
    long = make(jti="k", expires_at=old.expires_at + 200 * 86_400)
    assert read_refresh_token(adopt(long, anna)).login.expires_at == long.expires_at


def test_the_row_outlives_its_session_as_long_as_the_old_token_does(anna: AbstractBaseUser) -> None:
    adopt(make(expires_at=int(time.time()) + 20 * 86_400), anna)
    sessions.revoke_all(anna)
    assert sessions.prune(now=timezone.now() + timedelta(days=15)) == 0
    assert sessions.prune(now=timezone.now() + timedelta(days=25)) == 1


def test_a_secret_that_is_not_in_force_any_more(anna: AbstractBaseUser) -> None:
    adopt(make(), anna)
    with override_settings(SECRET_KEY="n" * 50), pytest.raises(RefreshInvalid):
        adopt(make(), anna)


def test_twenty_at_once_begin_one_session(anna: AbstractBaseUser) -> None:
    old, outcomes, barrier = make(), [], threading.Barrier(20)

    def use() -> None:
        barrier.wait()
        try:
            outcomes.append(sessions.refresh(adopt(old, anna)).outcome)
        finally:
            connection.close()

    threads = [threading.Thread(target=use) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Session.objects.count() == 1
    assert sorted(outcome.value for outcome in outcomes if outcome) == ["grace"] * 19 + ["rotated"]


@pytest.mark.parametrize("use_tz", [True, False])
def test_moments_go_to_and_fro(settings: Any, use_tz: bool) -> None:
    settings.USE_TZ = use_tz
    assert to_timestamp(from_timestamp(1_700_000_000)) == 1_700_000_000
