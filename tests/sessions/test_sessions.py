"""The life of a session, with the database of the run."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db import OperationalError, connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from drf_tessera import database, rotation, sessions, signals
from drf_tessera.conf import get_settings
from drf_tessera.exceptions import (
    ClaimsHookError,
    ProjectError,
    RefreshContended,
    RefreshInvalid,
    RefreshLost,
    RefreshReused,
    SessionExpired,
    SessionRevoked,
    SessionUnknown,
    TemporarilyUnavailable,
    UserInactive,
)
from drf_tessera.models import Session, columns_tell_who_is_active
from drf_tessera.rotation import GROWTH, Outcome
from drf_tessera.sessions import Client, Reason, revoking, rows
from drf_tessera.sessions.compiled import Mark, compile_update
from drf_tessera.sessions.expressions import CLOCKS
from drf_tessera.tokens import read_refresh_token, verify_access_token, write_refresh_token

GRACE = timedelta(seconds=30)
NOW = timezone.now().replace(microsecond=123456)


@pytest.fixture
def heard() -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """Return a list of all signals of drf-tessera, in the order in which they were sent."""
    found: list[tuple[str, dict[str, Any]]] = []
    named = {
        "started": signals.session_started,
        "refreshed": signals.session_refreshed,
        "revoked": signals.session_revoked,
        "reused": signals.refresh_reused,
        "lost": signals.refresh_lost,
    }
    receivers = []
    for name, signal in named.items():

        def receive(sender: object, name: str = name, **kwargs: Any) -> None:
            kwargs.pop("signal")
            found.append((name, kwargs))

        signal.connect(receive)
        receivers.append((signal, receive))
    yield found
    for signal, receiver in receivers:
        signal.disconnect(receiver)


def start(user: AbstractBaseUser, now: datetime = NOW, **extra: Any) -> sessions.Grant:
    return sessions.start(user, now=now, **extra)


def use_up_recoveries(user: AbstractBaseUser) -> tuple[sessions.Grant, datetime]:
    """Return the grant of the login, and the end of the last window, after six lost answers in a row."""
    first, moment = start(user), NOW
    policy = get_settings().choose_policy()
    sessions.refresh(str(first.refresh), now=moment)
    for used in range(policy.recoveries):
        moment += policy.measure_window(used)
        assert sessions.refresh(str(first.refresh), now=moment).outcome is Outcome.RECOVERED
    return first, moment + policy.measure_window(policy.recoveries)


def row(grant: sessions.Grant) -> Session:
    return Session.objects.get(pk=grant.session_id)


class TestStart:
    @pytest.mark.django_db(transaction=True)
    def test_is_one_statement(self, anna: AbstractBaseUser, django_assert_num_queries: Any) -> None:
        with django_assert_num_queries(1):
            start(anna)

    def test_the_row_contains_nothing_that_gives_access(self, anna: AbstractBaseUser) -> None:
        grant = start(anna)
        assert grant.refresh is not None
        token = read_refresh_token(grant.refresh)
        stored = b"|".join(str(value).encode() for value in vars(row(grant)).values())
        assert token.secret not in bytes(row(grant).secret_hash)
        assert token.secret.hex().encode() not in stored
        assert grant.refresh.encode() not in stored

    def test_states_when_its_tokens_end(self, anna: AbstractBaseUser) -> None:
        grant = start(anna)
        assert (grant.expires_in, grant.refresh_expires_in) == (300, 14 * 86400)
        assert grant.outcome is None

    def test_remembers_where_it_came_from(self, anna: AbstractBaseUser) -> None:
        client = Client(ip="2001:db8::1", user_agent="Firefox\x00\n" + "x" * 500, label=" my phone ")
        found = row(start(anna, client=client, amr=("pwd", "otp"), scope="notes:read"))
        assert found.ip == "2001:db8::1"
        assert found.device == ("Firefox  " + "x" * 500)[:64]
        assert (found.label, found.amr, found.scope) == ("my phone", "pwd otp", "notes:read")

    def test_amr_and_scope_reach_every_access_token(self, anna: AbstractBaseUser) -> None:
        grant = start(anna, amr=("pwd", "otp"), scope="notes:read", now=timezone.now())
        later = sessions.refresh(str(grant.refresh))
        for text in (grant.access, later.access):
            token = verify_access_token(text)
            assert (token.amr, token.scope) == (("pwd", "otp"), "notes:read")

    def test_an_inactive_user_gets_no_session(self, anna: AbstractBaseUser) -> None:
        anna.is_active = False
        with pytest.raises(UserInactive):
            start(anna)
        assert not Session.objects.exists()

    def test_the_oldest_make_room(self, anna: AbstractBaseUser, bob: AbstractBaseUser, settings: Any) -> None:
        settings.TESSERA = {"MAX_SESSIONS_PER_USER": 2}
        others = start(bob)
        grants = [start(anna, now=NOW + timedelta(seconds=second)) for second in range(4)]
        assert [row(grant).revoked_for for grant in grants] == ["evicted", "evicted", "", ""]
        assert row(others).revoked_at is None

    def test_a_limit_of_one_keeps_the_new_one(self, anna: AbstractBaseUser, settings: Any) -> None:
        settings.TESSERA = {"MAX_SESSIONS_PER_USER": 1}
        first, second = start(anna), sessions.start(anna, now=NOW + timedelta(seconds=1))
        assert row(first).revoked_for == "evicted"
        assert row(second).revoked_at is None


class TestRefresh:
    def test_is_one_statement(self, anna: AbstractBaseUser, django_assert_num_queries: Any) -> None:
        grant = start(anna)
        with django_assert_num_queries(1) as statements:
            answer = sessions.refresh(str(grant.refresh), now=NOW)
        assert statements[0]["sql"].startswith("UPDATE")
        assert answer.outcome is Outcome.ROTATED

    def test_a_forged_token_costs_no_statement(
        self, anna: AbstractBaseUser, django_assert_num_queries: Any
    ) -> None:
        text = str(start(anna).refresh)
        with django_assert_num_queries(0), pytest.raises(RefreshInvalid):
            sessions.refresh(text[:-1] + ("A" if text[-1] != "A" else "B"))

    def test_storage_does_not_grow(self, anna: AbstractBaseUser) -> None:
        grant, moment = start(anna), NOW
        for _ in range(20):
            moment += GRACE
            grant = sessions.refresh(str(grant.refresh), now=moment)
        assert Session.objects.count() == 1
        assert row(grant).generation == 20

    def test_within_the_window_both_tokens_give_an_access_token_only(
        self, anna: AbstractBaseUser, django_assert_num_queries: Any
    ) -> None:
        first = start(anna)
        second = sessions.refresh(str(first.refresh), now=NOW)
        before = vars(row(first)).copy()
        for text in (first.refresh, second.refresh):
            with django_assert_num_queries(2):
                answer = sessions.refresh(str(text), now=NOW + GRACE - timedelta(microseconds=1))
            assert (answer.outcome, answer.refresh) == (Outcome.GRACE, None)
            assert (
                verify_access_token(answer.access, now=NOW + timedelta(seconds=30)).session_id
                == first.session_id
            )
        assert {key: vars(row(first))[key] for key in before if key != "_state"} == {
            key: value for key, value in before.items() if key != "_state"
        }

    def test_a_lost_answer_recovers_and_skips_a_generation(self, anna: AbstractBaseUser) -> None:
        first = start(anna)
        lost = sessions.refresh(str(first.refresh), now=NOW)
        answer = sessions.refresh(str(first.refresh), now=NOW + GRACE)
        assert answer.outcome is Outcome.RECOVERED
        assert (row(first).generation, row(first).parent, row(first).recoveries) == (2, 0, 1)
        with pytest.raises(RefreshReused):
            sessions.refresh(str(lost.refresh), now=NOW + 2 * GRACE)

    def test_recoveries_in_a_row_are_bounded(
        self, anna: AbstractBaseUser, heard: Any, django_capture_on_commit_callbacks: Any
    ) -> None:
        """The session ends, but nothing says that there was a theft."""
        first, end = use_up_recoveries(anna)
        tick = timedelta(microseconds=1)
        assert sessions.refresh(str(first.refresh), now=end - tick).outcome is Outcome.GRACE
        with django_capture_on_commit_callbacks(execute=True), pytest.raises(RefreshLost):
            sessions.refresh(str(first.refresh), now=end)
        assert row(first).revoked_for == "refresh_lost"
        told = {"session_id": first.session_id, "sub": first.sub}
        assert heard == [("revoked", {**told, "reason": "refresh_lost"}), ("lost", told)]
        with pytest.raises(SessionRevoked):
            sessions.refresh(str(first.refresh), now=end)

    def test_the_end_after_used_up_recoveries_outlasts_a_rollback(self, anna: AbstractBaseUser) -> None:
        first, end = use_up_recoveries(anna)
        with pytest.raises(RefreshLost), transaction.atomic():
            sessions.refresh(str(first.refresh), now=end)
        assert row(first).revoked_for == "refresh_lost"

    def test_soon_after_a_recovery_the_answer_is_repeated(
        self, anna: AbstractBaseUser, django_assert_num_queries: Any
    ) -> None:
        first = start(anna)
        sessions.refresh(str(first.refresh), now=NOW)
        moment = NOW + GRACE
        lost = sessions.refresh(str(first.refresh), now=moment)
        before = row(first).position
        with django_assert_num_queries(2):  # the statement of the normal case, and the row
            again = sessions.refresh(str(first.refresh), now=moment)
        assert (again.outcome, again.spare, row(first).position) == (Outcome.REPEATED, None, before)
        tokens = [read_refresh_token(str(grant.refresh)) for grant in (lost, again)]
        assert [token.generation for token in tokens] == [2, 2]
        assert tokens[0].branch != tokens[1].branch
        # The first of both that rotates reveals the other one.
        moment += GRACE * GROWTH
        assert sessions.refresh(str(again.refresh), now=moment).outcome is Outcome.ROTATED
        with pytest.raises(RefreshReused):
            sessions.refresh(str(lost.refresh), now=moment)

    def test_no_window_outlasts_half_of_the_idle_limit(self, anna: AbstractBaseUser, settings: Any) -> None:
        settings.TESSERA = {"SESSION_IDLE_LIFETIME": 80, "ACCESS_LIFETIME": 60}
        first = start(anna)
        sessions.refresh(str(first.refresh), now=NOW)
        moment = NOW + GRACE
        second = sessions.refresh(str(first.refresh), now=moment)
        moment += timedelta(seconds=40)
        assert sessions.refresh(str(second.refresh), now=moment).outcome is Outcome.ROTATED

    def test_using_a_successor_forgets_the_recoveries(self, anna: AbstractBaseUser) -> None:
        first = start(anna)
        sessions.refresh(str(first.refresh), now=NOW)
        second = sessions.refresh(str(first.refresh), now=NOW + GRACE)
        moment = NOW + GRACE + GRACE * GROWTH
        assert sessions.refresh(str(second.refresh), now=moment).outcome is Outcome.ROTATED
        assert row(first).recoveries == 0

    def test_reuse_ends_the_session_for_everybody(self, anna: AbstractBaseUser) -> None:
        first = start(anna)
        second = sessions.refresh(str(first.refresh), now=NOW)
        third = sessions.refresh(str(second.refresh), now=NOW + GRACE)
        with pytest.raises(RefreshReused):
            sessions.refresh(str(first.refresh), now=NOW + GRACE)
        with pytest.raises(SessionRevoked):
            sessions.refresh(str(third.refresh), now=NOW + 2 * GRACE)
        assert row(first).revoked_for == "refresh_reused"

    def test_a_database_that_lost_commits_follows_the_token(self, anna: AbstractBaseUser) -> None:
        grant, moment = start(anna), NOW
        for _ in range(3):
            moment += GRACE
            grant = sessions.refresh(str(grant.refresh), now=moment)
        Session.objects.update(generation=0, parent=None, rotated_at=None)
        answer = sessions.refresh(str(grant.refresh), now=moment + GRACE)
        assert answer.outcome is Outcome.RESYNCED
        assert (row(grant).generation, row(grant).parent) == (4, 3)
        assert sessions.refresh(str(answer.refresh), now=moment + 2 * GRACE).outcome is Outcome.ROTATED

    def test_strict_rotation_is_for_those_who_want_it(self, anna: AbstractBaseUser, settings: Any) -> None:
        settings.TESSERA = {"REFRESH_GRACE": 0, "REFRESH_RECOVERIES": 0}
        first = start(anna)
        sessions.refresh(str(first.refresh), now=NOW)
        with pytest.raises(RefreshReused):
            sessions.refresh(str(first.refresh), now=NOW)

    def test_the_idle_limit_moves_with_each_refresh(self, anna: AbstractBaseUser) -> None:
        idle = timedelta(days=14)
        first = start(anna)
        second = sessions.refresh(str(first.refresh), now=NOW + idle - timedelta(seconds=1))
        with pytest.raises(SessionExpired):
            sessions.refresh(str(second.refresh), now=NOW + 2 * idle)
        assert sessions.refresh(str(second.refresh), now=NOW + 2 * idle - timedelta(seconds=2)).refresh

    def test_the_absolute_limit_does_not(self, anna: AbstractBaseUser, settings: Any) -> None:
        settings.TESSERA = {"SESSION_IDLE_LIFETIME": timedelta(days=2), "SESSION_LIFETIME": timedelta(days=3)}
        first = start(anna)
        second = sessions.refresh(str(first.refresh), now=NOW + timedelta(days=1))
        last = sessions.refresh(str(second.refresh), now=NOW + timedelta(days=3, seconds=-10))
        assert 9 <= last.expires_in <= 10, "the access token must not outlive its session"
        assert 9 <= last.refresh_expires_in <= 10
        with pytest.raises(SessionExpired):
            sessions.refresh(str(last.refresh), now=NOW + timedelta(days=3))

    def test_the_user_is_asked_after_in_the_same_statement(self, anna: AbstractBaseUser) -> None:
        """The user is deactivated with ``QuerySet.update``, which sends no signal."""
        grant = start(anna)
        type(anna)._default_manager.filter(pk=anna.pk).update(is_active=False)
        with pytest.raises(UserInactive):
            sessions.refresh(str(grant.refresh), now=NOW)
        assert row(grant).generation == 0

    def test_a_good_mac_over_a_wrong_secret_gets_nowhere(self, anna: AbstractBaseUser) -> None:
        """Anybody with SECRET_KEY can write such a token. It must neither refresh nor end the session."""
        grant = start(anna)
        login = read_refresh_token(str(grant.refresh)).facts
        with pytest.raises(RefreshInvalid):
            sessions.refresh(write_refresh_token(login, 0, b"0123456789abcdef"), now=NOW)
        assert row(grant).revoked_at is None

    def test_a_token_of_a_pruned_session_is_unknown(self, anna: AbstractBaseUser) -> None:
        grant = start(anna)
        Session.objects.all().delete()
        with pytest.raises(SessionUnknown):
            sessions.refresh(str(grant.refresh), now=NOW)

    def test_a_rotated_secret_key_logs_nobody_out(self, anna: AbstractBaseUser, settings: Any) -> None:
        grant = start(anna)
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "another-secret-key-of-the-tests-and-nothing-else"
        answer = sessions.refresh(str(grant.refresh), now=NOW)
        settings.SECRET_KEY_FALLBACKS = []
        assert sessions.refresh(str(answer.refresh), now=NOW + GRACE).refresh
        with pytest.raises(RefreshInvalid):
            sessions.refresh(str(grant.refresh), now=NOW + GRACE)

    @pytest.mark.django_db(transaction=True)
    def test_inside_a_transaction_costs_a_savepoint(self, django_assert_num_queries: Any) -> None:
        grant = start(_user())
        with transaction.atomic(), django_assert_num_queries(3):
            sessions.refresh(str(grant.refresh))

    @pytest.mark.django_db(transaction=True)
    def test_is_one_statement_without_a_transaction_around_it(self, django_assert_num_queries: Any) -> None:
        grant = start(_user())
        with django_assert_num_queries(1):
            sessions.refresh(str(grant.refresh), now=NOW)


def _user() -> AbstractBaseUser:
    from tests.conftest import make_user

    return make_user("carol")


class TestSqlAgreesWithTheRule:
    """The condition of the UPDATE equals the rule's ROTATED, for each row and each time."""

    offsets = st.sampled_from([-31, -30, -29, -1, 0, 1, 5, 29, 30, 31])

    @given(
        generation=st.integers(0, 3),
        parent=st.none() | st.integers(0, 2),
        recoveries=st.sampled_from([0, 0, 1]),
        rotated=st.none() | offsets,
        idle=offsets,
        absolute=offsets,
        revoked=st.booleans(),
        active=st.booleans(),
        token=st.integers(0, 4),
        way=st.sampled_from(["compiled", "built"]),
    )
    @hypothesis_settings(
        max_examples=150,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @pytest.mark.slow
    def test_the_compiled_statement_updates_any_row(
        self,
        anna: AbstractBaseUser,
        *,
        generation: int,
        parent: int | None,
        recoveries: int,
        rotated: int | None,
        idle: int,
        absolute: int,
        revoked: bool,
        active: bool,
        token: int,
        way: str,
    ) -> None:
        type(anna)._default_manager.filter(pk=anna.pk).update(is_active=True)
        grant = start(anna)
        type(anna)._default_manager.filter(pk=anna.pk).update(is_active=active)
        Session.objects.filter(pk=grant.session_id).update(
            generation=generation,
            parent=parent,
            recoveries=recoveries,
            rotated_at=None if rotated is None else NOW + timedelta(seconds=rotated),
            idle_expires_at=NOW + timedelta(seconds=idle),
            expires_at=NOW + timedelta(seconds=absolute),
            revoked_at=NOW if revoked else None,
        )
        login = read_refresh_token(str(grant.refresh))
        wanted = write_refresh_token(login.facts, token, login.secret)
        _, state, moment = rows.read(read_refresh_token(wanted), with_user=False, now=NOW)
        assert moment == NOW
        decision = rotation.decide(state, token, NOW, rotation.Policy(grace=GRACE, recoveries=5))
        place, day = rotation.rotate(token, NOW), timedelta(days=1)
        with pytest.MonkeyPatch.context() as patch:
            if way == "built":
                patch.setattr(rows, "_compile_swap", lambda *args: None)
            moved = rows.swap(read_refresh_token(wanted), place, NOW, GRACE, day)
        if moved:
            found = Session.objects.get(pk=grant.session_id)
            assert (found.position, found.idle_expires_at) == (place, NOW + day)
        # The parent of a row is never its current generation.
        if parent != generation:
            assert moved == (decision.outcome is Outcome.ROTATED and not recoveries)


class TestHook:
    def test_runs_on_every_issue_path(self, anna: AbstractBaseUser, settings: Any) -> None:
        calls: list[tuple[Any, Any]] = []

        def claims(user: Any, session: Any) -> dict[str, Any]:
            calls.append((user.pk, session.pk))
            return {"plan": f"plan {len(calls)}"}

        settings.TESSERA = {"CLAIMS": claims}
        first = start(anna)
        second = sessions.refresh(str(first.refresh), now=NOW)
        within = sessions.refresh(str(first.refresh), now=NOW)
        recovered = sessions.refresh(str(first.refresh), now=NOW + GRACE)
        Session.objects.update(generation=0, parent=None)
        resynced = sessions.refresh(str(recovered.refresh), now=NOW + GRACE)
        plans = [
            verify_access_token(grant.access, now=NOW + timedelta(seconds=31))["plan"]
            for grant in (first, second, within, recovered, resynced)
        ]
        assert plans == [f"plan {count}" for count in range(1, 6)]
        assert calls == [(anna.pk, first.session_id)] * 5

    @pytest.mark.django_db(transaction=True)
    def test_costs_one_statement_more(
        self, anna: AbstractBaseUser, settings: Any, django_assert_num_queries: Any
    ) -> None:
        settings.TESSERA = {"CLAIMS": lambda user, session: {"name": user.get_username()}}
        with django_assert_num_queries(1):
            grant = start(anna)
        with django_assert_num_queries(2):
            sessions.refresh(str(grant.refresh), now=NOW)

    @pytest.mark.parametrize(
        "result", [{"sub": "1"}, {"exp": 1}, {"sid": "x"}, {"when": NOW}, {"x": "y" * 9000}, None, [1]]
    )
    def test_a_claim_that_it_must_not_return_is_refused(
        self, anna: AbstractBaseUser, settings: Any, result: Any
    ) -> None:
        grant = start(anna)
        settings.TESSERA = {"CLAIMS": lambda user, session: result}
        with pytest.raises(ClaimsHookError):
            start(anna)
        with pytest.raises(ClaimsHookError):
            sessions.refresh(str(grant.refresh), now=NOW)
        assert Session.objects.count() == 1

    def test_a_hook_that_fails_has_spent_nothing(self, anna: AbstractBaseUser, settings: Any) -> None:
        grant = start(anna)

        def fail(user: Any, session: Any) -> dict[str, Any]:
            raise KeyError("the project's own mistake")

        settings.TESSERA = {"CLAIMS": fail}
        for _ in range(10):
            with pytest.raises(KeyError):
                sessions.refresh(str(grant.refresh), now=NOW)
        settings.TESSERA = {}
        assert sessions.refresh(str(grant.refresh), now=NOW).outcome is Outcome.ROTATED


class TestShorten:
    def test_a_session_ends_earlier_for_good(self, anna: AbstractBaseUser) -> None:
        grant, now = start(anna), timezone.now()
        soon = now + timedelta(hours=1)
        token = sessions.shorten_refresh_token(read_refresh_token(grant.refresh or ""), soon)
        assert token.facts.expires_at == int(soon.timestamp())
        assert sessions.shorten_refresh_token(token, now + timedelta(hours=2)) == token
        assert row(grant).expires_at == soon
        assert sessions.refresh(grant.refresh or "", now=soon - timedelta(seconds=1)).refresh
        with pytest.raises(SessionExpired):
            sessions.refresh(grant.refresh or "", now=soon)

    def test_its_end_cannot_be_moved_after_its_tokens_have_been_used(self, anna: AbstractBaseUser) -> None:
        """An access token that a client has would outlive its session, and no logout could end the token."""
        grant = start(anna)
        sessions.refresh(grant.refresh or "")
        end = row(grant).expires_at
        sessions.shorten_refresh_token(
            read_refresh_token(grant.refresh or ""), timezone.now() + timedelta(seconds=5)
        )
        assert row(grant).expires_at == end


class TestRevoke:
    def test_returns_whether_it_changed_anything(self, anna: AbstractBaseUser) -> None:
        grant = start(anna)
        assert sessions.revoke(grant.session_id) is True
        assert sessions.revoke(grant.session_id) is False
        assert sessions.revoke(uuid4()) is False
        assert row(grant).revoked_for == "logout"

    def test_a_session_of_another_owner_is_not_ended(
        self, anna: AbstractBaseUser, bob: AbstractBaseUser
    ) -> None:
        grant = start(anna)
        assert sessions.revoke(grant.session_id, owner=bob) is False
        assert sessions.revoke(grant.session_id, owner=anna) is True

    def test_revoke_all_keeps_one_session(self, anna: AbstractBaseUser, bob: AbstractBaseUser) -> None:
        kept, *others = (start(anna) for _ in range(3))
        foreign = start(bob)
        assert sessions.revoke_all(anna, keep=kept.session_id) == 2
        assert sessions.revoke_all(anna, keep=kept.session_id) == 0
        assert [row(grant).revoked_for for grant in others] == ["logout_all"] * 2
        assert row(kept).revoked_at is None
        assert row(foreign).revoked_at is None
        assert sessions.revoke_all(anna) == 1

    def test_keeping_spares_sessions_inside_the_block_only(self, anna: AbstractBaseUser) -> None:
        first, second, third = (start(anna) for _ in range(3))
        with revoking.sparing(first.session_id):
            with revoking.sparing(second.session_id):
                assert sessions.revoke_all(anna, reason=Reason.PASSWORD_CHANGED) == 1
            assert sessions.revoke_all(anna, reason=Reason.PASSWORD_CHANGED) == 1
        assert sessions.revoke_all(anna, reason=Reason.PASSWORD_CHANGED) == 1
        assert row(third).revoked_at is not None

    def test_keeping_spares_no_session_of_a_user_who_is_deactivated(self, anna: Any) -> None:
        grant = start(anna)
        with revoking.sparing(grant.session_id):
            anna.is_active = False
            anna.save()
        assert row(grant).revoked_for == "user_inactive"

    def test_any_generation_of_a_refresh_token_may_log_out(self, anna: AbstractBaseUser) -> None:
        grant, moment = start(anna), NOW
        first = grant
        for _ in range(3):
            moment += GRACE
            grant = sessions.refresh(str(grant.refresh), now=moment)
        assert sessions.revoke_by_refresh_token(str(first.refresh)) is True
        assert sessions.revoke_by_refresh_token(str(first.refresh)) is False
        with pytest.raises(RefreshInvalid):
            sessions.revoke_by_refresh_token("tsr_nonsense")

    def test_a_guessed_secret_logs_nobody_out(self, anna: AbstractBaseUser) -> None:
        grant = start(anna)
        login = read_refresh_token(str(grant.refresh)).facts
        assert sessions.revoke_by_refresh_token(write_refresh_token(login, 0, b"0" * 16)) is False
        assert row(grant).revoked_at is None


class TestSignals:
    def test_each_event_is_heard_once_after_the_commit(
        self,
        anna: AbstractBaseUser,
        heard: list[tuple[str, dict[str, Any]]],
        django_capture_on_commit_callbacks: Any,
    ) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            first = start(anna)
            sessions.refresh(str(first.refresh), now=NOW)
            sessions.refresh(str(first.refresh), now=NOW)
            sessions.revoke(first.session_id, now=NOW)
            sessions.revoke(first.session_id, now=NOW)
            assert heard == []
        common = {"session_id": first.session_id, "sub": str(anna.pk)}
        assert heard == [
            ("started", {**common, "address": None, "device": "", "amr": "pwd"}),
            ("refreshed", {**common, "outcome": "rotated"}),
            ("refreshed", {**common, "outcome": "grace"}),
            ("revoked", {**common, "reason": "logout"}),
        ]

    def test_reuse_sends_a_signal_besides_the_end(
        self,
        anna: AbstractBaseUser,
        heard: list[tuple[str, dict[str, Any]]],
        django_capture_on_commit_callbacks: Any,
    ) -> None:
        first = start(anna)
        second = sessions.refresh(str(first.refresh), now=NOW)
        sessions.refresh(str(second.refresh), now=NOW + GRACE)
        with django_capture_on_commit_callbacks(execute=True), pytest.raises(RefreshReused):
            sessions.refresh(str(first.refresh), now=NOW + GRACE)
        common = {"session_id": first.session_id, "sub": str(anna.pk)}
        assert heard[-2:] == [("revoked", {**common, "reason": "refresh_reused"}), ("reused", common)]

    def test_each_ended_session_sends_a_signal(
        self,
        anna: AbstractBaseUser,
        heard: list[tuple[str, dict[str, Any]]],
        django_capture_on_commit_callbacks: Any,
    ) -> None:
        grants = {start(anna).session_id for _ in range(3)}
        with django_capture_on_commit_callbacks(execute=True):
            sessions.revoke_all(anna, reason=Reason.ADMIN)
            sessions.revoke_all(anna)
        assert {args["session_id"] for _, args in heard} == grants
        assert {args["reason"] for _, args in heard} == {"admin"}
        assert len(heard) == 3

    @pytest.mark.django_db(transaction=True)
    def test_an_end_that_was_rolled_back_sends_no_signal(
        self, heard: list[tuple[str, dict[str, Any]]]
    ) -> None:
        user = _user()
        with transaction.atomic():
            start(user)
            transaction.set_rollback(True)
        assert heard == []

    @pytest.mark.django_db(transaction=True)
    def test_a_receiver_that_raises_is_logged_and_harms_nobody(self, caplog: Any) -> None:
        def fail(**kwargs: Any) -> None:
            raise KeyError("a receiver's own mistake")

        signals.session_started.connect(fail)
        try:
            with caplog.at_level(logging.ERROR):
                assert start(_user()).refresh
        finally:
            signals.session_started.disconnect(fail)
        assert "a receiver's own mistake" in caplog.text


class TestPrune:
    def test_deletes_only_sessions_that_ended_long_enough_ago(self, anna: AbstractBaseUser) -> None:
        day = timedelta(days=1)
        idle, revoked, recent, live = (start(anna) for _ in range(4))
        Session.objects.filter(pk=idle.session_id).update(idle_expires_at=NOW - day)
        Session.objects.filter(pk=revoked.session_id).update(revoked_at=NOW - 2 * day)
        Session.objects.filter(pk=recent.session_id).update(revoked_at=NOW - day / 2)
        old = start(anna)
        Session.objects.filter(pk=old.session_id).update(expires_at=NOW - day)
        assert sessions.prune(now=NOW) == 3
        assert set(Session.objects.values_list("pk", flat=True)) == {recent.session_id, live.session_id}

    def test_deletes_in_batches_and_reports_its_progress(self, anna: AbstractBaseUser) -> None:
        for _ in range(7):
            start(anna)
        live = start(anna, now=NOW + timedelta(days=400))
        told: list[int] = []
        later = NOW + timedelta(days=400)
        assert sessions.prune(now=later, batch_size=3, progress=told.append) == 7
        assert told == [3, 6, 7]
        assert list(Session.objects.values_list("pk", flat=True)) == [live.session_id]


class TestContention:
    """The errors of databases when other writers interfere. test_concurrency.py has real writers."""

    def fail_with(self, cause: object, *args: object) -> None:
        with database.translated_trouble():
            error = OperationalError(*args)
            error.__cause__ = cause  # type: ignore[assignment]
            raise error

    @pytest.mark.parametrize("state", ["40001", "40P01"])
    def test_postgres(self, state: str) -> None:
        cause = type("Cause", (Exception,), {"sqlstate": state})()
        with pytest.raises(RefreshContended):
            self.fail_with(cause, "could not serialize access")

    @pytest.mark.parametrize("number", [1020, 1213])
    def test_mariadb(self, number: int) -> None:
        with pytest.raises(RefreshContended):
            self.fail_with(None, number, "Record has changed since last read")

    def test_a_lock_that_is_held_too_long_is_a_passing_trouble(self) -> None:
        for args in ((1205, "Lock wait timeout exceeded"), ("database is locked",)):
            with pytest.raises(TemporarilyUnavailable) as found:
                self.fail_with(None, *args)
            assert not isinstance(found.value, RefreshContended)

    def test_other_errors_go_on_as_they_are(self) -> None:
        with pytest.raises(OperationalError, match="no such table"):
            self.fail_with(None, "no such table")
        with pytest.raises(OperationalError):
            self.fail_with(None)

    def test_a_statement_that_the_database_refused_once_is_looked_at_again(
        self, anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """For example under SERIALIZABLE, where the slower swap fails instead of matching no row."""
        grant = start(anna)
        original, refused = rows.move, []

        def refuse_once(*args: Any) -> bool:
            if not refused:
                refused.append(args)
                raise RefreshContended
            return original(*args)

        monkeypatch.setattr(rows, "swap", refuse_once)
        assert sessions.refresh(str(grant.refresh), now=NOW).outcome is Outcome.ROTATED
        assert len(refused) == 1

    def test_a_theft_is_ended_although_the_row_moved_on_in_between(
        self, anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = start(anna)
        second = sessions.refresh(str(first.refresh), now=NOW)
        sessions.refresh(str(second.refresh), now=NOW + GRACE)
        original = rows.read

        def read_too_early(*args: Any, **kwargs: Any) -> Any:
            found = original(*args, **kwargs)
            monkeypatch.setattr(rows, "read", original)
            Session.objects.update(generation=3, parent=2)
            return found

        monkeypatch.setattr(rows, "read", read_too_early)
        with pytest.raises(RefreshReused):
            sessions.refresh(str(first.refresh), now=NOW + GRACE)
        assert row(first).revoked_for == "refresh_reused"

    def test_a_refresh_that_others_always_overtake_gives_up_with_nothing_lost(
        self, anna: AbstractBaseUser, settings: Any
    ) -> None:
        """The hook is a writer that changes the row each time, between the read and the write."""
        grant = start(anna)

        def overtake(user: Any, session: Any) -> dict[str, Any]:
            Session.objects.filter(pk=session.pk).update(generation=session.generation + 1, parent=0)
            return {}

        settings.TESSERA = {"CLAIMS": overtake, "REFRESH_GRACE": 0, "REFRESH_RECOVERIES": 100}
        with pytest.raises(RefreshContended):
            sessions.refresh(str(grant.refresh), now=NOW)
        assert row(grant).revoked_at is None
        settings.TESSERA = {"REFRESH_GRACE": 0, "REFRESH_RECOVERIES": 100}
        assert sessions.refresh(str(grant.refresh), now=NOW).refresh


class Busy(OperationalError):
    """The error of PostgreSQL when another writer was faster."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__("could not serialize access")
        self.__cause__ = type("Cause", (Exception,), {"sqlstate": sqlstate})()


class TestPersist:
    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("times", [0, 1, 9])
    def test_a_write_is_tried_until_nobody_is_faster(self, times: int) -> None:
        left = [None] * times

        def write() -> str:
            if left:
                left.pop()
                raise Busy("40001")
            return "written"

        assert database.persist(write) == "written"

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize(("sqlstate", "expected"), [("40P01", 10), ("55P03", 1)])
    def test_a_write_that_is_always_overtaken_is_temporarily_unavailable(
        self, sqlstate: str, expected: int
    ) -> None:
        tries = []

        def write() -> None:
            tries.append(1)
            raise Busy(sqlstate)

        with pytest.raises(TemporarilyUnavailable):
            database.persist(write)
        assert len(tries) == expected

    @pytest.mark.django_db(transaction=True)
    def test_a_transaction_is_begun_again_only_by_its_owner(self) -> None:
        def write() -> None:
            raise Busy("40001")

        with transaction.atomic(), pytest.raises(Busy):
            database.persist(write)


class TestUnsaved:
    """The error says what is wrong with the object."""

    def test_a_user_that_was_never_saved(self, db: None) -> None:
        with pytest.raises(ProjectError, match=r"not in the database yet.*Call user\.save\(\)"):
            start(get_user_model()(username="new"))

    def test_a_user_with_a_key_that_was_never_saved(self, db: None) -> None:
        """As with a UUID, which has its value before the row has."""
        with pytest.raises(ProjectError, match="not in the database yet"):
            start(get_user_model()(pk=4711, username="new"))

    def test_something_else(self, anna: AbstractBaseUser) -> None:
        stranger: Any = type("TokenUser", (), {"is_active": True, "pk": anna.pk})()
        with pytest.raises(ProjectError, match=r"saved instance of auth\.User.*TokenUser"):
            start(stranger)


class TestCompiled:
    def test_the_swap_is_compiled_on_every_database(self) -> None:
        of_this_process = rows._compile_swap("default", get_user_model(), False)
        assert of_this_process is not None
        if connection.vendor in CLOCKS:
            of_the_database = rows._compile_swap("default", get_user_model(), True)
            assert of_the_database is not None
            assert CLOCKS[connection.vendor].partition("(")[2].partition("(")[0] in of_the_database.sql
        assert columns_tell_who_is_active()

    def test_a_manager_of_the_project_s_own_is_asked_every_time(
        self, anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its result may depend on the time or the thread, for example on a tenant or a soft deletion."""
        manager = type(get_user_model()._default_manager)
        whole, hidden = manager.get_queryset, False
        monkeypatch.setattr(
            manager, "get_queryset", lambda self: whole(self).none() if hidden else whole(self)
        )
        assert not columns_tell_who_is_active()
        grant = start(anna)
        moved = sessions.refresh(str(grant.refresh), now=NOW)
        hidden = True
        with pytest.raises(UserInactive):
            sessions.refresh(str(moved.refresh), now=NOW + GRACE)

    def test_a_value_that_cannot_be_found_again_is_not_compiled(self) -> None:
        field: Any = Session._meta.get_field("label")
        rows = Session.objects.filter(label="here")
        assert compile_update(rows, {"label": "new"}, {"x": Mark(field=field, value="elsewhere")}) is None


def test_a_refresh_works_where_its_statement_cannot_be_compiled_once(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "_compile_swap", lambda *args: None)
    first = sessions.start(anna)
    assert sessions.refresh(str(first.refresh)).refresh is not None
