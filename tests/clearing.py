"""Clear the tables after a test that commits, in a tenth of the time of Django's ``flush``.

``flush`` empties every table, and then each app writes its permissions and content types again: that takes
longer than most tests. This module empties only the tables that the test filled. If the test changed a row
that the migrations wrote, the real ``flush`` follows. It writes these rows again, with other primary keys.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import TransactionTestCase

Rows: TypeAlias = list[tuple[Any, ...]]

_case: Any = TransactionTestCase  # Any: its methods are private
_flush = _case._fixture_teardown

_fresh: dict[str, dict[str, Rows]] = {}
"""The rows that the migrations wrote: for each database the tables that are not empty."""


def install() -> None:
    """Make Django clear the tables in this way after each test that commits."""
    _case._fixture_teardown = _clear_all


def remember() -> None:
    """Read the rows that the migrations wrote. Call this before the first test and after each ``flush``."""
    for alias in connections:
        connection = connections[alias]
        _fresh[alias] = {table: _read(connection, table) for table in _find_filled(connection)}


def _clear_all(test: Any) -> None:
    aliases = test._databases_names(include_mirrors=False)
    ordinary = test.available_apps is None and not test.serialized_rollback
    if ordinary and all(_clear(connections[alias]) for alias in aliases):
        return
    _flush(test)
    if ordinary:
        remember()


def _clear(connection: BaseDatabaseWrapper) -> bool:
    """Delete the rows of the tables that a test filled.

    Return whether all other tables are as the migrations left them.
    """
    fresh = _fresh.get(connection.alias)
    if fresh is None:
        return False
    filled = _find_filled(connection)
    if not fresh.keys() <= filled or any(_read(connection, table) != rows for table, rows in fresh.items()):
        return False
    # With the constraints checked at the end or not at all, the order of the tables does not matter.
    with (
        connection.constraint_checks_disabled(),
        transaction.atomic(connection.alias),
        connection.cursor() as cursor,
    ):
        for table in filled - fresh.keys():
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(table)}")  # noqa: S608 - a model's
    return True


def _find_filled(connection: BaseDatabaseWrapper) -> set[str]:
    """Return the tables of models that have a row."""
    tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
    asked = [
        f"SELECT '{table}' FROM (SELECT 1 AS one) ones WHERE EXISTS"  # noqa: S608 - names of models
        f" (SELECT 1 FROM {connection.ops.quote_name(table)})"
        for table in tables
    ]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(asked))
        return {name for (name,) in cursor.fetchall()}


def _read(connection: BaseDatabaseWrapper, table: str) -> Rows:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)} ORDER BY 1")  # noqa: S608 - a model's
        return list(cursor.fetchall())
