"""The end of all sessions that began before a moment: one notice, short transactions, repeatable."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from drf_tessera import sessions, signals
from drf_tessera.conf import get_settings
from drf_tessera.exceptions import ProjectError, RevocationUnavailable, SessionEnded, SessionRevoked
from drf_tessera.models import Revocation, Session
from drf_tessera.revocation.feed import Feed
from drf_tessera.revocation.stores import DatabaseStore
from drf_tessera.sessions import LegacyToken, Reason, clearing, rows
from drf_tessera.tokens import verify_access_token
from tests.conftest import bearer, make_user

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def cleared() -> Any:
    heard: list[dict[str, Any]] = []

    def hear(**kwargs: Any) -> None:
        heard.append({name: kwargs[name] for name in ("before", "reason", "count")})

    signals.sessions_cleared.connect(hear)
    yield heard
    signals.sessions_cleared.disconnect(hear)


@pytest.mark.slow
def test_everybody_is_logged_out_and_can_log_in_again(
    api: APIClient, anna: AbstractBaseUser, bob: AbstractBaseUser
) -> None:
    grants = [sessions.start(user) for user in (anna, anna, bob)]
    assert sessions.revoke_everybody() == 3
    assert Revocation.objects.count() == 1
    again = sessions.start(anna)
    for grant in grants:
        assert api.get("/me/", **bearer(grant.access)).status_code == 401
        assert api.post("/api/token/refresh/", {"refresh": grant.refresh}).status_code == 401
    assert api.get("/me/", **bearer(again.access)).status_code == 200
    assert api.post("/api/token/refresh/", {"refresh": again.refresh}).status_code == 200


@pytest.mark.parametrize(
    ("user", "obstacles", "count"), [("lazy", [], 2), ("database", [], 0), ("lazy", ["a signal"], 0)]
)
def test_it_rests_between_batches_and_not_for_what_the_caller_does_meanwhile(
    anna: AbstractBaseUser,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
    *,
    user: str,
    obstacles: list[str],
    count: int,
) -> None:
    """Refreshes write to the same disk, and wait for it. If requests read their rows, only rows refuse."""
    monkeypatch.setattr("drf_tessera.users.lazy.find_obstacles", lambda *given, **more: obstacles)
    settings.TESSERA = {"USER": user}
    now, rests = [0.0], list[float]()

    def read_clock() -> float:
        now[0] += 1.0  # each look at the clock
        return now[0]

    def call(ended: int) -> None:
        now[0] += 1000.0

    clock = SimpleNamespace(time=time.time, monotonic=read_clock, sleep=rests.append)
    monkeypatch.setattr(clearing, "time", clock)
    monkeypatch.setattr(clearing, "_REPEAT", 1e9)  # the notice is not published again
    for _ in range(5):
        sessions.start(anna)
    assert sessions.revoke_everybody(batch_size=2, progress=call) == 5
    rests = rests[1:]  # without the wait for the end of the second
    assert len(rests) == count  # there are three batches
    assert all(clearing._REST < rest < 20 for rest in rests)


@pytest.mark.parametrize(("step", "expected"), [(30.0, clearing._MOST_REST), (-30.0, 0.0)])
def test_a_rest_has_a_bound(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch, step: float, expected: float
) -> None:
    """A batch may wait for a lock. The notice is repeated after each batch, so a long rest would delay it."""
    now, rests = [0.0], list[float]()

    def read_clock() -> float:
        now[0] += step
        return now[0]

    monkeypatch.setattr(
        clearing, "time", SimpleNamespace(time=time.time, monotonic=read_clock, sleep=rests.append)
    )
    for _ in range(3):
        sessions.start(anna)
    assert sessions.revoke_everybody(batch_size=2) == 3
    assert rests[1:] == [expected]


@pytest.mark.slow
def test_a_clock_that_stands_at_a_full_second_hides_no_session(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test that freezes the clock does this."""
    second = datetime.now(UTC).replace(microsecond=0)
    monkeypatch.setattr(timezone, "now", lambda: second)
    sessions.start(anna)
    assert sessions.revoke_everybody() == 1
    assert sessions.live_sessions(anna.pk).count() == 0


@pytest.mark.django_db(transaction=True)
def test_without_autocommit_the_end_of_a_session_says_what_is_needed(anna: AbstractBaseUser) -> None:
    grant = sessions.start(anna)
    transaction.set_autocommit(False)
    try:
        with pytest.raises(ProjectError, match="AUTOCOMMIT"):
            sessions.revoke(grant.session_id)
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)
    assert sessions.live_sessions(anna.pk).count() == 1
    assert sessions.revoke(grant.session_id)


@pytest.mark.slow
def test_each_process_needs_one_notice_and_no_query_for_a_session(
    anna: AbstractBaseUser, bob: AbstractBaseUser, django_assert_num_queries: Any
) -> None:
    feeds = [Feed(DatabaseStore(), poll=1, staleness=30) for _ in range(2)]
    old = [verify_access_token(sessions.start(user).access) for user in (anna, bob) for _ in range(10)]
    for feed in feeds:
        feed.check(old[0].session_id, old[0].sub, old[0].auth_time)
    sessions.revoke_everybody(batch_size=3)
    new = verify_access_token(sessions.start(anna).access)
    for feed in feeds:
        feed._due = 0.0
        with django_assert_num_queries(1):
            for token in old:
                with pytest.raises(SessionEnded):
                    feed.check(token.session_id, token.sub, token.auth_time)
            feed.check(new.session_id, new.sub, new.auth_time)
        assert len(feed.ended) == 1


def test_sessions_that_began_later_stay(api: APIClient, anna: AbstractBaseUser) -> None:
    begin = timezone.now() - HOUR
    old, kept = sessions.start(anna, now=begin), sessions.start(anna, now=begin + timedelta(seconds=2))
    fresh = [sessions.refresh(str(grant.refresh)).access for grant in (old, kept)]
    assert sessions.count_before(begin + timedelta(seconds=1)) == 1
    assert sessions.revoke_before(begin + timedelta(seconds=1)) == 1
    assert [api.get("/me/", **bearer(access)).status_code for access in fresh] == [401, 200]


@pytest.mark.parametrize("part", [0, 1, 500_000, 999_999])
def test_the_rows_and_the_tokens_agree_about_each_second(anna: AbstractBaseUser, part: int) -> None:
    """Otherwise a session would be half ended: its access tokens refused and its refresh token not."""
    begin = (timezone.now() - HOUR).replace(microsecond=0)
    moment = begin + timedelta(microseconds=part)
    starts = [begin + timedelta(microseconds=step) for step in (-1, 0, 1, 500_000, 999_999, 1_000_000)]
    grants = [sessions.start(anna, now=start) for start in starts]
    fresh = [verify_access_token(sessions.refresh(str(grant.refresh)).access) for grant in grants]
    sessions.revoke_before(moment)
    feed = Feed(DatabaseStore(), poll=1, staleness=30)
    for grant, token in zip(grants, fresh, strict=True):
        by_row = Session.objects.get(pk=grant.session_id).revoked_at is not None
        try:
            feed.check(token.session_id, token.sub, token.auth_time)
        except SessionEnded:
            assert by_row
        else:
            assert not by_row
    ended = set(Session.objects.exclude(revoked_at=None).values_list("created_at", flat=True))
    assert {start for start in starts if start < moment} <= ended


@pytest.mark.usefixtures("same_second")
def test_a_session_that_is_refreshed_before_its_row_is_ended_is_refused(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its new access token is younger than the notice, and its session is not."""
    grant, fresh = sessions.start(anna), []
    end = rows.end_silently

    def refresh_first(*args: Any) -> int:
        if not fresh:
            fresh.append(sessions.refresh(str(grant.refresh)).access)
        return end(*args)

    monkeypatch.setattr(rows, "end_silently", refresh_first)
    sessions.revoke_everybody()
    token = verify_access_token(fresh[0])
    with pytest.raises(SessionEnded):
        Feed(DatabaseStore(), poll=1, staleness=30).check(token.session_id, token.sub, token.auth_time)
    with pytest.raises(SessionRevoked):
        sessions.refresh(str(grant.refresh))


@pytest.mark.parametrize("late", [False, True], ids=["before the notice", "after the notice"])
def test_a_session_is_refused_although_its_user_has_proved_their_identity_after_the_moment(
    anna: AbstractBaseUser, bob: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    """Its access token carries the time of the proof, which the notice about everybody does not reach."""
    begin = timezone.now() - HOUR
    grant, _ = sessions.start(anna, now=begin), sessions.start(bob, now=begin)
    end, proofs = rows.end_silently, list[str]()

    def prove() -> None:
        proofs.append(sessions.refresh_proved(str(grant.refresh), ("otp",)).access)

    def prove_first(*args: Any) -> int:
        if not proofs:
            prove()
        return end(*args)

    if late:
        monkeypatch.setattr(rows, "end_silently", prove_first)
    else:
        prove()
    assert sessions.revoke_before(begin + HOUR / 2) == 2
    token = verify_access_token(proofs[0])
    with pytest.raises(SessionEnded):
        Feed(DatabaseStore(), poll=1, staleness=30).check(token.session_id, token.sub, token.auth_time)
    assert Revocation.objects.count() == 2  # of everybody, and of this session


def test_a_proof_that_comes_too_late_is_not_counted_again(
    anna: AbstractBaseUser, bob: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session has just ended when its user proves their identity. The proof leaves its row as it is."""
    begin = timezone.now() - HOUR
    grants = [sessions.start(user, now=begin) for user in (anna, bob)]
    sessions.refresh_proved(str(grants[0].refresh), ("otp",))
    end = rows.end_silently

    def prove_last(*args: Any) -> int:
        ended = end(*args)
        with pytest.raises(SessionRevoked):
            sessions.refresh_proved(str(grants[1].refresh), ("otp",))
        return ended

    monkeypatch.setattr(rows, "end_silently", prove_last)
    assert sessions.revoke_before(begin + HOUR / 2) == 2
    assert Revocation.objects.count() == 2  # of everybody, and of the first session
    row = Session.objects.get(pk=grants[1].session_id)
    assert (row.proved_at, row.amr) == (None, "pwd")


@pytest.mark.usefixtures("same_second")
def test_a_row_behind_the_walk_is_found_by_the_next_walk(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    grants = [sessions.start(anna, now=timezone.now() - HOUR) for _ in range(3)]
    end, late = rows.end_silently, []

    def insert_first(*args: Any) -> int:
        ended = end(*args)
        if not late:
            late.append(sessions.start(anna, now=timezone.now() - HOUR))
        return ended

    monkeypatch.setattr(rows, "end_silently", insert_first)
    assert sessions.revoke_everybody(batch_size=100) == 4
    assert len(grants) == 3


@pytest.mark.usefixtures("same_second")
def test_an_interrupted_run_is_finished_by_the_next_one(
    anna: AbstractBaseUser, cleared: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    for _ in range(5):
        sessions.start(anna)
    moment = timezone.now()

    def stop(ended: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), django_capture_on_commit_callbacks(execute=True):
        sessions.revoke_before(moment, batch_size=2, progress=stop)
    assert Session.objects.exclude(revoked_at=None).count() == 2
    assert Revocation.objects.count() == 1  # so all five are refused already
    assert cleared == []
    with django_capture_on_commit_callbacks(execute=True):
        assert sessions.revoke_before(moment, batch_size=2) == 3
    assert [found["count"] for found in cleared] == [3]


@pytest.mark.usefixtures("same_second")
def test_each_batch_is_a_statement_of_its_own(anna: AbstractBaseUser) -> None:
    for _ in range(7):
        sessions.start(anna)
    with CaptureQueriesContext(connection) as context:
        sessions.revoke_everybody(batch_size=3)
    updates = [query["sql"] for query in context if query["sql"].startswith("UPDATE")]
    assert len(updates) == 4  # 3 + 3 + 1, and one that finds nothing


@pytest.mark.usefixtures("same_second")
def test_a_long_run_repeats_its_notice(anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that is not reached yet gets access tokens that outlive the first notice."""
    for _ in range(4):
        sessions.start(anna)
    clock, published = [0.0], list[float]()
    monkeypatch.setattr(clearing.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(clearing, "publish_for_everybody", lambda *_: published.append(clock[0]) is None)

    def wait(ended: int) -> None:
        clock[0] += 15

    sessions.revoke_everybody(batch_size=1, progress=wait)
    assert published == [0, 30, 60]


@pytest.mark.usefixtures("same_second")
def test_one_signal_is_sent_and_none_for_each_session(
    anna: AbstractBaseUser, cleared: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    revoked: list[Any] = []

    def hear(**kwargs: Any) -> None:
        revoked.append(kwargs)

    signals.session_revoked.connect(hear)
    for _ in range(2):
        sessions.start(anna, now=timezone.now() - HOUR)
    moment = (timezone.now() - HOUR / 2).replace(microsecond=0)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            sessions.revoke_before(moment, reason=Reason.LOGOUT_ALL)
    finally:
        signals.session_revoked.disconnect(hear)
    assert cleared == [{"before": moment, "reason": "logout_all", "count": 2}]
    assert revoked == []


def test_a_moment_in_the_future_is_refused(anna: AbstractBaseUser) -> None:
    sessions.start(anna)
    with pytest.raises(ProjectError, match="future"):
        sessions.revoke_before(timezone.now() + HOUR)
    assert not Revocation.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_open_transaction_is_refused(anna: AbstractBaseUser) -> None:
    sessions.start(anna)
    with transaction.atomic(), pytest.raises(ProjectError, match="transaction"):
        sessions.revoke_everybody()
    assert not Revocation.objects.exists()


@pytest.mark.slow  # it waits for the end of the second
def test_a_session_that_begins_afterwards_is_not_refused(anna: AbstractBaseUser) -> None:
    """The moment is a full second. A session that begins in the same second would be refused by its token."""
    sessions.revoke_everybody()
    token = verify_access_token(sessions.start(anna).access)
    feed = Feed(DatabaseStore(), poll=1, staleness=30)
    feed.check(token.session_id, token.sub, token.auth_time)
    assert token.auth_time >= max(notice.scope.certain for notice in DatabaseStore().pull() if notice.scope)


# -- Legacy tokens ---------------------------------------------------------------------------------


def make_legacy(jti: str, issued: datetime) -> LegacyToken:
    now = int(time.time())
    return LegacyToken(package="old", jti=jti, issued_at=int(issued.timestamp()), expires_at=now + 86_400)


def test_legacy_tokens_of_everybody_start_no_session(
    anna: AbstractBaseUser, bob: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clearing, "expects_legacy_tokens", lambda: True)
    moment = timezone.now() - HOUR
    make_user("carol")
    sessions.revoke_before(moment, batch_size=2)
    for user in (anna, bob):
        with pytest.raises(SessionRevoked):
            sessions.adopt(make_legacy("old", moment - HOUR), user)
        assert sessions.adopt(make_legacy(f"new {user.pk}", moment + HOUR / 2), user)
    sessions.revoke_before(moment, batch_size=2)
    assert Session.objects.filter(revoked_for="legacy_tokens").count() == 3


@pytest.mark.usefixtures("same_second")
def test_the_notice_is_kept_for_as_long_as_a_token_may_live(anna: AbstractBaseUser) -> None:
    sessions.revoke_everybody()
    left = Revocation.objects.get().until - time.time()
    assert left >= get_settings().access_lifetime.total_seconds()


def test_a_cache_that_is_down_keeps_no_session_alive(
    anna: AbstractBaseUser, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller hears that other processes know it later, and the end of each row stays."""

    def fail(*args: object) -> None:
        raise RevocationUnavailable

    settings.TESSERA = {"REVOCATION_CACHE": "default"}
    monkeypatch.setattr("drf_tessera.revocation.caches.CacheStore.publish", fail)
    grants = [sessions.start(anna) for _ in range(3)]
    with pytest.raises(RevocationUnavailable):
        sessions.revoke_everybody(batch_size=2)
    for grant in grants:
        with pytest.raises(SessionRevoked):
            sessions.refresh(str(grant.refresh))
    token = verify_access_token(grants[0].access)
    with pytest.raises(SessionEnded):
        Feed(DatabaseStore(), poll=1, staleness=30).check(token.session_id, token.sub, token.auth_time)
