"""The database of the tables, and the check for an open transaction in this database."""

from __future__ import annotations

from django.db import router, transaction

from drf_tessera.models import Session


def find_database() -> str:
    """Return the alias of the database for writes of sessions. Reads that need fresh data use it too."""
    return router.db_for_write(Session)


def is_in_transaction() -> bool:
    """Return whether an open transaction of this database could roll back a write.

    The transaction of a test case does not count, as in ``atomic(durable=True)``, because for the test a
    write inside that transaction is final.
    """
    connection = transaction.get_connection(find_database())
    if not connection.in_atomic_block:
        return not connection.get_autocommit()
    return not getattr(connection.atomic_blocks[-1], "_from_testcase", False)
