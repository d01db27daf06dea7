"""The id of this installation: random, in one row of the database, and part of the default ``iss``.

Two installations can have one ``SECRET_KEY``: staging beside production, or one database for each customer. A
primary key names another person there. So an access token has to name the installation that issued it.

The id is in the database and not in a file or a setting, because the primary keys of the users are there. A
restored backup keeps its tokens valid, and a new database refuses the tokens of the old one. Each process
reads the id once, in a thread of the crew, because the database may hang (:mod:`drf_tessera.workers`).
"""

from __future__ import annotations

import secrets
from datetime import datetime
from functools import partial
from typing import Any, Final

from django.apps import AppConfig
from django.db import Error, ProgrammingError, router
from django.db.models import QuerySet
from django.db.models.signals import post_migrate
from django.db.transaction import TransactionManagementError
from django.utils import timezone
from django.utils.translation import gettext_noop

from drf_tessera.conf import MAX_TENANTS, as_tenant, current_tenant, forget_settings, get_settings
from drf_tessera.database import (
    after_transaction,
    explain_mistake,
    find_database,
    has_table,
    is_in_transaction,
    persist,
    read_calmly,
)
from drf_tessera.exceptions import ProjectError, TemporarilyUnavailable
from drf_tessera.forks import after_fork
from drf_tessera.models import Installation
from drf_tessera.workers.readers import RowReader

_ONLY: Final = 1
"""The primary key of the only row."""

_BYTES: Final = 16

_known: Final[dict[str, str]] = {}
"""The ids that this process has read, by tenant, because each tenant may have a database or a schema."""

_readers: Final[dict[str, RowReader[str]]] = {}
"""The readers of ids that this process does not know yet, by tenant."""

after_fork(_readers.clear)  # a thread of the parent may hold a lock of theirs


def read_installation_id() -> str:
    """Return the id of this installation. Only the first call of a process and tenant makes a query.

    The row is created if it is missing, for example after a flush.

    Raises:
        TemporarilyUnavailable: the database does not answer. The next call tries again.
        ProjectError: the table is missing (``MigrationMissing``), or cannot be read.
    """
    tenant = current_tenant()
    found = _known.get(tenant)
    if found is None:
        found = _find_reader(tenant).read()
    return found


def read_installation() -> tuple[str, datetime] | None:
    """Return the id and the time of its creation from the database, or ``None`` if there is no row yet.

    Raises:
        TemporarilyUnavailable: the database does not answer.
        ProjectError: the table is missing (``MigrationMissing``), or cannot be read.
    """
    try:
        row = _rows(find_database()).first()
    except Error as error:
        raise _translate(error) from error
    return None if row is None else (row.name, row.created_at)


def renew_installation() -> str:
    """Write another id for this installation, and return the id.

    This is for a copy of another installation. Each client has to refresh its access token once. Other
    processes use the old id until they are restarted.

    Raises:
        TemporarilyUnavailable: the database does not answer.
        ProjectError: the table is missing (``MigrationMissing``), or cannot be read.
    """
    name = _make()
    try:
        _rows(find_database()).update_or_create(
            pk=_ONLY, defaults={"name": name, "created_at": timezone.now()}
        )
    except Error as error:
        raise _translate(error) from error
    _known.pop(current_tenant(), None)
    forget_settings(setting="TESSERA")  # and with them the tokens that were verified under the old id
    return name


def connect(config: AppConfig) -> None:
    """Create the row after each ``migrate`` and ``flush``. The app calls this once, when it is ready."""
    post_migrate.connect(_follow_migrate, sender=config, dispatch_uid="drf_tessera.installation")


def _follow_migrate(*, using: str, **kwargs: Any) -> None:
    """Create the row in a database that has the table.

    The id that this process knows is used again. So the tokens of a test stay valid after a flush.
    """
    if not router.allow_migrate_model(using, Installation):
        return
    if not has_table(using, Installation):
        return  # the app was migrated backwards
    ours, tenant = using == find_database(), current_tenant()
    found = _create(using, (_known.get(tenant) if ours else None) or _make())
    if ours:
        _remember(tenant, found)


def _remember(tenant: str, name: str) -> None:
    if len(_known) >= MAX_TENANTS:
        _known.clear()
    _known[tenant] = name


def _find_reader(tenant: str) -> RowReader[str]:
    """Return the reader that all threads of a tenant share."""
    found = _readers.get(tenant)
    if found is None:
        settings = get_settings()
        found = RowReader(
            partial(_read, tenant),
            poll=settings.revocation_poll.total_seconds(),
            staleness=settings.revocation_max_staleness.total_seconds(),
        )
        if len(_readers) >= MAX_TENANTS:
            _readers.clear()
        found = _readers.setdefault(tenant, found)
    return found


def _read(tenant: str) -> str:
    """Read the id of a tenant, or create it."""
    with as_tenant(tenant):
        try:
            found = read_calmly(_select) or _create_ours()
        except Error as error:
            raise _translate(error) from error
    _remember(tenant, found)
    _readers.pop(tenant, None)
    return found


def _make() -> str:
    return secrets.token_urlsafe(_BYTES)


def _rows(using: str) -> QuerySet[Installation]:
    return Installation._default_manager.using(using)


def _select() -> str | None:
    return _rows(find_database()).values_list("name", flat=True).first()


def _create(using: str, name: str) -> str:
    """Insert the row, unless another process has done so, and return the id of the row."""
    row = Installation(pk=_ONLY, name=name, created_at=timezone.now())
    _rows(using).bulk_create([row], ignore_conflicts=True)
    return _rows(using).values_list("name", flat=True).get()


def _create_ours() -> str:
    found = persist(partial(_create, find_database(), _make()))
    if is_in_transaction():
        # The caller's transaction may be rolled back, and the row with it.
        after_transaction(partial(_known.pop, current_tenant(), None))
    return found


def _translate(error: Error) -> ProjectError | TemporarilyUnavailable:
    """Return our error for an error of the database."""
    missing = explain_mistake(error)
    if missing is not None:
        return missing
    if isinstance(error, ProgrammingError) and not isinstance(error, TransactionManagementError):
        return ProjectError(f"The table {Installation._meta.db_table} cannot be read. ({error})")
    return TemporarilyUnavailable(gettext_noop("The database does not answer at the moment; try again."))
