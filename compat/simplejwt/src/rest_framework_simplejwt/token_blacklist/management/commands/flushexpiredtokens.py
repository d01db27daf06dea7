"""``manage.py flushexpiredtokens``, as in simplejwt."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from drf_tessera.database import find_database
from drf_tessera.management.places import add_place_options, choosing_place
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken
from rest_framework_simplejwt.utils import aware_utcnow


class Command(BaseCommand):
    """Delete the rows of tokens and sessions that have expired."""

    help = "Delete the expired rows from simplejwt's tables. tessera_prune deletes the sessions themselves."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options for tenants."""
        add_place_options(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Delete the expired rows."""
        with choosing_place(self, options):
            rows = OutstandingToken.objects.using(find_database())
            number, _ = rows.filter(expires_at__lte=aware_utcnow()).delete()
        self.stdout.write(f"Deleted {number} rows.")
