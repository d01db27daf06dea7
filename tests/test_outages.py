"""Trouble that passes is told from mistakes by the code of the database, or by its text."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, Error, InterfaceError, InternalError, OperationalError, ProgrammingError

from drf_tessera.outages import Trouble, diagnose

pytestmark = pytest.mark.once  # it makes the errors itself


def make(error: Error, **cause: Any) -> Error:
    """Return the error with a cause of a driver that has these attributes."""
    error.__cause__ = type("Cause", (Exception,), cause)()
    return error


@pytest.mark.parametrize(
    ("kind", "state", "expected"),
    [
        (OperationalError, "40001", Trouble.MOVED),
        (OperationalError, "40P01", Trouble.MOVED),
        (OperationalError, "55P03", Trouble.WAITED),
        (OperationalError, "57014", Trouble.WAITED),
        (InternalError, "25006", Trouble.UNUSABLE),
        (OperationalError, "53100", Trouble.UNUSABLE),
        (OperationalError, "53300", Trouble.UNUSABLE),
        (OperationalError, "57P01", Trouble.LOST),
        (OperationalError, "57P03", Trouble.LOST),
        (OperationalError, "08006", Trouble.LOST),
        (OperationalError, "08P01", Trouble.LOST),
        (ProgrammingError, "42P01", Trouble.TABLES),
        (ProgrammingError, "42601", None),
        (OperationalError, "28P01", None),
        (InternalError, "25P02", None),
    ],
)
@pytest.mark.parametrize("name", ["sqlstate", "pgcode"])
def test_postgresql_has_states(kind: type[Error], state: str, expected: Trouble | None, name: str) -> None:
    assert diagnose(make(kind("any text"), **{name: state})) is expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OperationalError("connection failed: Connection refused"), Trouble.LOST),
        (OperationalError("FATAL:  sorry, too many clients already"), Trouble.UNUSABLE),
        (OperationalError("FATAL:  query_wait_timeout"), Trouble.UNUSABLE),
        (OperationalError("couldn't get a connection after 30.00 sec"), Trouble.UNUSABLE),
        (OperationalError("FATAL:  password authentication failed for user"), None),
        (OperationalError('FATAL:  database "shop" does not exist'), None),
        (InterfaceError("connection already closed"), Trouble.LOST),
        (InterfaceError("the cursor is closed"), None),
        (ProgrammingError("the query has 0 placeholders"), None),
    ],
)
def test_a_connection_to_postgresql_has_no_state(error: Error, expected: Trouble | None) -> None:
    assert diagnose(make(error, sqlstate=None)) is expected
    assert diagnose(make(error, pgcode=None)) is expected


@pytest.mark.parametrize("name", ["PoolTimeout", "TooManyRequests"])
def test_a_pool_without_a_connection_to_spare_has_not_lost_one(name: str) -> None:
    """Its health checks give up without a text."""
    error = OperationalError()
    error.__cause__ = getattr(pytest.importorskip("psycopg_pool"), name)()
    assert diagnose(error) is Trouble.UNUSABLE


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OperationalError(1213, "Deadlock found"), Trouble.MOVED),
        (OperationalError(1205, "Lock wait timeout exceeded"), Trouble.WAITED),
        (OperationalError(2002, "Can't connect"), Trouble.LOST),
        (OperationalError(2003, "Can't connect"), Trouble.LOST),
        (OperationalError(2006, "gone away"), Trouble.LOST),
        (OperationalError(2013, "Lost connection"), Trouble.LOST),
        (OperationalError(1040, "Too many connections"), Trouble.UNUSABLE),
        (OperationalError(1836, "Running in read-only mode"), Trouble.UNUSABLE),
        (OperationalError(1290, "running with the --read-only option"), Trouble.UNUSABLE),
        (OperationalError(1290, "running with the --skip-grant-tables option"), None),
        (OperationalError(1021, "Disk full"), Trouble.UNUSABLE),
        (OperationalError(1114, "The table is full"), Trouble.UNUSABLE),
        (OperationalError(1030, "Got error 28 from storage engine"), Trouble.UNUSABLE),
        (OperationalError(1030, "Got error 122 from storage engine"), None),
        (InterfaceError(0, ""), Trouble.LOST),
        (OperationalError(0, ""), None),
        (ProgrammingError(1146, "Table 'x' doesn't exist"), Trouble.TABLES),
        (ProgrammingError(1064, "You have an error in your SQL syntax"), None),
        (OperationalError(1045, "Access denied for user"), None),
    ],
)
def test_mariadb_has_numbers(error: Error, expected: Trouble | None) -> None:
    assert diagnose(error) is expected
    assert diagnose(make(error, sqlstate="HY000")) is expected  # PyMySQL says so for most errors


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OperationalError("attempt to write a readonly database"), Trouble.UNUSABLE),
        (OperationalError("database or disk is full"), Trouble.UNUSABLE),
        (OperationalError("unable to open database file"), Trouble.UNUSABLE),
        (OperationalError("disk I/O error"), Trouble.UNUSABLE),
        (OperationalError("database is locked"), Trouble.WAITED),
        (OperationalError("database table is locked: tessera_session"), Trouble.WAITED),
        (OperationalError("no such table: tessera_session"), Trouble.TABLES),
        (OperationalError('near "SELEC": syntax error'), None),
        (DatabaseError("Save with update_fields did not affect any rows."), None),
        (InterfaceError("connection already closed"), Trouble.LOST),
    ],
)
def test_sqlite_and_django_have_texts(error: Error, expected: Trouble | None) -> None:
    assert diagnose(error) is expected


def test_an_error_that_no_database_raised() -> None:
    assert diagnose(ConnectionError("disk is full")) is None
    assert diagnose(None) is None
