"""The threads that read for all requests of a process, so that a store that hangs hangs no request.

They pull the notices, and read the rows of sessions in doubt, the keys and the id of the installation.

Each database has threads of its own, so a database that hangs does not hang the tenants of another one. The
number of threads depends on the databases, and not on the tenants.

A store that refuses answers at once. A store that hangs holds the thread that asks it for minutes. Examples
are a database that was stopped with SIGSTOP, and a host that is cut off. Python cannot interrupt that thread,
so it must not be the thread of a request.

Two dangers of such a thread have an answer here:

- It dies, or it does not survive a fork. A request starts it when it is needed, so a dead thread is replaced
  by the next request. A process without requests has neither the thread nor its connection.
- It hangs. After ``limit`` seconds without progress the thread is given up and another takes its place.
  The socket of the old thread is shut down, which wakes most drivers. At most :data:`MOST_LOST` such threads
  exist at a time for each database, so a store that hangs for hours costs a bounded number of threads and
  connections.
"""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from threading import Condition, Event, Lock, Thread, current_thread
from typing import Any, Final, NamedTuple

from django.core import mail
from django.db import Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from drf_tessera.database import Place, enter_schema, find_place, using_database
from drf_tessera.forks import after_fork
from drf_tessera.workers.connections import describe_own

MOST_THREADS: Final = 4
"""The greatest number of threads for one database, besides those that were given up."""

MOST_LOST: Final = 3
"""The greatest number of threads for one database that were given up and still hang."""

MOST_WAITING: Final = 1000
"""The greatest number of workers that wait for a thread of one database.

While the database hangs, a stranger may invent names of tenants. If all of them waited, they would use up the
memory, and when the database is back, the tenants that exist would wait for all of them.
"""

_REST: Final = 10.0
"""Seconds. A thread without a turn for so long ends, and closes its connection."""

_MOST_KEPT: Final = 8
"""The greatest number of threads that keep their connection between two pulls.

Each database has a thread. If each thread kept a connection, 25 databases of one server in four processes
would use up the 100 connections that PostgreSQL allows by default. The other threads open one for each pull.
"""

_keepers: Final[set[_Hand]] = set()
"""The threads that keep their connection."""


class Turn:
    """One pull, from the request that asked for it until its end. Any number of threads may wait for it."""

    def __init__(self, before: Turn | None = None) -> None:
        self.began: float = float("inf")
        """The time at which the pull began, by the clock of the feed."""
        self.error: Exception | None = None
        """The error of the pull. Each thread that waits raises a copy."""
        self.is_lost = False
        """Whether the thread of this pull was given up. Its result must not count."""
        self.over: Event = Event()
        self._before = before
        self._asked = self._moved = time.monotonic()

    def show_life(self) -> None:
        """Record progress, so that a long pull is not taken for one that hangs."""
        self._moved = time.monotonic()

    def is_stuck(self, limit: float) -> bool:
        """Return whether there was not any progress for ``limit`` seconds."""
        return time.monotonic() - self._moved > limit

    def wait(self, patience: float) -> None:
        """Wait for the end, but not longer than ``patience`` seconds after the turn was asked for.

        So if a pull has already taken longer, a thread that arrives later does not wait at all. This is also
        so if the pull before this one has taken longer.
        """
        before = self._before
        if before is not None and not before.over.is_set() and before.is_late(patience):
            return
        self.over.wait(max(0.0, self._asked + patience - time.monotonic()))

    def check(self) -> None:
        """Raise the error of the pull, if there is one, for one of the threads that wait."""
        if self.error is not None:
            raise _copy(self.error)

    def is_held_up(self, limit: float) -> bool:
        """Return whether the turn before this one goes on, and made no progress for ``limit`` seconds."""
        before = self._before
        return before is not None and not before.over.is_set() and before.is_stuck(limit)

    def is_late(self, patience: float) -> bool:
        """Return whether the turn was asked for more than ``patience`` seconds ago."""
        return time.monotonic() - self._asked > patience


class Worker:
    """Has ``work`` called by a thread of the crew, once for all threads that ask at the same time.

    Args:
        work: is called with each turn, by one thread at a time.
        lose: is called when a turn was given up, before another one may begin.
        limit: the number of seconds without progress after which a turn is given up.
        place: the database, which chooses the crew. By default, this is the place of the calling thread. The
            threads of the crew know no request.
    """

    def __init__(
        self,
        work: Callable[[Turn], None],
        *,
        lose: Callable[[], None],
        limit: float,
        place: Place | None = None,
    ) -> None:
        self.work: Callable[[Turn], None] = work
        self.limit: float = limit
        self._lose = lose
        self.place: Place = find_place() if place is None else place
        self.crew: Crew | None = None
        """The crew of the turns. A forked child has another one."""
        self.turns: list[Turn] = []
        """The turn that is under way, and perhaps the next one."""
        self.is_called: bool = False
        """Whether a thread of the crew has the worker, or is going to have it."""
        self.is_suspect: bool = False
        """Whether a turn was given up, and none has ended since."""

    def ask(self, since: float) -> Turn:
        """Return the turn that is under way. If it began before ``since``, return the next one.

        Raises:
            RuntimeError: the system starts no more threads, or the interpreter is being shut down.
        """
        return find_crew(self.place.alias).ask(self, since)

    def add_turn(self, since: float) -> bool:
        """Add a turn, unless the newest one began after ``since``. Return whether a turn was added."""
        self.drop_finished()
        newest = self.turns[-1] if self.turns else None
        if newest is not None and newest.began >= since:
            return False
        self.turns.append(Turn(newest))
        return True

    def drop_finished(self) -> None:
        """Drop the turns that are over."""
        self.turns = [turn for turn in self.turns if not turn.over.is_set()]

    def drop_all(self) -> None:
        """Drop all turns. Their results do not count, and nobody waits for them any longer."""
        for turn in self.turns:
            turn.is_lost = True
            turn.over.set()
        self.turns = []
        self.is_called = False

    def give_up(self) -> None:
        """Leave the turns to the thread that hangs with one of them."""
        self.drop_all()
        self.is_suspect = True
        self._lose()


class Crew:
    """The threads of this process that read from one database, for the workers of all tenants there.

    A feed has two workers: one pulls, and one reads the rows of sessions in doubt. Each tenant has a reader
    for its keys, and one for the id of its installation. If the tenants share their tables, or each has a
    database, then a crew has one feed, and usually one thread. If the tenants have schemas in one database
    (django-tenants), then a crew has a feed for each tenant, and at most :data:`MOST_THREADS` threads. So a
    table of a schema that is locked does not hold up the other schemas.
    """

    def __init__(self, alias: str) -> None:
        self.alias: Final = alias
        self._bell = Condition(Lock())
        """Rings if a worker waits. Its lock guards the crew and the workers."""
        self._waiting: deque[Worker] = deque()
        self.hands: list[_Hand] = []
        """The threads, without those that were given up."""
        self._idle = 0
        self.lost: list[_Hand] = []
        """The threads that were given up, and perhaps still hang."""

    def ask(self, worker: Worker, since: float) -> Turn:
        """Return the turn of a worker, as :meth:`Worker.ask` says."""
        with self._bell:
            self._replace_hanging()
            if worker.crew is not self:
                worker.crew, worker.turns, worker.is_called = self, [], False
            if worker.add_turn(since):
                self._call(worker)
            turn = worker.turns[-1]
            self._start_hand()
            return turn

    def _call(self, worker: Worker) -> None:
        if not worker.is_called:
            worker.is_called = True
            if len(self._waiting) >= MOST_WAITING:
                self._waiting.popleft().drop_all()  # hardly anybody waits for the oldest turn any longer
            self._waiting.append(worker)
            self._bell.notify()

    def _start_hand(self) -> None:
        """Start a thread if more workers wait than threads are idle."""
        if len(self._waiting) <= self._idle or len(self.hands) >= MOST_THREADS:
            return
        hand = _Hand(self)
        try:
            hand.start()
        except RuntimeError:
            if self.hands:
                return  # one of them takes the worker when it is free
            while self._waiting:
                self._waiting.pop().drop_all()
            raise
        self.hands.append(hand)

    def _replace_hanging(self) -> None:
        for hand in list(self.hands):
            job = hand.job
            if job is None or not job.turn.is_stuck(job.worker.limit):
                continue
            self.lost = [item for item in self.lost if item.is_alive()]
            if len(self.lost) < MOST_LOST:
                self.lost.append(hand)
                self.hands.remove(hand)
                hand.is_lost = True
                job.worker.give_up()
                hand.cut()

    def serve(self, hand: _Hand) -> None:
        """Run turns until there are none for a while, or until the thread was given up."""
        try:
            while (job := self._take_job(hand)) is not None:
                try:
                    hand.work(job)
                finally:
                    self._end_job(hand, job)
        finally:
            with self._bell:
                self._dismiss(hand)

    def _take_job(self, hand: _Hand) -> _Job | None:
        """Return the turn of the worker that has waited for the longest time."""
        with self._bell:
            if hand.is_lost:
                return None
            self._idle += 1
            try:
                found = self._bell.wait_for(lambda: bool(self._waiting), _REST)
            finally:
                self._idle -= 1
            if not found:
                self._dismiss(hand)
                return None
            worker = self._waiting.popleft()
            hand.job = _Job(worker, worker.turns[0])
            return hand.job

    def _end_job(self, hand: _Hand, job: _Job) -> None:
        with self._bell:
            hand.job = None
            if not hand.is_lost:
                job.worker.drop_finished()
                job.worker.is_called = False
                if job.worker.turns:
                    self._call(job.worker)

    def _dismiss(self, hand: _Hand) -> None:
        if hand in self.hands:
            self.hands.remove(hand)


_crews: Final[dict[str, Crew]] = {}
"""The crews, by the alias of their database."""


def find_crew(alias: str) -> Crew:
    """Return the crew of a database."""
    return _crews.get(alias) or _crews.setdefault(alias, Crew(alias))


def _forget_threads() -> None:
    """Begin with nothing after a fork, because the child has none of its parent's threads."""
    _crews.clear()
    _keepers.clear()


after_fork(_forget_threads)


def is_in_crew() -> bool:
    """Return whether this thread belongs to a crew, so that it may wait for a database that hangs."""
    return isinstance(current_thread(), _Hand)


class _Job(NamedTuple):
    worker: Worker
    turn: Turn


class _Hand(Thread):
    """A thread of a crew, with its own connection to the database."""

    def __init__(self, crew: Crew) -> None:
        super().__init__(name="drf-tessera-worker", daemon=True)
        self._crew = crew
        self.job: _Job | None = None
        """The turn under way."""
        self.is_lost = False
        """Whether this thread was given up."""
        self.connection: BaseDatabaseWrapper | None = None
        self._place: Place | None = None
        """The place that the connection uses."""

    def run(self) -> None:
        try:
            with using_database(self._crew.alias):
                self._crew.serve(self)
        finally:
            self.close()

    def work(self, job: _Job) -> None:
        """Run a turn. Each thread that waits for it raises its error."""
        worker, turn = job
        try:
            turn.show_life()
            self._connect(worker)
            worker.work(turn)
        except Exception as error:  # noqa: BLE001 - the threads that wait raise it
            turn.error = error
        except BaseException:
            turn.is_lost = True  # this thread dies, and the turn has no result
            raise
        finally:
            if _is_test_run() or not self._may_keep():
                self.close()
            if not turn.is_lost:
                worker.is_suspect = False
            turn.over.set()

    def _connect(self, worker: Worker) -> None:
        """Put a connection of this thread's own in the place that Django's queries use."""
        place, alias = worker.place, self._crew.alias
        if self.connection is None:
            self.connection = describe_own(connections[alias], worker.limit)
            connections[alias], self._place = self.connection, None
        if self._place is None or self._place.name != place.name:
            enter_schema(self.connection, place.schema)
            self._place = place
        self.connection.close_if_unusable_or_obsolete()

    def _may_keep(self) -> bool:
        """Return whether this thread is one of the few that keep their connection between two pulls."""
        # Two threads may be counted at once. Then there is one more, and that does no harm.
        if len(_keepers) < _MOST_KEPT:
            _keepers.add(self)
        return self in _keepers

    def close(self) -> None:
        """Close the connection, in the thread itself."""
        _keepers.discard(self)
        if self.connection is not None:
            with suppress(Error):  # some drivers refuse to close what is closed
                self.connection.close()
            self.connection = None

    def cut(self) -> None:
        """Stop the driver by shutting down the socket of its connection. Any thread may do this.

        The driver of PostgreSQL tells its socket. The driver of MariaDB has a timeout for reading instead. If
        the thread is opening a connection, both have a timeout for this.
        """
        with suppress(Exception):  # the thread is given up in any case
            number: Any = self.connection and self.connection.connection.fileno()
            with socket.socket(fileno=os.dup(number)) as line:
                line.shutdown(socket.SHUT_RDWR)


def _copy(error: Exception) -> Exception:
    """Return an error like ``error`` for one request.

    The traceback of an error has the variables of each request that raised it, and a report shows them.
    """
    with suppress(Exception):  # some classes cannot be copied
        found = copy(error)
        found.__cause__ = error.__cause__
        return found.with_traceback(error.__traceback__)
    return error


def _is_test_run() -> bool:
    """Return whether Django's test runner or pytest-django runs. They put an outbox into the module of mails.

    In a test run the connection is closed after each pull. The runner drops the database of the tests at the
    end, and PostgreSQL refuses that while somebody is connected.
    """
    return hasattr(mail, "outbox")
