"""MariaDB is down, restarted, read-only or full, or has no connection to spare."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pymysql
import pytest

from tests.outages.endpoints import ask, ask_full, log_everybody_in, log_in_until_full, repeat
from tests.outages.private import MariaDB, prepare, serve_on, tiny_disk
from tests.servers import wait_until

pytestmark = [pytest.mark.server, pytest.mark.once, pytest.mark.long]  # they have their own databases


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDB]:
    found = MariaDB()
    found.start()
    found.execute(
        "CREATE DATABASE shop CHARACTER SET utf8mb4",
        "CREATE USER shop@localhost IDENTIFIED BY 'shop'",
        "CREATE USER shop@'127.0.0.1' IDENTIFIED BY 'shop'",
        "GRANT ALL ON shop.* TO shop@localhost",
        "GRANT ALL ON shop.* TO shop@'127.0.0.1'",
    )
    prepare(found.describe())
    yield found
    found.remove()


@pytest.fixture(scope="module")
def server(mariadb: MariaDB, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_on(mariadb.describe(), tmp_path_factory.mktemp("server")) as found:
        yield found


def test_down(mariadb: MariaDB, server: str) -> None:
    grants = log_everybody_in(server)
    mariadb.stop()
    ask(server, grants, "down")
    mariadb.start()
    repeat(server, grants)


def test_restarted(mariadb: MariaDB, server: str) -> None:
    grants = log_everybody_in(server)
    mariadb.stop()
    mariadb.start()
    ask(server, grants, "restarted")


def test_read_only(mariadb: MariaDB, server: str) -> None:
    grants = log_everybody_in(server)
    mariadb.execute("SET GLOBAL read_only = 1")
    try:
        ask(server, grants, "read-only")
    finally:
        mariadb.execute("SET GLOBAL read_only = 0")
    repeat(server, grants)


def test_out_of_connections(mariadb: MariaDB, server: str) -> None:
    grants = log_everybody_in(server)
    mariadb.stop()
    mariadb.start()  # the connections of the server are gone

    def connect() -> Any:
        return pymysql.connect(
            host="127.0.0.1", port=mariadb.port, user="shop", password="shop", database="shop"
        )

    with ExitStack() as held:

        def is_full() -> bool:
            try:
                held.enter_context(connect())
            except pymysql.err.OperationalError as error:
                return bool(error.args[0] == 1040)
            return False

        wait_until(is_full, "there are always more connections")
        ask(server, grants, "out of connections")

    def is_free() -> bool:
        try:
            with ExitStack() as taken:
                for _ in range(6):
                    taken.enter_context(connect())
        except pymysql.err.OperationalError:
            return False
        return True

    wait_until(is_free, "the connections are not freed")
    repeat(server, grants)


def test_disk_full(mariadb: MariaDB, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The tables are on a small disk, and the log is not: a full disk of the log is a server that is down."""
    with tiny_disk(40) as disk, ExitStack() as stack:
        (disk / "tiny").mkdir()
        (mariadb.data / "tiny").symlink_to(disk / "tiny")
        if os.geteuid() == 0:
            shutil.chown(disk / "tiny", "mysql")
        stack.callback(mariadb.execute, "DROP DATABASE tiny")
        mariadb.execute(
            "ALTER DATABASE tiny CHARACTER SET utf8mb4",
            "GRANT ALL ON tiny.* TO shop@localhost",
            "GRANT ALL ON tiny.* TO shop@'127.0.0.1'",
        )
        database = {**mariadb.describe(), "NAME": "tiny"}
        prepare(database)
        with serve_on(database, tmp_path_factory.mktemp("server")) as server:
            grants = log_everybody_in(server)
            _fill(disk)
            log_in_until_full(server)
            done = ask_full(server, grants, "disk full")
            (disk / "filler").unlink()
            repeat(server, grants, done=done)


def _fill(disk: Path) -> None:
    """Fill the disk with a file. MariaDB 10.11 stops itself if a row of 1 MB does not fit."""
    with (disk / "filler").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
