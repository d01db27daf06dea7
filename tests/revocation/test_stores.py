"""The stores of revocations: they miss no revocation, and they read almost no revocation twice."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.cache import caches
from django.db import DatabaseError, Error, connection, transaction

from drf_tessera.database import is_in_transaction
from drf_tessera.exceptions import RevocationUnavailable
from drf_tessera.models import Revocation
from drf_tessera.revocation import stores
from drf_tessera.revocation.notices import Notice
from drf_tessera.revocation.stores import OVERLAP, CacheStore, DatabaseStore
from tests.accounts.models import NoTable
from tests.servers import Redis

LATER = int(time.time()) + 86_400  # later than the end of a slow run


class Clock:
    """The clock of a store. The test can move it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return time.time()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(stores, "time", found)
    return found


def notices(count: int = 1, until: int = LATER) -> list[Notice]:
    return [Notice(uuid4(), until) for _ in range(count)]


def ids(found: list[Notice]) -> set[UUID]:
    return {item.session_id for item in found}


@pytest.mark.django_db
class TestDatabase:
    def test_a_new_reader_gets_all_that_still_matters(self) -> None:
        news, past = notices(3), notices(2, until=int(time.time()) - 1)
        DatabaseStore().publish(news + past)
        assert DatabaseStore().pull() == news

    def test_publishing_many_is_a_few_statements(self, django_assert_max_num_queries: Any) -> None:
        with django_assert_max_num_queries(6):  # SQLite accepts at most 999 values in a statement
            DatabaseStore().publish(notices(1000))
        assert Revocation.objects.count() == 1000
        row = Revocation.objects.latest("pk")
        assert str(row) == str(row.session_id)

    def test_a_reader_that_is_settled_reads_one_row(
        self, clock: Clock, django_assert_num_queries: Any
    ) -> None:
        news, store = notices(5), DatabaseStore()
        store.publish(news)
        for _ in range(3):
            assert store.pull() == news
            clock.now += OVERLAP / 3
        clock.now += 0.1
        with django_assert_num_queries(1):
            assert store.pull() == news[-1:]
        more = notices(2)
        store.publish(more)
        assert ids(store.pull()) == ids([*news[-1:], *more])

    def test_a_late_commit_is_found_although_higher_numbers_were_seen(self, clock: Clock) -> None:
        """Two transactions may commit in another order than they got their numbers."""
        store = DatabaseStore()
        store.publish(notices())
        store.pull()
        clock.now += OVERLAP
        store.pull()
        newest = Revocation.objects.latest("pk").pk
        Revocation.objects.create(pk=newest + 2, session_id=uuid4(), until=LATER)
        store.pull()
        clock.now += OVERLAP - 0.1
        late = Revocation.objects.create(pk=newest + 1, session_id=uuid4(), until=LATER)
        assert late.session_id in ids(store.pull())
        clock.now += OVERLAP
        store.pull()
        clock.now += 1
        assert late.session_id not in ids(store.pull())

    def test_a_table_that_was_pruned_is_read_from_its_beginning(
        self, clock: Clock, django_assert_num_queries: Any
    ) -> None:
        store = DatabaseStore()
        store.publish(notices())
        store.pull()
        clock.now += 2 * OVERLAP
        Revocation.objects.all().delete()
        with django_assert_num_queries(2):
            assert store.pull() == []
        with django_assert_num_queries(1):
            assert store.pull() == []

    def test_a_table_that_was_restored_from_a_backup_is_read_from_its_beginning(self, clock: Clock) -> None:
        """Its numbers start again at a lower value, so an old cursor would skip new rows."""
        store = DatabaseStore()
        store.publish(notices(10))
        store.pull()
        clock.now += 2 * OVERLAP
        numbers = list(Revocation.objects.values_list("pk", flat=True))
        Revocation.objects.all().delete()
        for number in numbers:
            Revocation.objects.create(pk=number, session_id=uuid4(), until=LATER)
        assert len(store.pull()) == 10

    def test_a_failure_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stores, "Revocation", NoTable)
        for use in (lambda: DatabaseStore().publish(notices()), lambda: DatabaseStore().pull()):
            with pytest.raises(RevocationUnavailable) as found, transaction.atomic():
                use()
            assert isinstance(found.value.__cause__, DatabaseError)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="there is no server that could have gone")
def test_a_connection_that_is_dead_is_replaced_at_once() -> None:
    store = DatabaseStore()
    news = notices()
    store.publish(news)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_backend_pid()" if connection.vendor == "postgresql" else "SELECT CONNECTION_ID()"
        )
        (number,) = cursor.fetchone()
    other = connection.copy("default")
    with other.cursor() as cursor:
        kill = "SELECT pg_terminate_backend(%s)" if connection.vendor == "postgresql" else "KILL %s"
        cursor.execute(kill, [number])
    other.close()
    assert store.pull() == news


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="there is no server that could have gone")
def test_a_connection_that_dies_in_a_transaction_takes_the_transaction_with_it() -> None:
    def die_and_pull() -> None:
        with transaction.atomic():
            connection.connection.close()
            DatabaseStore().pull()

    # The pull has a connection of its own. MariaDB's driver cannot roll back, and raises its own error.
    with pytest.raises((RevocationUnavailable, Error)):
        die_and_pull()
    with suppress(Error):  # MariaDB's driver refuses to close what is closed
        connection.close()


@pytest.mark.django_db
def test_the_transaction_of_a_test_case_does_not_count() -> None:
    assert not is_in_transaction()
    with transaction.atomic():
        assert is_in_transaction()


# -- A cache ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    found = Redis(tmp_path_factory.mktemp("redis"))
    found.start()
    yield found
    found.stop()


@pytest.fixture
def cache(redis: Redis, settings: Any) -> Any:
    settings.CACHES = {
        **settings.CACHES,
        "news": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": redis.url},
    }
    caches["news"].clear()
    return caches["news"]


@pytest.mark.server
@pytest.mark.usefixtures("cache")
class TestCache:
    def test_readers_get_what_came_since_they_last_asked(self) -> None:
        one, two = CacheStore("news"), CacheStore("news")
        assert one.pull() == []
        first, second = notices(2), notices(3)
        one.publish(first)
        assert ids(one.pull()) == ids(first)
        one.publish(second)
        assert ids(one.pull()) == ids(second)
        assert ids(two.pull()) == ids(first + second)
        assert one.pull() == two.pull() == []

    def test_a_new_reader_reads_back_over_many(self) -> None:
        news = notices(1200)
        CacheStore("news").publish(news)
        assert sorted(CacheStore("news").pull()) == sorted(news)

    def test_the_cache_drops_expired_notices(self, cache: Any) -> None:
        CacheStore("news").publish(notices(1, until=int(time.time() + 1 - OVERLAP)))
        time.sleep(1.2)
        assert CacheStore("news").pull() == []

    def test_a_notice_that_is_written_after_its_number_is_found(self, cache: Any, clock: Clock) -> None:
        """Another process may read between the two writes."""
        reader, writer = CacheStore("news"), CacheStore("news")
        writer.publish(notices())
        reader.pull()
        number = writer._count(cache, 1)
        assert reader.pull() == []
        clock.now += OVERLAP - 1
        late = uuid4()
        cache.set(writer._name(number), (late.hex, LATER))
        assert ids(reader.pull()) == {late}
        assert reader.pull() == []

    def test_a_number_whose_writer_died_is_not_awaited_for_ever(self, cache: Any, clock: Clock) -> None:
        reader, writer = CacheStore("news"), CacheStore("news")
        writer.publish(notices())
        reader.pull()
        writer._count(cache, 1)
        reader.pull()
        assert reader._awaited
        clock.now += OVERLAP + 1
        reader.pull()
        assert not reader._awaited

    def test_a_cache_that_was_emptied_goes_on(self, cache: Any) -> None:
        reader, writer = CacheStore("news"), CacheStore("news")
        writer.publish(notices(3))
        reader.pull()
        cache.clear()
        assert reader.pull() == []
        news = notices(2)
        writer.publish(news)
        assert ids(reader.pull()) == ids(news)

    def test_one_that_hides_its_failures_has_failed(
        self, cache: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The cache answers like an empty cache, and a stopped cache answers the same."""
        monkeypatch.setattr(type(cache), "get", lambda self, key, *rest: None)
        with pytest.raises(RevocationUnavailable):
            CacheStore("news").pull()

    def test_one_that_was_emptied_unseen_goes_on_too(self, cache: Any) -> None:
        """The counter starts again above every issued number, so no reader is ahead of the counter."""
        reader, writer = CacheStore("news"), CacheStore("news")
        writer.publish(notices(3))
        before = reader._head or cache.get(CacheStore._COUNTER)
        reader.pull()
        cache.clear()
        time.sleep(0.01)
        news = notices(2)
        writer.publish(news)
        assert cache.get(CacheStore._COUNTER) > before
        assert ids(reader.pull()) == ids(news)

    def test_a_counter_that_is_far_ahead_or_behind_is_read_from_its_end(self, cache: Any) -> None:
        reader, writer = CacheStore("news"), CacheStore("news")
        writer.publish(notices())
        reader.pull()
        for head in (10**15, 5):
            cache.clear()
            cache.set(CacheStore._COUNTER, head, timeout=None)
            news = notices(3)
            writer.publish(news)
            assert ids(reader.pull()) == ids(news)

    def test_publishing_is_known_to_have_failed(self, cache: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(type(cache), "set_many", lambda self, entries, timeout: list(entries)[:1])
        with pytest.raises(RevocationUnavailable, match="1 revocations"):
            CacheStore("news").publish(notices(2))

    def test_a_reader_that_is_rewound_gets_it_all_again(self) -> None:
        reader = CacheStore("news")
        news = notices(3)
        reader.publish(news)
        assert ids(reader.pull()) == ids(news)
        assert reader.pull() == []
        reader.rewind()
        assert ids(reader.pull()) == ids(news)

    def test_a_server_that_is_gone_is_named(self, redis: Redis) -> None:
        redis.stop()
        try:
            for use in (lambda: CacheStore("news").publish(notices()), lambda: CacheStore("news").pull()):
                with pytest.raises(RevocationUnavailable) as found:
                    use()
                assert "ConnectionError" in type(found.value.__cause__).__name__
        finally:
            redis.start()
