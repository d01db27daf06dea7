"""``manage.py tessera_import_simplejwt``: write sessions for the tokens of simplejwt in advance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db.models import Q

from drf_tessera.database import find_database
from drf_tessera.exceptions import TemporarilyUnavailable
from drf_tessera.management.places import PlaceCommand
from drf_tessera.sessions import HANDLE_PREFIX, adopt_many
from drf_tessera.tokens import REFRESH_PREFIX
from rest_framework_simplejwt.listing import describe_row
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.utils import aware_utcnow

FIELDS = ("pk", "user_id", "jti", "created_at", "expires_at")


class Command(PlaceCommand):
    """Import tokens in batches. The command is safe to interrupt: a second run skips existing sessions."""

    help = (
        "Write a session for each refresh token of simplejwt that has not expired. The session of a "
        "blacklisted token is written as ended. After the import, a new password or a logout everywhere also "
        "ends these tokens. A token that is not imported is taken over at its first use."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add --batch-size, --after, and the options for tenants."""
        parser.add_argument("--batch-size", type=int, default=1000, help="rows per batch (default 1000)")
        parser.add_argument(
            "--after", type=int, default=0, help="start after this id of OutstandingToken (0 by default)"
        )
        super().add_arguments(parser)

    def act(self, *args: Any, batch_size: int, after: int, **options: Any) -> None:
        """Import the tokens, and show a progress bar."""
        if batch_size < 1:
            raise CommandError("--batch-size must be 1 or more.")
        # These rows already stand for sessions.
        own = Q(token="") | Q(token__startswith=HANDLE_PREFIX) | Q(token__startswith=REFRESH_PREFIX)
        given = OutstandingToken.objects.using(find_database()).exclude(own)
        rows = given.filter(expires_at__gt=aware_utcnow(), user__isnull=False).order_by("pk")
        total, done, written = rows.filter(pk__gt=after).count(), 0, 0
        for batch in _read_batches(rows, after, batch_size):
            written += self._write(batch)
            done += len(batch)
            self._show(done, total, batch[-1][0])
        self.stdout.write(
            self.style.SUCCESS(
                f"{written} sessions written. {done - written} tokens skipped (session exists, or user gone)."
            )
        )

    def _write(self, batch: list[Any]) -> int:
        found = BlacklistedToken.objects.using(find_database()).filter(token__in=[row[0] for row in batch])
        ended = set(found.values_list("token", flat=True))
        wanted = [(describe_row(*times), user, key in ended) for key, user, *times in batch]
        try:
            return adopt_many(wanted)
        except TemporarilyUnavailable as error:
            raise CommandError(f"{error.detail} Continue with --after {batch[0][0] - 1}.") from error

    def _show(self, done: int, total: int, last: int) -> None:
        terminal, share = self.stderr.isatty(), done / max(total, 1)
        bar = f"[{'#' * int(30 * share):<30}] {share:4.0%} {done} of {total}, id {last}"
        self.stderr.write(f"\r{bar}" if terminal else bar, ending="" if terminal and done < total else "\n")


def _read_batches(rows: Any, after: int, size: int) -> Iterator[list[Any]]:
    # Continue after the last key, because the cost of a cursor or an offset grows with the table.
    while batch := list(rows.filter(pk__gt=after).values_list(*FIELDS)[:size]):
        yield batch
        after = batch[-1][0]
