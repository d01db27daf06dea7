"""``python -m benchmarks.inside.importing ROWS``: import this many tokens, and print the memory used."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any, Final

import django
from django.conf import settings

BLACKLISTED: Final = 10
"""One of this many tokens is blacklisted."""
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Watch:
    """A stream that passes on the progress of the command, and reads the memory at each batch."""

    def __init__(self) -> None:
        """Start with an empty record."""
        self.seen: list[int] = []

    def write(self, text: str) -> None:
        """Read the memory. Pass on one of fifty lines."""
        self.seen.append(int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE)
        if len(self.seen) % 50 == 0:
            sys.stderr.write(text)

    def isatty(self) -> bool:
        """Return ``False``, so that the command writes one line for each batch."""
        return False


def main() -> None:
    """Create a database, import the tokens, print JSON, and drop the database."""
    rows = int(sys.argv[1])
    settings.configure(
        SECRET_KEY="the-secret-key-of-the-benchmarks-and-of-nothing-else",  # noqa: S106 - it protects nothing
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "drf_tessera",
            "rest_framework_simplejwt",
            "rest_framework_simplejwt.token_blacklist",
        ],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": "tessera_bench_importing",
                "USER": os.environ.get("PGUSER", "postgres"),
                "PASSWORD": os.environ.get("PGPASSWORD", ""),
                "HOST": os.environ.get("PGHOST", "127.0.0.1"),
                "PORT": os.environ.get("PGPORT", "5432"),
            }
        },
    )
    django.setup()
    from benchmarks.inside import database

    database.create(users=1000)
    try:
        print(json.dumps(_measure(rows)))
    finally:
        database.drop()


def _measure(rows: int) -> dict[str, Any]:
    from django.core.management import call_command
    from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

    from benchmarks.inside import database
    from drf_tessera.models import Session

    database.run(
        f"INSERT INTO {OutstandingToken._meta.db_table} (user_id, jti, token, created_at, expires_at) "
        "SELECT users.id, md5(number::text), repeat('x', 300), now() - interval '1 day', "
        "now() + interval '1 day' FROM generate_series(1, %s) AS number "
        "JOIN auth_user users ON users.username = 'user' || number %% 1000",
        rows,
    )
    database.run(
        f"INSERT INTO {BlacklistedToken._meta.db_table} (token_id, blacklisted_at) "
        f"SELECT id, now() FROM {OutstandingToken._meta.db_table} WHERE id %% %s = 0",
        BLACKLISTED,
    )
    database.run("ANALYZE")
    watch = Watch()
    before = int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
    begun = time.monotonic()
    call_command("tessera_import_simplejwt", stdout=sys.stderr, stderr=watch)
    return {
        "rows": rows,
        "seconds": time.monotonic() - begun,
        "before": before,
        "memory": watch.seen,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "sessions": Session.objects.count(),
        "live": Session.objects.filter(revoked_at=None).count(),
    }


if __name__ == "__main__":
    main()
