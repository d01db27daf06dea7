"""``manage.py tessera_revoke``: end sessions, after a leak or after restoring a backup."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import MINYEAR, datetime
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from drf_tessera import sessions
from drf_tessera.database import find_database
from drf_tessera.exceptions import TemporarilyUnavailable
from drf_tessera.management.places import UNFINISHED, PlaceCommand
from drf_tessera.models import Session, SessionQuerySet
from drf_tessera.sessions import Reason
from drf_tessera.users import find_users_by_text

_WAYS: Final = {
    "primary key": gettext_noop("primary key"),
    "user name": gettext_noop("user name"),
    "e-mail address": gettext_noop("e-mail address"),
}
"""The ways to read the text of ``--user``."""


class Command(PlaceCommand):
    """End one session, the sessions of a user, or the sessions of everybody."""

    help: str = gettext_noop(
        "End sessions. Every process refuses their access tokens within REVOCATION_POLL (one second). "
        "You may interrupt and repeat this command. Exit codes: 0 done, 1 nothing was ended, 2 wrong "
        "arguments, 3 the database or the cache did not answer, so run the command again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add one option for each choice of sessions, and the options for all of them."""
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--all", action="store_true", help=_("all sessions of everybody"))
        which.add_argument(
            "--before",
            metavar="MOMENT",
            help=_(
                "the sessions of everybody that began before a moment in ISO 8601, such as "
                "2027-01-31T12:00:00+01:00. Without an offset, the moment is in the TIME_ZONE of the settings"
            ),
        )
        which.add_argument(
            "--user",
            help=_("all sessions of one user: a user name, an e-mail address or a primary key"),
        )
        which.add_argument("--session", metavar="ID", help=_("one session"))
        parser.add_argument(
            "--reason",
            choices=[reason.value for reason in Reason],
            default=Reason.ADMIN.value,
            help=_("why, for the rows and the signals (default: admin)"),
        )
        parser.add_argument("--dry-run", action="store_true", help=_("only count the sessions"))
        parser.add_argument(
            "--no-input",
            action="store_true",
            help=_("do not ask before --all and --before end sessions"),
        )
        parser.add_argument(
            "--batch-size", type=int, default=1000, help=_("rows per transaction (default: 1000)")
        )
        super().add_arguments(parser)

    def act(self, *args: Any, **options: Any) -> None:
        """End the sessions, and show their number on one line."""
        if options["batch_size"] < 1:
            raise CommandError(_("--batch-size must be 1 or more."))
        try:
            self._choose(options)(options)
        except TemporarilyUnavailable as error:
            raise CommandError(
                _("%(reason)s Some sessions may have ended. Run this command again.")
                % {"reason": error.detail},
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
            raise CommandError(
                _("%(text)r is not the id of a session.") % {"text": options["session"]}
            ) from None
        rows = SessionQuerySet(Session, using=find_database()).filter(pk=key)
        if not rows.exists():
            raise CommandError(_("There is no session %(id)s.") % {"id": key})
        if options["dry_run"]:
            self._preview(rows.live(timezone.now()).count())
        else:
            self._report(int(sessions.revoke(key, reason=Reason(options["reason"]))))

    def _end_of_user(self, options: dict[str, Any]) -> None:
        text = options["user"]
        found = find_users_by_text(text)
        if not found:
            raise CommandError(
                _("There is no user with the name, the address or the key %(text)r.") % {"text": text}
            )
        if len(found) > 1:
            listed = ", ".join(_list_ways(key, ways) for key, ways in found.items())
            message = _("%(text)r means several users. Give one of these primary keys: %(keys)s.")
            raise CommandError(message % {"text": text, "keys": listed})
        (key,) = found
        if options["dry_run"]:
            self._preview(sessions.live_sessions(key).count())
        else:
            self._report(sessions.revoke_all_of([key], reason=Reason(options["reason"])))

    def _end_of_everybody(self, options: dict[str, Any]) -> None:
        moment = timezone.now() if options["before"] is None else _read_moment(options["before"])
        if moment > timezone.now():
            raise CommandError(_("%(time)s lies in the future.") % {"time": moment.isoformat()})
        count = sessions.count_before(moment)
        if options["dry_run"]:
            self._preview(count)
            return
        if not options["no_input"]:
            question = _("This ends %(count)d sessions of everybody that began before %(time)s.")
            self._ask(question % {"count": count, "time": moment.isoformat()})
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
            answer = input(_("Write 'yes' to continue:") + " ")
        except EOFError:
            raise CommandError(_("Nobody answered. Use --no-input where nobody can.")) from None
        if answer.strip().lower() != "yes":
            raise CommandError(_("No session was ended."))

    def _show(self, ended: int) -> None:
        text = _("%(count)d ended") % {"count": ended}
        self.stderr.write(f"\r{text}", ending="" if self.stderr.isatty() else "\n")

    def _preview(self, count: int) -> None:
        self.stdout.write(_("%(count)d sessions would be ended.") % {"count": count})

    def _report(self, ended: int) -> None:
        self.stdout.write(self.style.SUCCESS(_("%(count)d sessions were ended.") % {"count": ended}))


def _list_ways(key: object, ways: Sequence[str]) -> str:
    found = _(_WAYS[ways[0]])
    for way in ways[1:]:
        found = _("%(one)s and the %(other)s") % {"one": found, "other": _(_WAYS[way])}
    return _("%(key)s (by the %(ways)s)") % {"key": key, "ways": found}


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
        raise CommandError(
            _("%(text)r is not a moment in ISO 8601, such as 2027-01-31T12:00:00+01:00.") % {"text": text}
        )
    zone = timezone.get_default_timezone()
    if moment.tzinfo is None:
        early, late = (moment.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
        if early.utcoffset() != late.utcoffset():
            # The clocks were changed in this hour, so the hour came twice or not at all.
            message = _("%(text)s is not clear in %(zone)s. Add an offset, such as %(example)s.")
            raise CommandError(message % {"text": text, "zone": zone, "example": late.isoformat()})
        moment = early
    return moment if settings.USE_TZ else timezone.make_naive(moment, zone)
