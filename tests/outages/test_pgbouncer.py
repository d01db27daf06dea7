"""PgBouncer in transaction mode: two statements in a row may reach two connections of PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.outages.endpoints import ask, log_everybody_in, repeat
from tests.outages.private import PgBouncer, Private, serve_on
from tests.servers import wait_until

pytestmark = [pytest.mark.server, pytest.mark.once, pytest.mark.long]  # they have their own databases

POOL_SIZE = 2


@pytest.fixture(scope="module")
def bouncer(postgres: Private) -> Iterator[PgBouncer]:
    found = PgBouncer(postgres, POOL_SIZE)
    yield found
    found.stop()


@pytest.fixture(scope="module")
def server(postgres: Private, bouncer: PgBouncer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    database = {
        **postgres.describe(),
        "PORT": str(bouncer.port),
        "DISABLE_SERVER_SIDE_CURSORS": True,  # as Django's documentation says
    }
    with serve_on(database, tmp_path_factory.mktemp("server")) as found:
        yield found


def test_healthy(server: str) -> None:
    ask(server, log_everybody_in(server), "behind PgBouncer in transaction mode")


def test_no_connection_to_spare(bouncer: PgBouncer, server: str) -> None:
    grants = log_everybody_in(server)
    held = [
        psycopg.connect(host="127.0.0.1", port=bouncer.port, user="postgres", dbname="postgres")
        for _ in range(POOL_SIZE)
    ]
    for connection in held:
        connection.execute("SELECT 1")  # begins a transaction, which keeps a connection of PostgreSQL
    # Each request waits for a second, which is the least that PgBouncer can be told.
    ask(server, grants, "behind PgBouncer, which has no connection to spare", at_once=4)
    for connection in held:
        connection.close()
    repeat(server, grants)


def test_down(postgres: Private, bouncer: PgBouncer, server: str) -> None:
    grants = log_everybody_in(server)
    postgres.stop()
    ask(server, grants, "behind PgBouncer, and down")
    postgres.start()
    wait_until(lambda: _answers(bouncer), "PgBouncer does not find PostgreSQL again")
    repeat(server, grants)


def _answers(bouncer: PgBouncer) -> bool:
    try:
        with psycopg.connect(
            host="127.0.0.1", port=bouncer.port, user="postgres", dbname="postgres"
        ) as found:
            found.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True
