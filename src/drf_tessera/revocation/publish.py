"""Publish that sessions have ended, in the transaction that ends them, and delete old notices.

This room is the only writer of :class:`~drf_tessera.models.Revocation`.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import transaction

from drf_tessera.conf import current_tenant, get_settings
from drf_tessera.database import (
    after_transaction,
    at_commit,
    find_database,
    is_in_transaction,
    is_managed_by_hand,
    persist,
)
from drf_tessera.exceptions import ProjectError, RevocationUnavailable
from drf_tessera.models import Revocation
from drf_tessera.moments import to_timestamp
from drf_tessera.revocation.feed import Feed, find_feed, get_longest
from drf_tessera.revocation.notices import (
    EVERYBODY,
    NOBODY,
    SUB_LENGTH,
    Notice,
    Scope,
    make_mark,
    make_notice_of_keys,
)
from drf_tessera.revocation.stores import OVERLAP, TOLERANCE


class Endings:
    """The sessions that a block of :func:`publishing` has ended."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._sessions: list[UUID] = []
        self._users: list[tuple[str, UUID]] = []

    def add(self, session_ids: Collection[UUID]) -> None:
        """Record that these sessions have ended. Each gets a notice."""
        self._sessions.extend(session_ids)

    def add_user(self, sub: str, session_ids: Collection[UUID], *, kept: Collection[UUID]) -> None:
        """Record that all sessions of a user have ended, except those in ``kept``. The user gets one notice.

        A user with one such session gets the notice of that session, because it is more exact. If the notice
        of the user could not say which sessions were kept, each session gets a notice.
        """
        fits = sub.isascii() and 0 < len(sub) <= SUB_LENGTH
        if len(session_ids) > 1 and len(kept) <= 1 and fits:
            self._users.append((sub, next(iter(kept), NOBODY)))
        else:
            self.add(session_ids)

    def list_notices(self) -> list[Notice]:
        """Return the notices.

        The clocks of servers differ. So the notice of a user is certain only about sessions that began a
        while ago. A session that was started after the event by a slow clock has to live on, and a session
        that was started before the event by a fast clock has ended.
        """
        until = _find_until(self._now)
        earliest = int(to_timestamp(self._now)) - TOLERANCE
        # The event may have waited for another transaction. It counts at its end.
        latest = max(int(to_timestamp(self._now)), int(time.time())) + TOLERANCE
        return [
            *(Notice(session_id, until) for session_id in self._sessions),
            *(Notice(kept, until, Scope(sub, earliest, latest, make_mark())) for sub, kept in self._users),
        ]


def _find_until(now: datetime) -> int:
    """Return the second until which an access token may be valid that was issued before ``now``."""
    return int(to_timestamp(now) + get_longest(get_settings())) + 1


@contextmanager
def publishing(now: datetime) -> Iterator[Endings]:
    """End sessions in a transaction, and publish that they have ended.

    The block records the sessions that it has ended::

        with publishing(now) as endings:
            ...
            endings.add([session_id])

    The database takes the notices in the same transaction, so neither is there without the other. A cache
    takes them too, after the commit, because it could not undo them.

    Raises:
        TemporarilyUnavailable: the database did not take the notices, and so no session was ended.
        ProjectError: autocommit is off, outside of ``atomic``. Nobody would tell this process of the commit.
    """
    if is_managed_by_hand() and not transaction.get_connection(find_database()).in_atomic_block:
        raise ProjectError(
            "The end of a session needs autocommit, or a block of transaction.atomic(). Set AUTOCOMMIT to"
            " True for the database of the sessions, or call set_autocommit(True) before."
        )
    feed, started, endings = find_feed(), time.monotonic(), Endings(now)
    with transaction.atomic(using=find_database()):
        yield endings
        notices = endings.list_notices()
        if notices:
            notices = feed.store.record(notices)
    if not notices:
        return
    if transaction.get_connection(find_database()).in_atomic_block:
        feed.doubt(notices)
    if is_in_transaction():
        at_commit(partial(_follow, feed, notices, started))
        after_transaction(partial(_settle, feed, notices))
    else:
        _follow(feed, notices, started)


def _follow(feed: Feed, notices: list[Notice], started: float) -> None:
    """Finish after the commit.

    Readers look back for a limited time. If the transaction took longer, they may have gone past the numbers
    of its notices, so the notices are published again. If this process dies before that, only processes that
    start later find the first, late, publication.
    """
    feed.learn(notices, certain=not transaction.get_connection(find_database()).in_atomic_block)
    if not feed.store.joins_transaction or time.monotonic() - started > OVERLAP / 2:
        feed.send(notices)


def _settle(feed: Feed, notices: list[Notice]) -> None:
    """Finish after the transaction, unless it was part of a test case, which rolls everything back later."""
    if not transaction.get_connection(find_database()).in_atomic_block:
        feed.ended.forget_pending(notices)


def publish_for_everybody(before: int, now: datetime) -> bool:
    """Publish that all sessions that began before a second have ended. One notice.

    Return whether every process hears of it within a poll. If a cache does not take the notice, the others
    find it in the table, as long after that as the feed says.

    The notice is certain about every session, because the caller ends exactly the rows that began before that
    second, and each token carries the time at which its session began.

    Args:
        before: seconds since the epoch.
        now: the present.

    Raises:
        TemporarilyUnavailable: the table did not take the notice.
    """
    feed = find_feed()
    scope = Scope(EVERYBODY, certain=before, doubtful=before - 1, mark=before)
    (notice,) = persist(partial(feed.store.record, [Notice(NOBODY, _find_until(now), scope)]))
    if transaction.get_connection(find_database()).in_atomic_block:
        feed.doubt([notice])  # a test case, which ends with a rollback
    else:
        feed.learn([notice], certain=True)
    if not feed.store.joins_transaction:
        try:
            feed.store.publish([notice])
        except RevocationUnavailable:
            return False
    return True


def publish_keys(now: datetime) -> None:
    """Publish that the signing keys of the present tenant have changed. Each process reads them again.

    Call this after the commit of the change. A notice too many does no harm.

    Raises:
        TemporarilyUnavailable: the store did not take the notice.
    """
    feed = find_feed()
    about_keys = make_notice_of_keys(_find_until(now), current_tenant())
    (notice,) = persist(partial(feed.store.record, [about_keys]))
    if not feed.store.joins_transaction:
        feed.store.publish([notice])


def prune_notices(*, now: datetime, batch_size: int) -> int:
    """Delete the notices that no access token needs, in batches, and return their number.

    The clock of this server may be ahead of the others by :data:`TOLERANCE`.
    """
    rows = Revocation._default_manager.using(find_database())
    old = (
        rows.filter(until__lte=int(to_timestamp(now)) - TOLERANCE).order_by("pk").values_list("pk", flat=True)
    )
    deleted = 0
    while batch := list(old[:batch_size]):
        deleted += rows.filter(pk__in=batch).delete()[0]
    return deleted
