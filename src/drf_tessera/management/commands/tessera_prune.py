"""``manage.py tessera_prune``: delete the sessions that have ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from drf_tessera import sessions


class Command(BaseCommand):
    """Delete ended sessions in batches; run it daily."""

    help = "Delete the sessions that ended long enough ago. Safe to interrupt and to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add --keep-days and --batch-size."""
        parser.add_argument("--keep-days", type=float, default=1.0, help="spare what ended less long ago (1)")
        parser.add_argument("--batch-size", type=int, default=1000, help="rows for each transaction (1000)")

    def handle(self, *args: Any, keep_days: float, batch_size: int, **options: Any) -> None:
        """Prune, with the count so far on one line."""
        if not 0 <= keep_days <= 36_500 or batch_size < 1:
            raise CommandError("--keep-days must lie between 0 and 36500, --batch-size must be 1 or more.")
        terminal = self.stderr.isatty()

        def show(deleted: int) -> None:
            self.stderr.write(f"\r{deleted} deleted", ending="" if terminal else "\n")

        deleted = sessions.prune(keep=timedelta(days=keep_days), batch_size=batch_size, progress=show)
        if terminal and deleted:
            self.stderr.write("")
        self.stdout.write(self.style.SUCCESS(f"{deleted} sessions deleted."))
