"""Where the notices leave a session in doubt, its row tells, and no query is made twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.db import DatabaseError, OperationalError, connection, transaction
from django.utils import timezone
from rest_framework.test import APIClient

from drf_tessera import sessions
from drf_tessera.exceptions import MigrationMissing, RevocationUnavailable, SessionEnded
from drf_tessera.models import Revocation, Session, SessionQuerySet
from drf_tessera.revocation import check_session, rulings
from drf_tessera.revocation.feed import get_feed
from drf_tessera.revocation.notices import NOBODY, Ended, Notice, Scope, make_mark
from drf_tessera.revocation.rulings import Rulings
from drf_tessera.tokens import verify_access_token
from drf_tessera.workers.crews import Turn
from tests.conftest import bearer, make_user
from tests.servers import PATIENCE, wait_until

pytestmark = pytest.mark.django_db
LONG_AGO = timedelta(hours=1)


def refresh(grant: sessions.Grant) -> str:
    """Return a fresh access token of a session that began long ago."""
    return sessions.refresh(str(grant.refresh)).access


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Collection[UUID]]:
    """The sessions of each query of a row, also of one that another thread makes."""
    found: list[Collection[UUID]] = []
    find = rulings._find_rows

    def record(session_ids: Collection[UUID]) -> dict[UUID, rulings.Row]:
        found.append(session_ids)
        return find(session_ids)

    monkeypatch.setattr(rulings, "_find_rows", record)
    return found


def is_let_in(api: APIClient, access: str) -> bool:
    return api.get("/me/", **bearer(access)).status_code == 200


class TestUser:
    def test_a_login_in_the_same_second_gets_in_and_an_older_session_does_not(
        self, api: APIClient, anna: AbstractBaseUser
    ) -> None:
        old = [sessions.start(anna) for _ in range(2)]
        assert sessions.revoke_all(anna) == 2
        new = sessions.start(anna)
        assert Revocation.objects.count() == 1
        for _ in range(2):
            assert not any(is_let_in(api, grant.access) for grant in old)
            assert is_let_in(api, new.access)

    def test_a_login_by_a_slow_clock_gets_in_and_one_by_a_fast_clock_has_ended(
        self, api: APIClient, anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fast = [sessions.start(anna, now=timezone.now() + timedelta(seconds=20)) for _ in range(2)]
        sessions.revoke_all(anna)
        slow = sessions.start(anna, now=timezone.now() - timedelta(seconds=20))
        now = time.time() + 25
        monkeypatch.setattr(time, "time", lambda: now)
        assert not any(is_let_in(api, grant.access) for grant in fast)
        assert is_let_in(api, slow.access)

    @pytest.mark.django_db(transaction=True)
    def test_the_answer_of_the_row_costs_one_query(
        self, anna: AbstractBaseUser, reads: list[Collection[UUID]]
    ) -> None:
        old = [sessions.start(anna) for _ in range(2)]
        sessions.revoke_all(anna)
        grants = [*old, sessions.start(anna)]
        tokens = [verify_access_token(grant.access) for grant in grants]
        get_feed().check(uuid4())  # pulls
        for token in tokens * 3:
            if token.session_id == grants[-1].session_id:
                check_session(token)
            else:
                with pytest.raises(SessionEnded):
                    check_session(token)
        assert reads == [[grant.session_id] for grant in grants]

    @pytest.mark.django_db(transaction=True)
    def test_a_session_that_began_long_ago_needs_no_query(
        self, anna: AbstractBaseUser, reads: list[Collection[UUID]]
    ) -> None:
        old = [sessions.start(anna, now=timezone.now() - LONG_AGO) for _ in range(2)]
        tokens = [verify_access_token(refresh(grant)) for grant in old]
        sessions.revoke_all(anna)
        get_feed().check(uuid4())
        for token in tokens:
            with pytest.raises(SessionEnded):
                check_session(token)
        assert reads == []

    @pytest.mark.django_db(transaction=True)
    def test_the_kept_session_needs_no_query(
        self, anna: AbstractBaseUser, reads: list[Collection[UUID]]
    ) -> None:
        kept, *others = (sessions.start(anna) for _ in range(3))
        assert sessions.revoke_all(anna, keep=kept.session_id) == 2
        get_feed().check(uuid4())
        check_session(verify_access_token(kept.access))
        assert reads == []
        for grant in others:
            with pytest.raises(SessionEnded):
                check_session(verify_access_token(grant.access))

    def test_a_new_user_with_the_key_of_a_deleted_user_gets_in(
        self, api: APIClient, anna: AbstractBaseUser
    ) -> None:
        key = anna.pk
        old = [sessions.start(anna) for _ in range(2)]
        anna.delete()
        assert not any(is_let_in(api, grant.access) for grant in old)
        new = sessions.start(make_user("other", id=key))
        assert is_let_in(api, new.access)
        assert not any(is_let_in(api, grant.access) for grant in old)


class TestEveryPath:
    """Each change that ends all sessions of a user publishes one notice, and it is felt at once."""

    def change_password(self, user: Any) -> None:
        user.set_password("another password")
        user.save()

    def deactivate(self, user: Any) -> None:
        user.is_active = False
        user.save()

    def delete(self, user: Any) -> None:
        user.delete()

    def log_out_everywhere(self, user: Any) -> None:
        access = sessions.start(user).access
        assert APIClient().delete("/api/token/sessions/", **bearer(access)).status_code == 200

    @pytest.mark.slow
    @pytest.mark.parametrize("path", ["change_password", "deactivate", "delete", "log_out_everywhere"])
    @pytest.mark.parametrize("began", [timedelta(), LONG_AGO])
    def test_one_notice_is_felt_by_all_sessions(
        self, api: APIClient, anna: AbstractBaseUser, path: str, began: timedelta
    ) -> None:
        bystander = sessions.start(make_user("bystander"))
        grants = [sessions.start(anna, now=timezone.now() - began) for _ in range(5)]
        tokens = [refresh(grant) for grant in grants] if began else [grant.access for grant in grants]
        assert all(is_let_in(api, access) for access in tokens)
        getattr(self, path)(anna)
        assert Revocation.objects.count() == 1
        assert not any(is_let_in(api, access) for access in tokens)
        assert is_let_in(api, bystander.access)


class TestTransaction:
    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("began", [timedelta(), LONG_AGO])
    def test_a_notice_that_is_rolled_back_after_a_check_is_forgotten(
        self, anna: AbstractBaseUser, began: timedelta
    ) -> None:
        grants = [sessions.start(anna, now=timezone.now() - began) for _ in range(2)]
        tokens = [verify_access_token(refresh(grant) if began else grant.access) for grant in grants]
        with transaction.atomic():
            sessions.revoke_all(anna)
            for token in tokens:
                with pytest.raises(SessionEnded):
                    check_session(token)
            transaction.set_rollback(True)
        for token in tokens:
            check_session(token)
        sessions.revoke_all(anna)
        for token in tokens * 2:
            with pytest.raises(SessionEnded):
                check_session(token)

    @pytest.mark.django_db(transaction=True)
    def test_inside_a_transaction_its_own_snapshot_decides_nothing_for_later(
        self, doubtful: Doubtful, reads: list[Collection[UUID]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It may be older than the notice. Another connection's snapshot is new, so its answer is kept."""
        with monkeypatch.context() as patch, transaction.atomic():
            patch.setattr(rulings, "is_alone", lambda: True)
            assert doubtful.has_ended() is doubtful.has_ended() is False
        assert len(reads) == 2
        with transaction.atomic():
            assert doubtful.has_ended() is doubtful.has_ended() is False
        assert doubtful.has_ended() is False
        assert len(reads) == 3

    @pytest.mark.django_db(transaction=True)
    def test_an_old_snapshot_does_not_let_in_what_another_process_has_ended(
        self, doubtful: Doubtful, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rulings, "_read_here", lambda session_id: rulings.Row.LIVES)
        sessions.revoke(doubtful.grant.session_id)
        with transaction.atomic():
            assert doubtful.has_ended()

    @pytest.mark.django_db(transaction=True)
    def test_a_session_that_began_in_the_open_transaction_has_not_ended(self, anna: AbstractBaseUser) -> None:
        """No other connection sees its row. The answer of another one is not kept."""
        with transaction.atomic():
            doubtful = Doubtful(anna)
            assert doubtful.has_ended() is doubtful.has_ended() is False
        assert doubtful.has_ended() is False


class Doubtful:
    """A session that a notice about its user has left in doubt."""

    def __init__(self, user: AbstractBaseUser) -> None:
        self.grant = sessions.start(user)
        token, now = verify_access_token(self.grant.access), int(time.time())
        self.facts = (token.session_id, token.sub, token.auth_time)
        self.ended = Ended()
        self.ended.learn([Notice(NOBODY, now + 300, Scope(token.sub, now - 60, now + 60, make_mark()))])
        self.rulings = Rulings(self.ended, patience=PATIENCE, limit=PATIENCE)

    def has_ended(self) -> bool:
        return self.rulings.has_ended(*self.facts)


@pytest.fixture
def doubtful(anna: AbstractBaseUser) -> Doubtful:
    return Doubtful(anna)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("own_crews")
class TestThreads:
    """A thread of the crew reads the rows, so that a database that hangs holds no request."""

    @pytest.fixture
    def hangs(
        self, own_crews: None, monkeypatch: pytest.MonkeyPatch, reads: list[Collection[UUID]]
    ) -> Iterator[threading.Event]:
        """Make each read hang until this event is set."""
        ends, find = threading.Event(), rulings._find_rows

        def hang(session_ids: Collection[UUID]) -> dict[UUID, rulings.Row]:
            found = find(session_ids)
            assert ends.wait(PATIENCE)
            return found

        monkeypatch.setattr(rulings, "_find_rows", hang)
        yield ends
        ends.set()

    def test_a_read_that_hangs_costs_a_request_its_patience_and_the_later_ones_nothing(
        self, doubtful: Doubtful, hangs: threading.Event, reads: list[Collection[UUID]]
    ) -> None:
        begin_to_hang(doubtful, reads)
        doubtful.rulings._patience = 0.01
        for _ in range(50):
            with pytest.raises(RevocationUnavailable):
                doubtful.has_ended()
        assert len(reads) == 1
        assert not doubtful.rulings._open  # an outage of hours does not fill the memory
        hangs.set()
        doubtful.rulings._patience = PATIENCE
        assert doubtful.has_ended() is doubtful.has_ended() is False

    def test_a_read_that_hangs_is_given_up_and_the_next_one_does_not_wait_for_it(
        self,
        doubtful: Doubtful,
        hangs: threading.Event,
        reads: list[Collection[UUID]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        turn = begin_to_hang(doubtful, reads)
        turn._moved = float("-inf")
        monkeypatch.setattr(rulings, "_find_rows", find_living)
        assert doubtful.has_ended() is False
        assert turn.is_lost

    def test_requests_that_ask_at_the_same_time_share_a_query(
        self, doubtful: Doubtful, hangs: threading.Event, reads: list[Collection[UUID]]
    ) -> None:
        ids = [uuid4() for _ in range(rulings._MOST_ASKED + 3)]
        _, sub, began = doubtful.facts
        for session_id in ids:
            doubtful.rulings._open.append(rulings.Question(session_id))
        hangs.set()
        assert doubtful.has_ended() is False
        assert [len(read) for read in reads] == [rulings._MOST_ASKED, 4]
        with ThreadPoolExecutor(4) as pool:
            found = pool.map(lambda session_id: doubtful.rulings.has_ended(session_id, sub, began), ids[:8])
            assert all(found)

    def test_a_turn_that_has_begun_is_not_waited_for_although_the_clock_stands(
        self, doubtful: Doubtful, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It may have taken its last question. So the next turn reads the row."""
        taken, ends, take = threading.Event(), threading.Event(), doubtful.rulings._take_questions

        def stop_at_the_end() -> list[rulings.Question]:
            found = take()
            if not found and not taken.is_set():
                taken.set()
                assert ends.wait(PATIENCE)
            return found

        monkeypatch.setattr(doubtful.rulings, "_take_questions", stop_at_the_end)
        present = time.monotonic()
        monkeypatch.setattr(rulings, "time", SimpleNamespace(monotonic=lambda: present))
        doubtful.rulings._worker.ask(present)
        assert taken.wait(PATIENCE)
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(doubtful.has_ended)
            wait_until(lambda: bool(doubtful.rulings._open), "the row is not asked for")
            time.sleep(0.05)  # time to join a turn
            ends.set()
            assert answer.result() is False

    def test_the_thread_of_the_request_does_not_even_connect(self, doubtful: Doubtful) -> None:
        def ask() -> bool:
            return doubtful.has_ended() or connection.connection is not None

        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(ask).result() is False

    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            (DatabaseError(), RevocationUnavailable),
            (OperationalError("no such table: tessera_session"), MigrationMissing),
            (ZeroDivisionError(), ZeroDivisionError),
        ],
    )
    def test_each_request_that_waits_gets_the_error(
        self, doubtful: Doubtful, monkeypatch: pytest.MonkeyPatch, error: Exception, expected: type[Exception]
    ) -> None:
        monkeypatch.setattr(rulings, "_find_rows", Failing(error))
        with pytest.raises(expected):
            doubtful.has_ended()
        monkeypatch.setattr(rulings, "_find_rows", find_living)
        assert doubtful.has_ended() is False

    @pytest.mark.parametrize("bound", [False, True])
    def test_without_another_thread_the_request_reads_the_row_itself(
        self, doubtful: Doubtful, monkeypatch: pytest.MonkeyPatch, *, bound: bool
    ) -> None:
        def refuse(since: float) -> Turn:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(doubtful.rulings._worker, "ask", refuse)
        with transaction.atomic() if bound else nullcontext():
            assert doubtful.has_ended() is False
        assert not doubtful.rulings._open

    def test_a_turn_that_was_given_up_takes_no_more_questions(
        self, doubtful: Doubtful, reads: list[Collection[UUID]]
    ) -> None:
        turn = Turn()
        turn.is_lost = True
        doubtful.rulings._open.append(rulings.Question(uuid4()))
        doubtful.rulings._work(turn)
        assert len(doubtful.rulings._open) == 1
        assert reads == []


def begin_to_hang(doubtful: Doubtful, reads: list[Collection[UUID]]) -> Turn:
    """Return the turn of a thread that reads a row, which hangs."""
    doubtful.rulings._open.append(rulings.Question(uuid4()))
    turn = doubtful.rulings._worker.ask(time.monotonic())
    wait_until(lambda: bool(reads), "the row is not read")
    return turn


def find_living(session_ids: Collection[UUID]) -> dict[UUID, rulings.Row]:
    return dict.fromkeys(session_ids, rulings.Row.LIVES)


class Failing:
    """Stands for a function that makes a query, which fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __call__(self, session_ids: Collection[UUID]) -> dict[UUID, rulings.Row]:
        raise self.error


def test_a_row_that_cannot_be_read_is_a_temporary_failure(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = verify_access_token(sessions.start(anna).access)
    sessions.start(anna)
    sessions.revoke_all(anna)

    get_feed().check(uuid4())
    for error, expected in (
        (DatabaseError(), RevocationUnavailable),
        (OperationalError("no such table: tessera_session"), MigrationMissing),
    ):
        monkeypatch.setattr(rulings, "_find_rows", Failing(error))
        with pytest.raises(expected):
            check_session(token)


def test_a_cache_of_queries_is_not_asked(anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such packages (cacheops) give all querysets this method."""
    asked: list[int] = []

    def nocache(self: Any) -> Any:
        asked.append(1)
        return self

    monkeypatch.setattr(SessionQuerySet, "nocache", nocache, raising=False)
    SessionQuerySet(Session).uncached()
    assert asked
