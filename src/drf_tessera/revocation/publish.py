"""Publish that sessions have ended, in the transaction that ends them, and delete old notices.

This room is the only writer of :class:`~drf_tessera.models.Revocation`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

from django.db import transaction

from drf_tessera.conf import get_settings
from drf_tessera.database import find_database, is_in_transaction
from drf_tessera.models import Revocation
from drf_tessera.moments import to_timestamp
from drf_tessera.revocation.feed import Feed, get_feed
from drf_tessera.revocation.notices import Notice
from drf_tessera.revocation.stores import OVERLAP

MARGIN: Final = timedelta(minutes=1)
"""Added to the life of a notice, because the clocks of servers differ."""


@contextmanager
def publishing(now: datetime) -> Iterator[list[UUID]]:
    """End sessions in a transaction, and publish that they have ended.

    The block appends the sessions that it has ended to the list::

        with publishing(now) as ended:
            ...
            ended.append(session_id)

    The database takes the notices in the same transaction, so neither is there without the other. A cache
    takes them after the commit, because it could not undo them.

    Raises:
        RevocationUnavailable: the database did not take the notices, and so no session was ended.
    """
    settings, feed, started = get_settings(), get_feed(), time.monotonic()
    ended: list[UUID] = []
    with transaction.atomic(using=find_database()):
        yield ended
        longest = settings.access_lifetime + settings.clock_skew + MARGIN
        until = int(to_timestamp(now) + longest.total_seconds()) + 1
        notices = [Notice(session_id, until) for session_id in ended]
        if notices and feed.store.joins_transaction:
            feed.store.publish(notices)
    if not notices:
        return
    feed.expect_news()
    if feed.store.joins_transaction and transaction.get_connection(find_database()).in_atomic_block:
        feed.ended.doubt(ended)
    if is_in_transaction():
        transaction.on_commit(partial(_follow, feed, notices, started), using=find_database())
    else:
        _follow(feed, notices, started)


def _follow(feed: Feed, notices: list[Notice], started: float) -> None:
    """Finish after the commit.

    Readers look back for a limited time. If the transaction took longer, they may have gone past the numbers
    of its notices, so the notices are published again. If this process dies before that, only processes that
    start later find the first, late, publication.
    """
    feed.ended.learn(notices)
    if not feed.store.joins_transaction or time.monotonic() - started > OVERLAP / 2:
        feed.send(notices)
    if not transaction.get_connection(find_database()).in_atomic_block:
        feed.ended.trust(notice.session_id for notice in notices)
    feed.expect_news()


def prune_notices(*, now: datetime, batch_size: int) -> int:
    """Delete the notices that no access token needs, in batches, and return their number."""
    rows = Revocation._default_manager.using(find_database())
    old = rows.filter(until__lte=int(to_timestamp(now))).order_by("pk").values_list("pk", flat=True)
    deleted = 0
    while batch := list(old[:batch_size]):
        deleted += rows.filter(pk__in=batch).delete()[0]
    return deleted
