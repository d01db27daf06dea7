"""The stores of revocations: they miss no revocation, and they read almost no revocation twice."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import Error, OperationalError, connection, transaction

from drf_tessera.database import is_in_transaction
from drf_tessera.exceptions import MigrationMissing, RevocationUnavailable
from drf_tessera.models import Revocation
from drf_tessera.revocation import stores
from drf_tessera.revocation.notices import Notice
from drf_tessera.revocation.stores import OVERLAP, TOLERANCE, DatabaseStore
from tests.accounts.models import NoTable
from tests.revocation.conftest import table_away

LATER = int(time.time()) + 86_400  # later than the end of a slow run


class Clock:
    """The clock of a store. The test can move it."""

    def __init__(self) -> None:
        self.now, self.ahead = 1000.0, 0.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(stores, "time", found)
    return found


@pytest.fixture
def rows_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of rows of each statement that reads the table."""
    found: list[int] = []
    fetch = DatabaseStore._fetch

    def count(self: DatabaseStore, wanted: Any) -> Any:
        rows = fetch(self, wanted)
        found.append(len(rows))
        return rows

    monkeypatch.setattr(DatabaseStore, "_fetch", count)
    return found


def notices(count: int = 1, until: int = LATER) -> list[Notice]:
    return [Notice(uuid4(), until) for _ in range(count)]


def ids(found: list[Notice]) -> set[UUID]:
    return {item.session_id for item in found}


@pytest.mark.django_db
class TestDatabase:
    def test_a_new_reader_gets_all_that_still_matters(self) -> None:
        news, past = notices(3), notices(2, until=int(time.time()) - TOLERANCE - 1)
        DatabaseStore().publish(news + past)
        assert DatabaseStore().pull() == news

    def test_publishing_many_is_a_few_statements(self, django_assert_max_num_queries: Any) -> None:
        with django_assert_max_num_queries(6):  # SQLite accepts at most 999 values in a statement
            DatabaseStore().publish(notices(1000))
        assert Revocation.objects.count() == 1000
        row = Revocation.objects.latest("pk")
        assert str(row) == str(row.session_id)

    def test_each_pull_is_one_statement_that_reads_what_is_new_and_the_newest_known_row(
        self, rows_read: list[int], django_assert_num_queries: Any
    ) -> None:
        """Also in the first seconds of a process."""
        store = DatabaseStore()
        known = notices(50)
        store.publish(known)
        assert store.pull() == known
        for count in (0, 1, 7, 100):
            news = notices(count)
            store.publish(news)
            rows_read.clear()
            with django_assert_num_queries(1):
                found = store.pull()
            assert found == news
            assert rows_read == [count + 1]  # the newest known row proves the order
            known += news

    def test_many_rows_are_read_in_parts(self, rows_read: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stores, "MOST_ROWS", 10)
        store, found, news = DatabaseStore(), set(), notices(25)
        store.publish(news)
        for is_behind in (True, True, False):
            found |= ids(store.pull())
            assert store.is_behind == is_behind
        assert found == ids(news)
        more = notices(25)
        store.publish(more)
        while found != ids(news + more):
            found |= ids(store.pull())
        assert not store.is_behind
        assert max(rows_read) == 10

    def test_a_first_read_that_ends_with_a_full_part_is_continued(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(stores, "MOST_ROWS", 5)
        store = DatabaseStore()
        store.publish(notices(5))
        assert len(store.pull()) == 5
        assert store.is_behind
        assert store.pull() == []
        assert not store.is_behind
        store.publish(news := notices(2))
        assert ids(store.pull()) == ids(news)

    def test_a_late_commit_is_found_although_higher_numbers_were_seen(
        self, clock: Clock, rows_read: list[int]
    ) -> None:
        """Two transactions may commit in another order than they got their numbers."""
        store = DatabaseStore()
        store.publish(notices())
        store.pull()
        newest = Revocation.objects.latest("pk").pk
        for step in (3, 6):
            Revocation.objects.create(pk=newest + step, session_id=uuid4(), until=LATER)
        store.pull()
        clock.now += OVERLAP - 0.1
        late = Revocation.objects.create(pk=newest + 2, session_id=uuid4(), until=LATER)
        rows_read.clear()
        assert ids(store.pull()) == {late.session_id}
        assert store.pull() == []
        assert rows_read == [2, 1]

    def test_a_new_reader_asks_for_the_numbers_that_it_has_not_found(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(stores, "_IN_FLIGHT", 10)
        for number in (3, 15, 20):
            Revocation.objects.create(pk=number, session_id=uuid4(), until=LATER)
        store = DatabaseStore()
        assert len(store.pull()) == 3
        assert [gap[:2] for gap in store._gaps] == [(10, 14), (16, 19)]
        late = [Revocation.objects.create(pk=pk, session_id=uuid4(), until=LATER) for pk in (2, 12, 16, 19)]
        assert {item.session_id for item in late[1:]} <= ids(store.pull())
        assert late[0].session_id not in ids(store.pull())
        assert [gap[:2] for gap in store._gaps] == [(10, 11), (13, 14), (17, 18)]

    def test_numbers_that_were_rolled_back_are_not_asked_for_longer_than_the_overlap(
        self, clock: Clock
    ) -> None:
        store = DatabaseStore()
        Revocation.objects.create(pk=1, session_id=uuid4(), until=LATER)
        store.pull()
        Revocation.objects.create(pk=100_000, session_id=uuid4(), until=LATER)
        store.pull()
        assert [gap[:2] for gap in store._gaps] == [(2, 99_999)]
        clock.now += OVERLAP
        store.pull()
        assert store._gaps == []

    def test_a_reader_that_has_rested_asks_once_more_before_it_drops_a_number(self, clock: Clock) -> None:
        store = DatabaseStore()
        for number in (1, 3):
            Revocation.objects.create(pk=number, session_id=uuid4(), until=LATER)
            store.pull()
        late = Revocation.objects.create(pk=2, session_id=uuid4(), until=LATER)
        clock.now += 100 * OVERLAP
        assert late.session_id in ids(store.pull())

    def test_gaps_are_joined_if_there_are_many(self) -> None:
        """A cluster of MariaDB gives out each third number."""
        store = DatabaseStore()
        for number in range(1, 1000, 3):
            Revocation.objects.create(pk=number, session_id=uuid4(), until=LATER)
        store.pull()
        assert len(store._gaps) <= 100
        late = Revocation.objects.create(pk=500, session_id=uuid4(), until=LATER)
        assert late.session_id in ids(store.pull())
        assert len(store._gaps) <= 100

    def test_rows_in_gaps_are_read_in_parts_too(self, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
        """A mass logout that was committed late fills a gap with more rows than one pull reads."""
        store = DatabaseStore()
        for number in (1, 30):
            Revocation.objects.create(pk=number, session_id=uuid4(), until=LATER)
            store.pull()
        late = [
            Revocation.objects.create(pk=number, session_id=uuid4(), until=LATER) for number in range(2, 29)
        ]
        monkeypatch.setattr(stores, "MOST_ROWS", 10)
        clock.now += OVERLAP
        found: set[UUID] = set()
        for is_behind in (True, True, False):
            found |= ids(store.pull())
            assert store.is_behind == is_behind
        assert {item.session_id for item in late} <= found

    def test_a_copy_continues_where_the_reader_has_arrived(self) -> None:
        store = DatabaseStore()
        store.publish(notices(3))
        store.pull()
        copy = store.copy()
        store.publish(news := notices(2))
        assert ids(news) == ids(copy.pull())
        assert ids(news) == ids(store.pull())

    @pytest.mark.parametrize("ahead", [-1000, 0, 1000])
    def test_the_clock_of_the_database_comes_with_the_news(
        self, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any, ahead: float
    ) -> None:
        store = DatabaseStore()
        store.publish(notices(1, until=LATER + 2000))
        monkeypatch.setattr(stores, "time", clock := Clock())
        clock.ahead = ahead
        with django_assert_num_queries(1):
            store.pull()
        assert store.skew == pytest.approx(ahead, abs=60)

    def test_a_server_whose_clock_is_far_ahead_still_finds_what_matters(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = DatabaseStore()
        store.publish(news := notices())
        monkeypatch.setattr(stores, "time", clock := Clock())
        clock.ahead = 10 * 86_400
        assert store.pull() == news

    def test_an_unknown_database_is_read_by_the_clock_of_the_server(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(stores.Epoch, "_EXPRESSIONS", {})
        store = DatabaseStore()
        store.publish(news := notices())
        assert store.pull() == news
        assert abs(store.skew or 0) < 60

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

    def test_a_row_that_cannot_be_read_stops_nobody_and_hides_no_other(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = DatabaseStore()
        for _ in ("the first reading", "the next one"):
            store.record(before := notices(2))
            row = Revocation._default_manager.create(session_id=uuid4(), until=LATER, scope="2: unknown")
            store.record(after := notices(2))
            assert ids(store.pull()) == ids(before + after)
            assert f"row, number {row.pk}." in caplog.text
        assert store.pull() == []

    USES = (lambda: DatabaseStore().publish(notices()), lambda: DatabaseStore().pull())

    @pytest.mark.parametrize("use", USES)
    def test_an_outage_is_told_as_one(self, use: Callable[[], Any]) -> None:
        with table_away(), pytest.raises(RevocationUnavailable) as found:
            use()
        assert isinstance(found.value.__cause__, OperationalError)

    @pytest.mark.parametrize("use", USES)
    def test_a_missing_table_is_told_as_one(
        self, use: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It would otherwise be answered with 503 for ever."""
        monkeypatch.setattr(stores, "Revocation", NoTable)
        with pytest.raises(MigrationMissing, match=r"manage\.py migrate.*notable"), transaction.atomic():
            use()


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
