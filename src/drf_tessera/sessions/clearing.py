"""End the sessions of everybody that began before a moment: after a leak, or after restoring a backup."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db.models import Q
from django.utils import timezone

from drf_tessera import signals
from drf_tessera.conf import expects_legacy_tokens
from drf_tessera.database import find_database, is_in_transaction, persist
from drf_tessera.exceptions import ProjectError, RevocationUnavailable
from drf_tessera.models import SessionQuerySet
from drf_tessera.moments import from_timestamp, to_timestamp
from drf_tessera.revocation import publish_for_everybody
from drf_tessera.sessions import rows
from drf_tessera.sessions.reasons import Reason
from drf_tessera.users import loads_at_once

_REPEAT: Final = 20.0
"""Seconds. A session that is not reached yet may get a new access token, which outlives the first notice."""

_REST: Final = 2.0
"""How much longer than a batch the rest after it is. Refreshes write to the same disk, and wait for it."""

_MOST_REST: Final = 5.0
"""Seconds. A batch that waited for a lock kept no disk busy, and the notice has to be repeated in time."""

Progress = Callable[[int], None]


def count_before(moment: datetime) -> int:
    """Return the number of live sessions that :func:`revoke_before` would end."""
    return _select_before(_round_up(moment)).live(timezone.now()).count()


def revoke_everybody(
    *, reason: Reason = Reason.ADMIN, batch_size: int = 1000, progress: Progress | None = None
) -> int:
    """End all live sessions that began before this call, and return their number.

    This is :func:`revoke_before` with the end of the present second as the moment. A session may have begun
    in the same second, also if the clock stands at a full second (a test with freezegun).

    Raises:
        ProjectError, TemporarilyUnavailable, RevocationUnavailable: see :func:`revoke_before`.
    """
    present = math.floor(to_timestamp(timezone.now()))
    return _end_before(present + 1, reason=reason, batch_size=batch_size, progress=progress)


def revoke_before(
    moment: datetime,
    *,
    reason: Reason = Reason.ADMIN,
    batch_size: int = 1000,
    progress: Progress | None = None,
) -> int:
    """End all live sessions that began before ``moment``, of all users. Return the number of sessions.

    The notice is published first, so every process refuses the access tokens of these sessions within
    ``REVOCATION_POLL``. Whether a session is meant can be read from its token, because a token carries the
    time at which its session began. So one notice is enough, and no query is made for it. If the function
    runs for long, the notice is repeated every 20 seconds. If a user has proved their identity again after
    ``moment``, the token carries that time, and the session gets a notice of its own when its row is ended.

    After that the rows are ended in batches, so that their refresh tokens are refused too. Each batch is a
    short transaction, so a refresh waits for at most one batch. After each batch the function rests for twice
    as long, but for five seconds at most, because refreshes need the disk too (not if each request reads its
    row). If the function is interrupted, call it again with the same moment. It then ends the remaining
    sessions.

    Legacy tokens that were issued before ``moment`` start no session afterwards.

    One signal is sent for all sessions, ``sessions_cleared``, and not ``session_revoked`` for each.

    Args:
        moment: it is rounded up to a full second, because tokens carry full seconds. If that is the end of
            the present second, the function waits, so that no session that begins afterwards is refused.
        reason: why, for the rows and the signal.
        batch_size: the number of rows in a transaction.
        progress: called after each batch with the number of sessions ended so far.

    Raises:
        ProjectError: ``moment`` lies in the future, or a transaction is open. Other processes would hear of
            the notice only after its commit.
        TemporarilyUnavailable: the database is busy. Some sessions may have ended.
        RevocationUnavailable: the notice could not be published. If only the cache did not take it, the
            sessions have ended, and the other processes find the notice in the table. Call the function
            again in each case.
    """
    if to_timestamp(moment) > time.time():
        raise ProjectError(f"{moment} lies in the future. Sessions that begin until then would be refused.")
    return _end_before(_round_up(moment), reason=reason, batch_size=batch_size, progress=progress)


def _end_before(second: int, *, reason: Reason, batch_size: int, progress: Progress | None) -> int:
    """End the sessions that began before a second. If it is the end of the present one, wait for it."""
    if is_in_transaction():
        raise ProjectError(
            "Call this outside of a transaction. Inside, no process would hear of it until the commit."
        )
    time.sleep(max(0.0, second - time.time()))
    run = _Run(
        second=second,
        reason=reason,
        batch_size=batch_size,
        progress=progress,
        hurries=loads_at_once(),  # then a request asks the row of its session, and the notice refuses nothing
    )
    run.publish()
    if expects_legacy_tokens():
        run.close_legacy()
    # A login that was being written may insert its row behind the place that the walk has reached.
    while run.end_rows():
        continue
    rows.report(signals.sessions_cleared, before=from_timestamp(second), reason=reason.value, count=run.ended)
    if not run.is_heard:
        raise RevocationUnavailable
    return run.ended


@dataclass(slots=True, kw_only=True)
class _Run:
    """One call of :func:`revoke_before`."""

    second: int
    reason: Reason
    batch_size: int
    progress: Progress | None
    hurries: bool
    ended: int = 0
    published_at: float = -math.inf
    is_heard: bool = False
    """Whether the cache, if there is one, has taken the last notice."""

    def publish(self) -> None:
        """Publish the notice, if that was not done lately."""
        if time.monotonic() - self.published_at > _REPEAT:
            self.published_at = time.monotonic()
            self.is_heard = publish_for_everybody(self.second, timezone.now())

    def close_legacy(self) -> None:
        """Close the legacy tokens of all users that were issued before the moment."""
        users = get_user_model()._base_manager.using(find_database()).order_by("pk")
        keys = users.values_list("pk", flat=True)
        batch = list(keys[: self.batch_size])
        while batch:
            rows.close_legacy(batch, from_timestamp(self.second - 1))
            self.publish()
            batch = list(keys.filter(pk__gt=batch[-1])[: self.batch_size])

    def end_rows(self) -> int:
        """End the live sessions in one walk through the table, and return their number."""
        which, now, before = _select_before(self.second), timezone.now(), self.ended
        last: UUID | None = UUID(int=0)
        while last is not None:
            begun = time.monotonic()
            rest = which.filter(pk__gt=last)
            last = rest.live(now).order_by("pk").values_list("pk", flat=True)[self.batch_size - 1 :].first()
            batch = rest if last is None else rest.filter(pk__lte=last)
            count = self._end_batch(batch, now)
            self.ended += count
            self.publish()
            took = time.monotonic() - begun
            if count and self.progress is not None:
                self.progress(self.ended)
            if last is not None and not self.hurries:
                time.sleep(max(0.0, min(_REST * took, _MOST_REST)))  # a test may move the clock back
        return self.ended - before

    def _end_batch(self, batch: SessionQuerySet, now: datetime) -> int:
        """End the live sessions of a batch, and return their number.

        The token of a session carries the time of the last proof of identity. So if its user has proved their
        identity after the moment, the notice about everybody does not reach it, and it gets one of its own.
        """
        told = from_timestamp(self.second)
        others = batch.filter(Q(proved_at=None) | Q(proved_at__lt=told))
        count = rows.end_silently(others, now, self.reason)
        proved = batch.filter(proved_at__gte=told)
        # A proof that comes after this question finds that its session has ended.
        if persist(proved.live(now).exists):
            count += len(rows.end(proved, now, self.reason, reports=False))
        return count


def _round_up(moment: datetime) -> int:
    """Return the first full second that is not before ``moment``."""
    return math.ceil(to_timestamp(moment))


def _select_before(second: int) -> SessionQuerySet:
    return rows.select_sessions().filter(created_at__lt=from_timestamp(second))
