"""The database of the sessions: its name, its transactions, its contention and its limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from django.core.exceptions import ValidationError
from django.db import DataError, OperationalError, router, transaction

from drf_tessera.exceptions import RefreshContended, TemporarilyUnavailable
from drf_tessera.models import Session

T = TypeVar("T")

MAX_ATTEMPTS: Final = 10
"""How often a write is tried when another writer was faster."""

_MOVED: Final = frozenset({"40001", "40P01", 1020, 1213})
"""A serialization failure or deadlock of PostgreSQL; a changed record or deadlock of MariaDB."""

_WAITED: Final = frozenset({"55P03", 1205})
"""The lock timeouts of the same servers. SQLite has no number, only the text "locked"."""


def find_database() -> str:
    """Return the alias of the database that sessions are written to. Critical reads use it too."""
    return router.db_for_write(Session)


# -- Transactions ----------------------------------------------------------------------------------


def is_in_transaction() -> bool:
    """Return whether an open transaction could still roll back a write that is made now.

    The transaction of a test case does not count, as for ``atomic(durable=True)``.
    """
    connection = transaction.get_connection(find_database())
    if not connection.in_atomic_block:
        return not connection.get_autocommit()
    return not getattr(connection.atomic_blocks[-1], "_from_testcase", False)


@contextmanager
def savepoint() -> Iterator[None]:
    """Keep the caller's transaction usable after an error in the block. Without a transaction, do nothing."""
    using = find_database()
    if transaction.get_connection(using).in_atomic_block:
        with transaction.atomic(using=using):
            yield
    else:
        yield


# -- Contention ------------------------------------------------------------------------------------


def persist(action: Callable[[], T]) -> T:
    """Call ``action``, a write that can be repeated, until no other writer is in its way.

    Inside a transaction of the caller's, call ``action`` once and let its errors pass, because only the whole
    transaction can be repeated.

    Raises:
        TemporarilyUnavailable: another writer was faster each time, or held its lock for too long.
    """
    if is_in_transaction():
        return action()
    for _ in range(MAX_ATTEMPTS):
        try:
            with translated_contention():
                return action()
        except RefreshContended:
            continue
    raise TemporarilyUnavailable


@contextmanager
def translated_contention() -> Iterator[None]:
    """Translate the errors that a database raises because of other writers. Other errors pass unchanged.

    Raises:
        RefreshContended: another writer was faster. Read again at once.
        TemporarilyUnavailable: another writer held the row for longer than the database waits.
    """
    try:
        yield
    except OperationalError as error:
        code = getattr(error.__cause__, "sqlstate", None) or (error.args[0] if error.args else None)
        if code in _MOVED:
            raise RefreshContended from error
        if code in _WAITED or "database is locked" in str(error):
            raise TemporarilyUnavailable from error
        raise


def read_calmly(read: Callable[[], T]) -> T:
    """Call ``read``, a query that must not fail because of the state of the connection."""
    return read()


# -- Limits ----------------------------------------------------------------------------------------

UNREADABLE: Final = (ValueError, TypeError, ArithmeticError, ValidationError, DataError)
"""The errors of Django's fields and of databases for a value that a column cannot read."""

_FOREIGN_LETTERS: Final = frozenset({1267, 1366, 3988})
"""Errors of MariaDB and MySQL for letters that are not in the character set of a column."""


@contextmanager
def suppress_unreadable() -> Iterator[None]:
    """Suppress the errors of :func:`is_unreadable`, as ``contextlib.suppress`` does for classes of errors."""
    try:
        yield
    except Exception as error:
        if not is_unreadable(error):
            raise


def is_unreadable(error: Exception) -> bool:
    """Return whether an error of a query says that a column cannot read or hold one of its values.

    An integer column cannot read "anna". A column of MariaDB in latin1 or utf8mb3 cannot read an emoji.
    """
    if isinstance(error, OperationalError):
        return bool(error.args) and error.args[0] in _FOREIGN_LETTERS
    return isinstance(error, UNREADABLE)
