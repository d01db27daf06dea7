"""The sessions that ended early: each process pulls the notices from a store and answers from memory.

Each process asks the store at most once per ``REVOCATION_POLL``, and answers all other requests from memory.
So the cost does not grow with the number of requests, and every process knows a logout within that time.

A worker thread pulls on a connection of its own, and only if a request finds that a pull is due. An earlier
version pulled in the thread of the request, because a background thread could die and would not survive a
fork. But a database that hangs held that request for minutes, and all others behind it. No request can
interrupt its own query, so another thread has to make the query. The answers to both dangers are in
:mod:`drf_tessera.workers`.

A request waits for the news for one poll at most, or for a second if a poll is shorter. It does not wait at
all for a pull that has already taken longer. If the store does not answer, the process uses its old knowledge
for ``REVOCATION_MAX_STALENESS``. After that time every token is refused at once, because the process cannot
know which sessions were ended.

A notice is kept for one access lifetime after it was heard, by the monotonic clock of this process. So
a wall clock that is wrong or jumps revives no ended session.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Final
from uuid import UUID
from weakref import WeakKeyDictionary

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_noop

from drf_tessera.conf import Settings, as_tenant, current_tenant, per_group
from drf_tessera.database import is_alone, name_place
from drf_tessera.exceptions import (
    ProjectError,
    RevocationUnavailable,
    SessionEnded,
    TemporarilyUnavailable,
    TesseraError,
)
from drf_tessera.forks import notice_fork
from drf_tessera.installation import read_installation_id
from drf_tessera.keys import Book, find_book
from drf_tessera.revocation.caches import MOST_SILENCE, CacheStore
from drf_tessera.revocation.notices import EVERYBODY, Ended, Notice, is_about_keys, names_tenant
from drf_tessera.revocation.rulings import Rulings
from drf_tessera.revocation.stores import DatabaseStore, Store
from drf_tessera.tokens import AccessToken, check_key
from drf_tessera.tracing import PULL, traced
from drf_tessera.workers.crews import Turn, Worker
from drf_tessera.workers.readers import LEAST_PATIENCE, find_limit

logger: Final = logging.getLogger(__name__)

MARGIN: Final = 60.0
"""Seconds. Added to the life of a notice, because the clocks of servers differ."""

MOST_SKEW: Final = MARGIN / 2
"""Seconds. If the clocks of this server and of the database differ by more, the feed warns once."""

_SWEEP: Final = 10.0
"""Seconds between two searches for notices that no longer matter."""

_NEVER: Final = float("-inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedState:
    """The state of a process's knowledge of ended sessions, for health checks and metrics."""

    age: float | None
    """The seconds since the knowledge was complete. ``None``: this process has not read the store yet."""
    is_usable: bool
    """Whether tokens are accepted. If not, each request is answered with ``revocation_unavailable``."""
    is_failing: bool
    """Whether the last pull has failed or hangs."""
    notices: int
    """The number of ended sessions in memory."""
    unsent: int
    """The number of notices that this process could not publish yet."""
    skew: float | None
    """The seconds by which this server's clock is ahead of the database's. ``None``: not measured yet."""
    store: str
    """``database`` or ``cache``."""


class Feed:
    """The sessions that ended early, as far as one process knows. Several threads may use it.

    Args:
        store: the store that keeps the notices.
        poll: the least number of seconds between two pulls.
        staleness: the number of seconds for which old knowledge is used while the store does not answer.
        keep: the number of seconds for which a notice is kept.
    """

    def __init__(self, store: Store, *, poll: float, staleness: float, keep: float = 3600.0) -> None:
        self.store: Store = store
        self._books: WeakKeyDictionary[Book, None] = WeakKeyDictionary()
        """The keys of each tenant that shares this feed, as long as this process has them."""
        self._poll, self._staleness, self._keep = poll, staleness, keep
        self._patience = max(poll, LEAST_PATIENCE)
        self.ended: Ended = Ended()
        self.ended.drop_old(time.monotonic())
        self._unsent: dict[Notice, None] = {}
        self._lock = Lock()
        """Held by the thread that uses the store. If that thread hangs, both are replaced."""
        limit = find_limit(staleness)
        self._worker = Worker(self._work, lose=self._lose, limit=limit)
        self._rulings = Rulings(self.ended, patience=self._patience, limit=limit)
        self._due = _NEVER
        self._asked_at = _NEVER
        self._asked_wall = _NEVER
        self._fresh_at = _NEVER
        self._swept_at = _NEVER
        self._failing = self._refused = self._warned_of_skew = False
        self._mistake: ProjectError | None = None
        """The error of the last pull, if a person must correct its cause."""

    def check(self, session_id: UUID, sub: str = EVERYBODY, began: int = 0) -> None:
        """Return if the session was not ended early. If a pull is due, wait for it, but not for ever.

        Args:
            session_id: the session of an access token.
            sub: its user. Without it, no notice about one user counts.
            began: its ``auth_time``. Without it, each notice about everybody counts.

        Raises:
            SessionEnded: the session was ended.
            RevocationUnavailable: the store has not answered for longer than ``staleness``.
            ProjectError: the same, because a table is missing (``MigrationMissing``).
        """
        if self.ended and self._rulings.has_ended(session_id, sub, began):
            raise SessionEnded
        if not self._asked_at <= time.monotonic() < self._due or self._clock_was_moved():
            self._refresh()
            if not self._is_fresh():
                raise self._explain()
            if self.ended and self._rulings.has_ended(session_id, sub, began):
                raise SessionEnded

    def _explain(self) -> TesseraError:
        mistake = self._mistake
        return RevocationUnavailable() if mistake is None else type(mistake)(str(mistake))

    def knows(self, session_id: UUID, sub: str, began: int) -> bool:
        """Return whether memory alone proves that the session was not ended early.

        It does not if a pull is due, or if the notices leave the session in doubt. Nothing is waited for.
        """
        if not self._asked_at <= time.monotonic() < self._due or self._clock_was_moved():
            return False
        return not self.ended or self.ended.judge(session_id, sub, began) is False

    def describe(self) -> FeedState:
        """Return the state of the knowledge, after a pull if one is due. No outage raises an error."""
        if not self._asked_at <= time.monotonic() < self._due:
            self._refresh()
        age = time.monotonic() - self._fresh_at
        return FeedState(
            age=None if self._fresh_at == _NEVER else age,
            is_usable=self._is_fresh(),
            is_failing=self._failing or self._worker.is_suspect or age > self._poll + self._patience,
            notices=len(self.ended),
            unsent=len(self._unsent),
            skew=self.store.skew,
            store="database" if self.store.joins_transaction else "cache",
        )

    def _is_fresh(self) -> bool:
        return 0 <= time.monotonic() - self._fresh_at <= self._staleness

    def _clock_was_moved(self) -> bool:
        """Return whether the wall clock says that a pull is due, or has gone back.

        The monotonic clock measures the time. But tests stop and move the wall clock, and expect that
        everything that depends on time follows it.
        """
        return not 0 <= time.time() - self._asked_wall <= self._poll

    # -- Sessions that this process has ended itself -------------------------------------------------------

    def learn(self, notices: Iterable[Notice], *, certain: bool = False) -> None:
        """Record notices for as long as a token of their sessions may live.

        Args:
            notices: may be known already.
            certain: they are committed, so nothing can roll them back.
        """
        kept = self._keep_from_now(notices)
        if certain:
            # Before they are learned, because another thread may forget a notice as long as it is in doubt.
            self.ended.trust(kept)
        self.ended.learn(kept)

    def doubt(self, notices: Iterable[Notice]) -> None:
        """Record notices whose transaction is still open. A check of such a session asks its row."""
        kept = self._keep_from_now(notices)
        self.ended.doubt(kept)
        self.ended.learn(kept)

    def _keep_from_now(self, notices: Iterable[Notice]) -> list[Notice]:
        # To `Ended`, `until` is a number that grows. Here it is a time of the monotonic clock.
        until = int(time.monotonic() + self._keep) + 1
        return [Notice(notice.session_id, until, notice.scope) for notice in notices]

    def send(self, notices: list[Notice]) -> None:
        """Publish notices that are committed. If the store does not take them, they are sent later.

        They are in the table in any case. So if this process dies, readers find them there.
        """
        self._unsent |= dict.fromkeys(notices)
        self._refresh(since=time.monotonic())

    # -- Pulls ---------------------------------------------------------------------------------------------

    def _refresh(self, *, since: float | None = None) -> None:
        """Wait for a pull of the worker. All threads that wait share a pull.

        Args:
            since: a pull that began earlier does not count. By default this is one poll ago.
        """
        started = time.monotonic()
        since = started - self._poll if since is None else since
        try:
            turn = None if is_alone() else self._worker.ask(since)
        except RuntimeError:  # this system starts no thread, or the interpreter is being shut down
            turn = None
        if turn is None:
            self._pull_here()
            return
        # After a pull that hung, only a new pull that succeeds is worth waiting for.
        turn.wait(0.0 if self._worker.is_suspect else self._patience)
        turn.check()

    def _pull_here(self) -> None:
        """Pull on the connection of this thread."""
        lock = self._lock
        if lock.acquire(timeout=self._patience):
            try:
                self._pull(Turn(), certain=False)
            finally:
                lock.release()

    def _work(self, turn: Turn) -> None:
        lock = self._lock
        with lock:
            if not turn.is_lost:
                self._pull(turn)

    def _lose(self) -> None:
        """Leave the reader to the thread that hangs with it, and continue with a copy."""
        self.store, self._lock = self.store.copy(), Lock()
        self._fail(RevocationUnavailable(gettext_noop("A pull hangs and was given up.")), time.monotonic())

    def _pull(self, turn: Turn, *, certain: bool = True) -> None:
        store, started, wall = self.store, time.monotonic(), time.time()
        turn.began = started
        if started < self._asked_at:
            # A test has moved the clock. Under a later clock the feed has dropped notices that matter again.
            store.rewind()
        self._asked_at, self._asked_wall = started, wall
        try:
            self._send_rest(store)
            self._read(store, turn, certain=certain)
        except (RevocationUnavailable, ProjectError) as error:
            if not turn.is_lost:
                self._fail(error, started)
        else:
            if not turn.is_lost:
                self._succeed(store, started)

    @traced(PULL, lambda count: {"tessera.notices": count})
    def _read(self, store: Store, turn: Turn, *, certain: bool) -> int:
        """Read until there is nothing left. Requests go on in between, with what is known.

        The connection of the worker sees what is committed, and nothing else. So its notices are certain,
        also if the thread that ended the sessions never hears of its commit. The reader returns each notice
        once, so it must not be forgotten afterwards. Return the number of notices.
        """
        count = 0
        while True:
            notices = store.pull()
            count += len(notices)
            self.learn(notices, certain=certain)
            news = [notice for notice in notices if is_about_keys(notice)]
            for book in self._list_books() if news else ():
                if any(names_tenant(notice, book.tenant) for notice in news):
                    book.mark_changed()
            turn.show_life()
            if not store.is_behind or turn.is_lost:
                break
        self._read_keys(turn)
        return count

    def _read_keys(self, turn: Turn) -> None:
        try:
            for book in self._list_books():
                if turn.is_lost:
                    break
                book.catch_up()
                turn.show_life()
        except TemporarilyUnavailable as error:
            raise RevocationUnavailable from error

    def add_book(self, book: Book) -> None:
        """Keep the keys of another tenant up to date too. Tenants that share a table have keys of their own.

        Nobody told a new book about a notice that came before it. So it is read again now, if it was read.
        """
        if book not in self._books:
            self._books[book] = None
            if book.is_known:
                book.mark_changed()
                self._refresh(since=time.monotonic())

    def _list_books(self) -> list[Book]:
        # keyrefs() copies at once, and a loop over the books would not bear a book of another thread.
        return [book for ref in self._books.keyrefs() if (book := ref()) is not None]

    def _send_rest(self, store: Store) -> None:
        present = time.time()
        for item in list(self._unsent):
            if item.until <= present:
                self._unsent.pop(item, None)
        rest = list(self._unsent)
        if not rest:
            return
        try:
            store.publish(rest)
        except RevocationUnavailable:
            # The store may still be readable. If not, the pull that follows fails and says so.
            if not self._refused:
                self._refused = True
                logger.exception("Revocations of %d sessions could not be published yet.", len(rest))
            return
        self._refused = False
        for item in rest:
            self._unsent.pop(item, None)

    def _succeed(self, store: Store, started: float) -> None:
        self._fresh_at = started
        self._due = started + self._poll
        self._mistake = None
        self._sweep()
        if self._failing:
            self._failing = False
            logger.warning("The store of revocations answers again.")
        skew = store.skew or 0.0
        if abs(skew) > MOST_SKEW and not self._warned_of_skew:
            self._warned_of_skew = True
            logger.warning("The clock of this server differs from the database's by %.0f s.", skew)

    def _fail(self, error: RevocationUnavailable | ProjectError, started: float) -> None:
        self._mistake = error if isinstance(error, ProjectError) else None
        if not self._failing:
            self._failing = True
            logger.error(
                "The store of revocations cannot be read. In %.0f s all tokens will be refused.",
                max(0.0, self._fresh_at + self._staleness - started),
                exc_info=error,
            )
        # When all tokens are refused, every request pulls, so that the end of the failure is noticed at once.
        self._due = min(started + self._poll, self._fresh_at + self._staleness)

    def _sweep(self) -> None:
        if not 0 <= time.monotonic() - self._swept_at < _SWEEP:
            self._swept_at = time.monotonic()
            self.ended.drop_old(time.monotonic())


def get_longest(settings: Settings) -> float:
    """Return the number of seconds for which an access token of an ended session may live, with a margin."""
    return (settings.access_lifetime + settings.clock_skew).total_seconds() + MARGIN


def _make_store(cache: str | None, staleness: float) -> Store:
    if cache is None:
        return DatabaseStore()
    # A logout at a server that is cut off from the cache is in the table alone. It is felt within the limit.
    table = partial(_name_table, current_tenant())
    return CacheStore(cache, table=table, silence=min(MOST_SILENCE, staleness / 2))


def _name_table(tenant: str) -> str:
    """Return the id of the installation of a tenant, which names the table. The worker calls this.

    A notice about a user must not reach the readers of another database, where that primary key is somebody
    else. And it must reach all tenants that share one table.
    """
    with as_tenant(tenant):
        return read_installation_id()


@per_group(name_place)
def get_feed(settings: Settings) -> Feed:
    """Return this process's feed of the table in use. Tenants that share a table share its feed.

    So the number of pulls depends on the number of tables. The feeds of at most a thousand tables are kept.
    If a tenant comes back whose feed was dropped, its new feed reads the table before it lets anybody in.
    Another feed replaces it after a change of settings and after a fork.
    """
    staleness = settings.revocation_max_staleness.total_seconds()
    return Feed(
        _make_store(settings.revocation_cache, staleness),
        poll=settings.revocation_poll.total_seconds(),
        staleness=staleness,
        keep=get_longest(settings),
    )


def find_feed() -> Feed:
    """Return the feed of this process, also if the process was forked without a word to Python (uWSGI)."""
    notice_fork()
    return get_feed()


def connect(config: AppConfig) -> None:
    """Drop all notices after each ``migrate`` and ``flush``. The app calls this once, when it is ready.

    A ``TransactionTestCase`` flushes the database after each test. In the next test the same primary key is
    another user, and a notice about the old user must not count.
    """
    post_migrate.connect(_forget, sender=config, dispatch_uid="drf_tessera.revocation")


def _forget(**kwargs: object) -> None:
    get_feed.forget()


def check_session(token: AccessToken) -> None:
    """Return if the session of a verified token was not ended early.

    If a pull is due, this waits for it, for one poll at most. If a notice about many sessions leaves this
    session in doubt, its row is read, once.

    Raises:
        SessionEnded: the session was ended.
        TokenKeyUnknown: the key of the token was withdrawn after the token was verified.
        RevocationUnavailable: the store has not answered for longer than ``REVOCATION_MAX_STALENESS``.
        ProjectError: the same, because a table is missing (``MigrationMissing``).
    """
    feed = find_feed()
    feed.add_book(find_book())
    feed.check(token.session_id, token.sub, token.auth_time)
    check_key(token.kid)  # the pull may have brought news of the keys


def knows_session(token: AccessToken) -> bool:
    """Return whether this process knows without waiting that the session of a verified token has not ended.

    This is for coroutines: ``False`` means that :func:`check_session` may wait or make a query, so it has to
    be called in a thread.
    """
    return find_feed().knows(token.session_id, token.sub, token.auth_time)


def describe_feed() -> FeedState:
    """Return how fresh this process's knowledge of ended sessions is, for a health check or a metric.

    If a pull is due, this waits for it as a request does. So a process without requests does not seem stale.
    """
    return find_feed().describe()
