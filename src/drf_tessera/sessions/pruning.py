"""Delete the sessions that ended long ago."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone

from drf_tessera.revocation import prune_notices
from drf_tessera.sessions import rows


def prune(
    *,
    keep: timedelta = timedelta(days=1),
    batch_size: int = 1000,
    now: datetime | None = None,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Delete the sessions that ended more than ``keep`` ago, in batches, and return their number.

    Notices of revocations that no access token needs are deleted too. Each batch is a transaction of its own,
    so a refresh waits for at most one batch, and an interrupted run loses no work.

    Args:
        keep: how long an ended session stays.
        batch_size: the number of rows in a transaction.
        now: the present. The clock's, by default.
        progress: called after each batch with the number of sessions deleted so far.
    """
    moment = now or timezone.now()
    ended = rows.select_sessions().ended_before(moment - keep).order_by("pk")
    deleted, last = 0, UUID(int=0)
    # Each batch continues after the last key, so a table of mostly live sessions is read once.
    while batch := list(ended.filter(pk__gt=last).values_list("pk", flat=True)[:batch_size]):
        last = batch[-1]
        deleted += rows.delete(batch)
        if progress is not None:
            progress(deleted)
    prune_notices(now=moment, batch_size=batch_size)
    return deleted
