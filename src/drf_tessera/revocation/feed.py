"""The sessions that ended early: each process pulls the notices from a store and answers from memory.

Each process asks the store at most once per ``REVOCATION_POLL``, and answers all other requests from memory.
So the cost does not grow with the number of requests, and every process knows a logout within that time. A
request does the pull, because a background thread could die and would not survive a fork.

If the store does not answer, the process uses its old knowledge for ``REVOCATION_MAX_STALENESS``. After that
time every token is refused, because the process cannot know which sessions were ended.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterable
from threading import Lock
from typing import Final
from uuid import UUID

from drf_tessera.conf import Settings, per_tenant
from drf_tessera.exceptions import RevocationUnavailable, SessionEnded
from drf_tessera.revocation.notices import EVERYBODY, Ended, Notice
from drf_tessera.revocation.rulings import has_ended
from drf_tessera.revocation.stores import CacheStore, DatabaseStore, Store
from drf_tessera.tokens import AccessToken

logger: Final = logging.getLogger(__name__)

_SWEEP: Final = 10.0
"""Seconds between two searches for notices that no longer matter."""

_STEP: Final = 1.0
"""Seconds. Servers correct their clocks by less. If the clock goes back by more, somebody has moved it."""

_NEVER: Final = float("-inf")


class Feed:
    """The sessions that ended early, as far as one process knows. Several threads may use it.

    Args:
        store: the store that keeps the notices.
        poll: the least number of seconds between two pulls.
        staleness: the number of seconds for which old knowledge is used while the store does not answer.
    """

    def __init__(self, store: Store, *, poll: float, staleness: float) -> None:
        self.store = store
        self._poll = poll
        self._staleness = staleness
        self.ended: Ended = Ended()
        self._unsent: deque[Notice] = deque()
        self._lock = Lock()
        self._due = _NEVER
        self._asked_at = _NEVER
        self._asked_wall = _NEVER
        self._fresh_at = _NEVER
        self._swept_at = _NEVER
        self._tries = 0
        self._calls = 0
        self._failing = False

    def check(self, session_id: UUID, sub: str = EVERYBODY, began: int = 0) -> None:
        """Return if the session was not ended early. This is a query only if a pull is due.

        Args:
            session_id: the session of an access token.
            sub: its user. Without it, no notice about one user counts.
            began: its ``auth_time``. Without it, each notice about everybody counts.

        Raises:
            SessionEnded: the session was ended.
            RevocationUnavailable: the store has not answered for longer than ``staleness``.
        """
        if not self._asked_at <= time.monotonic() < self._due or self._clock_was_moved():
            self._refresh()
        if self.ended and has_ended(self.ended, session_id, sub, began):
            raise SessionEnded

    def _clock_was_moved(self) -> bool:
        """Return whether the wall clock says that a pull is due, or has gone back.

        The monotonic clock measures the time. But tests stop and move the wall clock, and expect that
        everything that depends on time follows it.
        """
        return not 0 <= time.time() - self._asked_wall <= self._poll

    def expect_news(self) -> None:
        """Pull at the next check, because this process itself has just published notices."""
        self._calls += 1
        self._due = _NEVER

    def send(self, notices: list[Notice]) -> None:
        """Publish notices that can no longer be rolled back.

        The notices count in this process at once. If the store does not accept them, they are sent after a
        later pull. They are lost only if the process dies before that.
        """
        self.ended.learn(notices)
        try:
            self.store.publish(notices)
        except RevocationUnavailable:
            self._unsent.extend(notices)
            logger.exception("Revocations of %d sessions could not be published yet.", len(notices))
        self.expect_news()

    def _refresh(self) -> None:
        """Pull, unless another thread is pulling. Wait for that thread if the knowledge is too old."""
        tries, started = self._tries, time.monotonic()
        if self._lock.acquire(timeout=self._patience(started)):
            try:
                # If another thread has pulled while this thread waited, do not pull again, even if it failed.
                # But the other pull must not have begun a whole poll before this check.
                if self._tries == tries or (not self._failing and self._fresh_at < started - self._poll):
                    self._pull(time.monotonic())
            finally:
                self._lock.release()
        if not 0 <= time.monotonic() - self._fresh_at <= self._staleness:
            raise RevocationUnavailable

    def _patience(self, now: float) -> float:
        """Return for how many seconds a thread waits for the pull of another thread.

        A logout is noticed within a poll, so a thread does not use knowledge that is older, as long as the
        store answers quickly.
        """
        known_for = now - self._fresh_at
        return 0 if known_for <= self._poll else max(self._poll, 1.0) if known_for <= self._staleness else -1

    def _pull(self, started: float) -> None:
        calls, wall = self._calls, time.time()
        if wall < self._asked_wall - _STEP:
            # Under a later clock the feed has dropped notices that matter again.
            self.store.rewind()
        self._asked_at, self._asked_wall = started, wall
        try:
            news = self.store.pull()
        except RevocationUnavailable as error:
            self._fail(error, started)
        else:
            self._learn(news)
            self._fresh_at = started
            self._send_rest()
            # A notice that this process published during the pull may have come too late for the pull.
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
            return  # the store can be read but not written, and `send` has logged that
        for _ in rest:
            self._unsent.popleft()  # another thread may have added notices, and these stay

    def _fail(self, error: RevocationUnavailable, started: float) -> None:
        if not self._failing:
            self._failing = True
            logger.error(
                "The store of revocations does not answer. In %.0f s all tokens will be refused.",
                max(0.0, self._fresh_at + self._staleness - started),
                exc_info=error,
            )
        # When all tokens are refused, every request pulls, so that the end of the failure is noticed at once.
        self._due = min(started + self._poll, self._fresh_at + self._staleness)

    def _learn(self, news: Iterable[Notice]) -> None:
        self.ended.learn(news)
        if not 0 <= time.monotonic() - self._swept_at < _SWEEP:
            self._swept_at = time.monotonic()
            self.ended.drop_old(time.time())


@per_tenant
def get_feed(settings: Settings) -> Feed:
    """Return this process's feed of the present tenant.

    Another feed replaces it after a change of settings and after a fork.
    """
    return Feed(
        DatabaseStore() if settings.revocation_cache is None else CacheStore(settings.revocation_cache),
        poll=settings.revocation_poll.total_seconds(),
        staleness=settings.revocation_max_staleness.total_seconds(),
    )


def check_session(token: AccessToken) -> None:
    """Return if the session of a verified token was not ended early.

    This is a query only if a pull is due, or if a notice about many sessions leaves this session in doubt.
    Then the row of the session is read, once.

    Raises:
        SessionEnded: the session was ended.
        RevocationUnavailable: the store has not answered for longer than ``REVOCATION_MAX_STALENESS``.
    """
    get_feed().check(token.session_id, token.sub, token.auth_time)
