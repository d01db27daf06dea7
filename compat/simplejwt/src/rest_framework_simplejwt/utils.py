"""Small functions of simplejwt that projects import."""

from __future__ import annotations

import hashlib
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils import timezone

from drf_tessera.legacy import refuse_names

logger = logging.getLogger("rest_framework_simplejwt")


def get_md5_hash_password(password: str) -> str:
    """Return the hash that ``CHECK_REVOKE_TOKEN`` wrote into tokens. Use it only to compare such tokens."""
    return hashlib.md5(password.encode(), usedforsecurity=False).hexdigest().upper()


def make_utc(dt: datetime) -> datetime:
    """Return a naive datetime in UTC, if ``USE_TZ`` is on. Return every other datetime unchanged."""
    return dt.replace(tzinfo=UTC) if settings.USE_TZ and timezone.is_naive(dt) else dt


def aware_utcnow() -> datetime:
    """Return the current time in UTC. Without ``USE_TZ`` the datetime is naive."""
    return datetime_from_epoch(datetime.now(tz=UTC).timestamp())


def datetime_to_epoch(dt: datetime) -> int:
    """Return the whole seconds since the epoch. A naive datetime counts as UTC."""
    return int((dt if timezone.is_aware(dt) else dt.replace(tzinfo=UTC)).timestamp())


def datetime_from_epoch(ts: float) -> datetime:
    """Return the datetime in UTC. Without ``USE_TZ`` the datetime is naive."""
    moment = datetime.fromtimestamp(ts, tz=UTC)
    return moment if settings.USE_TZ else moment.replace(tzinfo=None)


if not TYPE_CHECKING:
    __getattr__ = refuse_names(__name__)
