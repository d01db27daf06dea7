"""PostgreSQL is down, restarted, read-only, full, without a connection to spare, or finds a deadlock."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from threading import Thread
from typing import Any

import psycopg
import pytest

from tests.outages import endpoints
from tests.outages.endpoints import ask, log_everybody_in, log_in, repeat
from tests.outages.private import Private, prepare, serve_on, tiny_disk
from tests.servers import PATIENCE, call, wait_until

FILL = "INSERT INTO filler SELECT repeat('x', 1000) FROM generate_series(1, %s)"

pytestmark = [pytest.mark.server, pytest.mark.once]  # they have their own databases


@pytest.fixture(scope="module")
def server(postgres: Private, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_on(postgres.describe(), tmp_path_factory.mktemp("server")) as found:
        yield found


def test_down(postgres: Private, server: str) -> None:
    grants = log_everybody_in(server)
    postgres.stop()
    for _ in range(15):  # more than the limit of failed logins: none of them counts
        ask(server, grants, "down")
    postgres.start()
    repeat(server, grants)


def test_restarted(postgres: Private, server: str) -> None:
    """Each thread of the server keeps a connection that is dead afterwards, and replaces it once."""
    grants = log_everybody_in(server)
    for _ in range(2):
        postgres.stop()
        postgres.start()
        ask(server, grants, "restarted")
        grants = log_everybody_in(server)


def test_every_endpoint_survives_its_own_dead_connection(postgres: Private, server: str) -> None:
    repeat(server, log_everybody_in(server), before=postgres.kill_connections)


def test_read_only(postgres: Private, server: str) -> None:
    grants = log_everybody_in(server)
    postgres.set("default_transaction_read_only", "on")
    try:
        ask(server, grants, "read-only")
    finally:
        with postgres.connect() as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
            connection.execute("SELECT pg_reload_conf()")
        wait_until(lambda: postgres.show("default_transaction_read_only") == "off", "it stays read-only")
    repeat(server, grants)


def test_out_of_connections(postgres: Private, server: str) -> None:
    grants = log_everybody_in(server)
    with ExitStack() as held:
        first = held.enter_context(postgres.connect())
        first.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        wait_until(lambda: _take_all(postgres, held), "there are always more connections")
        ask(server, grants, "out of connections")
    repeat_when_free(postgres, server, grants)


def _take_all(postgres: Private, held: ExitStack) -> bool:
    """Return whether there was no connection, twice in a row. Keep one if there was."""
    for _ in range(2):
        try:
            held.enter_context(postgres.connect())
        except psycopg.OperationalError:
            continue
        return False
    return True


def repeat_when_free(postgres: Private, server: str, grants: Any) -> None:
    def is_free() -> bool:
        try:
            with ExitStack() as held:
                for _ in range(6):
                    held.enter_context(postgres.connect())
        except psycopg.OperationalError:
            return False
        return True

    wait_until(is_free, "the connections are not freed")
    repeat(server, grants)


def test_deadlock(postgres: Private, server: str) -> None:
    """The logout is the victim, because only its side looks for deadlocks. It is repeated, and succeeds."""
    with postgres.connect() as other:
        other.execute("DELETE FROM tessera_session")  # other tests have sessions of this user
    grants = [log_in(server, "end_all") for _ in range(2)]
    first, second = (grant["session"] for grant in grants)
    answers: list[Any] = []

    def log_out() -> None:
        answers.append(call(f"{server}/api/token/sessions/", token=grants[0]["access"], method="DELETE"))

    lock = "SELECT id FROM tessera_session WHERE id = %s FOR UPDATE"
    with postgres.connect() as other, postgres.connect() as watcher:
        other.execute("SET deadlock_timeout = '1h'")
        with other.transaction():
            other.execute(lock, [second])
            thread = Thread(target=log_out)
            thread.start()
            wait_until(lambda: _is_somebody_waiting(watcher), "the logout does not wait")
            other.execute(lock, [first])  # the server ends the statement of the logout, or this never returns
        thread.join(PATIENCE)
    assert "deadlock detected" in (postgres.data / "log").read_text()
    ((status, body),) = answers
    assert (f"{status}", body["revoked"]) == (endpoints.TABLE["deadlock"]["revoke"], 2)


def _is_somebody_waiting(watcher: psycopg.Connection[Any]) -> bool:
    row = watcher.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchone()
    return row is not None and row[0] > 0


@pytest.mark.long
def test_disk_full(postgres: Private, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The tables are on a small disk, and the log is not: a full disk of the log is a server that is down."""
    with tiny_disk(40) as disk, ExitStack() as stack:
        folder = disk / "tables"
        folder.mkdir()
        shutil.chown(folder, "postgres")
        postgres.execute(
            f"CREATE TABLESPACE tiny LOCATION '{folder}'", "CREATE DATABASE tiny TABLESPACE tiny"
        )
        stack.callback(
            postgres.execute, "DROP DATABASE IF EXISTS tiny WITH (FORCE)", "DROP TABLESPACE IF EXISTS tiny"
        )
        prepare(postgres.describe("tiny"))
        with serve_on(postgres.describe("tiny"), tmp_path_factory.mktemp("server")) as server:
            grants = log_everybody_in(server)
            with psycopg.connect(
                host="127.0.0.1", port=postgres.port, user="postgres", dbname="tiny", autocommit=True
            ) as connection:
                connection.execute("CREATE TABLE filler (t text)")
                _fill(connection)
                endpoints.log_in_until_full(server, partial(_fill, connection))
                done = endpoints.ask_full(server, grants, "disk full")
                connection.execute("DROP TABLE filler")
            repeat(server, grants, done=done)


def _fill(connection: psycopg.Connection[Any]) -> None:
    """Fill the disk to its last page."""
    for size in (100_000, 1000, 1):
        try:
            while True:
                connection.execute(FILL, [size])
        except psycopg.errors.DiskFull:
            continue
