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

from drf_tessera.database import Place
from drf_tessera.exceptions import RevocationUnavailable, SessionEnded
from drf_tessera.revocation import feed as feed_module
from drf_tessera.revocation.feed import Feed
from drf_tessera.revocation.notices import Notice
from drf_tessera.revocation.stores import DatabaseStore
from drf_tessera.workers import crews
from drf_tessera.workers.connections import describe_own, limit_waits
from drf_tessera.workers.crews import MOST_LOST, MOST_THREADS, Turn
from tests.revocation.test_feed import Store, make_due
from tests.servers import PATIENCE, wait_until

SOON = int(time.time()) + 86_400


class HangingStore(Store):
    """A store that can hang, as a database does that was stopped with SIGSTOP."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.began: list[str] = []
        self.ended: list[str] = []

    @property
    def hanging(self) -> int:
        return len(self.began) - len(self.ended)

    def pull(self) -> list[Notice]:
        self.began.append(threading.current_thread().name)
        try:
            assert self.may_answer.wait(timeout=PATIENCE)
        finally:
            self.ended.append(threading.current_thread().name)
        return super().pull()


@pytest.fixture(autouse=True)
def _patience(own_crews: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for as long as a busy machine needs."""
    monkeypatch.setattr(feed_module, "LEAST_PATIENCE", PATIENCE)


@pytest.fixture
def store() -> Iterator[HangingStore]:
    found = HangingStore()
    yield found
    found.may_answer.set()


def make_feed(store: Store, *, poll: float = 0, staleness: float = 600, alias: str = "default") -> Feed:
    """Return a feed whose pulls are given up only if a test says so."""
    feed = Feed(store, poll=poll, staleness=staleness)
    feed._worker.limit = PATIENCE
    feed._worker.place = Place(alias, None, alias)
    return feed


def list_hands(alias: str = "default") -> list[crews._Hand]:
    return list(crews.find_crew(alias).hands)


def hang(feed: Feed, store: HangingStore) -> None:
    """Make the first pull succeed, and all later ones hang."""
    pull(feed)
    store.may_answer.clear()
    make_due(feed)


def pull(feed: Feed) -> None:
    """Pull once, for as long as a busy machine needs."""
    turn = feed._worker.ask(time.monotonic())
    assert turn.over.wait(PATIENCE)


def wait_for_hanging(store: HangingStore, number: int = 1) -> None:
    wait_until(lambda: store.hanging == number, "the pull does not begin")


def wait_for_all(feed: Feed) -> None:
    worker = feed._worker
    wait_until(lambda: all(turn.over.is_set() for turn in worker.turns), "a pull does not end")


def let_time_pass(feed: Feed) -> None:
    """Make the turns of a feed look as if they made no progress for longer than the limit."""
    for turn in feed._worker.turns:
        turn._moved = float("-inf")


def give_up(feed: Feed, store: HangingStore) -> Turn:
    """Begin a pull that hangs, and have it given up by the next request. Return its turn."""
    make_due(feed)
    feed.check(uuid4())
    wait_for_hanging(store)
    (turn,) = feed._worker.turns
    let_time_pass(feed)
    feed.check(uuid4())
    assert turn.is_lost
    return turn


@pytest.fixture
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "LEAST_PATIENCE", 0.0)


def test_a_turn_is_held_up_by_one_that_makes_no_progress_and_not_by_a_long_one() -> None:
    before = Turn()
    turn = Turn(before)
    before._asked = float("-inf")
    assert not turn.is_held_up(PATIENCE)
    before._moved = float("-inf")
    assert turn.is_held_up(PATIENCE)
    before.over.set()
    assert not turn.is_held_up(PATIENCE)
    assert not before.is_held_up(0)


@pytest.mark.usefixtures("_short_patience")
class TestHang:
    POLL = 0.05

    def test_requests_do_not_each_wait_for_a_pull_that_hangs(self, store: HangingStore) -> None:
        feed = make_feed(store, poll=self.POLL)
        hang(feed, store)
        checks, started = 1000, time.monotonic()
        for _ in range(checks):
            feed.check(uuid4())
        assert time.monotonic() - started < checks * self.POLL / 2
        wait_for_hanging(store)

    def test_a_request_waits_for_one_poll_at_most(self, store: HangingStore) -> None:
        """If it waited for the pull, this test would not end."""
        feed = make_feed(store, poll=self.POLL)
        hang(feed, store)
        feed.check(uuid4())
        wait_for_hanging(store)

    def test_known_sessions_stay_ended_and_are_refused_without_waiting(self, store: HangingStore) -> None:
        feed = make_feed(store, poll=PATIENCE)
        store.news = [ended := Notice(uuid4(), SOON)]
        hang(feed, store)
        with pytest.raises(SessionEnded):
            feed.check(ended.session_id)
        assert store.hanging == 0

    def test_past_the_limit_all_are_refused_at_once(self, store: HangingStore) -> None:
        feed = make_feed(store, poll=self.POLL)
        hang(feed, store)
        feed._fresh_at -= 601
        checks, started = 1000, time.monotonic()
        for _ in range(checks):
            with pytest.raises(RevocationUnavailable):
                feed.check(uuid4())
        assert time.monotonic() - started < checks * self.POLL / 2

    def test_a_new_process_lets_nobody_in_before_it_knows_all(self, store: HangingStore) -> None:
        store.may_answer.clear()
        feed = make_feed(store, poll=self.POLL)
        for _ in range(3):
            with pytest.raises(RevocationUnavailable):
                feed.check(uuid4())
        store.may_answer.set()
        wait_for_all(feed)
        feed.check(uuid4())

    def test_when_the_store_goes_on_everything_heals(
        self, store: HangingStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        feed = make_feed(store, poll=self.POLL)
        hang(feed, store)
        give_up(feed, store)
        assert feed.describe().is_failing
        store.news = [ended := Notice(uuid4(), SOON)]
        store.may_answer.set()
        wait_until(lambda: has_ended(feed, ended.session_id), "the logout is never heard")
        wait_until(lambda: not feed.describe().is_failing, "it is still failing")
        assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING]

    @pytest.mark.slow
    def test_a_pull_that_hangs_is_given_up_and_the_number_of_these_is_bounded(
        self, store: HangingStore
    ) -> None:
        feed = make_feed(store, poll=self.POLL)
        hang(feed, store)
        for number in range(1, MOST_LOST + 5):
            make_due(feed)
            feed.check(uuid4())
            wait_for_hanging(store, min(number, MOST_LOST + 1))
            let_time_pass(feed)
        assert len(list_hands()) == 1
        assert len(crews.find_crew("default").lost) == MOST_LOST
        store.may_answer.set()
        wait_until(lambda: store.hanging == 0, "the threads do not end")
        wait_until(lambda: not is_failing(feed), "it does not heal")

    def test_the_result_of_a_pull_that_was_given_up_does_not_count(self, store: HangingStore) -> None:
        feed = make_feed(store, poll=self.POLL)
        hang(feed, store)
        fresh_at, lock = feed._fresh_at, feed._lock
        turn = give_up(feed, store)
        assert turn.over.is_set()
        store.broken = True  # only the pull that was given up could still change the knowledge
        (lost,) = crews.find_crew("default").lost
        store.may_answer.set()
        lost.join(PATIENCE)
        assert not lost.is_alive()
        assert feed._fresh_at == fresh_at
        assert feed._lock is not lock

    def test_a_long_pull_that_makes_progress_is_not_given_up(self, store: HangingStore) -> None:
        """The first read of many notices: requests go on with what is known in between."""
        feed = make_feed(store, poll=self.POLL)
        pull(feed)
        parts = iter([True] * 5 + [False])

        def show_next() -> None:
            store.is_behind = next(parts)
            (turn,) = feed._worker.turns
            assert turn._moved > 0  # each part shows life
            turn._moved = float("-inf")

        store.meanwhile = show_next
        make_due(feed)
        feed.check(uuid4())
        wait_until(lambda: store.pulls == 7, "the pull does not end")
        wait_for_all(feed)
        assert not feed._worker.is_suspect

    def test_a_turn_that_is_given_up_while_another_thread_pulls_does_not_pull(
        self, store: HangingStore
    ) -> None:
        feed = make_feed(store, poll=self.POLL)
        pull(feed)
        make_due(feed)
        with feed._lock:
            feed.check(uuid4())
            (turn,), (hand,) = feed._worker.turns, list_hands()
            wait_until(lambda: hand.job is not None, "the thread does not take the turn")
            wait_until(lambda: turn._moved > turn._asked, "the turn does not begin")
            let_time_pass(feed)
            crews.find_crew("default")._replace_hanging()
        # The feed has another lock now.
        hand.join(PATIENCE)
        assert turn.is_lost
        assert store.pulls == 1

    @pytest.mark.django_db
    def test_a_test_case_does_not_wait_for_ever_either(self, store: HangingStore) -> None:
        """Its transaction is seen by its own connection alone, so its own thread pulls."""
        feed = make_feed(store, poll=self.POLL)
        with feed._lock, pytest.raises(RevocationUnavailable):
            feed.check(uuid4())
        assert store.pulls == 0
        feed.check(uuid4())
        assert list_hands() == []


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
        monkeypatch.setattr(crews, "_REST", 0.01)
        feed = make_feed(store)
        for _ in range(3):
            feed.check(uuid4())
            wait_until(lambda: list_hands() == [], "the thread does not end")
        assert store.pulls == 3

    @pytest.mark.slow
    def test_a_request_that_asks_while_the_thread_goes_to_rest_is_served(
        self, store: HangingStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(crews, "_REST", 0.0)
        feed = make_feed(store)
        for _ in range(300):
            feed.check(uuid4())
        assert store.pulls == 300

    def test_a_turn_that_is_asked_for_during_a_pull_follows_it_in_the_same_thread(
        self, store: HangingStore
    ) -> None:
        feed = make_feed(store)
        hang(feed, store)
        first = feed._worker.ask(time.monotonic())
        wait_for_hanging(store)
        wait_until(lambda: first.began < float("inf"), "the pull does not begin")
        second = feed._worker.ask(time.monotonic() + PATIENCE)
        assert second is not first
        assert feed._worker.ask(time.monotonic() + PATIENCE) is second
        store.may_answer.set()
        assert second.over.wait(PATIENCE)
        assert len(list_hands()) == 1
        assert store.pulls == 3

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    def test_a_thread_that_has_died_is_replaced(self, store: HangingStore) -> None:
        feed = make_feed(store)
        feed.check(uuid4())
        (hand,) = list_hands()

        def die() -> None:
            store.meanwhile = lambda: None
            raise SystemExit

        store.meanwhile = die
        feed.check(uuid4())
        hand.join(PATIENCE)
        store.news = [ended := Notice(uuid4(), SOON)]
        assert has_ended(feed, ended.session_id)
        assert hand not in list_hands()

    def test_a_forked_child_pulls_with_a_thread_of_its_own(self, store: HangingStore) -> None:
        """A pull was under way in its parent, so the child has a turn that nobody takes."""
        feed = make_feed(store)
        hang(feed, store)
        feed._worker.ask(time.monotonic())
        wait_for_hanging(store)
        crews._keepers.add(crews._Hand(crews.find_crew("default")))
        child = os.fork()
        if not child:  # pragma: no cover - in another process
            if crews._keepers or list_hands():
                os._exit(2)
            feed._lock = threading.Lock()
            store.may_answer = threading.Event()
            store.may_answer.set()
            store.news = [ended := Notice(uuid4(), SOON)]
            os._exit(0 if has_ended(feed, ended.session_id) else 1)
        crews._keepers.clear()
        store.may_answer.set()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    def test_without_a_thread_the_request_pulls(
        self, store: HangingStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """While the interpreter is being shut down, no thread starts."""

        def refuse(self: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", refuse)
        feed = make_feed(store)
        for _ in range(2):
            feed.check(uuid4())
        assert store.pulls == 2
        assert feed._worker.turns == []

    def test_an_error_that_is_not_an_outage_reaches_the_request(self, store: HangingStore) -> None:
        def fail() -> None:
            raise ZeroDivisionError

        store.meanwhile = fail
        feed = make_feed(store)
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
        feed = make_feed(store, poll=PATIENCE)
        hang(feed, store)
        feed._worker.is_suspect = True
        started = time.monotonic()
        feed.check(uuid4())
        assert time.monotonic() - started < PATIENCE / 2
        store.may_answer.set()
        wait_for_all(feed)
        assert not feed._worker.is_suspect


class TestCrew:
    """The threads are those of a database, and not those of a tenant."""

    def test_a_forked_child_begins_without_threads(self) -> None:
        crews.find_crew("default")
        crews._forget_threads()
        assert crews._crews == {}

    def test_tenants_with_schemas_in_one_database_share_a_few_threads(self) -> None:
        stores = [HangingStore() for _ in range(200)]
        feeds = [make_feed(store) for store in stores]
        turns = [feed._worker.ask(0.0) for feed in feeds]
        most = len(list_hands())
        assert all(turn.over.wait(PATIENCE) for turn in turns)
        assert most <= MOST_THREADS
        assert len(list_hands()) <= MOST_THREADS
        assert [store.pulls for store in stores] == [1] * 200

    def test_a_tenant_without_requests_costs_no_pull(self) -> None:
        busy, idle = HangingStore(), HangingStore()
        feed, other = make_feed(busy), make_feed(idle)
        other.check(uuid4())
        for _ in range(10):
            feed.check(uuid4())
        assert (busy.pulls, idle.pulls) == (10, 1)
        idle.news = [ended := Notice(uuid4(), SOON)]
        assert has_ended(other, ended.session_id)

    def test_a_schema_that_hangs_holds_up_no_other_schema(self, store: HangingStore) -> None:
        hanging, healthy = make_feed(store), make_feed(other := HangingStore())
        hang(hanging, store)
        hanging._worker.ask(time.monotonic())
        wait_for_hanging(store)
        for number in range(1, 4):
            assert healthy._worker.ask(time.monotonic()).over.wait(PATIENCE)
            assert other.pulls == number

    def test_a_thread_that_hangs_is_given_up_by_the_request_of_another_tenant(
        self, store: HangingStore
    ) -> None:
        """Its own tenant may get no more requests."""
        hanging, healthy = make_feed(store), make_feed(HangingStore())
        hang(hanging, store)
        turn = hanging._worker.ask(time.monotonic())
        wait_for_hanging(store)
        let_time_pass(hanging)
        healthy.check(uuid4())
        assert turn.is_lost

    def test_a_database_that_hangs_holds_up_no_other_database(self, store: HangingStore) -> None:
        """It may even use up all threads of its own crew."""
        store.may_answer.clear()
        hanging = [make_feed(store) for _ in range(MOST_THREADS + 1)]
        for feed in hanging:
            feed._worker.ask(time.monotonic())
        wait_for_hanging(store, MOST_THREADS)
        crews._crews["other"] = crews.Crew("default")
        healthy = make_feed(other := HangingStore(), alias="other")
        assert healthy._worker.ask(time.monotonic()).over.wait(PATIENCE)
        assert (other.pulls, len(list_hands()), len(list_hands("other"))) == (1, MOST_THREADS, 1)

    def test_a_worker_waits_for_a_thread_if_the_system_refuses_another_one(
        self, store: HangingStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store.may_answer.clear()
        first, second = make_feed(store), make_feed(other := HangingStore())
        first._worker.ask(time.monotonic())
        wait_for_hanging(store)

        def refuse(self: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", refuse)
        turn = second._worker.ask(time.monotonic())
        assert not turn.over.is_set()
        store.may_answer.set()
        assert turn.over.wait(PATIENCE)
        assert other.pulls == 1

    def test_the_tenants_that_wait_for_a_database_that_hangs_are_bounded(
        self, store: HangingStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A stranger may invent host names, and each of them may be the name of a tenant."""
        store.may_answer.clear()
        hanging = [make_feed(store) for _ in range(MOST_THREADS)]
        for feed in hanging:
            feed._worker.ask(time.monotonic())
        wait_for_hanging(store, MOST_THREADS)
        monkeypatch.setattr(crews, "MOST_WAITING", 2)
        feeds = [make_feed(HangingStore()) for _ in range(5)]
        turns = [feed._worker.ask(time.monotonic()) for feed in feeds]
        assert [turn.is_lost for turn in turns] == [True, True, True, False, False]
        again = feeds[0]._worker.ask(time.monotonic())
        assert turns[3].is_lost
        store.may_answer.set()
        assert again.over.wait(PATIENCE)
        assert turns[4].over.wait(PATIENCE)
        assert not again.is_lost
        assert not turns[4].is_lost

    def test_a_thread_enters_the_schema_of_each_tenant(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It enters a schema once for several turns, because each change costs a statement."""
        entered: list[Any] = []
        monkeypatch.setattr(crews, "enter_schema", lambda own, schema: entered.append(schema))
        monkeypatch.setattr(crews, "_is_test_run", lambda: False)
        feeds = [make_feed(HangingStore()) for _ in range(2)]
        for number, feed in enumerate(feeds):
            feed._worker.place = Place("default", (number, True), f"default\n{number}")
        for number in (0, 0, 1, 1, 0):
            worker = feeds[number]._worker
            assert worker.ask(time.monotonic()).over.wait(PATIENCE)
            wait_until(lambda worker=worker: not worker.is_called, "the thread is not free")  # type: ignore[misc]
        assert len(list_hands()) == 1
        assert entered == [(0, True), (1, True), (0, True)]
        monkeypatch.setattr(crews, "_is_test_run", lambda: True)
        assert feeds[0]._worker.ask(time.monotonic()).over.wait(PATIENCE)


@pytest.mark.django_db(transaction=True)
class TestConnection:
    """The connection of the thread."""

    def check(self, feed: Feed) -> Any:
        """Return the connection of the thread after a check."""
        make_due(feed)
        feed.check(uuid4())
        wait_for_all(feed)
        (hand,) = list_hands(feed._worker.place.alias)
        return hand.connection

    def test_it_is_another_one_than_that_of_the_request(self, django_assert_num_queries: Any) -> None:
        with django_assert_num_queries(0):
            self.check(make_feed(DatabaseStore(), poll=PATIENCE))

    def test_in_a_test_run_it_is_closed_after_each_pull(self) -> None:
        """PostgreSQL refuses to drop the database of the tests while somebody is connected."""
        assert hasattr(mail, "outbox")
        assert self.check(make_feed(DatabaseStore(), poll=PATIENCE)) is None

    def test_otherwise_it_is_kept_until_the_thread_ends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(crews, "_is_test_run", lambda: False)
        feed = make_feed(DatabaseStore(), poll=PATIENCE)
        own = self.check(feed)
        assert own.connection is not None
        assert own.settings_dict["CONN_MAX_AGE"] == 60
        raw = own.connection
        assert self.check(feed) is own
        assert own.connection is raw
        own.close_at = 0  # its time is over
        assert self.check(feed) is own
        assert own.connection is not raw
        (hand,) = list_hands()
        self.end(monkeypatch, feed)
        wait_until(lambda: not hand.is_alive(), "the thread does not end")
        assert own.connection is None

    def end(self, monkeypatch: pytest.MonkeyPatch, feed: Feed) -> None:
        """Make the thread of a feed take another turn, and end after it."""
        monkeypatch.setattr(crews, "_REST", 0.0)
        make_due(feed)
        feed.check(uuid4())

    @pytest.mark.slow
    def test_a_process_with_many_databases_keeps_only_a_few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """25 databases in four processes would use up the connections of PostgreSQL."""
        monkeypatch.setattr(crews, "_is_test_run", lambda: False)
        monkeypatch.setattr(crews, "_MOST_KEPT", len(crews._keepers) + 2)
        names = [f"db{number}" for number in range(4)]
        crews._crews.update((name, crews.Crew("default")) for name in names)
        feeds = [make_feed(DatabaseStore(), poll=PATIENCE, alias=name) for name in names]
        kept = [self.check(feed) is not None for _ in range(2) for feed in feeds]
        assert kept == [True, True, False, False] * 2
        hands = [hand for name in names for hand in list_hands(name)]
        for feed in feeds:
            self.end(monkeypatch, feed)
        wait_until(lambda: not any(hand.is_alive() for hand in hands), "the threads do not end")
        assert crews._keepers.isdisjoint(hands)  # others may keep theirs now

    @pytest.mark.skipif(connection.vendor != "postgresql", reason="this driver has a timeout instead")
    def test_one_that_hangs_is_cut(self, monkeypatch: pytest.MonkeyPatch) -> None:
        feed = make_feed(DatabaseStore())
        pull(feed)
        asking, numbers = threading.Event(), []

        def hang(self: DatabaseStore, wanted: Any) -> Any:
            with connections["default"].cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                numbers.extend(cursor.fetchone())
                asking.set()
                cursor.execute("SELECT pg_sleep(3600)")

        with monkeypatch.context() as patch:
            patch.setattr(DatabaseStore, "_fetch", hang)
            feed._worker.ask(time.monotonic())
            assert asking.wait(PATIENCE)
            (hand,) = list_hands()
        let_time_pass(feed)
        pull(feed)
        hand.join(PATIENCE)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 10000)", numbers)  # it has not noticed the end
        assert not hand.is_alive()


def test_a_socket_is_shut_down_and_a_connection_without_one_is_left_alone() -> None:
    hand = crews._Hand(crews.find_crew("default"))
    hand.cut()
    hand.connection = SimpleNamespace(connection=None)  # type: ignore[assignment]
    hand.cut()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        hand.connection = SimpleNamespace(connection=ours)  # type: ignore[assignment]
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
