"""The thread that pulls for all requests of a process, so that a store that hangs does not hang the requests.

A store that refuses answers at once. A store that hangs holds the thread that asks it for minutes. Examples
are a database that was stopped with SIGSTOP, and a host that is cut off. Python cannot interrupt that thread,
so it must not be the thread of a request.

Two dangers of such a thread have an answer here:

- It dies, or it does not survive a fork. A request starts it when it is needed, so a dead thread is replaced
  by the next request. A process without requests has neither the thread nor its connection.
- It hangs. After ``limit`` seconds without progress the thread is given up and another takes its place.
  The socket of the old thread is shut down, which wakes most drivers. At most :data:`MOST_LOST` such threads
  exist at a time, so a store that hangs for hours costs a bounded number of threads and connections.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import Any, Final, NamedTuple

from django.core import mail
from django.db import Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from drf_tessera.database import Schema, enter_schema, find_database, read_schema, using_database

MOST_LOST: Final = 3
"""The greatest number of threads that hang at the same time, besides the present one."""

_REST: Final = 10.0
"""Seconds. A thread that is not asked for so long ends, and closes its connection."""

_KEPT: Final = 60
"""Seconds for which the connection of the thread is kept if ``CONN_MAX_AGE`` is 0.

0 means to Django that each request opens a connection. A thread that pulls once a second would open as many
connections as there are seconds, and PostgreSQL starts a process for each.
"""

_MOST_KEPT: Final = 8
"""The greatest number of threads that keep their connection between two pulls.

Each tenant has a thread of its own. If each thread kept a connection, 25 tenants in four processes would use
up the 100 connections that PostgreSQL allows by default. The other threads open one for each pull.
"""

_keepers: Final[set[_Hand]] = set()
"""The threads that keep their connection."""

os.register_at_fork(after_in_child=_keepers.clear)


class Turn:
    """One pull, from the request that asked for it until its end. Any number of threads may wait for it."""

    def __init__(self, before: Turn | None = None) -> None:
        self.began: float = float("inf")
        """The time at which the pull began, by the clock of the feed."""
        self.error: Exception | None = None
        """An error that is not an outage. Each thread that waits raises it."""
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

    def is_late(self, patience: float) -> bool:
        """Return whether the turn was asked for more than ``patience`` seconds ago."""
        return time.monotonic() - self._asked > patience


class Worker:
    """Calls ``work`` in a thread of its own, once for all threads that ask at the same time.

    Args:
        work: is called with each turn.
        lose: is called when a turn was given up, before another one may begin.
        limit: the number of seconds without progress after which a turn is given up.
    """

    def __init__(self, work: Callable[[Turn], None], *, lose: Callable[[], None], limit: float) -> None:
        self._work, self._lose, self._limit = work, lose, limit
        self._lock = Lock()
        self._hand: _Hand | None = None
        self._turns: list[Turn] = []
        """The turn that is under way, and perhaps the next one."""
        self._lost: list[_Hand] = []
        self.is_suspect: bool = False
        """Whether a turn was given up, and none has ended since."""

    def ask(self, since: float) -> Turn:
        """Return the turn that is under way. If it began before ``since``, return the next one.

        Raises:
            RuntimeError: the system starts no more threads, or the interpreter is being shut down.
        """
        with self._lock:
            self._drop_turns()
            if not self._turns or self._turns[-1].began < since:
                hand = self._hand
                if hand is None or not hand.is_alive():
                    hand = _Hand(self._serve, _Place.find())
                    hand.start()
                    self._hand = hand
                turn = Turn(self._turns[-1] if self._turns else None)
                self._turns.append(turn)
                hand.turns.put(turn)
            return self._turns[-1]

    def _drop_turns(self) -> None:
        """Drop the turns that are over, and all turns of a thread that has died or hangs."""
        self._turns = [turn for turn in self._turns if not turn.over.is_set()]
        hand = self._hand
        if hand is None or not hand.is_alive():
            self._turns = []
        elif self._turns and self._turns[0].is_stuck(self._limit):
            self._lost = [item for item in self._lost if item.is_alive()]
            if len(self._lost) < MOST_LOST:
                self._lost.append(hand)
                self._give_up(hand)

    def _give_up(self, hand: _Hand) -> None:
        for turn in self._turns:
            turn.is_lost = True
            turn.over.set()
        self._hand, self._turns, self.is_suspect = None, [], True
        self._lose()
        hand.cut()

    def _serve(self, hand: _Hand) -> None:
        """Run turns until there are none for a while, or until the thread was given up."""
        try:
            while (turn := self._next_turn(hand)) is not None:
                self._take(hand, turn)
                if turn.is_lost:
                    return
        finally:
            hand.close()

    def _next_turn(self, hand: _Hand) -> Turn | None:
        try:
            return hand.turns.get(timeout=_REST)
        except Empty:
            pass
        with self._lock:  # a request may have asked just now
            if self._hand is hand and not hand.turns.empty():
                return hand.turns.get()
            if self._hand is hand:
                self._hand = None
            return None

    def _take(self, hand: _Hand, turn: Turn) -> None:
        try:
            turn.show_life()
            hand.connect(self._limit)
            self._work(turn)
        except Exception as error:  # noqa: BLE001 - the threads that wait raise it
            turn.error = error
        except BaseException:  # the thread ends, so nothing more may be handed to it
            with self._lock:
                self._hand = None
            raise
        finally:
            if _is_test_run() or not hand.may_keep():
                hand.close()
            if not turn.is_lost:
                self.is_suspect = False
            turn.over.set()


class _Place(NamedTuple):
    """The database of the tenant whose request has started the thread. The thread knows no request."""

    alias: str
    schema: Schema

    @classmethod
    def find(cls) -> _Place:
        """Return the place of this thread."""
        alias = find_database()
        return cls(alias, read_schema(connections[alias]))


class _Hand(Thread):
    """The thread, with the turns that it has to take and its own connection to the database."""

    def __init__(self, serve: Callable[[_Hand], None], place: _Place) -> None:
        super().__init__(name="drf-tessera-feed", daemon=True)
        self._place = place
        self.turns: SimpleQueue[Turn] = SimpleQueue()
        self._serve = serve
        self._connection: BaseDatabaseWrapper | None = None

    def run(self) -> None:
        with using_database(self._place.alias):
            self._serve(self)

    def connect(self, limit: float) -> None:
        """Put a connection of this thread's own in the place that Django's queries use."""
        if self._connection is None:
            alias = self._place.alias
            self._connection = connections[alias] = describe_own(connections[alias], limit)
            enter_schema(self._connection, self._place.schema)
        self._connection.close_if_unusable_or_obsolete()

    def may_keep(self) -> bool:
        """Return whether this thread is one of the few that keep their connection between two pulls."""
        # Two threads may be counted at once. Then there is one more, and that does no harm.
        if len(_keepers) < _MOST_KEPT:
            _keepers.add(self)
        return self in _keepers

    def close(self) -> None:
        """Close the connection, in the thread itself."""
        _keepers.discard(self)
        if self._connection is not None:
            with suppress(Error):  # some drivers refuse to close what is closed
                self._connection.close()
            self._connection = None

    def cut(self) -> None:
        """Stop the driver by shutting down the socket of its connection. Any thread may do this.

        The driver of PostgreSQL tells its socket. The driver of MariaDB has a timeout for reading instead. If
        the thread is opening a connection, both have a timeout for this.
        """
        with suppress(Exception):  # the thread is given up in any case
            number: Any = self._connection and self._connection.connection.fileno()
            with socket.socket(fileno=os.dup(number)) as line:
                line.shutdown(socket.SHUT_RDWR)


def describe_own(connection: BaseDatabaseWrapper, limit: float) -> BaseDatabaseWrapper:
    """Return a connection like ``connection``, not opened yet, whose driver gives up after about ``limit``.

    The options of the project come first. A pool of connections is left out, because a connection that hangs
    would be missing there.
    """
    own = connection.copy()
    settings = own.settings_dict
    options = {**limit_waits(own.vendor, str(settings["ENGINE"]), limit), **settings["OPTIONS"]}
    options.pop("pool", None)
    settings["OPTIONS"] = options
    if settings["CONN_MAX_AGE"] == 0:
        settings["CONN_MAX_AGE"] = _KEPT
    return own


def limit_waits(vendor: str, engine: str, limit: float) -> dict[str, int]:
    """Return the options of a database's driver that make it give up after about ``limit`` seconds.

    The driver of another ``engine`` may name its options otherwise, and refuse these.
    """
    seconds = max(2, round(limit))  # libpq knows no shorter timeout
    if vendor == "postgresql":
        return {"connect_timeout": seconds, "tcp_user_timeout": seconds * 1000}
    if vendor == "mysql" and engine.startswith("django."):
        return {"connect_timeout": seconds, "read_timeout": seconds, "write_timeout": seconds}
    return {}


def _is_test_run() -> bool:
    """Return whether Django's test runner or pytest-django runs. They put an outbox into the module of mails.

    In a test run the connection is closed after each pull. The runner drops the database of the tests at the
    end, and PostgreSQL refuses that while somebody is connected.
    """
    return hasattr(mail, "outbox")
