"""Small functions of simplejwt that projects import."""

from __future__ import annotations

import hashlib
import logging
from calendar import timegm
from collections.abc import Callable as Callable
from datetime import datetime, timezone
from typing import Any

from django.conf import settings
from django.utils.functional import lazy
from django.utils.timezone import is_naive

logger = logging.getLogger("rest_framework_simplejwt")


def get_md5_hash_password(password: str) -> str:
    """Return the hash that ``CHECK_REVOKE_TOKEN`` wrote into tokens. Use it only to compare such tokens."""
    return hashlib.md5(password.encode(), usedforsecurity=False).hexdigest().upper()


def make_utc(dt: datetime) -> datetime:
    """Return a naive datetime in UTC, if ``USE_TZ`` is on. Return every other datetime unchanged."""
    return dt.replace(tzinfo=timezone.utc) if settings.USE_TZ and is_naive(dt) else dt  # noqa: UP017 - shown


def aware_utcnow() -> datetime:
    """Return the current time in UTC. Without ``USE_TZ`` the datetime is naive."""
    return datetime_from_epoch(datetime.now(tz=timezone.utc).timestamp())  # noqa: UP017 - shown


def datetime_to_epoch(dt: datetime) -> int:
    """Return the whole seconds since the epoch. A naive datetime counts as UTC."""
    return timegm(dt.utctimetuple())


def datetime_from_epoch(ts: float) -> datetime:
    """Return the datetime in UTC. Without ``USE_TZ`` the datetime is naive."""
    moment = datetime.fromtimestamp(ts, tz=timezone.utc)  # noqa: UP017 - shown
    return moment if settings.USE_TZ else moment.replace(tzinfo=None)


def _format(s: str, *args: Any, **kwargs: Any) -> str:
    return str(s).format(*args, **kwargs)


format_lazy: Any = lazy(_format, str)
"""Format a text when it is shown, in the language of that moment."""


def count_seconds(moment: object) -> int:
    """Return the seconds since the epoch for a time in a claim: a number, a datetime, or a number as text.

    Raises:
        ValueError: the value is not a time.
    """
    if isinstance(moment, datetime):
        return datetime_to_epoch(moment)
    if isinstance(moment, bool) or not isinstance(moment, int | float | str):
        raise ValueError(f"{moment!r} is not a time.")  # noqa: TRY004 - int() raises it for a text
    try:
        return int(moment)
    except OverflowError:
        raise ValueError(f"{moment!r} is not a time.") from None
