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
    """Give what ``CHECK_REVOKE_TOKEN`` put into tokens: to compare with those, and for nothing else."""
    return hashlib.md5(password.encode(), usedforsecurity=False).hexdigest().upper()


def make_utc(dt: datetime) -> datetime:
    """Give a naive moment the time zone UTC, under ``USE_TZ``."""
    return dt.replace(tzinfo=UTC) if settings.USE_TZ and timezone.is_naive(dt) else dt


def aware_utcnow() -> datetime:
    """Give the present in UTC, naive without ``USE_TZ``."""
    return datetime_from_epoch(datetime.now(tz=UTC).timestamp())


def datetime_to_epoch(dt: datetime) -> int:
    """Give whole seconds since the epoch; a naive moment is in UTC."""
    return int((dt if timezone.is_aware(dt) else dt.replace(tzinfo=UTC)).timestamp())


def datetime_from_epoch(ts: float) -> datetime:
    """Give the moment in UTC, naive without ``USE_TZ``."""
    moment = datetime.fromtimestamp(ts, tz=UTC)
    return moment if settings.USE_TZ else moment.replace(tzinfo=None)


if not TYPE_CHECKING:
    __getattr__ = refuse_names(__name__)
