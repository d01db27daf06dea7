"""``manage.py tessera_revoke``: end sessions, after a leak or after restoring a backup."""

from __future__ import annotations

from collections.abc import Callable
from datetime import MINYEAR, datetime
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from drf_tessera import sessions
from drf_tessera.database import find_database
from drf_tessera.exceptions import TemporarilyUnavailable
from drf_tessera.management.places import PlaceCommand
from drf_tessera.models import Session, SessionQuerySet
from drf_tessera.sessions import Reason
from drf_tessera.users import find_users_by_text

UNFINISHED: Final = 3
"""The exit code if the database or the cache did not answer. Run the command again."""


class Command(PlaceCommand):
    """End one session, the sessions of a user, or the sessions of everybody."""

    help = (
        "End sessions. Every process refuses their access tokens within REVOCATION_POLL (one second). "
        "You may interrupt and repeat this command. Exit codes: 0 done, 1 nothing was ended, 2 wrong "
        "arguments, 3 the database or the cache did not answer, so run the command again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add one option for each choice of sessions, and the options for all of them."""
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--all", action="store_true", help="all sessions of everybody")
        which.add_argument(
            "--before",
            metavar="MOMENT",
            help="the sessions of everybody that began before a moment in ISO 8601, such as "
            "2027-01-31T12:00:00+01:00. Without an offset, the moment is in the TIME_ZONE of the settings",
        )
        which.add_argument(
            "--user", help="all sessions of one user: a user name, an e-mail address or a primary key"
        )
        which.add_argument("--session", metavar="ID", help="one session")
        parser.add_argument(
            "--reason",
            choices=[reason.value for reason in Reason],
            default=Reason.ADMIN.value,
            help="why, for the rows and the signals (default: admin)",
        )
        parser.add_argument("--dry-run", action="store_true", help="only count the sessions")
        parser.add_argument(
            "--no-input", action="store_true", help="do not ask before --all and --before end sessions"
        )
        parser.add_argument(
            "--batch-size", type=int, default=1000, help="rows per transaction (default: 1000)"
        )
        super().add_arguments(parser)

    def act(self, *args: Any, **options: Any) -> None:
        """End the sessions, and show their number on one line."""
        if options["batch_size"] < 1:
            raise CommandError("--batch-size must be 1 or more.")
        try:
            self._choose(options)(options)
        except TemporarilyUnavailable as error:
            raise CommandError(
                f"{error.detail} Some sessions may have ended. Run this command again.",
                returncode=UNFINISHED,
            ) from error

    def _choose(self, options: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
        if options["user"] is not None:
            return self._end_of_user
        return self._end_one if options["session"] is not None else self._end_of_everybody

    def _end_one(self, options: dict[str, Any]) -> None:
        try:
            key = UUID(options["session"])
        except ValueError:
            raise CommandError(f"{options['session']!r} is not the id of a session.") from None
        rows = SessionQuerySet(Session, using=find_database()).filter(pk=key)
        if not rows.exists():
            raise CommandError(f"There is no session {key}.")
        if options["dry_run"]:
            self._preview(rows.live(timezone.now()).count())
        else:
            self._report(int(sessions.revoke(key, reason=Reason(options["reason"]))))

    def _end_of_user(self, options: dict[str, Any]) -> None:
        text = options["user"]
        found = find_users_by_text(text)
        if not found:
            raise CommandError(f"There is no user with the name, the address or the key {text!r}.")
        if len(found) > 1:
            listed = ", ".join(f"{key} (by the {' and the '.join(ways)})" for key, ways in found.items())
            raise CommandError(f"{text!r} means several users. Give one of these primary keys: {listed}.")
        (key,) = found
        if options["dry_run"]:
            self._preview(sessions.live_sessions(key).count())
        else:
            self._report(sessions.revoke_all_of([key], reason=Reason(options["reason"])))

    def _end_of_everybody(self, options: dict[str, Any]) -> None:
        moment = timezone.now() if options["before"] is None else _read_moment(options["before"])
        if moment > timezone.now():
            raise CommandError(f"{moment.isoformat()} lies in the future.")
        count = sessions.count_before(moment)
        if options["dry_run"]:
            self._preview(count)
            return
        if not options["no_input"]:
            self._ask(f"This ends {count} sessions of everybody that began before {moment.isoformat()}.")
        extra = {"reason": Reason(options["reason"]), "batch_size": options["batch_size"]}
        if options["before"] is None:
            ended = sessions.revoke_everybody(**extra, progress=self._show)
        else:
            ended = sessions.revoke_before(moment, **extra, progress=self._show)
        if self.stderr.isatty() and ended:
            self.stderr.write("")
        self._report(ended)

    def _ask(self, question: str) -> None:
        self.stdout.write(question)
        try:
            answer = input("Write 'yes' to continue: ")
        except EOFError:
            raise CommandError("Nobody answered. Use --no-input where nobody can.") from None
        if answer.strip().lower() != "yes":
            raise CommandError("No session was ended.")

    def _show(self, ended: int) -> None:
        self.stderr.write(f"\r{ended} ended", ending="" if self.stderr.isatty() else "\n")

    def _preview(self, count: int) -> None:
        self.stdout.write(f"{count} sessions would be ended.")

    def _report(self, ended: int) -> None:
        self.stdout.write(self.style.SUCCESS(f"{ended} sessions were ended."))


def _read_moment(text: str) -> datetime:
    """Read a moment in ISO 8601. Without an offset, it is in the time zone of the settings.

    The result is aware with ``USE_TZ`` and naive without it, as the database needs it.
    """
    try:
        moment: datetime | None = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    # In UTC, a moment of the first year may be before the first day that Python knows.
    if moment is None or moment.year == MINYEAR:
        raise CommandError(f"{text!r} is not a moment in ISO 8601, such as 2027-01-31T12:00:00+01:00.")
    zone = timezone.get_default_timezone()
    if moment.tzinfo is None:
        early, late = (moment.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
        if early.utcoffset() != late.utcoffset():
            # The clocks were changed in this hour, so the hour came twice or not at all.
            raise CommandError(f"{text} is not clear in {zone}. Add an offset, such as {late.isoformat()}.")
        moment = early
    return moment if settings.USE_TZ else timezone.make_naive(moment, zone)
