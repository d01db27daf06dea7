"""The caches in which the tests of the limits count."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.cache import cache
from django.core.management import call_command
from django.db import connection

DATABASE = "django.core.cache.backends.db.DatabaseCache"
TABLE = "counts"


@contextmanager
def database_cache(settings: Any) -> Iterator[None]:
    """Make Django's database cache the default cache. The test needs a database without a transaction."""
    options = {"MAX_ENTRIES": 100_000}
    settings.CACHES = {"default": {"BACKEND": DATABASE, "LOCATION": TABLE, "OPTIONS": options}}
    call_command("createcachetable")
    try:
        cache.clear()
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE {TABLE}")
