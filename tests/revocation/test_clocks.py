"""The feed follows clocks that a test has moved, and threads that meet at the pull miss nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import freezegun
import pytest
import time_machine
from django.contrib.auth.models import AbstractBaseUser
from django.db import connection
from rest_framework.test import APIClient

from drf_tessera import sessions
from drf_tessera.exceptions import SessionEnded
from drf_tessera.models import Revocation
from drf_tessera.revocation import feed as feed_module
from drf_tessera.revocation.feed import Feed, get_feed
from drf_tessera.revocation.notices import Notice
from drf_tessera.revocation.stores import DatabaseStore
from tests.conftest import bearer
from tests.revocation.test_feed import Clock, make_due

Travel = Callable[[datetime], AbstractContextManager[Any]]

CLOCKS: dict[str, Travel] = {
    "time-machine, stopped": lambda moment: time_machine.travel(moment, tick=False),
    "time-machine, moved": lambda moment: time_machine.travel(moment, tick=True),
    "freezegun, stopped": freezegun.freeze_time,
    "freezegun, moved": lambda moment: freezegun.freeze_time(moment, tick=True),
}
every_clock = pytest.mark.parametrize("travel", CLOCKS.values(), ids=CLOCKS)
MOMENTS = [
    datetime(1990, 1, 1, tzinfo=UTC),
    datetime(2020, 1, 1, tzinfo=UTC),
    datetime(2050, 1, 1, tzinfo=UTC),
]
every_moment = pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: str(moment.year))


def has_ended(feed: Feed, session_id: UUID) -> bool:
    try:
        feed.check(session_id)
    except SessionEnded:
        return True
    return False


def end_elsewhere(session_id: UUID, seconds: int = 400) -> None:
    """Publish as another process does."""
    Revocation.objects.create(session_id=session_id, until=int(time.time()) + seconds)


@pytest.fixture
def feed(db: None) -> Feed:
    found = Feed(DatabaseStore(), poll=1, staleness=30)
    found.check(uuid4())
    return found


@pytest.mark.slow
@every_clock
@every_moment
def test_news_is_heard_when_the_clock_has_moved_by_a_poll(
    feed: Feed, travel: Travel, moment: datetime
) -> None:
    ended = uuid4()
    with travel(moment):
        feed.check(ended)
        end_elsewhere(ended, seconds=10_000)
    # More than a poll, because with a moving clock the lines above take their time on a busy machine.
    with travel(moment + timedelta(hours=1)):
        assert has_ended(feed, ended)


@every_clock
@every_moment
def test_news_is_heard_in_real_time_again(feed: Feed, travel: Travel, moment: datetime) -> None:
    with travel(moment):
        feed.check(uuid4())
    ended = uuid4()
    end_elsewhere(ended)
    assert has_ended(feed, ended)


@pytest.mark.slow
@every_clock
@every_moment
def test_sessions_that_had_ended_before_have_ended_afterwards(
    feed: Feed, travel: Travel, moment: datetime
) -> None:
    """Under a later clock the feed drops old notices."""
    ended = uuid4()
    end_elsewhere(ended)
    make_due(feed)
    assert has_ended(feed, ended)
    with travel(moment):
        feed.check(uuid4())
    assert has_ended(feed, ended)


@pytest.mark.slow
@every_clock
def test_afterwards_there_is_one_query_in_each_poll(
    travel: Travel, django_assert_num_queries: Any, db: None
) -> None:
    feed = Feed(DatabaseStore(), poll=600, staleness=600)
    feed.check(uuid4())
    for moment in MOMENTS:
        with travel(moment):
            feed.check(uuid4())
    feed.check(uuid4())
    with django_assert_num_queries(0):
        for _ in range(10):
            feed.check(uuid4())


@pytest.mark.slow
@every_clock
@every_moment
def test_a_logout_is_felt_at_once(
    api: APIClient, anna: AbstractBaseUser, travel: Travel, moment: datetime
) -> None:
    with travel(moment):
        grant = sessions.start(anna)
        assert api.get("/me/", **bearer(grant.access)).status_code == 200
        assert api.post("/api/token/revoke/", {"refresh": grant.refresh}).status_code == 200
        assert api.get("/me/", **bearer(grant.access)).status_code == 401
    grant = sessions.start(anna)
    assert api.get("/me/", **bearer(grant.access)).status_code == 200


@pytest.mark.slow
@every_clock
def test_a_token_lives_by_that_clock(api: APIClient, anna: AbstractBaseUser, travel: Travel) -> None:
    moment = MOMENTS[-1]
    with travel(moment):
        grant = sessions.start(anna)
        assert api.get("/me/", **bearer(grant.access)).status_code == 200
    with travel(moment + timedelta(minutes=6)):
        assert api.get("/me/", **bearer(grant.access)).json()["code"] == "token_expired"
        assert api.post("/api/token/refresh/", {"refresh": grant.refresh}).status_code == 200
    assert api.get("/me/", **bearer(grant.access)).json()["code"] == "token_not_yet_valid"
    with travel(moment + timedelta(days=30)):
        answer = api.post("/api/token/refresh/", {"refresh": grant.refresh})
        assert answer.json()["code"] == "session_expired"


def test_only_a_monotonic_clock_that_goes_back_makes_the_feed_read_again(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under a later one it has dropped notices that matter again. The wall clock drops nothing."""
    rewound: list[int] = []
    monkeypatch.setattr(feed.store, "rewind", lambda: rewound.append(1))
    monkeypatch.setattr(feed_module, "time", clock := Clock())
    clock.now = time.monotonic()
    for wall in (0.5, -100, 1000):
        clock.wall += wall
        feed.check(uuid4())
    assert not rewound
    clock.now -= 100
    feed.check(uuid4())
    assert rewound


# -- Threads that meet at the pull -----------------------------------------------------------------


class SlowStore:
    """A store that answers with what was there when it was asked, after ``proceed`` is set."""

    joins_transaction = True
    is_behind = False
    skew: float | None = None

    def __init__(self) -> None:
        self.news: list[Notice] = []
        self.asked, self.proceed = threading.Event(), threading.Event()
        self.proceed.set()

    def publish(self, notices: Any) -> None:
        self.news += notices

    def rewind(self) -> None:
        """Do nothing, because every pull returns all notices."""

    def pull(self) -> list[Notice]:
        found = list(self.news)
        self.asked.set()
        assert self.proceed.wait(timeout=10)
        return found


def make_notice() -> Notice:
    return Notice(uuid4(), int(time.time()) + 60)


@pytest.fixture
def slow() -> SlowStore:
    return SlowStore()


def test_a_thread_does_not_use_knowledge_older_than_a_poll(
    slow: SlowStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another thread pulls: a logout of another process is noticed within one poll, and not two."""
    monkeypatch.setattr(feed_module, "time", clock := Clock())
    feed = Feed(slow, poll=30, staleness=90)
    feed.check(uuid4())
    ended = make_notice()
    slow.news.append(ended)
    clock.now += 31
    slow.asked.clear()
    slow.proceed.clear()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(feed.check, uuid4())
        assert slow.asked.wait(timeout=10)
        second = pool.submit(has_ended, feed, ended.session_id)
        slow.proceed.set()
        assert second.result()
        first.result()


def test_a_session_that_this_process_ended_counts_during_the_pull_of_another_thread(slow: SlowStore) -> None:
    feed = Feed(slow, poll=60, staleness=60)
    feed.check(uuid4())
    slow.asked.clear()
    slow.proceed.clear()
    make_due(feed)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(feed.check, uuid4())
        assert slow.asked.wait(timeout=10)
        ended = make_notice()
        feed.learn([ended], certain=True)
        assert pool.submit(has_ended, feed, ended.session_id).result(timeout=10)
        slow.proceed.set()
        first.result()
    assert has_ended(feed, ended.session_id)


def test_with_a_poll_of_zero_a_thread_does_not_take_an_earlier_pull_for_its_own(slow: SlowStore) -> None:
    """ "On every request": the other pull began before the session was ended."""
    feed = Feed(slow, poll=0, staleness=60)
    slow.proceed.clear()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(feed.check, uuid4())
        assert slow.asked.wait(timeout=10)
        ended = make_notice()
        slow.news.append(ended)
        second = pool.submit(has_ended, feed, ended.session_id)
        slow.proceed.set()
        assert second.result()
        first.result()


@pytest.mark.django_db(transaction=True)
def test_a_logout_over_the_api_while_another_thread_pulls(
    api: APIClient, anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant, other = sessions.start(anna), sessions.start(anna)
    for access in (grant.access, other.access):
        assert api.get("/me/", **bearer(access)).status_code == 200
    asked, proceed = threading.Event(), threading.Event()
    pull = DatabaseStore.pull

    def slow_pull(self: DatabaseStore) -> list[Notice]:
        found = pull(self)
        asked.set()
        assert proceed.wait(timeout=10)
        return found

    def call(access: str) -> int:
        try:
            return APIClient().get("/me/", **bearer(access)).status_code
        finally:
            connection.close()

    sessions.revoke(grant.session_id)
    monkeypatch.setattr(DatabaseStore, "pull", slow_pull)
    make_due(get_feed())
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(call, other.access)
        assert asked.wait(timeout=10)
        assert pool.submit(call, grant.access).result(timeout=10) == 401
        proceed.set()
        assert first.result() == 200
