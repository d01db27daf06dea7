"""``manage.py tessera_installation``: show the id of this installation, or give it another one."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from drf_tessera.installation import read_installation, read_installation_id, renew_installation
from drf_tessera.management.places import PlaceCommand


class Command(PlaceCommand):
    """Show the id that binds access tokens to this database. A copy of a database needs another id."""

    help: str = gettext_noop(
        "Show the id of this installation, which is part of the default 'iss' of access tokens."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add --renew, and the options for tenants."""
        parser.add_argument(
            "--renew",
            action="store_true",
            help=_(
                "make another id, because this database is a copy. Restart all processes after this. "
                "Each client refreshes its access token once, and nobody is logged out."
            ),
        )
        super().add_arguments(parser)

    def act(self, *args: Any, renew: bool, **options: Any) -> None:
        """Write the id on one line to stdout, so that a script can read it. Remarks go to stderr."""
        found = renew_installation() if renew else read_installation_id()
        row = read_installation()
        self.stdout.write(found)
        if renew:
            self.stderr.write(_("Restart all processes now, because they still use the old id."))
        elif row is not None:
            self.stderr.write(_("Created at %(time)s.") % {"time": row[1].isoformat()})
