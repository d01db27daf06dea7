"""``manage.py flushexpiredtokens``, as in simplejwt."""

from __future__ import annotations

from typing import Any

from drf_tessera.database import find_database
from drf_tessera.management.places import PlaceCommand
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken
from rest_framework_simplejwt.utils import aware_utcnow


class Command(PlaceCommand):
    """Delete the rows of tokens and sessions that have expired."""

    help = "Delete the expired rows from simplejwt's tables. tessera_prune deletes the sessions themselves."

    def act(self, *args: Any, **options: Any) -> None:
        """Delete the expired rows."""
        rows = OutstandingToken.objects.using(find_database())
        number, _ = rows.filter(expires_at__lte=aware_utcnow()).delete()
        self.stdout.write(f"Deleted {number} rows.")
