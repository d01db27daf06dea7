"""Moments: ``datetime`` inside, and seconds since the epoch in tokens and in ``Revocation.until``.

Both forms meet here, at the edge. A ``datetime`` is aware with ``USE_TZ`` and naive without it, because
the database accepts only that.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from django.conf import settings as django_settings
from django.utils import timezone

LATEST: Final = 253_370_764_800
"""Seconds since the epoch: the year 9999, in which the calendars of Python and of the databases end."""


def to_timestamp(moment: datetime) -> float:
    """Return the seconds since the epoch of a ``datetime``, with ``USE_TZ`` on or off."""
    return (moment if timezone.is_aware(moment) else timezone.make_aware(moment)).timestamp()


def from_timestamp(seconds: float) -> datetime:
    """Return a ``datetime`` that the database accepts, with ``USE_TZ`` on or off."""
    moment = datetime.fromtimestamp(seconds, tz=UTC)
    return moment if django_settings.USE_TZ else timezone.make_naive(moment)
