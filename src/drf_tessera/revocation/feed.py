"""Which sessions ended early: publish the news, pull it, answer from memory.

Each process asks the store at most once per ``REVOCATION_POLL``, on the path of a request (there is no
thread to die or to be lost by a fork), and answers all requests between from memory. So however many
requests there are, a logout costs the others one small question a second, and is felt by all of them
within that second. A store that does not answer leaves what is known in force for
``REVOCATION_MAX_STALENESS``; after that nobody is let in, because nobody knows who was logged out.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterable
from threading import Lock
from typing import Final
from uuid import UUID

from drf_tessera.conf import Settings, per_settings
from drf_tessera.exceptions import RevocationUnavailable, SessionEnded
from drf_tessera.revocation.stores import CacheStore, DatabaseStore, Notice, Store

logger = logging.getLogger(__name__)

_SWEEP: Final = 10.0
"""Seconds between two looks for news that does not matter any more."""

_NEVER: Final = float("-inf")


class Feed:
    """What one process knows of sessions that ended early. Safe in threads.

    Args:
        store: where the news is.
        poll: the least number of seconds between two pulls.
        staleness: for how many seconds old knowledge will do while the store does not answer.
    """

    def __init__(self, store: Store, *, poll: float, staleness: float) -> None:
        self.store = store
        self._poll = poll
        self._staleness = staleness
        self._ended: dict[UUID, int] = {}
        self._doubted: set[UUID] = set()
        self._unsent: deque[Notice] = deque()
        self._lock = Lock()
        self._due = _NEVER
        self._fresh_at = _NEVER
        self._swept_at = _NEVER
        self._tries = 0
        self._calls = 0
        self._failing = False

    def __len__(self) -> int:
        return len(self._ended)

    def check(self, session_id: UUID) -> None:
        """Let pass whoever's session was not ended early. A query only if a pull is due.

        Raises:
            SessionEnded: it was.
            RevocationUnavailable: nobody knows, for too long.
        """
        if time.monotonic() >= self._due:
            self._refresh()
        if session_id in self._ended and (session_id not in self._doubted or self._confirm(session_id)):
            raise SessionEnded

    def expect_news(self) -> None:
        """Pull on the next check: this process itself has just published something."""
        self._calls += 1
        self._due = _NEVER

    def doubt(self, session_ids: Iterable[UUID]) -> None:
        """Note that the news of these, published here, may be rolled back with its transaction.

        It is pulled in that very transaction, and would outlive it here.
        """
        self._doubted.update(session_ids)

    def trust(self, session_ids: Iterable[UUID]) -> None:
        """Note that the news of these is committed."""
        self._doubted.difference_update(session_ids)

    def _confirm(self, session_id: UUID) -> bool:
        """Ask the store for everything again, and tell whether that session has ended."""
        with self._lock:
            self.store.rewind()
            try:
                news = dict(self.store.pull())
            except RevocationUnavailable:
                return True
            self._ended.update(news)
            if session_id in news:
                return True
            self._ended.pop(session_id, None)
            self._doubted.discard(session_id)
            return False

    def send(self, notices: list[Notice]) -> None:
        """Publish where nothing can be undone any more; what cannot be sent now goes with the next pull.

        It counts here at once. Only a process that dies before the store is back takes it along.
        """
        self._ended.update(notices)
        try:
            self.store.publish(notices)
        except RevocationUnavailable:
            self._unsent.extend(notices)
            logger.exception("Revocations of %d sessions could not be published yet.", len(notices))
        self.expect_news()

    def _refresh(self) -> None:
        """Pull, unless another thread does; wait for that one only if what is known is too old."""
        tries, started = self._tries, time.monotonic()
        if self._lock.acquire(timeout=self._patience(started)):
            try:
                # Otherwise another thread has asked while this one waited, whatever came of it.
                if self._tries == tries:
                    self._pull(started)
            finally:
                self._lock.release()
        if time.monotonic() - self._fresh_at > self._staleness:
            raise RevocationUnavailable

    def _patience(self, now: float) -> float:
        known_for = now - self._fresh_at
        return (
            0 if known_for <= 2 * self._poll else max(self._poll, 1.0) if known_for <= self._staleness else -1
        )

    def _pull(self, started: float) -> None:
        calls = self._calls
        try:
            news = self.store.pull()
        except RevocationUnavailable as error:
            self._fail(error, started)
        else:
            self._learn(news)
            self._fresh_at = started
            self._send_rest()
            # What was published here while this pull was under way may have come too late for it.
            self._due = started + self._poll if calls == self._calls else _NEVER
            if self._failing:
                self._failing = False
                logger.warning("The store of revocations answers again.")
        self._tries += 1

    def _send_rest(self) -> None:
        rest = list(self._unsent)
        if not rest:
            return
        present = time.time()
        try:
            self.store.publish([item for item in rest if item.until > present])
        except RevocationUnavailable:
            return  # it reads and does not write; this was logged when it began
        for _ in rest:
            self._unsent.popleft()  # and nothing that another thread has added meanwhile

    def _fail(self, error: RevocationUnavailable, started: float) -> None:
        if not self._failing:
            self._failing = True
            logger.error(
                "The store of revocations does not answer; in %.0f s nobody is let in any more.",
                max(0.0, self._fresh_at + self._staleness - started),
                exc_info=error,
            )
        # Once nobody is let in, every request asks: a store that comes back is noticed at once.
        self._due = min(started + self._poll, self._fresh_at + self._staleness)

    def _learn(self, news: Iterable[Notice]) -> None:
        self._ended.update(news)
        if time.monotonic() - self._swept_at >= _SWEEP:
            self._swept_at = time.monotonic()
            present = time.time()
            for session_id in [key for key, until in list(self._ended.items()) if until <= present]:
                del self._ended[session_id]
                self._doubted.discard(session_id)


@per_settings
def get_feed(settings: Settings) -> Feed:
    """Return this process's feed. Another feed replaces it after a change of settings and after a fork."""
    return Feed(
        DatabaseStore() if settings.revocation_cache is None else CacheStore(settings.revocation_cache),
        poll=settings.revocation_poll.total_seconds(),
        staleness=settings.revocation_max_staleness.total_seconds(),
    )


def check_session(session_id: UUID) -> None:
    """Return if the session was not ended early. This is a query only if a pull is due.

    Raises:
        SessionEnded: the session was ended.
        RevocationUnavailable: the store has not answered for longer than ``REVOCATION_MAX_STALENESS``.
    """
    get_feed().check(session_id)
