"""The tenant, and so the database or the schema, on which a command acts. No command takes one quietly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from django.apps import apps
from django.conf import settings as django_settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, connections
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from drf_tessera.conf import current_tenant, get_settings, use_tenant
from drf_tessera.database import (
    enter_schema,
    explain_mistake,
    explain_trouble,
    find_database,
    read_schema,
    using_database,
)
from drf_tessera.exceptions import TemporarilyUnavailable, TesseraError
from drf_tessera.management.languages import TranslatedCommand

UNFINISHED: Final = 3
"""The exit code if the database or the cache did not answer. Run the command again."""

_SCHEMA: Final = "schema_name"
"""The column of the model of tenants."""

_SHARED: Final = gettext_noop(
    "The tenants share the tables of the database %(name)r, and a session does not record its tenant. Leave "
    "--tenant out. The command acts on all tenants then, unless other options name a user or a session."
)
_UNDECIDED: Final = gettext_noop(
    "This project has tenants. Name one with --tenant, or run this command once for each tenant. "
    "With a router, --database names a database."
)
_UNROUTED: Final = gettext_noop(
    "Outside of a request, TENANT does not return %(name)r, so the router may choose the database of another "
    "tenant. Name the database of %(name)r with --database too."
)


class PlaceCommand(TranslatedCommand):
    """A command that acts on one tenant or one database. Each such command has the same two options."""

    by_table = True
    """Whether the command acts on the rows of a table, so that tenants who share it cannot be told apart."""

    act: Callable[..., None]
    """Runs the command in that place. Each subclass has one."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Add --tenant and --database."""
        add_place_options(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Call :meth:`act` in the place that the options name."""
        with _choosing_place(self, options, by_table=self.by_table):
            self.act(*args, **options)


def add_place_options(parser: CommandParser) -> None:
    """Add --tenant and --database, for a command whose tasks have parsers of their own."""
    parser.add_argument(
        "--tenant",
        metavar="NAME",
        help=_("the tenant, for projects with TESSERA['TENANT'] or django-tenants (there: the schema)"),
    )
    parser.add_argument(
        "--database",
        metavar="ALIAS",
        help=_("the database. By default, your router chooses it for sessions"),
    )


@contextmanager
def _choosing_place(command: BaseCommand, options: dict[str, Any], *, by_table: bool) -> Iterator[None]:
    """Use the place that the options name. If the project has tenants, write the place to stderr.

    Raises:
        CommandError: the options name no place, or more than one is possible. Or the block raised an error
            that says what a person must do. If the database did not answer, the exit code is UNFINISHED.
    """
    name, alias = options["tenant"], options["database"]
    if alias is not None and alias not in connections:
        raise CommandError(_("There is no database %(name)r in DATABASES.") % {"name": alias})
    with ExitStack() as stack:
        if alias is not None:
            stack.enter_context(using_database(alias))
        try:
            if get_settings().tenant is not None:
                text = _enter_tenant(stack, name, alias, by_table=by_table)
            elif name is None:
                text = "" if alias is None else _("In the database %(name)r.") % {"name": alias}
            else:
                raise CommandError(_("--tenant needs TESSERA['TENANT'] or django-tenants."))
            if text:
                command.stderr.write(text)
            yield
        except TesseraError as error:
            raise _describe(error) from error
        except Error as error:
            known = explain_mistake(error) or explain_trouble(error)
            if known is None:
                raise
            raise _describe(known) from error


def _describe(error: TesseraError) -> CommandError:
    if isinstance(error, TemporarilyUnavailable):
        return CommandError(
            _("%(reason)s Run this command again.") % {"reason": error.detail}, returncode=UNFINISHED
        )
    return CommandError(error.detail)


def _enter_tenant(stack: ExitStack, name: str | None, alias: str | None, *, by_table: bool) -> str:
    connection: Any = connections[find_database()]
    if read_schema(connection) is not None:
        if name is not None:
            stack.enter_context(_using_schema(connection, name))
        elif connection.schema_name in ("", find_public_schema()):
            raise CommandError(_(_UNDECIDED))
        return _("In the schema %(name)r.") % {"name": connection.schema_name}
    has_router = bool(django_settings.DATABASE_ROUTERS)
    if by_table and not has_router:
        if name is not None:
            raise CommandError(_(_SHARED) % {"name": find_database()})
        return _("In all tenants in the database %(name)r.") % {"name": find_database()}
    if name is not None:
        stack.enter_context(use_tenant(name))
        if has_router and alias is None and not _is_routed(name):
            raise CommandError(_(_UNROUTED) % {"name": name})
    elif not current_tenant() and not (by_table and alias):
        raise CommandError(_(_UNDECIDED))
    if by_table:
        return _("In the database %(name)r.") % {"name": find_database()}
    return _("In the tenant %(name)r.") % {"name": current_tenant()}


def _is_routed(name: str) -> bool:
    """Return whether the function of the project, and so probably its router, knows the chosen tenant."""
    find = get_settings().tenant
    return find is not None and find(None) == name


@contextmanager
def _using_schema(connection: Any, name: str) -> Iterator[None]:
    if name != find_public_schema() and not has_schema(connection.alias, name):
        raise CommandError(_("No tenant has the schema %(name)r.") % {"name": name})
    before = read_schema(connection)
    connection.set_schema(name)
    try:
        yield
    finally:
        enter_schema(connection, before)


def find_public_schema() -> str:
    """Return the schema of django-tenants that belongs to nobody."""
    return getattr(django_settings, "PUBLIC_SCHEMA_NAME", "public")


def has_schema(alias: str, name: str) -> bool:
    """Return whether a tenant of django-tenants has this schema.

    PostgreSQL would not complain about an unknown schema, and would use the tables of the public one.
    """
    model: str = getattr(django_settings, "TENANT_MODEL")  # noqa: B009 - a setting of django-tenants
    return bool(apps.get_model(model)._default_manager.using(alias).filter(**{_SCHEMA: name}).exists())
