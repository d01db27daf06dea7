"""A reader: a thread of the crew reads for all requests, and none of them waits for a database that hangs."""

from __future__ import annotations

import asyncio
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.exceptions import SynchronousOnlyOperation
from django.db import connection, transaction

from drf_tessera.database import Place
from drf_tessera.exceptions import DatabaseUnavailable, KeysUnavailable
from drf_tessera.workers import crews, readers
from drf_tessera.workers.crews import Turn
from drf_tessera.workers.readers import RowReader
from tests.servers import PATIENCE, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
ANY_TIME = float("-inf")


class Table:
    """Rows that take as long to read as a test says. It counts the readings, and names their threads."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.readers = list[str]()
        self.error: BaseException | None = None
        self.waiting = 0
        """The number of requests that have waited for a turn, or wait now."""

    def read(self) -> int:
        self.readers.append(threading.current_thread().name)
        number = len(self.readers)
        assert self.may_answer.wait(PATIENCE)
        if self.error is not None:
            raise self.error
        return number


@pytest.fixture
def table(own_crews: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    found, wait = Table(), Turn.wait

    def count(turn: Turn, patience: float) -> None:
        found.waiting += 1
        wait(turn, patience)

    monkeypatch.setattr(Turn, "wait", count)
    yield found
    found.may_answer.set()


def make_reader(table: Table, *, patience: float = PATIENCE) -> RowReader[int]:
    found = RowReader(table.read, poll=patience, staleness=3 * PATIENCE)
    found._patience = patience
    found._limit = PATIENCE
    return found


def test_a_thread_of_the_crew_reads(table: Table) -> None:
    assert make_reader(table).read(ANY_TIME) == 1
    assert table.readers == ["drf-tessera-worker"]


def test_requests_that_ask_at_the_same_time_share_a_reading(table: Table) -> None:
    reader = make_reader(table)
    table.may_answer.clear()
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(reader.read, ANY_TIME) for _ in range(3)]
        wait_until(lambda: table.waiting == 3, "not all requests wait")
        table.may_answer.set()
        assert {answer.result() for answer in answers} == {1}


def test_a_reading_that_began_before_the_moment_asked_for_does_not_count(table: Table) -> None:
    reader = make_reader(table)
    table.may_answer.clear()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(reader.read, ANY_TIME)
        wait_until(lambda: bool(table.readers), "nobody reads")
        second = pool.submit(reader.read, time.monotonic())
        wait_until(lambda: table.waiting == 2, "not all requests wait")
        table.may_answer.set()
        assert second.result() == 2
        assert first.result() <= 2


def test_a_reading_that_hangs_is_waited_for_once_and_then_not_at_all(table: Table) -> None:
    reader = make_reader(table, patience=0.05)
    table.may_answer.clear()
    with pytest.raises(DatabaseUnavailable):
        reader.read(ANY_TIME)
    (turn,) = reader._find_worker().turns
    waits = list[float]()
    turn.over.wait = waits.append  # type: ignore[method-assign, assignment]
    with pytest.raises(DatabaseUnavailable):
        reader.read(ANY_TIME)
    assert waits == [0.0]


def test_a_reading_that_was_given_up_does_not_count_and_the_next_one_heals(table: Table) -> None:
    reader = make_reader(table, patience=0.05)
    table.may_answer.clear()
    with pytest.raises(DatabaseUnavailable):
        reader.read(ANY_TIME)
    wait_until(lambda: bool(table.readers), "nobody reads")
    worker = reader._find_worker()
    (turn,) = worker.turns
    turn._moved = float("-inf")  # as if it made no progress for longer than the limit
    with pytest.raises(DatabaseUnavailable):
        reader.read(ANY_TIME)
    assert turn.is_lost
    assert worker.is_suspect
    table.may_answer.set()
    wait_until(lambda: not worker.is_suspect, "it does not heal")
    reader._patience = PATIENCE
    assert reader.read(ANY_TIME) > 1


def test_a_turn_that_was_given_up_answers_nobody(table: Table) -> None:
    reader = make_reader(table)
    turn = Turn()
    turn.is_lost = True
    reader._work(turn)
    assert not hasattr(reader, "_found")


def test_an_error_reaches_the_request(table: Table) -> None:
    table.error = KeysUnavailable()
    with pytest.raises(KeysUnavailable):
        make_reader(table).read(ANY_TIME)


def test_each_request_has_a_traceback_of_its_own(table: Table) -> None:
    """A report about an error shows the variables of its frames, such as the password of a login."""
    table.error = KeysUnavailable()
    table.error.__cause__ = ZeroDivisionError()
    reader = make_reader(table)
    table.may_answer.clear()

    def handle_request(password: str) -> Exception:
        with pytest.raises(KeysUnavailable) as found:
            reader.read(ANY_TIME)
        return found.value

    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(handle_request, f"password {number}") for number in range(3)]
        wait_until(lambda: table.waiting == 3, "not all requests wait")
        table.may_answer.set()
        errors = [answer.result() for answer in answers]
    for error in errors:
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        names = [frame.f_code.co_name for frame in frames]
        assert names.count("handle_request") == 1
        assert names[-1] == "read"  # where it began, in the thread of the crew
        assert isinstance(error.__cause__, ZeroDivisionError)


def test_an_error_that_cannot_be_copied_reaches_the_request(table: Table) -> None:
    class Odd(Exception):
        def __init__(self, *, reason: str) -> None:
            super().__init__(reason)

    table.error = Odd(reason="none")
    with pytest.raises(Odd):
        make_reader(table).read(ANY_TIME)


def test_an_open_transaction_reads_what_it_has_written(table: Table) -> None:
    with transaction.atomic():
        make_reader(table).read(ANY_TIME)
    assert table.readers == [threading.current_thread().name]


def test_requests_with_open_transactions_share_a_reading(table: Table) -> None:
    """Otherwise each unknown key costs a query with ATOMIC_REQUESTS, and two requests make the first key."""
    reader = make_reader(table)
    table.may_answer.clear()

    def read(since: float) -> int:
        try:
            with transaction.atomic():
                return reader.read(since)
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(read, ANY_TIME) for _ in range(3)]
        wait_until(lambda: bool(table.readers), "nobody reads")
        table.may_answer.set()
        assert {answer.result() for answer in answers} == {1}
        assert pool.submit(read, time.monotonic()).result() == 2
        reader.forget()
        assert pool.submit(read, ANY_TIME).result() == 3


def test_a_database_that_hangs_holds_one_request_with_an_open_transaction(table: Table) -> None:
    reader = make_reader(table, patience=0.01)
    with reader._lock, transaction.atomic(), pytest.raises(DatabaseUnavailable):
        reader.read(ANY_TIME)
    assert table.readers == []


def test_a_thread_that_dies_has_no_result(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """gevent ends a greenlet by such an error, and so does a panic of cryptography."""
    monkeypatch.setattr(threading, "excepthook", lambda args: None)
    reader = make_reader(table)
    assert reader.read(ANY_TIME) == 1
    table.error = KeyboardInterrupt()
    with pytest.raises(DatabaseUnavailable):
        reader.read(time.monotonic())


@pytest.mark.django_db(transaction=False)
def test_a_test_case_reads_what_it_has_written(table: Table) -> None:
    make_reader(table).read(ANY_TIME)
    assert table.readers == [threading.current_thread().name]


def test_a_thread_of_the_crew_waits_for_no_other(table: Table) -> None:
    inner = make_reader(table)
    outer = RowReader(lambda: inner.read(ANY_TIME), poll=PATIENCE, staleness=PATIENCE)
    assert outer.read(ANY_TIME) == 1
    assert len(crews.find_crew("default").hands) == 1


def test_a_process_that_may_start_no_thread_reads_by_itself(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert make_reader(table).read(ANY_TIME) == 1
    assert table.readers == [threading.current_thread().name]


def test_another_place_gets_a_worker_of_its_own(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """A router may send the tables elsewhere, and django-tenants uses another schema."""
    reader = make_reader(table)
    first = reader._find_worker()
    assert reader._find_worker() is first
    monkeypatch.setattr(readers, "find_place", lambda: Place("default", None, "elsewhere"))
    assert reader._find_worker() is not first


def test_an_event_loop_does_not_wait(table: Table) -> None:
    reader = make_reader(table)

    async def read() -> None:
        reader.read(ANY_TIME)

    with pytest.raises(SynchronousOnlyOperation):
        asyncio.run(read())
    assert table.readers == []


def test_a_child_that_python_does_not_know_of_begins_again(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """uWSGI forks like this. The threads of the parent would never answer."""
    noticed = list[bool]()
    monkeypatch.setattr(readers, "notice_fork", lambda: noticed.append(True))
    make_reader(table).read(ANY_TIME)
    assert noticed == [True]
