"""The database of the sessions: its name, its transactions, its contention and its limits."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, Final, NamedTuple, TypeVar

from django.core.exceptions import ValidationError
from django.db import (
    DataError,
    Error,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
    connections,
    router,
    transaction,
)
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

from drf_tessera.exceptions import (
    DatabaseUnavailable,
    MigrationMissing,
    RefreshContended,
    TemporarilyUnavailable,
)
from drf_tessera.models import Session
from drf_tessera.outages import Trouble, diagnose

T = TypeVar("T")

logger: Final = logging.getLogger(__name__)

MAX_ATTEMPTS: Final = 10
"""How often a write is tried when another writer was faster."""


_chosen: ContextVar[str | None] = ContextVar("drf_tessera_database", default=None)


def find_database() -> str:
    """Return the alias of the database that sessions are written to. Critical reads use it too."""
    return _chosen.get() or router.db_for_write(Session)


def has_table(using: str, model: type[Model]) -> bool:
    """Return whether the database ``using`` has the table of ``model``: the migrations were run there."""
    return model._meta.db_table in connections[using].introspection.table_names()


@contextmanager
def using_database(alias: str) -> Iterator[None]:
    """Use the database ``alias`` in the block, and do not ask the routers of the project.

    This is for a thread that works for a request. A router that looks at the request would not find it there.
    """
    mark = _chosen.set(alias)
    try:
        yield
    finally:
        _chosen.reset(mark)


# -- Transactions ----------------------------------------------------------------------------------


def is_in_transaction() -> bool:
    """Return whether an open transaction could still roll back a write that is made now.

    The transaction of a test case does not count, as for ``atomic(durable=True)``.
    """
    connection = transaction.get_connection(find_database())
    if connection.in_atomic_block:
        return not _is_of_test_case(connection.atomic_blocks[-1])
    return _is_bound(connection)  # get_autocommit() would connect, to a database that may hang


def is_alone() -> bool:
    """Return whether another connection cannot see what this thread's connection sees.

    This is so in the transaction of a test case, which is never committed, and for SQLite in memory.
    """
    connection = transaction.get_connection(find_database())
    in_memory = getattr(connection, "is_in_memory_db", bool)  # only the class for SQLite has this method
    return any(map(_is_of_test_case, connection.atomic_blocks)) or in_memory()


def _is_of_test_case(block: object) -> bool:
    return getattr(block, "_from_testcase", False)


@contextmanager
def savepoint() -> Iterator[None]:
    """Keep the caller's transaction usable after an error in the block. Without a transaction, do nothing."""
    using = find_database()
    if transaction.get_connection(using).in_atomic_block:
        with transaction.atomic(using=using):
            yield
    else:
        yield


def is_managed_by_hand() -> bool:
    """Return whether the project commits by itself, because it has switched autocommit off.

    Django has no callback at the end of such a transaction.
    """
    connection = transaction.get_connection(find_database())
    return not (connection.commit_on_exit if connection.in_atomic_block else connection.get_autocommit())


@contextmanager
def undone() -> Iterator[None]:
    """Keep no write of the block, for code that explains and changes nothing."""
    using = find_database()
    with transaction.atomic(using=using):
        try:
            yield
        finally:
            transaction.set_rollback(True, using=using)


def is_transaction_lost() -> bool:
    """Return whether the open transaction takes no statement. MariaDB undoes all of it at a deadlock."""
    connection = transaction.get_connection(find_database())
    return bool(connection.in_atomic_block and connection.needs_rollback)


@contextmanager
def foreign_savepoint() -> Iterator[None]:
    """Keep the caller's transaction usable after an error in the block, but not that of a test case.

    The normal refresh is one statement outside of a transaction, and in a test case too.
    """
    if is_in_transaction():
        with transaction.atomic(using=find_database()):
            yield
    else:
        yield


def at_commit(action: Callable[[], object]) -> None:
    """Call ``action`` after the commit of the open transaction, before the callbacks of the project.

    Django drops all callbacks that follow one that raises an error, and a slow one delays them. An error of
    ``action`` is logged, so the callbacks of the project are called in any case.
    """
    connection = transaction.get_connection(find_database())
    transaction.on_commit(action, using=connection.alias, robust=True)
    # In a test case, captureOnCommitCallbacks() knows the callbacks of its block by their place in the list.
    if not any(map(_is_of_test_case, connection.atomic_blocks)):
        callbacks = connection.run_on_commit
        callbacks.insert(0, callbacks.pop())


def after_transaction(action: Callable[[], object]) -> None:
    """Call ``action`` when the caller's transaction has ended, by a commit or by a rollback.

    The transaction of a test case does not count, as for :func:`is_in_transaction`. An error of ``action`` is
    logged.
    """
    connection = transaction.get_connection(find_database())
    of_tests = sum(map(_is_of_test_case, connection.atomic_blocks))
    savepoint = connection.savepoint_ids[of_tests - 1] if of_tests else None
    if of_tests and savepoint is None:
        return  # Django rolls back the whole test instead
    watch = vars(connection).get(_WATCH)
    if watch is None:
        watch = vars(connection)[_WATCH] = _Watch(connection, savepoint)
    watch.actions.append(action)


_WATCH: Final = "_tessera_watch"
"""The attribute of a connection that holds its :class:`_Watch`."""


class _Watch:
    """Waits for the end of the open transaction of a connection.

    Django calls back after a commit, and not after a rollback. But it calls certain methods of the connection
    at the end of each transaction, and the watch replaces such a method until then:

    - ``set_autocommit`` at the end of a transaction
    - ``savepoint_commit`` at the end of a transaction inside that of a test case, after a rollback too
    """

    def __init__(self, connection: BaseDatabaseWrapper, savepoint: str | None) -> None:
        self.actions: list[Callable[[], object]] = []
        self._connection: Any = connection  # Any: its methods are replaced
        self._savepoint = savepoint
        self._name = "savepoint_commit" if savepoint else "set_autocommit"
        self._before = vars(connection).get(self._name)
        self._plain = getattr(connection, self._name)
        setattr(connection, self._name, self._call)

    def _call(self, *args: Any, **kwargs: Any) -> None:
        try:
            self._plain(*args, **kwargs)
        finally:
            if args == (self._savepoint,) if self._savepoint else self._connection.autocommit:
                self._finish()

    def _finish(self) -> None:
        del vars(self._connection)[_WATCH]
        delattr(self._connection, self._name)
        if self._before is not None:
            setattr(self._connection, self._name, self._before)
        for action in self.actions:
            try:
                action()
            except Exception:
                logger.exception("An action after the end of a transaction failed.")


_UNUSABLE: Final = (OperationalError, InterfaceError, InternalError, ProgrammingError)
"""The errors of Django and of the drivers if a connection or its transaction cannot be used."""


def read_calmly(read: Callable[[], T]) -> T:
    """Call ``read``, which makes a query, even if the connection is not usable at the moment.

    A lazy user is loaded when somebody looks at the user. That may be inside a transaction that is broken or
    marked for a rollback, where a user that was loaded before would need no query.

    Args:
        read: makes a query in the database of the sessions, and changes nothing. It may be called again.

    Raises:
        DatabaseError: the database does not answer on another connection either.
    """
    connection = transaction.get_connection(find_database())
    if connection.in_atomic_block and connection.needs_rollback:
        return _read_in_marked_transaction(connection, read)
    bound, kept = _is_bound(connection), connection.connection is not None
    try:
        return read()
    except _UNUSABLE as error:
        came_dead = _is_pooled(connection) and diagnose(error) is Trouble.LOST
        if not (bound or kept or came_dead):
            raise  # a server that hangs would let the repetition wait for as long again
    # The server has aborted the transaction, or the connection was opened before the server restarted.
    with _aside(connection) if bound else _replacing(connection):
        return read()


def _read_in_marked_transaction(connection: BaseDatabaseWrapper, read: Callable[[], T]) -> T:
    """Read while a transaction only waits for its rollback.

    REST framework marks the transaction of each refused request (``ATOMIC_REQUESTS``). Most such transactions
    can still read. If the server refuses, the read gets a connection of its own.
    """
    connection.needs_rollback = False
    try:
        return read()
    except _UNUSABLE:
        with _aside(connection):
            return read()
    finally:
        connection.needs_rollback = True


@contextmanager
def _aside(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Use a connection that exists only for the block, in the place of the one in trouble.

    It does not come from a pool: if each thread holds a connection of the pool, there is none to spare. And
    after a restart of the server, the next connection of the pool may be dead too.
    """
    other = connection.copy()
    other.settings_dict["OPTIONS"].pop("pool", None)
    enter_schema(other, read_schema(connection))
    connections[connection.alias] = other
    try:
        yield
    finally:
        connections[connection.alias] = connection
        other.close()


Schema = tuple[Any, bool] | None
"""The arguments of ``set_tenant`` of a connection of django-tenants. ``None`` for any other connection."""


def read_schema(connection: Any) -> Schema:
    """Return the schema that a connection uses."""
    uses = hasattr(connection, "set_tenant")
    return (connection.tenant, connection.include_public_schema) if uses else None


def enter_schema(connection: Any, schema: Schema) -> None:
    """Use a schema on a new connection.

    A new connection of django-tenants uses the public schema, where a primary key is another person.
    """
    if schema is not None:
        connection.set_tenant(*schema)


class Place(NamedTuple):
    """Where the tables are: a database, and a schema in it."""

    alias: str
    schema: Schema
    name: str
    """Tells this place from all others."""


def find_place() -> Place:
    """Return the place of the tables that this thread uses at the moment."""
    alias = find_database()
    connection: Any = connections[alias]
    schema = read_schema(connection)
    return Place(alias, schema, alias if schema is None else f"{alias}\n{connection.schema_name}")


def name_place() -> str:
    """Return the name of :func:`find_place`. Tenants that share their tables have one name."""
    return find_place().name


# -- Contention and outages ------------------------------------------------------------------------


def persist(action: Callable[[], T], *, repeatable: bool = True) -> T:
    """Call ``action``, a write, until no other writer is in its way.

    Inside a transaction of the caller's, call ``action`` once and let its errors pass, because only the whole
    transaction can be repeated.

    Args:
        action: the write.
        repeatable: whether a repeated call does no harm, although the first call may have been committed. If
            so, a connection that died costs a repetition (:func:`outlive_restart`).

    Raises:
        TemporarilyUnavailable: another writer was faster each time, or held its lock for too long.
        DatabaseUnavailable: the database cannot be used.
    """
    if is_in_transaction():
        return action()
    for _ in range(MAX_ATTEMPTS):
        try:
            with translated_trouble():
                return outlive_restart(action) if repeatable else action()
        except RefreshContended:
            continue
    raise TemporarilyUnavailable


def outlive_restart(action: Callable[[], T]) -> T:
    """Call ``action``. If its connection turns out to be dead, call it once more, on a new connection.

    A process may keep its connections (``CONN_MAX_AGE``, a pool), and finds out with the next statement that
    the server was restarted. A connection that was opened for the action is not replaced, because the server
    is away then. One that a pool handed out is replaced. Inside a transaction the action is called once.

    Args:
        action: a read, or a write that compares and swaps. The connection may have died after the commit and
            before its answer, so a repetition must do no harm. The repeated swap of a refresh finds the row
            moved, and the grace window answers it like any other repetition.
    """
    connection = transaction.get_connection(find_database())
    bound, kept = _is_bound(connection), connection.connection is not None
    try:
        return action()
    except (Error, DatabaseUnavailable) as error:
        found = error.__cause__ if isinstance(error, DatabaseUnavailable) else error
        if bound or not (kept or _is_pooled(connection)) or diagnose(found) is not Trouble.LOST:
            raise
    with _replacing(connection):
        return action()


def revive_connection() -> None:
    """Replace a connection that has died while nobody used it.

    This is for an action that cannot be repeated, such as a login with backends of the project. It costs a
    round trip if the process keeps its connections, and nothing otherwise.
    """
    using = find_database()
    connection = transaction.get_connection(using)
    if _is_bound(connection):
        return
    if _is_pooled(connection) and not connection.settings_dict["CONN_HEALTH_CHECKS"]:
        connection.ensure_connection()  # take one out of the pool, to look at it
    if connection.connection is not None and not connection.is_usable():
        with _replacing(connection):
            transaction.get_connection(using).ensure_connection()


@contextmanager
def _replacing(connection: Any) -> Iterator[None]:
    """Use a new connection in the block, because the one in hand has died.

    A pool may hold others that died at the same moment, and it waits if the server is away. So the block gets
    a connection from elsewhere. If the block succeeds, the server is back, and the pool drops what is dead.
    """
    with suppress(Error):  # some drivers refuse to close what is closed
        connection.close()
    if not _is_pooled(connection):
        yield
        return
    with _aside(connection):
        yield
    pool = connection.pool
    if not pool.closed:  # one that somebody closed meanwhile is a new one, which is not open yet
        pool.check()


def _is_bound(connection: BaseDatabaseWrapper) -> bool:
    """Return whether a statement on a connection belongs to a transaction that somebody else ends."""
    if connection.connection is None and not connection.in_atomic_block:
        return not connection.settings_dict["AUTOCOMMIT"]  # the attribute is not set before the first use
    return connection.in_atomic_block or not connection.autocommit


def _is_pooled(connection: BaseDatabaseWrapper) -> bool:
    """Return whether Django takes this connection out of a pool of psycopg."""
    return connection.vendor == "postgresql" and bool(connection.settings_dict["OPTIONS"].get("pool"))


@contextmanager
def translated_trouble() -> Iterator[None]:
    """Translate the errors of a database that is busy or cannot be used. Other errors pass unchanged.

    Raises:
        RefreshContended: another writer was faster. Read again at once.
        TemporarilyUnavailable: another writer held the row for longer than the database waits.
        DatabaseUnavailable: the database cannot be used.
    """
    try:
        yield
    except Error as error:
        trouble = explain_trouble(error)
        if trouble is None:
            raise
        raise trouble from error


def explain_trouble(error: Error) -> TemporarilyUnavailable | None:
    """Return the error to raise for an error of a database that is busy or cannot be used, or ``None``.

    The answer to a client does not say what is wrong, so that goes to the log.
    """
    trouble = diagnose(error)
    if trouble is Trouble.MOVED:
        return RefreshContended()
    if trouble is Trouble.WAITED:
        return TemporarilyUnavailable()
    if trouble in (Trouble.LOST, Trouble.UNUSABLE):
        logger.error("The database cannot be used: %s", str(error).partition("\n")[0])
        return DatabaseUnavailable()
    return None


def explain_mistake(error: Error) -> MigrationMissing | None:
    """Return the error to raise for a table or a column that does not exist. No repetition helps there."""
    if diagnose(error) is not Trouble.TABLES:
        return None
    text = str(error).partition("\n")[0]
    return MigrationMissing(f"{MigrationMissing.default_detail} ({text})")


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
