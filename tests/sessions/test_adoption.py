"""Tokens of other packages: each token starts one session, for any sender and any number of uses."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django.test import override_settings
from django.utils import timezone

from drf_tessera import conf, sessions
from drf_tessera.conf import foreign
from drf_tessera.exceptions import PasswordChanged, RefreshInvalid, SessionRevoked
from drf_tessera.models import Session, SessionQuerySet
from drf_tessera.moments import from_timestamp, to_timestamp
from drf_tessera.rotation import Outcome
from drf_tessera.sessions import LegacyToken, adopt, adopt_many, revoking, rows
from drf_tessera.tokens import read_refresh_token, verify_access_token

pytestmark = pytest.mark.django_db(transaction=True)


def make(**changes: Any) -> LegacyToken:
    now = int(time.time())
    return LegacyToken(
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
    login = read_refresh_token(adopt(old, anna)).facts
    session = Session.objects.get()
    assert to_timestamp(session.idle_expires_at) == to_timestamp(session.kept_until) == old.expires_at
    assert login.expires_at == old.issued_at + 90 * 86_400 == to_timestamp(session.expires_at)
    long = make(jti="k", expires_at=old.expires_at + 200 * 86_400)
    assert read_refresh_token(adopt(long, anna)).facts.expires_at == long.expires_at


def test_the_row_outlives_its_session_as_long_as_the_old_token_does(anna: AbstractBaseUser) -> None:
    adopt(make(expires_at=int(time.time()) + 20 * 86_400), anna)
    sessions.revoke_all(anna)
    assert sessions.prune(now=timezone.now() + timedelta(days=15)) == 0
    assert sessions.prune(now=timezone.now() + timedelta(days=25)) == 1


def test_an_adopted_token_is_refused_after_its_secret_was_replaced(anna: AbstractBaseUser) -> None:
    adopt(make(), anna)
    with override_settings(SECRET_KEY="n" * 50), pytest.raises(RefreshInvalid):
        adopt(make(), anna)


@pytest.mark.slow
def test_twenty_at_once_begin_one_session(anna: AbstractBaseUser, settings: Any) -> None:
    settings.TESSERA = {"REFRESH_GRACE": timedelta(hours=1)}  # all of them come within it
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
def test_a_moment_survives_both_conversions(settings: Any, use_tz: bool) -> None:
    settings.USE_TZ = use_tz
    assert to_timestamp(from_timestamp(1_700_000_000)) == 1_700_000_000


# -- The end of all sessions of a user also ends tokens that were not adopted yet ------------------


@pytest.fixture
def expecting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(foreign._expecting, "legacy tokens", False)
    conf.expect_legacy_tokens()


def _change_password(user: Any) -> None:
    user.set_password("another one")
    user.save()


def _deactivate_and_back(user: Any) -> None:
    for active in (False, True):
        user.is_active = active
        user.save()


@pytest.mark.usefixtures("expecting")
@pytest.mark.parametrize("end", [_change_password, _deactivate_and_back, sessions.revoke_all])
def test_an_old_token_begins_no_session_after_all_were_ended(anna: AbstractBaseUser, end: Any) -> None:
    end(anna)
    with pytest.raises(SessionRevoked):
        adopt(make(), anna)
    later = make(jti="k", issued_at=int(time.time()) + 5)
    assert sessions.refresh(adopt(later, anna)).refresh
    end(anna)
    with pytest.raises(SessionRevoked):
        sessions.refresh(adopt(later, anna))
    assert not sessions.live_sessions(anna.pk).exists()
    assert sessions.revoke_all(anna) == 0


@pytest.mark.usefixtures("expecting")
def test_an_old_token_that_is_imported_later_begins_no_session_either(
    anna: AbstractBaseUser, bob: AbstractBaseUser
) -> None:
    sessions.revoke_all(anna)
    adopt_many([(make(jti="a"), anna.pk, False), (make(jti="b"), bob.pk, False)])
    assert not sessions.live_sessions(anna.pk).exists()
    assert sessions.live_sessions(bob.pk).count() == 1


@pytest.mark.usefixtures("expecting")
def test_another_users_tokens_and_a_session_that_is_kept_go_on(
    anna: AbstractBaseUser, bob: AbstractBaseUser
) -> None:
    mine = sessions.start(anna)
    sessions.revoke_all(anna, keep=mine.session_id)
    assert sessions.live_sessions(anna.pk).get().pk == mine.session_id
    assert adopt(make(), bob)


@pytest.mark.usefixtures("expecting")
def test_a_second_end_counts_from_then_on(anna: AbstractBaseUser) -> None:
    sessions.revoke_all(anna, now=timezone.now() - timedelta(hours=1))
    sessions.revoke_all(anna)
    with pytest.raises(SessionRevoked):
        adopt(make(), anna)
    sessions.revoke_all(anna, now=timezone.now() - timedelta(hours=2))  # the note keeps its later time
    with pytest.raises(SessionRevoked):
        adopt(make(), anna)
    assert Session.objects.count() == 1  # only the note, because refused tokens leave no row


@pytest.mark.usefixtures("expecting")
def test_a_deletion_writes_no_closing_row(anna: AbstractBaseUser, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(3):  # the end of the sessions, in a transaction; a note needs more
        sessions.revoke_all(anna, reason=sessions.Reason.USER_DELETED)
    anna.delete()
    assert not Session.objects.exists()


def test_a_project_without_legacy_tokens_writes_no_closing_row(anna: AbstractBaseUser) -> None:
    assert sessions.revoke_all(anna) == 0
    assert not Session.objects.exists()


@pytest.mark.usefixtures("expecting")
def test_the_closing_row_is_never_pruned(anna: AbstractBaseUser) -> None:
    """Only the other package knows their lifetime, and ``LEGACY_TOKENS_UNTIL`` may be changed later."""
    with override_settings(TESSERA={"LEGACY_TOKENS_UNTIL": timezone.now()}):
        for _ in range(2):
            sessions.revoke_all(anna)
    assert sessions.prune(now=timezone.now() + timedelta(days=3000)) == 0
    with pytest.raises(SessionRevoked):
        adopt(make(expires_at=int(time.time()) + 4000 * 86_400), anna)
    assert not sessions.live_sessions(anna.pk).exists()  # the row of the adopted token has also ended


@pytest.mark.usefixtures("expecting")
@pytest.mark.parametrize("keep", [True, False], ids=["keep", "keeping"])
def test_a_session_that_is_kept_goes_on_with_its_old_token(anna: Any, keep: bool) -> None:
    """A client that gets no new refresh token has only the old token."""
    old = make()
    text = adopt(old, anna)
    if keep:
        sessions.revoke_all(anna, keep=old.session_id)
    else:
        with revoking.sparing(old.session_id):
            _change_password(anna)
    assert adopt(old, anna) == text
    assert sessions.refresh(text).refresh


@pytest.mark.usefixtures("expecting")
def test_a_token_of_an_unknown_age_is_as_old_as_can_be(anna: AbstractBaseUser) -> None:
    assert adopt(make(jti="k", issued_at=0), anna)
    sessions.revoke_all(anna)
    with pytest.raises(SessionRevoked):
        adopt(make(issued_at=0), anna)


@pytest.mark.usefixtures("expecting")
def test_a_token_of_the_very_second_is_closed(anna: AbstractBaseUser) -> None:
    """Tokens have whole seconds. In doubt, a logout also ends a token of the same second."""
    now = datetime.fromtimestamp(int(time.time()), tz=UTC)
    sessions.revoke_all(anna, now=now)
    with pytest.raises(SessionRevoked):
        adopt(make(issued_at=int(now.timestamp())), anna)
    assert adopt(make(jti="k", issued_at=int(now.timestamp()) + 1), anna)


@pytest.mark.usefixtures("expecting")
def test_two_requests_at_once_with_a_closed_token_are_both_refused(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All tokens are closed after the first request's check. The second request finds its row and uses it."""
    old, find, asked = make(), rows.find_closings, []

    def come_between(users: Any) -> Any:
        asked.append(users)
        if len(asked) == 1:
            found = find(users)
            rows.close_legacy([anna.pk], timezone.now())
            return found
        if len(asked) == 2:
            assert sessions.refresh(adopt(old, anna)).refresh
        return find(users)

    monkeypatch.setattr(rows, "find_closings", come_between)
    with pytest.raises(SessionRevoked):
        adopt(old, anna)
    assert not sessions.live_sessions(anna.pk).exists()


@pytest.mark.usefixtures("expecting")
def test_a_user_without_a_row_has_no_sessions_to_end(anna: AbstractBaseUser) -> None:
    type(anna).objects.filter(pk=anna.pk).delete()
    assert sessions.revoke_all(anna) == 0
    assert sessions.revoke_all(type(anna)()) == 0


def test_an_adoption_that_races_a_new_password_begins_no_session(
    anna: AbstractBaseUser, expecting: None
) -> None:
    """The instance was read before the change, and the insert finds the new password in the row."""
    stale = get_user_model().objects.get(pk=anna.pk)
    _change_password(anna)
    with pytest.raises(PasswordChanged):
        adopt(make(issued_at=int(time.time()) + 5), stale)
    assert not sessions.live_sessions(anna.pk).exists()


def test_a_taken_key_leaves_the_transaction_usable(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another request was faster, between the check and the write."""
    old = make()
    text, first, looks = adopt(old, anna), SessionQuerySet.first, []

    def look(rows: SessionQuerySet) -> Any:
        looks.append(rows)
        return None if len(looks) == 1 else first(rows)

    monkeypatch.setattr(SessionQuerySet, "first", look)
    with transaction.atomic():
        assert adopt(old, anna) == text
        assert Session.objects.count() == 1
