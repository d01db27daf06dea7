"""``manage.py tessera_prune``: delete the sessions that have ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from drf_tessera import sessions
from drf_tessera.management.places import PlaceCommand


class Command(PlaceCommand):
    """Delete ended sessions in batches. A project should run this command daily."""

    help: str = gettext_noop(
        "Delete the sessions that ended long enough ago. You may interrupt and repeat this command."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add --keep-days, --batch-size, and the options for tenants."""
        parser.add_argument(
            "--keep-days",
            type=float,
            default=1.0,
            help=_("keep sessions that ended less than this many days ago (default: 1)"),
        )
        parser.add_argument(
            "--batch-size", type=int, default=1000, help=_("rows per transaction (default: 1000)")
        )
        super().add_arguments(parser)

    def act(self, *args: Any, keep_days: float, batch_size: int, **options: Any) -> None:
        """Delete the sessions, and show the number of deleted sessions on one line."""
        if not 0 <= keep_days <= 36_500 or batch_size < 1:
            raise CommandError(
                _("--keep-days must be between 0 and 36500, and --batch-size must be 1 or more.")
            )
        terminal = self.stderr.isatty()

        def show(deleted: int) -> None:
            text = _("%(count)d deleted") % {"count": deleted}
            self.stderr.write(f"\r{text}", ending="" if terminal else "\n")

        deleted = sessions.prune(keep=timedelta(days=keep_days), batch_size=batch_size, progress=show)
        if terminal and deleted:
            self.stderr.write("")
        self.stdout.write(self.style.SUCCESS(_("%(count)d sessions deleted.") % {"count": deleted}))
