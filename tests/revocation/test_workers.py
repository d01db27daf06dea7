"""The worker: it pulls for all, it is started when it is needed, and it is replaced when it hangs or dies."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core import mail
from django.db import connection, connections

from drf_tessera.exceptions import RevocationUnavailable, SessionEnded
from drf_tessera.revocation import feed as feed_module
from drf_tessera.revocation import workers
from drf_tessera.revocation.feed import Feed
from drf_tessera.revocation.notices import Notice
from drf_tessera.revocation.stores import DatabaseStore
from drf_tessera.revocation.workers import MOST_LOST, Turn, Worker, describe_own, limit_waits
from tests.revocation.test_feed import Store, make_due
from tests.servers import PATIENCE, wait_until

SOON = int(time.time()) + 86_400


class HangingStore(Store):
    """A store that can hang, as a database does that was stopped with SIGSTOP."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.hanging = 0

    def pull(self) -> list[Notice]:
        self.hanging += 1
        assert self.may_answer.wait(timeout=PATIENCE)
        self.hanging -= 1
        return super().pull()


@pytest.fixture
def store() -> Iterator[HangingStore]:
    found = HangingStore()
    yield found
    found.may_answer.set()


def hang(feed: Feed, store: HangingStore) -> None:
    """Make the first pull succeed, and all later ones hang."""
    feed.check(uuid4())
    store.may_answer.clear()
    make_due(feed)


def wait_for_all(feed: Feed) -> None:
    worker = feed._worker
    wait_until(lambda: all(turn.over.is_set() for turn in worker._turns), "a pull does not end")


@pytest.fixture
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "_LEAST_PATIENCE", 0.0)


@pytest.mark.usefixtures("_short_patience")
class TestHang:
    POLL = 0.05

    def test_requests_do_not_each_wait_for_a_pull_that_hangs(self, store: HangingStore) -> None:
        feed = Feed(store, poll=self.POLL, staleness=600)
        hang(feed, store)
        checks, started = 1000, time.monotonic()
        for _ in range(checks):
            feed.check(uuid4())
        assert time.monotonic() - started < checks * self.POLL / 2
        assert store.hanging == 1

    def test_a_request_waits_for_one_poll_at_most(self, store: HangingStore) -> None:
        """If it waited for the pull, this test would not end."""
        feed = Feed(store, poll=self.POLL, staleness=600)
        hang(feed, store)
        feed.check(uuid4())
        assert store.hanging == 1

    def test_known_sessions_stay_ended_and_are_refused_without_waiting(self, store: HangingStore) -> None:
        feed = Feed(store, poll=PATIENCE, staleness=600)
        store.news = [ended := Notice(uuid4(), SOON)]
        hang(feed, store)
        with pytest.raises(SessionEnded):
            feed.check(ended.session_id)
        assert store.hanging == 0

    def test_past_the_limit_all_are_refused_at_once(self, store: HangingStore) -> None:
        feed = Feed(store, poll=self.POLL, staleness=0.2)
        hang(feed, store)
        time.sleep(0.3)
        checks, started = 1000, time.monotonic()
        for _ in range(checks):
            with pytest.raises(RevocationUnavailable):
                feed.check(uuid4())
        assert time.monotonic() - started < checks * self.POLL / 2

    def test_a_new_process_lets_nobody_in_before_it_knows_all(self, store: HangingStore) -> None:
        store.may_answer.clear()
        feed = Feed(store, poll=self.POLL, staleness=600)
        for _ in range(3):
            with pytest.raises(RevocationUnavailable):
                feed.check(uuid4())
        store.may_answer.set()
        wait_for_all(feed)
        feed.check(uuid4())

    def test_when_the_store_goes_on_everything_heals(
        self, store: HangingStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        feed = Feed(store, poll=self.POLL, staleness=600)
        hang(feed, store)
        feed._worker._limit = 0.1
        for _ in range(3):
            feed.check(uuid4())
            time.sleep(0.15)
        assert feed.describe().is_failing
        store.news = [ended := Notice(uuid4(), SOON)]
        store.may_answer.set()
        wait_until(lambda: has_ended(feed, ended.session_id), "the logout is never heard")
        wait_until(lambda: not feed.describe().is_failing, "it is still failing")
        assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING]

    def test_a_pull_that_hangs_is_given_up_and_the_number_of_these_is_bounded(
        self, store: HangingStore
    ) -> None:
        feed = Feed(store, poll=self.POLL, staleness=600)
        hang(feed, store)
        feed._worker._limit = 0.0
        for _ in range(20):
            feed.check(uuid4())
            time.sleep(0.01)
        assert store.hanging == MOST_LOST + 1
        store.may_answer.set()
        wait_until(lambda: store.hanging == 0, "the threads do not end")
        feed._worker._limit = PATIENCE
        wait_until(lambda: not is_failing(feed), "it does not heal")
        assert sum(hand.is_alive() for hand in feed._worker._lost) <= MOST_LOST

    def test_the_result_of_a_pull_that_was_given_up_does_not_count(self, store: HangingStore) -> None:
        feed = Feed(store, poll=self.POLL, staleness=600)
        hang(feed, store)
        feed.check(uuid4())
        (turn,) = feed._worker._turns
        fresh_at, lock = feed._fresh_at, feed._lock
        feed._worker._limit = 0.0
        time.sleep(0.01)
        store.meanwhile = lambda: setattr(store, "broken", turn.began == turn.began)
        feed._worker._drop_turns()
        assert turn.is_lost
        assert turn.over.is_set()
        store.may_answer.set()
        wait_until(lambda: not lock.locked(), "the thread does not end")
        assert feed._fresh_at == fresh_at
        assert feed._lock is not lock

    def test_a_long_pull_that_makes_progress_is_not_given_up(self, store: HangingStore) -> None:
        """The first read of many notices: requests go on with what is known in between."""
        feed = Feed(store, poll=self.POLL, staleness=600)
        feed.check(uuid4())
        parts = iter([True] * 5 + [False])

        def show_next() -> None:
            time.sleep(0.1)
            store.is_behind = next(parts)

        store.meanwhile = show_next
        feed._worker._limit = 5.0
        make_due(feed)
        feed.check(uuid4())
        (turn,) = feed._worker._turns
        turn._moved -= 4.9  # as if it had begun long ago
        wait_for_all(feed)
        assert not turn.is_lost
        assert store.pulls == 7

    def test_a_turn_that_is_given_up_while_another_thread_pulls_does_not_pull(
        self, store: HangingStore
    ) -> None:
        feed = Feed(store, poll=self.POLL, staleness=600)
        feed.check(uuid4())
        make_due(feed)
        with feed._lock:
            feed.check(uuid4())
            (turn,), hand = feed._worker._turns, feed._worker._hand
            assert hand is not None
            feed._worker._limit = 0.0
            time.sleep(0.01)
            feed._worker._drop_turns()
        # The feed has another lock now.
        hand.join(PATIENCE)
        assert turn.is_lost
        assert store.pulls == 1

    @pytest.mark.django_db
    def test_a_test_case_does_not_wait_for_ever_either(self, store: HangingStore) -> None:
        """Its transaction is seen by its own connection alone, so its own thread pulls."""
        feed = Feed(store, poll=self.POLL, staleness=600)
        with feed._lock, pytest.raises(RevocationUnavailable):
            feed.check(uuid4())
        assert store.pulls == 0
        feed.check(uuid4())
        assert feed._worker._hand is None


def has_ended(feed: Feed, session_id: UUID) -> bool:
    try:
        feed.check(session_id)
    except SessionEnded:
        return True
    return False


def is_failing(feed: Feed) -> bool:
    feed.check(uuid4())
    return feed._failing or feed._worker.is_suspect


class TestLife:
    def test_a_process_without_requests_has_no_thread(
        self, store: HangingStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(workers, "_REST", 0.01)
        feed = Feed(store, poll=0, staleness=600)
        for _ in range(3):
            feed.check(uuid4())
            wait_until(lambda: feed._worker._hand is None, "the thread does not end")
        assert store.pulls == 3

    def test_a_request_that_asks_while_the_thread_goes_to_rest_is_served(
        self, store: HangingStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(workers, "_REST", 0.0)
        feed = Feed(store, poll=0, staleness=600)
        for _ in range(300):
            feed.check(uuid4())
        assert store.pulls == 300

    def test_a_turn_that_was_asked_for_at_the_last_moment_is_taken(self) -> None:
        worker = Worker(lambda turn: None, lose=list, limit=PATIENCE)
        hand = worker._hand = workers._Hand(worker._serve, workers._Place.find())
        hand.turns = Late()  # type: ignore[assignment]
        hand.turns.put(turn := Turn())
        assert worker._next_turn(hand) is turn
        assert worker._next_turn(hand) is None
        assert worker._hand is None
        assert worker._next_turn(hand) is None

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    def test_a_thread_that_has_died_is_replaced(self, store: HangingStore) -> None:
        feed = Feed(store, poll=0, staleness=600)
        feed.check(uuid4())
        hand = feed._worker._hand
        assert hand is not None

        def die() -> None:
            store.meanwhile = lambda: None
            raise SystemExit

        store.meanwhile = die
        feed.check(uuid4())
        hand.join(PATIENCE)
        store.news = [ended := Notice(uuid4(), SOON)]
        assert has_ended(feed, ended.session_id)

    def test_a_forked_child_pulls_with_a_thread_of_its_own(self, store: HangingStore) -> None:
        feed = Feed(store, poll=0, staleness=600)
        feed.check(uuid4())
        workers._keepers.add(workers._Hand(lambda hand: None, workers._Place.find()))
        child = os.fork()
        if not child:  # pragma: no cover - in another process
            if workers._keepers:
                os._exit(2)
            store.news = [ended := Notice(uuid4(), SOON)]
            os._exit(0 if has_ended(feed, ended.session_id) else 1)
        workers._keepers.clear()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    def test_without_a_thread_the_request_pulls(
        self, store: HangingStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """While the interpreter is being shut down, no thread starts."""

        def refuse(self: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", refuse)
        feed = Feed(store, poll=0, staleness=600)
        feed.check(uuid4())
        assert store.pulls == 1

    def test_an_error_that_is_not_an_outage_reaches_the_request(self, store: HangingStore) -> None:
        def fail() -> None:
            raise ZeroDivisionError

        store.meanwhile = fail
        feed = Feed(store, poll=0, staleness=600)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                feed.check(uuid4())
        store.meanwhile = lambda: None
        feed.check(uuid4())

    def test_the_turn_after_one_that_is_late_is_not_waited_for(self) -> None:
        first = Turn()
        first._asked -= 2 * PATIENCE
        second, started = Turn(first), time.monotonic()
        second.wait(PATIENCE)
        assert time.monotonic() - started < PATIENCE / 2

    def test_the_turn_after_one_that_is_over_is_waited_for(self) -> None:
        first = Turn()
        first._asked -= 2 * PATIENCE
        first.over.set()
        second = Turn(first)
        threading.Timer(0.05, second.over.set).start()
        second.wait(PATIENCE)
        assert second.over.is_set()

    def test_after_a_pull_that_hung_the_next_one_is_not_waited_for(self, store: HangingStore) -> None:
        feed = Feed(store, poll=PATIENCE, staleness=10 * PATIENCE)
        hang(feed, store)
        feed._worker.is_suspect = True
        started = time.monotonic()
        feed.check(uuid4())
        assert time.monotonic() - started < PATIENCE / 2
        store.may_answer.set()
        wait_for_all(feed)
        assert not feed._worker.is_suspect


class Late:
    """A queue whose ``get`` with a timeout comes too early: the item arrives directly after."""

    def __init__(self) -> None:
        self._items: list[Turn] = []

    def put(self, item: Turn) -> None:
        self._items.append(item)

    def empty(self) -> bool:
        return not self._items

    def get(self, timeout: float | None = None) -> Turn:
        if timeout is not None:
            raise workers.Empty
        return self._items.pop()


@pytest.mark.django_db(transaction=True)
class TestConnection:
    """The connection of the thread."""

    def check(self, feed: Feed) -> Any:
        """Return the connection of the thread after a check."""
        make_due(feed)
        feed.check(uuid4())
        wait_for_all(feed)
        return feed._worker._hand._connection

    def test_it_is_another_one_than_that_of_the_request(self, django_assert_num_queries: Any) -> None:
        with django_assert_num_queries(0):
            self.check(Feed(DatabaseStore(), poll=PATIENCE, staleness=600))

    def test_in_a_test_run_it_is_closed_after_each_pull(self) -> None:
        """PostgreSQL refuses to drop the database of the tests while somebody is connected."""
        assert hasattr(mail, "outbox")
        assert self.check(Feed(DatabaseStore(), poll=PATIENCE, staleness=600)) is None

    def test_otherwise_it_is_kept_until_the_thread_ends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(workers, "_is_test_run", lambda: False)
        feed = Feed(DatabaseStore(), poll=PATIENCE, staleness=600)
        own = self.check(feed)
        assert own.connection is not None
        assert own.settings_dict["CONN_MAX_AGE"] == 60
        raw = own.connection
        assert self.check(feed) is own
        assert own.connection is raw
        own.close_at = 0  # its time is over
        assert self.check(feed) is own
        assert own.connection is not raw
        hand = feed._worker._hand
        assert hand is not None
        monkeypatch.setattr(workers, "_REST", 0.0)
        make_due(feed)
        feed.check(uuid4())
        wait_until(lambda: not hand.is_alive(), "the thread does not end")
        assert own.connection is None

    def test_a_process_with_many_tenants_keeps_only_a_few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each tenant has a feed. 25 tenants in four processes would use up the connections of PostgreSQL."""
        monkeypatch.setattr(workers, "_is_test_run", lambda: False)
        monkeypatch.setattr(workers, "_MOST_KEPT", len(workers._keepers) + 2)
        feeds = [Feed(DatabaseStore(), poll=PATIENCE, staleness=600) for _ in range(4)]
        for _ in range(2):
            assert [self.check(feed) is not None for feed in feeds] == [True, True, False, False]
        hands = [feed._worker._hand for feed in feeds]
        monkeypatch.setattr(workers, "_REST", 0.0)
        for feed in feeds[:2]:
            make_due(feed)
            feed.check(uuid4())
        wait_until(lambda: not any(hand and hand.is_alive() for hand in hands[:2]), "the threads do not end")
        monkeypatch.undo()
        assert workers._keepers.isdisjoint(hands)  # others may keep theirs now

    @pytest.mark.skipif(connection.vendor != "postgresql", reason="this driver has a timeout instead")
    def test_one_that_hangs_is_cut(self, monkeypatch: pytest.MonkeyPatch) -> None:
        store = DatabaseStore()
        feed = Feed(store, poll=0.05, staleness=600)
        feed.check(uuid4())
        asking, numbers = threading.Event(), []

        def hang(self: DatabaseStore, wanted: Any) -> Any:
            with connections["default"].cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                numbers.extend(cursor.fetchone())
                asking.set()
                cursor.execute("SELECT pg_sleep(3600)")

        with monkeypatch.context() as patch:
            patch.setattr(DatabaseStore, "_fetch", hang)
            make_due(feed)
            feed.check(uuid4())
            assert asking.wait(PATIENCE)
            hand = feed._worker._hand
        assert hand is not None
        feed._worker._limit = 0.0
        time.sleep(0.01)
        feed.check(uuid4())
        hand.join(PATIENCE)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 10000)", numbers)  # it has not noticed the end
        assert not hand.is_alive()


def test_a_socket_is_shut_down_and_a_connection_without_one_is_left_alone() -> None:
    hand = workers._Hand(lambda hand: None, workers._Place.find())
    hand.cut()
    hand._connection = SimpleNamespace(connection=None)  # type: ignore[assignment]
    hand.cut()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        hand._connection = SimpleNamespace(connection=ours)  # type: ignore[assignment]
        hand.cut()
        theirs.settimeout(PATIENCE)
        assert theirs.recv(1) == b""


class TestOwnConnection:
    def test_the_options_of_the_project_come_first(self) -> None:
        project = connections["default"].copy()
        project.settings_dict["OPTIONS"] = {"pool": True, "connect_timeout": 7}
        for age, kept in ((0, 60), (600, 600), (None, None)):
            project.settings_dict["CONN_MAX_AGE"] = age
            own = describe_own(project, 10.0)
            assert "pool" not in own.settings_dict["OPTIONS"]
            assert own.settings_dict["OPTIONS"]["connect_timeout"] == 7
            assert own.settings_dict["CONN_MAX_AGE"] == kept
        assert project.settings_dict["OPTIONS"] == {"pool": True, "connect_timeout": 7}

    def test_drivers_give_up_too(self) -> None:
        tenants = limit_waits("postgresql", "django_tenants.postgresql_backend", 10.0)
        assert tenants == {"connect_timeout": 10, "tcp_user_timeout": 10_000}
        assert limit_waits("mysql", "django.db.backends.mysql", 0.5)["read_timeout"] == 2
        assert limit_waits("mysql", "mysql.connector.django", 10.0) == {}
        assert limit_waits("sqlite", "django.db.backends.sqlite3", 10.0) == {}
