"""``manage.py tessera_inspect``: say what a token is, and why this server accepts or refuses it."""

from __future__ import annotations

import json
import sys
from typing import Any, Final

from django.core.management.base import CommandError, CommandParser
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.debug import sensitive_variables

from drf_tessera.conf import get_settings
from drf_tessera.exceptions import TemporarilyUnavailable
from drf_tessera.management.places import PlaceCommand
from drf_tessera.rest.explanation import Explanation, explain_token
from drf_tessera.rest.steps import FAILED, PASSED, UNCHECKED

UNDECIDED: Final = 3
"""The exit code if the database, or the issuer of the token, did not answer."""

_MARKS: Final = {PASSED: "ok", FAILED: "NO"}
_RESULTS: Final = {
    PASSED: gettext_noop("passed"),
    FAILED: gettext_noop("failed"),
    UNCHECKED: gettext_noop("not checked"),
}
_MOST: Final = 65_536


class Command(PlaceCommand):
    """Explain a token. Nothing is changed, and the token is not shown."""

    help: str = gettext_noop(
        "Say what a token is, and why this server accepts or refuses it now. Give - to read it from the "
        "standard input, because a token on the command line stays in the history of the shell. Nothing is "
        "changed. Exit codes: 0 accepted, 1 refused, 2 wrong arguments, 3 the database or the issuer of the "
        "token did not answer."
    )

    by_table = False

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the token and the form of the output."""
        parser.add_argument("token", metavar="TOKEN", help=_("the token, or - to read it from the input"))
        parser.add_argument("--json", action="store_true", help=_("write JSON"))
        super().add_arguments(parser)

    @sensitive_variables()
    def act(self, *args: Any, **options: Any) -> None:
        """Show the explanation of the token."""
        credentials = options["token"]
        if credentials == "-":
            credentials = sys.stdin.read(_MOST)
        token = credentials.strip()
        prefix = f"{get_settings().header_prefix} "
        if token.lower().startswith(prefix.lower()):
            token = token[len(prefix) :].strip()
        if not token:
            raise CommandError(_("There is no token."), returncode=2)
        try:
            with translation.override("en" if options["json"] else translation.get_language()):
                found = explain_token(token)
        except TemporarilyUnavailable as error:
            raise CommandError(error.detail, returncode=UNDECIDED) from error
        if options["json"]:
            self.stdout.write(json.dumps(found.as_dict(), indent=2, default=str))
        else:
            self._show(found)
        if not found.accepted:
            raise CommandError(_("This server refuses the token: %(code)s.") % {"code": found.code})

    def _show(self, found: Explanation) -> None:
        self.stdout.write(found.about)
        for step in found.steps:
            mark = _MARKS.get(step.result, "--")
            self.stdout.write(f"  {mark}  {step.name:<14} {step.text or _(_RESULTS[step.result])}")
        if found.accepted:
            self.stdout.write(self.style.SUCCESS(_("This server accepts the token.")))
