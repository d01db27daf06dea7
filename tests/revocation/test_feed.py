"""The feed: it reads the store at intervals, answers from memory, and refuses when its data is too old."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AbstractBaseUser
from django.core.management import call_command
from django.db import DatabaseError, connection, connections, transaction
from django.test import AsyncClient, TestCase
from django.utils import timezone
from rest_framework.test import APIClient

from drf_tessera import installation, sessions
from drf_tessera.conf import get_settings, use_tenant
from drf_tessera.exceptions import (
    DatabaseUnavailable,
    MigrationMissing,
    RevocationUnavailable,
    SessionEnded,
    TemporarilyUnavailable,
)
from drf_tessera.models import Revocation
from drf_tessera.revocation import caches as caches_module
from drf_tessera.revocation import feed as feed_module
from drf_tessera.revocation import publish, publishing, stores
from drf_tessera.revocation.caches import CacheStore
from drf_tessera.revocation.feed import Feed, FeedState, describe_feed, get_feed
from drf_tessera.revocation.notices import NOBODY, Doubt, Notice, Scope
from drf_tessera.revocation.stores import OVERLAP, TOLERANCE, DatabaseStore
from drf_tessera.workers.crews import Turn
from tests.conftest import bearer, log_in, make_user
from tests.revocation.conftest import table_away
from tests.servers import PATIENCE, wait_until

POLL, STALENESS = 1.0, 30.0


class Clock:
    def __init__(self) -> None:
        self.now, self.wall = 1000.0, time.time()

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.wall


class Store:
    """A store in memory that can fail, and that counts its readers."""

    is_behind = False
    skew: float | None = None

    def __init__(self, *, joins_transaction: bool = True) -> None:
        self.joins_transaction = joins_transaction
        self.news: list[Notice] = []
        self.recorded: list[Notice] = []
        self.pulls = 0
        self.broken = self.read_only = False
        self.meanwhile: Any = lambda: None

    def publish(self, notices: Any) -> None:
        if self.broken or self.read_only:
            raise RevocationUnavailable
        self.news += notices

    def record(self, notices: Any) -> Any:
        self.recorded += notices
        return notices

    def holds(self, session_id: UUID) -> bool:
        if self.broken:
            raise RevocationUnavailable
        return any(item.session_id == session_id for item in self.recorded)

    def copy(self) -> Store:
        return self

    def rewind(self) -> None:
        """Do nothing, because each read of this store returns everything."""

    def pull(self) -> list[Notice]:
        self.pulls += 1
        found = list(self.news)
        self.meanwhile()
        if self.broken:
            raise RevocationUnavailable
        return found


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    for module in (feed_module, publish, stores, caches_module):
        monkeypatch.setattr(module, "time", found)
    return found


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def feed(store: Store, clock: Clock) -> Feed:
    return Feed(store, poll=POLL, staleness=STALENESS)


def pull_when_all_wait(feed: Feed, store: Store, threads: int) -> None:
    """Make a pull wait until all ``threads`` have asked for it."""
    asked, ask = threading.Semaphore(0), feed._worker.ask

    def count(since: float) -> Any:
        turn = ask(since)
        asked.release()
        return turn

    def wait() -> None:
        assert all(asked.acquire(timeout=PATIENCE) for _ in range(threads))

    feed._worker.ask, store.meanwhile = count, wait


def make_due(feed: Feed) -> None:
    """Make the next check pull."""
    feed._due = float("-inf")


def notice(clock: Clock, seconds: float = 300) -> Notice:
    return Notice(uuid4(), int(clock.wall + seconds))


class TestPull:
    def test_the_first_check_asks_and_then_one_in_each_poll(
        self, feed: Feed, store: Store, clock: Clock
    ) -> None:
        for _ in range(5):
            for _ in range(20):
                feed.check(uuid4())
            clock.now += POLL
        assert store.pulls == 5

    def test_news_is_known_after_the_next_pull(self, feed: Feed, store: Store, clock: Clock) -> None:
        feed.check(uuid4())
        ended = notice(clock)
        store.news.append(ended)
        feed.check(ended.session_id)
        clock.now += POLL
        with pytest.raises(SessionEnded):
            feed.check(ended.session_id)

    def test_a_poll_of_zero_asks_on_every_check(self, store: Store, clock: Clock) -> None:
        feed = Feed(store, poll=0, staleness=STALENESS)
        for _ in range(3):
            feed.check(uuid4())
        assert store.pulls == 3


class TestMemory:
    def test_it_is_bounded_by_what_still_matters(self, store: Store, clock: Clock) -> None:
        """The memory holds only the revocations of one access lifetime, even in an old process."""
        feed = Feed(store, poll=POLL, staleness=STALENESS, keep=30)
        for _ in range(100):
            store.news = [notice(clock) for _ in range(10)]
            clock.now += 10
            clock.wall += 10
            feed.check(uuid4())
            assert len(feed.ended) <= 5 * 10

    def test_news_is_kept_for_one_access_lifetime_since_it_was_heard(
        self, feed: Feed, store: Store, clock: Clock
    ) -> None:
        """A server whose clock is slow handled the logout, so its notice seems to be old."""
        feed = Feed(store, poll=POLL, staleness=STALENESS, keep=300)
        ended = notice(clock, -70)
        store.news = [ended]
        feed.check(uuid4())
        store.news = []
        for _ in range(29):
            clock.now += 10
            clock.wall += 10
            with pytest.raises(SessionEnded):
                feed.check(ended.session_id)
            feed.check(uuid4())
        clock.now += 150  # notices are dropped together with others of about the same time
        feed.check(uuid4())
        feed.check(ended.session_id)

    @pytest.mark.parametrize("jump", [600, -600])
    def test_a_wall_clock_that_jumps_and_comes_back_revives_no_session(
        self, store: Store, clock: Clock, jump: float
    ) -> None:
        feed = Feed(store, poll=POLL, staleness=STALENESS, keep=300)
        ended = notice(clock)
        store.news = [ended]
        feed.check(uuid4())
        store.news = []
        for wall in (jump, -jump):
            clock.wall += wall
            clock.now += 20
            feed.check(uuid4())
            with pytest.raises(SessionEnded):
                feed.check(ended.session_id)


class TestOutage:
    def test_the_last_known_state_counts_for_a_while(self, feed: Feed, store: Store, clock: Clock) -> None:
        ended = notice(clock)
        store.news.append(ended)
        feed.check(uuid4())
        store.broken = True
        for _ in range(int(STALENESS) - 1):
            clock.now += POLL
            feed.check(uuid4())
            with pytest.raises(SessionEnded):
                feed.check(ended.session_id)
        assert store.pulls == STALENESS

    def test_then_nobody_is_let_in(self, feed: Feed, store: Store, clock: Clock) -> None:
        feed.check(uuid4())
        store.broken = True
        clock.now += STALENESS + 0.1
        for _ in range(3):
            with pytest.raises(RevocationUnavailable):
                feed.check(uuid4())

    def test_the_last_known_state_counts_no_longer_than_the_staleness(
        self, feed: Feed, store: Store, clock: Clock
    ) -> None:
        feed.check(uuid4())
        store.broken = True
        clock.now += STALENESS - 0.1
        feed.check(uuid4())
        clock.now += 0.2
        with pytest.raises(RevocationUnavailable):
            feed.check(uuid4())

    def test_a_process_that_knows_nothing_lets_nobody_in(self, feed: Feed, store: Store) -> None:
        store.broken = True
        with pytest.raises(RevocationUnavailable):
            feed.check(uuid4())

    def test_a_store_that_is_back_is_noticed_by_the_next_check(
        self, feed: Feed, store: Store, clock: Clock
    ) -> None:
        feed.check(uuid4())
        store.broken = True
        clock.now += STALENESS + 1
        with pytest.raises(RevocationUnavailable):
            feed.check(uuid4())
        store.broken = False
        feed.check(uuid4())

    def test_it_is_logged_once_when_it_begins_and_once_when_it_ends(
        self, feed: Feed, store: Store, clock: Clock, caplog: Any
    ) -> None:
        feed.check(uuid4())
        store.broken = True
        for _ in range(3):
            clock.now += POLL
            feed.check(uuid4())
        store.broken = False
        for _ in range(3):
            clock.now += POLL
            feed.check(uuid4())
        assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING]

    def test_a_notice_that_could_not_be_published_counts_here_and_is_sent_later(
        self, feed: Feed, store: Store, clock: Clock
    ) -> None:
        feed.check(uuid4())
        store.broken = True
        lost = notice(clock)
        feed.learn([lost], certain=True)
        feed.send([lost])
        with pytest.raises(SessionEnded):
            feed.check(lost.session_id)
        assert store.news == []
        store.broken = False
        clock.now += POLL
        feed.check(uuid4())
        assert store.news == [lost]
        clock.now += POLL
        feed.check(uuid4())
        assert store.news == [lost]

    def test_a_store_that_only_reads_is_read(self, feed: Feed, store: Store, clock: Clock) -> None:
        """For example a full Redis or a replica. The feed still reads other logouts, and keeps its own."""
        feed.check(uuid4())
        store.read_only = True
        mine, theirs = notice(clock), notice(clock)
        feed.send([mine])
        store.news.append(theirs)
        for _ in range(2 * int(STALENESS)):
            clock.now += POLL
            feed.check(uuid4())
            with pytest.raises(SessionEnded):
                feed.check(theirs.session_id)
        store.read_only = False
        clock.now += POLL
        feed.check(uuid4())
        assert mine in store.news

    def test_an_expired_notice_is_not_sent_later(self, feed: Feed, store: Store, clock: Clock) -> None:
        """It is also not kept for as long as the store takes nothing, which may be hours."""
        feed.check(uuid4())
        store.read_only = True
        feed.send([notice(clock, 10)])
        assert feed._unsent
        clock.now += 20
        clock.wall += 20
        feed.check(uuid4())
        assert not feed._unsent
        store.read_only = False
        clock.now += 20
        feed.check(uuid4())
        assert store.news == []


class TestThreads:
    """The threads that wait for another thread."""

    def check_in_threads(self, feed: Feed, count: int = 8) -> list[Any]:
        barrier = threading.Barrier(count)

        def check() -> Any:
            barrier.wait(timeout=PATIENCE)
            try:
                return feed.check(uuid4())
            except RevocationUnavailable as error:
                return error.code

        with ThreadPoolExecutor(count) as pool:
            return [future.result() for future in [pool.submit(check) for _ in range(count)]]

    def test_the_first_checks_of_many_threads_wait_for_one_pull(self, store: Store) -> None:
        feed = Feed(store, poll=60, staleness=60)
        pull_when_all_wait(feed, store, 8)
        assert self.check_in_threads(feed) == [None] * 8
        assert store.pulls == 1

    def test_if_that_one_fails_the_waiting_do_not_each_try_again(self, store: Store) -> None:
        """Otherwise a server that does not answer would cost each thread its own timeout."""
        store.broken = True
        feed = Feed(store, poll=60, staleness=60)
        pull_when_all_wait(feed, store, 8)
        assert self.check_in_threads(feed) == ["revocation_unavailable"] * 8
        assert store.pulls == 1

    @pytest.mark.slow
    def test_while_one_asks_the_others_go_on_with_what_is_known(self, store: Store, clock: Clock) -> None:
        feed = Feed(store, poll=0.1, staleness=600)  # the others wait for as long as a poll, or for a second
        feed.check(uuid4())
        clock.now += 1
        asking, proceed, waits = threading.Event(), threading.Event(), []

        def hang() -> None:
            asking.set()
            waits.append(proceed.wait(timeout=PATIENCE))

        store.meanwhile = hang
        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(feed.check, uuid4())
            assert asking.wait(timeout=PATIENCE)
            feed.check(uuid4())
            assert waits == []  # the store has not answered, and the other thread has its answer
            proceed.set()
            slow.result()  # on a slow machine, this thread too goes on before the store has answered
        wait_until(lambda: waits == [True], "the store was not let go")
        assert store.pulls == 2

    def test_after_a_long_rest_the_others_wait_for_the_news(self, store: Store, clock: Clock) -> None:
        """A process without requests for an hour knows no revocation of that hour."""
        feed = Feed(store, poll=PATIENCE, staleness=3600)  # the threads wait for as long as a poll
        feed.check(uuid4())
        clock.now += 3 * PATIENCE
        ended = Notice(uuid4(), int(time.time()) + 3600)
        store.news.append(ended)
        pull_when_all_wait(feed, store, 4)
        barrier = threading.Barrier(4)

        def check() -> bool:
            barrier.wait(timeout=PATIENCE)
            try:
                feed.check(ended.session_id)
            except SessionEnded:
                return True
            return False

        with ThreadPoolExecutor(4) as pool:
            assert all(future.result() for future in [pool.submit(check) for _ in range(4)])


def rows_only_when_in_doubt(feed: Feed) -> None:
    """Check that a feed with a cache has read the table, and now follows the cache alone."""
    store: Any = feed.store
    assert not store._in_doubt
    store._silence = PATIENCE


class TestMistake:
    """A missing table is a mistake and not an outage, because it does not pass."""

    def test_a_new_process_says_what_to_do(self, feed: Feed, store: Store) -> None:
        store.meanwhile = refuse_for_ever
        for _ in range(2):
            with pytest.raises(MigrationMissing, match=r"manage\.py migrate"):
                feed.check(uuid4())
        store.meanwhile = lambda: None
        feed.check(uuid4())

    def test_old_knowledge_counts_for_as_long_as_in_an_outage(
        self, feed: Feed, store: Store, clock: Clock
    ) -> None:
        """The tables may be missing for a moment while a backup is restored."""
        feed.check(uuid4())
        store.meanwhile = refuse_for_ever
        clock.now += STALENESS
        feed.check(uuid4())
        clock.now += POLL
        with pytest.raises(MigrationMissing):
            feed.check(uuid4())
        store.meanwhile, store.broken = (lambda: None), True
        with pytest.raises(RevocationUnavailable):
            feed.check(uuid4())


def refuse_for_ever() -> None:
    raise MigrationMissing


class TestProcess:
    @pytest.mark.django_db
    def test_a_feed_lives_as_long_as_its_settings(self, settings: Any) -> None:
        first = get_feed()
        assert get_feed() is first
        settings.TESSERA = {"REVOCATION_POLL": 2}
        second = get_feed()
        assert second is not first
        assert isinstance(second.store, DatabaseStore)
        settings.TESSERA = {"REVOCATION_CACHE": "default"}
        assert isinstance(get_feed().store, CacheStore)

    @pytest.mark.django_db
    def test_tenants_with_one_table_hear_each_other_in_the_cache(
        self, anna: AbstractBaseUser, settings: Any
    ) -> None:
        """The admin, a command or a job may end a session without knowing its tenant."""
        settings.TESSERA = {"REVOCATION_CACHE": "default", "TENANT": lambda _: ""}
        with use_tenant("acme"):
            session_id, theirs = sessions.start(anna).session_id, get_feed()
        installation._known.pop("acme", None)
        theirs._pull(Turn())  # as the worker, which knows no request
        assert "acme" in installation._known
        rows_only_when_in_doubt(theirs)
        get_feed().send([Notice(session_id, int(time.time()) + 60)])
        theirs._pull(Turn())
        assert session_id in theirs.ended

    @pytest.mark.django_db
    def test_databases_with_one_cache_do_not_hear_each_other(
        self, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Staging and production may share a Redis. The end of everybody on staging must end nobody else."""
        settings.TESSERA = {"REVOCATION_CACHE": "default"}
        ours = get_feed()
        ours._pull(Turn())
        rows_only_when_in_doubt(ours)
        monkeypatch.setattr(feed_module, "read_installation_id", lambda: "another")
        get_feed.forget()
        get_feed()._pull(Turn())
        everybody = Notice(NOBODY, int(time.time()) + 60, Scope("", 2**40, 2**40, 7))
        get_feed().send([everybody])
        ours._pull(Turn())
        assert len(get_feed().ended) == 1
        assert len(ours.ended) == 0

    def test_a_process_with_a_cache_that_starts_without_a_database_says_so(
        self, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail() -> str:
            raise TemporarilyUnavailable

        settings.TESSERA = {"REVOCATION_CACHE": "default"}
        monkeypatch.setattr(feed_module, "read_installation_id", fail)
        state = describe_feed()
        assert (state.age, state.is_usable, state.is_failing) == (None, False, True)

    @pytest.mark.django_db(transaction=True)
    def test_a_flush_between_two_tests_forgets_the_notices(self, anna: AbstractBaseUser) -> None:
        """The user of the next test may have the same primary key, and its clock may stand in the past."""
        get_feed().learn([Notice(NOBODY, 0, Scope("", 2**40, 2**40, 7))])
        assert len(get_feed().ended) == 1
        call_command("flush", interactive=False, verbosity=0)
        assert len(get_feed().ended) == 0

    def test_a_forked_child_has_a_new_feed(self) -> None:
        """The child inherits a lock of its parent. A thread that does not exist in the child may hold it."""
        parents = get_feed()
        assert parents._lock.acquire()
        try:
            child = os.fork()
            if not child:
                os._exit(0 if get_feed() is not parents and not get_feed()._lock.locked() else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        finally:
            parents._lock.release()


# -- An end of a session is published --------------------------------------------------------------


def published() -> list[UUID]:
    return list(Revocation.objects.order_by("pk").values_list("session_id", flat=True))


@pytest.mark.django_db
class TestAnnounce:
    def test_all_that_ends_a_session_is_published(self, anna: AbstractBaseUser, settings: Any) -> None:
        settings.TESSERA = {"MAX_SESSIONS_PER_USER": 3}
        evicted, reused, revoked, rest = (
            sessions.start(anna, now=timezone.now() + timedelta(seconds=index)) for index in range(4)
        )
        assert published() == [evicted.session_id]
        moment = timezone.now() + timedelta(seconds=10)
        text = str(reused.refresh)
        for _ in range(3):
            moment += timedelta(minutes=1)
            text = str(sessions.refresh(text, now=moment).refresh)
        with pytest.raises(Exception, match="used before"):
            sessions.refresh(str(reused.refresh), now=moment)
        sessions.revoke(revoked.session_id)
        sessions.revoke_all(anna)
        assert published() == [
            evicted.session_id,
            reused.session_id,
            revoked.session_id,
            rest.session_id,
        ]

    def test_a_logout_that_ends_nothing_publishes_nothing(self, anna: AbstractBaseUser) -> None:
        grant = sessions.start(anna)
        for _ in range(3):
            sessions.revoke(grant.session_id)
            sessions.revoke_all(anna)
        assert published() == [grant.session_id]

    def test_news_outlives_the_user_and_the_session(self, anna: AbstractBaseUser) -> None:
        grant = sessions.start(anna)
        anna.delete()
        assert published() == [grant.session_id]

    def test_it_is_kept_for_as_long_as_a_token_may_live(self, anna: AbstractBaseUser, settings: Any) -> None:
        settings.TESSERA = {"ACCESS_LIFETIME": 600, "CLOCK_SKEW": 10}
        sessions.revoke(sessions.start(anna).session_id)
        left = Revocation.objects.get().until - time.time()
        assert 600 + 10 <= left <= 600 + 10 + 62

    def test_pruning_deletes_expired_notices(self) -> None:
        """The clock of the server that prunes may be ahead of the others by the tolerance."""
        for until in (-TOLERANCE - 10, -TOLERANCE + 60, 10):
            Revocation.objects.create(session_id=uuid4(), until=int(time.time()) + until)
        sessions.prune()
        assert Revocation.objects.count() == 2


@pytest.mark.django_db(transaction=True)
class TestTransactions:
    def test_a_notice_that_is_rolled_back_is_never_published(self, anna: AbstractBaseUser) -> None:
        grant = sessions.start(anna)
        with transaction.atomic():
            sessions.revoke(grant.session_id)
            transaction.set_rollback(True)
        get_feed().check(grant.session_id)
        assert published() == []

    def test_a_notice_that_is_rolled_back_after_a_check_is_forgotten(self, anna: AbstractBaseUser) -> None:
        grant = sessions.start(anna)
        with transaction.atomic():
            sessions.revoke(grant.session_id)
            with pytest.raises(SessionEnded):
                get_feed().check(grant.session_id)
            transaction.set_rollback(True)
        get_feed().check(grant.session_id)
        sessions.revoke(grant.session_id)
        for _ in range(2):
            with pytest.raises(SessionEnded):
                get_feed().check(grant.session_id)

    def test_if_it_cannot_be_told_it_has_not_ended(self, anna: AbstractBaseUser) -> None:
        grant = sessions.start(anna)
        with table_away(), pytest.raises(DatabaseUnavailable):
            sessions.revoke(grant.session_id)
        assert sessions.live_sessions(anna.pk).count() == 1

    def test_a_notice_from_a_long_transaction_is_published_again(
        self, anna: AbstractBaseUser, clock: Clock
    ) -> None:
        """Readers may have passed its number before its transaction is committed."""
        grant = sessions.start(anna)
        with transaction.atomic():
            sessions.revoke(grant.session_id)
            clock.now += OVERLAP
        assert published() == [grant.session_id] * 2

    def test_a_store_beside_the_database_hears_of_it_after_the_commit(
        self, anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        beside = Store(joins_transaction=False)
        feed = Feed(beside, poll=POLL, staleness=STALENESS)
        monkeypatch.setattr(get_feed, "_held", (get_settings(), feed))
        first, second = sessions.start(anna), sessions.start(anna)
        with transaction.atomic():
            sessions.revoke(first.session_id)
            assert beside.news == []
        assert [item.session_id for item in beside.news] == [first.session_id]
        with transaction.atomic():
            sessions.revoke(second.session_id)
            transaction.set_rollback(True)
        assert len(beside.news) == 1
        sessions.revoke(second.session_id)
        assert len(beside.news) == 2

    def test_an_error_inside_is_the_caller_s(self) -> None:
        with pytest.raises(DatabaseError, match="mine"), publishing(timezone.now()):
            raise DatabaseError("mine")


@pytest.mark.django_db(transaction=True)
class TestOwnNews:
    """A process knows at once which sessions it has ended itself, while its other threads do other things."""

    def test_two_first_requests_at_once_use_one_feed(
        self, anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One ends a session. If each had a feed of its own, the other feed would let the session in."""
        grant, barrier = sessions.start(anna), threading.Barrier(2)
        get_feed.forget()
        plain = DatabaseStore

        def meet() -> DatabaseStore:
            barrier.wait(timeout=PATIENCE)
            return plain()

        def end() -> None:
            try:
                sessions.revoke(grant.session_id)
            finally:
                connections.close_all()

        with monkeypatch.context() as patch, ThreadPoolExecutor(2) as pool:
            patch.setattr(feed_module, "DatabaseStore", meet)
            ending, other = pool.submit(end), pool.submit(get_feed)
            ending.result()
            feeds = {other.result(), get_feed()}
        for feed in feeds:
            feed._due = feed._asked_at = feed._fresh_at = time.monotonic()  # nobody pulls meanwhile
            feed._due += PATIENCE
            feed._asked_wall = time.time()
            with pytest.raises(SessionEnded):
                feed.check(grant.session_id)

    def test_a_rollback_forgets_nothing_that_was_committed_in_the_meantime(
        self, anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        grant, feed = sessions.start(anna), get_feed()
        forget = feed.ended.forget_pending

        def end_and_forget(notices: list[Notice]) -> None:
            monkeypatch.setattr(feed.ended, "forget_pending", forget)
            sessions.revoke(grant.session_id)
            forget(notices)

        monkeypatch.setattr(feed.ended, "forget_pending", end_and_forget)
        with transaction.atomic():
            sessions.revoke(grant.session_id)
            transaction.set_rollback(True)
        assert feed.ended.forget_pending == forget
        assert feed.ended.judge(grant.session_id, grant.sub, 0) is True

    @pytest.mark.parametrize("registered", ["before", "after"])
    def test_a_callback_of_the_project_that_fails_after_the_commit_hides_no_notice(
        self, anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch, registered: str
    ) -> None:
        """Django drops the callbacks behind it. A cache would hear nothing, and this process forget it."""
        beside = Store(joins_transaction=False)
        feed = Feed(beside, poll=POLL, staleness=STALENESS)
        monkeypatch.setattr(get_feed, "_held", (get_settings(), feed))
        grant = sessions.start(anna)

        def fail() -> None:
            raise ValueError("of the project")

        def end() -> None:
            with transaction.atomic():
                if registered == "before":
                    transaction.on_commit(fail)
                sessions.revoke(grant.session_id)
                transaction.on_commit(fail)

        with pytest.raises(ValueError, match="of the project"):
            end()
        assert [item.session_id for item in beside.news] == [grant.session_id]
        assert feed.ended.judge(grant.session_id, grant.sub, 0) is True

    def test_a_notice_that_the_worker_has_read_is_committed_and_never_forgotten(self) -> None:
        """A connection may die at a commit that has taken place, and the reader returns each notice once."""
        store = Store()
        feed, pending = Feed(store, poll=POLL, staleness=STALENESS), [Notice(uuid4(), 0)]
        feed.doubt(pending)
        store.news += pending
        feed._pull(Turn())
        feed.ended.forget_pending(pending)
        assert feed.ended.judge(pending[0].session_id, "", 0) is True

    def test_a_notice_that_a_request_reads_in_its_own_transaction_may_be_rolled_back(self) -> None:
        store = Store()
        feed, pending = Feed(store, poll=POLL, staleness=STALENESS), [Notice(uuid4(), 0)]
        feed.doubt(pending)
        store.news += pending
        feed._pull_here()
        feed.ended.forget_pending(pending)
        assert feed.ended.judge(pending[0].session_id, "", 0) is False

    def test_a_rollback_of_many_logouts_costs_no_query(
        self, anna: AbstractBaseUser, django_assert_num_queries: Any
    ) -> None:
        feed = get_feed()
        many = [Notice(uuid4(), 0) for _ in range(1000)]
        many.append(Notice(NOBODY, 0, Scope("1", 5, 6, 7)))
        feed.doubt(many)
        assert len(feed.ended) == 1001
        with django_assert_num_queries(0):
            feed.ended.forget_pending(many)
        assert len(feed.ended) == 0

    def test_a_check_of_another_thread_does_not_forget_what_is_being_ended(
        self, anna: AbstractBaseUser
    ) -> None:
        """The other thread cannot see the row yet, and lets the session in until the commit."""
        grant, feed = sessions.start(anna), get_feed()

        def check() -> bool:
            try:
                feed.check(grant.session_id)
            except SessionEnded:
                return False
            finally:
                connections.close_all()
            return True

        with ThreadPoolExecutor(1) as pool:
            with transaction.atomic():
                sessions.revoke(grant.session_id)
                assert pool.submit(check).result()
                assert not check_here(feed, grant.session_id)
            assert not pool.submit(check).result()

    def test_a_logout_costs_no_pull(self, anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch) -> None:
        """At 1,000 logouts a second each of them would otherwise make its process read the table."""
        beside = Store()
        feed = Feed(beside, poll=PATIENCE, staleness=PATIENCE)
        monkeypatch.setattr(get_feed, "_held", (get_settings(), feed))
        grants = [sessions.start(anna) for _ in range(5)]
        feed.check(uuid4())
        for grant in grants:
            sessions.revoke(grant.session_id)
            with pytest.raises(SessionEnded):
                feed.check(grant.session_id)
        assert beside.pulls == 1


def check_here(feed: Feed, session_id: UUID) -> bool:
    try:
        feed.check(session_id)
    except SessionEnded:
        return False
    return True


class TestHealth:
    """The answers for a health check and a metric."""

    def test_a_new_process_reads_the_store_first(self, feed: Feed, store: Store, clock: Clock) -> None:
        store.news = [notice(clock), notice(clock)]
        store.skew = 0.25
        for _ in range(2):
            assert feed.describe() == FeedState(
                age=0.0, is_usable=True, is_failing=False, notices=2, unsent=0, skew=0.25, store="database"
            )
        assert store.pulls == 1

    def test_a_process_that_has_rested_is_not_stale(self, feed: Feed, store: Store, clock: Clock) -> None:
        for pulls in (1, 2):
            assert feed.describe().is_usable
            assert store.pulls == pulls
            clock.now += 3600

    def test_an_outage_is_told_and_raises_nothing(self, feed: Feed, store: Store, clock: Clock) -> None:
        feed.describe()
        store.broken = True
        feed._unsent[notice(clock)] = None
        clock.now += 10
        state = feed.describe()
        assert (state.age, state.is_usable, state.is_failing, state.unsent) == (10, True, True, 1)
        clock.now += STALENESS
        assert not feed.describe().is_usable

    def test_a_process_that_never_read_the_store_knows_no_age(self, clock: Clock) -> None:
        broken = Store(joins_transaction=False)
        broken.broken = True
        state = Feed(broken, poll=POLL, staleness=STALENESS).describe()
        assert (state.age, state.is_usable, state.is_failing) == (None, False, True)
        assert state.store == "cache"

    @pytest.mark.django_db
    def test_it_is_the_feed_of_this_process(self) -> None:
        get_feed().learn([Notice(uuid4(), 0)])
        assert describe_feed().notices == 1

    @pytest.mark.parametrize("skew", [31.0, -31.0])
    def test_a_clock_that_differs_from_the_database_s_is_warned_of_once(
        self, feed: Feed, store: Store, clock: Clock, caplog: Any, skew: float
    ) -> None:
        for seconds in (0.0, 29.0, -29.0, skew, skew):
            store.skew = seconds
            clock.now += POLL
            feed.check(uuid4())
        assert [record.message for record in caplog.records] == [
            f"The clock of this server differs from the database's by {skew:.0f} s."
        ]


class TestSuite(TestCase):
    """In a project's own test case, the end of one test undoes the logout of this test."""

    anna: Any
    grant: Any

    @classmethod
    def setUpTestData(cls) -> None:
        get_feed.forget()
        cls.anna = make_user("anna")
        cls.grant = sessions.start(cls.anna)

    def use(self) -> None:
        header = bearer(self.grant.access)
        assert self.client.get("/me/", **header).status_code == 200
        assert self.client.post("/api/token/revoke/", {"refresh": self.grant.refresh}).status_code == 200
        assert self.client.get("/me/", **header).status_code == 401

    def test_one(self) -> None:
        self.use()

    def test_another(self) -> None:
        self.use()


@pytest.mark.django_db
@pytest.mark.parametrize("rolls_back", [False, True])
def test_a_transaction_within_a_test_case_is_followed(anna: AbstractBaseUser, rolls_back: bool) -> None:
    """The test case rolls back the outer transaction at its end. So the notice stays in doubt."""
    grant, feed = sessions.start(anna), get_feed()
    with transaction.atomic():
        sessions.revoke(grant.session_id)
        assert not check_here(feed, grant.session_id)
        transaction.set_rollback(rolls_back)
    assert check_here(feed, grant.session_id) == rolls_back
    assert isinstance(feed.ended.judge(grant.session_id, grant.sub, 0), Doubt)


@pytest.mark.django_db
def test_doubt_that_cannot_be_settled_lets_nobody_in(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = Store()
    feed = Feed(beside, poll=60, staleness=60)
    monkeypatch.setattr(get_feed, "_held", (get_settings(), feed))
    grant = sessions.start(anna)
    sessions.revoke(grant.session_id)
    for broken in (False, True):
        beside.broken = broken
        with pytest.raises(SessionEnded):
            feed.check(grant.session_id)


@pytest.mark.django_db
def test_a_store_beside_the_database_hears_of_it_in_a_test_case_too(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transaction of a test case is never committed."""
    beside = Store(joins_transaction=False)
    feed = Feed(beside, poll=POLL, staleness=STALENESS)
    monkeypatch.setattr(get_feed, "_held", (get_settings(), feed))
    grant = sessions.start(anna)
    sessions.revoke(grant.session_id)
    with pytest.raises(SessionEnded):
        feed.check(grant.session_id)


# -- Over the API ----------------------------------------------------------------------------------


@pytest.mark.django_db
class TestApi:
    @pytest.mark.parametrize("path", ["/me/", "/public/"])
    def test_where_nobody_knows_nobody_is_let_in(
        self, api: APIClient, anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch, path: str
    ) -> None:
        """The answer is not a 401, because the user would log in again for nothing."""
        access = log_in(api, anna)["access"]
        broken = Store()
        broken.broken = True
        feed = Feed(broken, poll=POLL, staleness=STALENESS)
        monkeypatch.setattr(get_feed, "_held", (get_settings(), feed))
        answer = api.get(path, **bearer(access))
        assert (answer.status_code, answer["Retry-After"]) == (503, "1")
        assert answer.json()["code"] == "revocation_unavailable"

    @pytest.mark.slow
    def test_a_thousand_requests_in_a_poll_are_one_query(
        self, api: APIClient, anna: AbstractBaseUser, settings: Any, django_assert_num_queries: Any
    ) -> None:
        settings.TESSERA = {"REVOCATION_POLL": 600, "REVOCATION_MAX_STALENESS": 600}
        tokens = [sessions.start(anna).access for _ in range(10)]
        with django_assert_num_queries(1):
            for index in range(1000):
                assert api.get("/me/", **bearer(tokens[index % 10])).status_code == 200

    @pytest.mark.django_db(transaction=True)
    def test_under_asgi(self, anna: AbstractBaseUser) -> None:
        access, refresh = (grant := sessions.start(anna)).access, grant.refresh

        async def use() -> list[int]:
            client = AsyncClient()
            before = await client.get("/me/", headers={"Authorization": f"Bearer {access}"})
            out = await client.post(
                "/api/token/revoke/", {"refresh": refresh}, content_type="application/json"
            )
            after = await client.get("/me/", headers={"Authorization": f"Bearer {access}"})
            # A test client leaves connections open, and only this thread can close its own connections.
            await sync_to_async(connections.close_all)()
            return [before.status_code, out.status_code, after.status_code]

        assert asyncio.run(use()) == [200, 200, 401]

    def test_refreshing_adds_no_rows(self, anna: AbstractBaseUser) -> None:
        text, moment = str(sessions.start(anna).refresh), timezone.now()
        tables = connection.introspection.table_names()
        before = {name: count(name) for name in tables}
        for _ in range(100):
            moment += timedelta(minutes=1)
            text = str(sessions.refresh(text, now=moment).refresh)
        assert {name: count(name) for name in tables} == before


def count(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {connection.ops.quote_name(table)}")  # noqa: S608 - ours
        return int(cursor.fetchone()[0])


def test_a_forgotten_feed_is_replaced_as_in_a_new_process() -> None:
    first = get_feed()
    get_feed.forget()
    assert get_feed() is not first
