"""Tell a database that cannot be used at the moment from a mistake of the project.

Drivers raise both as the same classes: "no such table" and "disk is full" are each an ``OperationalError``
of SQLite, and "read-only transaction" is an ``InternalError`` of PostgreSQL. So the code of the database
decides, or the text where there is no code. An error that is in no list here is a mistake and stays visible.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Any, Final

from django.db import Error, InterfaceError, OperationalError


class Trouble(Enum):
    """The kinds of trouble with a database."""

    MOVED = auto()
    """Another writer was faster. The statement may succeed at once."""
    WAITED = auto()
    """Another writer held its lock for too long, or the statement took too long."""
    LOST = auto()
    """There is no connection, or the connection has died. Another connection may work."""
    UNUSABLE = auto()
    """The database answers, but it is read-only or full, or it has no connection to spare."""
    TABLES = auto()
    """A table or a column does not exist: ``manage.py migrate`` was not run."""


_STATES: Final = {
    "40001": Trouble.MOVED,  # serialization failure
    "40P01": Trouble.MOVED,  # deadlock
    "55P03": Trouble.WAITED,  # lock_timeout
    "57014": Trouble.WAITED,  # statement_timeout
    "25P03": Trouble.LOST,  # idle_in_transaction_session_timeout
    "57P01": Trouble.LOST,  # the server shuts down
    "57P02": Trouble.LOST,  # the server crashed
    "57P03": Trouble.LOST,  # the server starts or stops
    "57P05": Trouble.LOST,  # idle_session_timeout
    "25006": Trouble.UNUSABLE,  # read-only
    "58030": Trouble.UNUSABLE,  # input or output failed
    "42P01": Trouble.TABLES,
    "42703": Trouble.TABLES,
}
"""States of PostgreSQL."""

_CLASSES: Final = {
    "08": Trouble.LOST,  # the connection; PgBouncer uses this class too
    "53": Trouble.UNUSABLE,  # disk, memory or connections are used up
}
"""The first two letters of states of PostgreSQL."""

_NUMBERS: Final = {
    **dict.fromkeys((1020, 1213), Trouble.MOVED),  # changed record, deadlock
    **dict.fromkeys((1205, 1317, 1969, 3024), Trouble.WAITED),  # lock timeout, interrupted, execution time
    **dict.fromkeys(
        (1053, 1152, 1158, 1159, 1160, 1161, 1184, 1927), Trouble.LOST
    ),  # shutdown, network, killed
    **dict.fromkeys((2002, 2003, 2006, 2013, 2055, 4031), Trouble.LOST),  # of the client: refused, gone away
    **dict.fromkeys((1040, 1203), Trouble.UNUSABLE),  # too many connections
    **dict.fromkeys((1792, 1836), Trouble.UNUSABLE),  # read-only
    **dict.fromkeys((3, 1021, 1026, 1114), Trouble.UNUSABLE),  # disk or table full
    **dict.fromkeys((1047,), Trouble.UNUSABLE),  # a node of a cluster that is not ready
    **dict.fromkeys((1054, 1146), Trouble.TABLES),
}
"""Numbers of errors of MariaDB and MySQL."""

_TEXTS: Final = (
    ("database is locked", Trouble.WAITED),
    ("table is locked", Trouble.WAITED),
    ("readonly database", Trouble.UNUSABLE),
    ("disk is full", Trouble.UNUSABLE),
    ("unable to open database file", Trouble.UNUSABLE),
    ("disk i/o error", Trouble.UNUSABLE),
    ("no such table", Trouble.TABLES),
    ("no such column", Trouble.TABLES),
    ("has no column named", Trouble.TABLES),
    ("connection already closed", Trouble.LOST),  # Django's own, and psycopg2
)
"""Texts of SQLite, which has no number in the arguments of its errors."""

_MISTAKES: Final = ("authentication failed", "no pg_hba.conf entry", "does not exist", "no password supplied")
"""Texts of a connection to PostgreSQL that no repetition makes. libpq gives such an error no state."""

_WAITED_IN_VAIN: Final = (
    "query_wait_timeout",
    "sorry, too many clients",
    "couldn't get a connection after",
)
"""Texts of PgBouncer, PostgreSQL and psycopg's pool: there was no connection to spare."""

_POOL: Final = "psycopg_pool"
"""The package whose own errors say that there was no connection to spare. Some of them have no text."""

_PREVENTED: Final = 1290
"""MariaDB: an option of the server prevents the statement. Only ``read_only`` is a trouble that passes."""

_ENGINE: Final = 1030
"""MariaDB: an error of the storage engine, with the number of the system in its text. 28 is a full disk."""


def diagnose(error: BaseException | None) -> Trouble | None:
    """Return the trouble that an error of Django's database layer tells of; ``None`` for any other error."""
    if not isinstance(error, Error):
        return None
    text = str(error).lower()
    if error.args and isinstance(error.args[0], int):
        # First, because PyMySQL has states too, and most of its states say nothing.
        return _read_number(error, error.args[0], text)
    cause: Any = error.__cause__
    if type(cause).__module__.startswith(_POOL) or any(part in text for part in _WAITED_IN_VAIN):
        return Trouble.UNUSABLE
    if hasattr(cause, "sqlstate") or hasattr(cause, "pgcode"):
        state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
        return _read_state(state) if state else _read_connection(error, text)
    return next((trouble for part, trouble in _TEXTS if part in text), None)


def _read_state(state: str) -> Trouble | None:
    return _STATES.get(state) or _CLASSES.get(state[:2])


def _read_connection(error: Error, text: str) -> Trouble | None:
    """Read an error of psycopg without a state: it concerns the connection, which gave no answer."""
    if any(part in text for part in _MISTAKES):
        return None
    closed = isinstance(error, InterfaceError) and "connection" in text
    return Trouble.LOST if closed or isinstance(error, OperationalError) else None


def _read_number(error: Error, number: int, text: str) -> Trouble | None:
    if number == _PREVENTED:
        return Trouble.UNUSABLE if "read-only" in text or "read_only" in text else None
    if number == _ENGINE:
        return Trouble.UNUSABLE if "28" in text else None
    if number == 0:  # PyMySQL: the connection was closed before
        return Trouble.LOST if isinstance(error, InterfaceError) else None
    return _NUMBERS.get(number)
