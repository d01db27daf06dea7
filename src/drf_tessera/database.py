"""Which database the tables are in, and whether what is written there now could still be undone."""

from __future__ import annotations

from django.db import router, transaction

from drf_tessera.models import Session


def find_database() -> str:
    """Name the database that sessions are written to, and read from when it matters."""
    return router.db_for_write(Session)


def is_in_transaction() -> bool:
    """Tell whether a transaction is open there that could roll back what is written now.

    A test case's own transaction does not count, as for ``atomic(durable=True)``: to a test, what is
    written in it is written.
    """
    connection = transaction.get_connection(find_database())
    if not connection.in_atomic_block:
        return not connection.get_autocommit()
    return not getattr(connection.atomic_blocks[-1], "_from_testcase", False)
