"""Publish that sessions have ended, in the transaction that ends them, and delete old notices.

This room is the only writer of :class:`~drf_tessera.models.Revocation`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import transaction

from drf_tessera.conf import get_settings
from drf_tessera.database import after_transaction, find_database, is_in_transaction
from drf_tessera.models import Revocation
from drf_tessera.moments import to_timestamp
from drf_tessera.revocation.feed import Feed, get_feed, get_longest
from drf_tessera.revocation.notices import Notice
from drf_tessera.revocation.stores import OVERLAP, TOLERANCE


@contextmanager
def publishing(now: datetime) -> Iterator[list[UUID]]:
    """End sessions in a transaction, and publish that they have ended.

    The block appends the sessions that it has ended to the list::

        with publishing(now) as ended:
            ...
            ended.append(session_id)

    The database takes the notices in the same transaction, so neither is there without the other. A cache
    takes them too, after the commit, because it could not undo them.

    Raises:
        RevocationUnavailable: the database did not take the notices, and so no session was ended.
    """
    feed, started = get_feed(), time.monotonic()
    ended: list[UUID] = []
    with transaction.atomic(using=find_database()):
        yield ended
        until = int(to_timestamp(now) + get_longest(get_settings())) + 1
        notices = [Notice(session_id, until) for session_id in ended]
        if notices:
            feed.store.record(notices)
    if not notices:
        return
    if transaction.get_connection(find_database()).in_atomic_block:
        feed.doubt(notices)
    if is_in_transaction():
        transaction.on_commit(partial(_follow, feed, notices, started), using=find_database())
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
        feed.settle(notices)


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
