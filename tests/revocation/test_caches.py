"""The store in a cache: it reads the news there, and heals from the table if the cache loses something."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.cache import caches
from django.db import transaction
from django.utils import timezone

from drf_tessera.exceptions import MigrationMissing, RevocationUnavailable
from drf_tessera.models import Revocation
from drf_tessera.revocation import caches as caches_module
from drf_tessera.revocation import publish_keys, stores
from drf_tessera.revocation.caches import CacheStore
from drf_tessera.revocation.feed import get_feed
from drf_tessera.revocation.notices import Notice, is_about_keys
from drf_tessera.revocation.stores import OVERLAP, DatabaseStore
from tests.accounts.models import NoTable
from tests.revocation.conftest import table_away
from tests.revocation.test_stores import LATER, Clock, ids, notices, rows_read
from tests.servers import REDIS_BACKEND, Redis, find_client

__all__ = ["rows_read"]

COUNTER = CacheStore("news")._counter


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    for module in (stores, caches_module):
        monkeypatch.setattr(module, "time", found)
    return found


@pytest.fixture
def cache(redis: Redis, settings: Any) -> Any:
    settings.CACHES = {
        **settings.CACHES,
        "news": {"BACKEND": REDIS_BACKEND, "LOCATION": redis.url},
    }
    caches["news"].clear()
    return caches["news"]


def publish(writer: CacheStore, news: list[Notice]) -> list[Notice]:
    """End sessions as :func:`publishing` does: in the table, and then in the cache."""
    news = writer.record(news)
    writer.publish(news)
    return news


def pull(reader: CacheStore) -> list[Notice]:
    """Read all that there is, as a feed does."""
    found = reader.pull()
    while reader.is_behind:
        found += reader.pull()
    return found


@pytest.fixture
def settled(cache: Any, rows_read: list[int]) -> CacheStore:
    """Return a reader that has read the table at its start, and no longer needs it."""
    reader = CacheStore("news")
    publish(reader, notices())
    pull(reader)
    assert rows_read == [1]
    rows_read.clear()
    assert pull(reader) == []
    assert rows_read == []
    return reader


@pytest.mark.server
@pytest.mark.django_db
@pytest.mark.usefixtures("cache")
class TestCache:
    def test_readers_get_what_came_since_they_last_asked_from_the_cache_alone(
        self, settled: CacheStore, rows_read: list[int]
    ) -> None:
        first, second = publish(settled, notices(2)), notices(3)
        assert ids(pull(settled)) == ids(first)
        publish(settled, second)
        assert ids(pull(settled)) == ids(second)
        assert pull(settled) == []
        assert rows_read == []

    def test_a_new_reader_reads_the_table(self) -> None:
        """Then it knows the sessions that ended before the cache was emptied, too."""
        news = notices(1200)
        DatabaseStore().record(news)
        assert sorted(CacheStore("news").pull()) == sorted(news)

    def test_a_new_reader_without_the_table_knows_nothing(self) -> None:
        reader = CacheStore("news")
        with table_away(), pytest.raises(RevocationUnavailable):
            pull(reader)
        news = publish(reader, notices())
        assert ids(pull(reader)) == ids(news)

    def test_many_notices_are_read_in_parts(
        self, settled: CacheStore, rows_read: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for module in (stores, caches_module):
            monkeypatch.setattr(module, "MOST_ROWS", 10)
        news = publish(settled, notices(25))
        found: set[UUID] = set()
        for is_behind in (True, True, False):
            found |= ids(settled.pull())
            assert settled.is_behind == is_behind
        assert found == ids(news)
        assert rows_read == []
        reader, found = CacheStore("news"), set()
        for is_behind in (True, True, False):
            found |= ids(reader.pull())
            assert reader.is_behind == is_behind
        assert found > ids(news)

    def test_the_cache_drops_expired_notices(self, cache: Any) -> None:
        writer = CacheStore("news")
        writer.publish(notices(1, until=int(time.time() + 1 - OVERLAP)))
        number = cache.get(COUNTER)
        time.sleep(1.2)
        assert cache.get(writer._name(number)) is None

    def test_a_notice_that_is_written_after_its_number_is_found(
        self, settled: CacheStore, cache: Any, clock: Clock, rows_read: list[int]
    ) -> None:
        """Another process may read between the two writes."""
        settled._checked_at = clock.now
        number = settled._count(cache, 1)
        later = publish(settled, notices())
        assert pull(settled) == later
        clock.now += OVERLAP - 1
        late = uuid4()
        cache.set(settled._name(number), (late.hex, LATER, "", None))
        assert ids(pull(settled)) == {late}
        assert pull(settled) == []
        assert rows_read == []

    def test_the_notice_of_a_writer_that_died_after_its_number_comes_from_the_table(
        self, settled: CacheStore, cache: Any, clock: Clock
    ) -> None:
        settled._checked_at = clock.now
        settled.record(lost := notices())
        settled._count(cache, 1)
        assert pull(settled) == []
        clock.now += OVERLAP + 1
        assert ids(pull(settled)) >= ids(lost)
        assert not settled._awaited
        assert pull(settled) == []

    def test_the_notice_of_a_writer_that_died_before_its_number_comes_from_the_table(
        self, settled: CacheStore, clock: Clock, rows_read: list[int]
    ) -> None:
        """Nothing in the cache shows it. So the table is read now and then."""
        settled._checked_at = clock.now
        settled.record(lost := notices())
        clock.now += 29
        assert pull(settled) == []
        clock.now += 2
        assert ids(pull(settled)) >= ids(lost)
        assert pull(settled) == []
        assert rows_read == [2]

    def test_a_reading_without_a_doubt_returns_only_the_rows_that_the_cache_did_not_bring(
        self, settled: CacheStore, clock: Clock, rows_read: list[int], django_assert_num_queries: Any
    ) -> None:
        """Also if the entries come in another order than the rows, and if a row was rolled back."""
        settled._checked_at = clock.now
        for lost in range(3):
            clock.now += 1
            news = settled.record(notices(41))
            Revocation.objects.filter(pk=news.pop(20).row).delete()
            settled.publish(news[lost:][::-1])
            settled.publish(news[:1] * lost)  # twice, as after an answer that was lost
            pull(settled)
            assert rows_read == []
            clock.now += 30
            with django_assert_num_queries(1):
                found = pull(settled)
            assert ids(found) == ids(news[1:lost])
            assert rows_read == [2 + len(found)]  # the newest row of the last reading, and the newest row
            rows_read.clear()

    def test_a_reader_of_an_empty_table_reads_the_first_rows_from_the_table_too(
        self, cache: Any, clock: Clock, rows_read: list[int]
    ) -> None:
        reader = CacheStore("news")
        assert pull(reader) == []
        news = publish(reader, notices(3))
        assert ids(pull(reader)) == ids(news)
        clock.now += 31
        assert ids(pull(reader)) == ids(news)
        assert rows_read == [0, 3]

    def test_a_reader_in_doubt_reads_also_what_the_cache_has_told(
        self, settled: CacheStore, cache: Any, clock: Clock, rows_read: list[int]
    ) -> None:
        settled._checked_at = clock.now
        news = publish(settled, notices(5))
        assert ids(pull(settled)) == ids(news)
        cache.clear()
        assert ids(pull(settled)) == ids(news)
        assert rows_read == [6]

    @pytest.mark.parametrize("in_doubt", [True, False])
    def test_the_news_of_the_cache_does_not_wait_for_the_table(
        self, settled: CacheStore, in_doubt: bool, rows_read: list[int]
    ) -> None:
        """A table that hangs must not hold a logout that the cache has brought."""
        settled._checked_at, settled._in_doubt = float("-inf"), in_doubt
        news = publish(settled, notices(3))
        assert ids(settled.pull()) == ids(news)
        assert settled.is_behind
        assert rows_read == []
        found = settled.pull()
        assert ids(found) == (ids(news) if in_doubt else set())
        assert not settled.is_behind
        assert settled.pull() == []
        assert rows_read == [4 if in_doubt else 2]

    def test_a_reading_that_fails_leaves_the_next_one_to_find_the_rows(
        self, settled: CacheStore, clock: Clock, rows_read: list[int]
    ) -> None:
        settled._checked_at = clock.now
        (lost,), news = settled.record(notices()), publish(settled, notices(5))
        clock.now += 31
        with table_away():
            assert ids(pull(settled)) == ids(news)
        assert pull(settled) == []
        clock.now += 31
        assert ids(pull(settled)) == {lost.session_id}
        assert rows_read == [3]

    @pytest.mark.parametrize("kept", [0, 1])
    def test_rows_that_the_database_has_lost_in_a_failover_make_the_reader_read_the_table(
        self, settled: CacheStore, clock: Clock, kept: int
    ) -> None:
        """The numbers of the lost rows were given out again, and nobody published one of the new rows."""
        settled._checked_at = clock.now
        lost = publish(settled, notices(4))
        pull(settled)
        rows = Revocation.objects.filter(pk__gte=lost[kept].row)
        again = notices(6 - kept)
        rows.delete()
        Revocation.objects.bulk_create(
            Revocation(pk=(lost[kept].row or 0) + index, session_id=new.session_id, until=new.until)
            for index, new in enumerate(again)
        )
        heard = [new._replace(row=(lost[kept].row or 0) + index) for index, new in enumerate(again)]
        settled.publish(heard[1:])
        assert ids(pull(settled)) >= ids(again)

    def test_a_row_of_the_last_reading_that_the_database_has_lost_makes_the_reader_read_the_table(
        self, settled: CacheStore, clock: Clock
    ) -> None:
        settled._checked_at = clock.now
        row = Revocation.objects.latest("pk")
        Revocation.objects.filter(pk=row.pk).update(session_id=(again := uuid4()))
        publish(settled, notices())
        pull(settled)
        clock.now += 31
        assert ids(pull(settled)) >= {again}

    def test_a_row_that_no_table_has_makes_the_reader_read_the_table(
        self, settled: CacheStore, clock: Clock
    ) -> None:
        settled._checked_at = clock.now
        (lost,), (last,) = settled.record(notices()), publish(settled, notices())
        settled.publish([Notice(uuid4(), LATER, row=2**63 - 1)])
        pull(settled)
        clock.now += 31
        assert ids(pull(settled)) >= {lost.session_id, last.session_id}

    def test_a_notice_that_the_table_told_before_the_cache_is_not_read_again(
        self, settled: CacheStore, clock: Clock, rows_read: list[int]
    ) -> None:
        """Its publisher was slow, so the reading of the table has passed its row already."""
        settled._checked_at = clock.now
        late, known = settled.record(notices()), publish(settled, notices())
        pull(settled)
        clock.now += 31
        assert ids(pull(settled)) == ids(late)
        settled.publish(late)
        assert ids(pull(settled)) == ids(late)
        clock.now += 31
        assert pull(settled) == []
        assert rows_read[-1] == 1
        assert late[0].row is not None
        assert known[0].row is not None
        assert late[0].row < known[0].row

    def test_a_database_that_does_not_tell_the_numbers_of_rows_costs_a_second_reading(
        self, settled: CacheStore, clock: Clock, rows_read: list[int]
    ) -> None:
        """MySQL is such a database."""
        settled._checked_at = clock.now
        news = notices(3)
        settled.record(news)
        settled.publish(news)
        assert ids(pull(settled)) == ids(news)
        clock.now += 31
        assert ids(pull(settled)) == ids(news)
        assert rows_read == [4]

    def test_a_reader_forgets_what_it_heard_if_that_is_too_much(
        self, settled: CacheStore, clock: Clock, rows_read: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(CacheStore, "_MOST_HEARD", 5)
        settled._checked_at = clock.now
        news = publish(settled, notices(8))
        assert ids(pull(settled)) == ids(news)
        clock.now += 31
        assert len(pull(settled)) == 6
        assert rows_read == [8]

    def test_a_table_that_cannot_be_read_now_and_then_is_not_an_outage(
        self, settled: CacheStore, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: Any
    ) -> None:
        settled._checked_at = clock.now
        clock.now += 31
        with table_away():
            news = publish_in_cache(settled, notices())
            assert pull(settled) == news
            assert pull(settled) == []
        assert [record.levelname for record in caplog.records] == ["WARNING"]

    def test_a_table_that_is_missing_is_never_taken_for_an_outage(
        self, settled: CacheStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing in the cache is lost meanwhile."""
        settled._checked_at = clock.now
        clock.now += 31
        news = publish(settled, notices())
        with monkeypatch.context() as patch:
            patch.setattr(stores, "Revocation", NoTable)
            for _ in range(2):
                with pytest.raises(MigrationMissing), transaction.atomic():
                    pull(settled)
        assert ids(pull(settled)) >= ids(news)

    def test_a_missing_table_of_installations_is_never_taken_for_an_outage_of_the_cache(self) -> None:
        def fail() -> str:
            raise MigrationMissing

        reader = CacheStore("news", table=fail)
        for use in (reader.pull, lambda: reader.publish(notices())):
            with pytest.raises(MigrationMissing):
                use()
        assert reader._in_doubt

    @pytest.mark.parametrize("loss", ["clear", "delete"])
    def test_a_reader_of_a_cache_that_was_emptied_reads_the_table(
        self, settled: CacheStore, cache: Any, loss: str
    ) -> None:
        """The writer has died, or has published just before."""
        settled.record(lost := notices(3))
        settled.publish(lost)
        cache.clear() if loss == "clear" else cache.delete(COUNTER)
        assert ids(pull(settled)) >= ids(lost)
        news = publish(settled, notices(2))
        assert ids(pull(settled)) >= ids(news)

    def test_one_that_was_emptied_unseen_goes_on_too(self, settled: CacheStore, cache: Any) -> None:
        """Another process has begun a counter again, above every issued number."""
        settled.publish(lost := notices(3))
        settled.record(lost)
        before = cache.get(COUNTER)
        cache.clear()
        time.sleep(0.01)
        news = publish(CacheStore("news"), notices(2))
        assert cache.get(COUNTER) > before
        assert ids(pull(settled)) >= ids(lost + news)

    @pytest.mark.parametrize("head", [10**15, 5])
    def test_the_counter_of_another_cache_makes_readers_read_the_table(
        self, settled: CacheStore, cache: Any, head: int
    ) -> None:
        settled.record(lost := notices())
        cache.clear()
        cache.set(COUNTER, head, timeout=None)
        news = publish(CacheStore("news"), notices(3))
        assert ids(pull(settled)) >= ids(lost + news)

    @pytest.mark.parametrize("more", [0, 2])
    def test_numbers_that_were_lost_and_given_out_again_are_noticed(
        self, settled: CacheStore, cache: Any, more: int
    ) -> None:
        """A replica that missed the last writes was promoted."""
        head = cache.get(COUNTER)
        first = publish(settled, notices(3))
        assert ids(pull(settled)) == ids(first)
        cache.set(COUNTER, head, timeout=None)
        again = publish(CacheStore("news"), notices(3 + more))
        assert ids(pull(settled)) >= ids(again)
        assert pull(settled) == []

    def test_one_that_hides_its_failures_has_failed(
        self, cache: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The cache answers like an empty cache, and a stopped cache answers the same."""
        monkeypatch.setattr(type(cache), "get", lambda self, key, *rest: None)
        with pytest.raises(RevocationUnavailable):
            CacheStore("news").pull()

    @pytest.mark.parametrize(
        "entry",
        [
            b"not a pickle",
            7,
            None,
            "text",
            (1, 2),
            ("0" * 32, 1, ""),  # of an older release
            ("0" * 32, "soon", "", 1),
            ("0" * 32, float("inf"), "", 1),
            ("", 1, 2, None),
            ("0" * 32, 1, "", 2**63),
            ("0" * 32, 1, "", 0),
            ("0" * 32, 1, "", "7"),
        ],
    )
    def test_an_entry_that_cannot_be_read_stops_nobody(
        self, settled: CacheStore, cache: Any, redis: Redis, entry: object, caplog: Any
    ) -> None:
        before = publish(settled, notices(3))
        settled.record(lost := notices())
        name = settled._name(settled._count(cache, 1))
        if isinstance(entry, bytes):
            find_client(cache).set(cache.make_key(name), entry)
        else:
            cache.set(name, entry)
        after = publish(settled, notices(3))
        assert ids(pull(settled)) >= ids(before + lost + after)
        assert pull(settled) == []
        assert [record.levelname for record in caplog.records] == ["ERROR"]

    @pytest.mark.parametrize("counter", [b"not a pickle", b"\x80\x04]."])
    def test_a_counter_that_cannot_be_read_is_begun_again(
        self, settled: CacheStore, cache: Any, counter: bytes
    ) -> None:
        lost = publish(settled, notices())
        find_client(cache).set(cache.make_key(COUNTER), counter)
        with pytest.raises(RevocationUnavailable):
            settled.publish(notices())
        assert ids(pull(settled)) >= ids(lost)
        news = publish(settled, notices())
        assert ids(pull(settled)) >= ids(news)

    def test_publishing_is_known_to_have_failed(self, cache: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(type(cache), "set_many", lambda self, entries, timeout: list(entries)[:1])
        with pytest.raises(RevocationUnavailable, match="did not store all"):
            CacheStore("news").publish(notices(2))

    def test_a_backend_that_does_not_tell_what_it_stored_has_stored_all(
        self, settled: CacheStore, cache: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """``set_many`` of django-redis returns ``None``."""
        store = cache.set_many

        def store_in_silence(self: Any, *args: Any, **kwargs: Any) -> None:
            store(*args, **kwargs)

        monkeypatch.setattr(type(cache), "set_many", store_in_silence)
        news = publish(settled, notices(3))
        assert ids(pull(settled)) == ids(news)

    def test_a_reader_that_is_rewound_gets_it_all_again(self, settled: CacheStore) -> None:
        news = publish(settled, notices(3))
        assert ids(pull(settled)) == ids(news)
        settled.rewind()
        assert ids(pull(settled)) > ids(news)

    def test_a_copy_continues_where_the_reader_has_arrived(
        self, settled: CacheStore, rows_read: list[int]
    ) -> None:
        copy = settled.copy()
        news = publish(settled, notices(3))
        assert ids(pull(copy)) == ids(pull(settled)) == ids(news)
        assert rows_read == []

    def test_the_clock_of_the_table_is_known(self, settled: CacheStore) -> None:
        assert settled.skew is not None

    def test_each_table_has_numbers_of_its_own(self, cache: Any) -> None:
        """Otherwise a notice about a user would end the sessions of somebody else in another database."""
        ours, theirs = CacheStore("news", table=lambda: "ours"), CacheStore("news", table=lambda: "theirs")
        for store in (ours, theirs):
            store.pull()
        news = publish(ours, notices(3))
        assert ids(pull(ours.copy())) == ids(news)
        numbers = theirs._head
        assert pull(theirs) == []
        assert theirs._head == numbers

    def test_a_server_that_is_gone_is_named_and_the_table_heals_what_was_lost(
        self, settled: CacheStore, redis: Redis
    ) -> None:
        redis.stop()
        lost = notices()
        settled.record(lost)
        try:
            for use in (lambda: settled.publish(lost), settled.pull):
                with pytest.raises(RevocationUnavailable) as found:
                    use()
                assert "ConnectionError" in type(found.value.__cause__).__name__
        finally:
            redis.start()
        assert ids(pull(settled)) >= ids(lost)


def refuse(self: DatabaseStore) -> list[Notice]:
    raise RevocationUnavailable


def publish_in_cache(writer: CacheStore, news: list[Notice]) -> list[Notice]:
    writer.publish(news)
    return news


@pytest.mark.server
@pytest.mark.django_db
@pytest.mark.usefixtures("cache")
def test_news_of_keys_reach_the_readers_of_a_cache(settings: Any) -> None:
    settings.TESSERA = {"REVOCATION_CACHE": "news"}
    reader = get_feed().store.copy()
    pull(reader)
    for _ in range(2):  # two changes in one second are two notices
        publish_keys(timezone.now())
    found = pull(reader)
    assert len(found) == len(set(found)) == 2
    assert all(map(is_about_keys, found))
