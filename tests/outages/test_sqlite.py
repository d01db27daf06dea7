"""The file of SQLite is read-only, full, or cannot be opened."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PASSWORD
from tests.outages.endpoints import ask, ask_full, log_everybody_in, repeat
from tests.outages.private import SERVER, SETTINGS, prepare
from tests.servers import call, serve

pytestmark = [pytest.mark.server, pytest.mark.once]  # they have their own databases


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("data") / "shop.sqlite3"
    prepare(describe(found))
    return found


def describe(path: Path) -> dict[str, str]:
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path)}


@pytest.fixture(scope="module")
def server(path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:

    # Each request opens the file again, so that the pragmas of a test count.
    environment = {**SERVER, "TESSERA_SERVER_DATABASE": json.dumps(describe(path))}
    with serve(tmp_path_factory.mktemp("server"), workers=1, tessera=SETTINGS, **environment) as found:
        yield found


def set_pragmas(path: Path, *pragmas: str) -> None:
    path.with_name(f"{path.name}.pragmas").write_text("\n".join(pragmas))


def test_read_only(path: Path, server: str) -> None:
    grants = log_everybody_in(server)
    set_pragmas(path, "PRAGMA query_only = 1")
    ask(server, grants, "read-only")
    set_pragmas(path)
    repeat(server, grants)


def test_disk_full(path: Path, server: str) -> None:
    """The first logins may find some room in the pages of the file."""
    grants = log_everybody_in(server)
    with sqlite3.connect(path) as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.close()
    set_pragmas(path, f"PRAGMA max_page_count = {pages}")
    statuses: list[int] = []
    while statuses[-5:] != [503] * 5:
        status, body = call(f"{server}/api/token/", {"username": "login", "password": PASSWORD})
        assert status == 200 or body["code"] == "database_unavailable", body
        statuses.append(status)
    done = ask_full(server, grants, "disk full")
    set_pragmas(path)
    repeat(server, grants, done=done)


def test_down(path: Path, server: str) -> None:
    """The folder of the file is away, as a network drive may be."""
    grants = log_everybody_in(server)
    away = path.parent.with_name("away")
    path.parent.rename(away)
    try:
        ask(server, grants, "down")
    finally:
        away.rename(path.parent)
    repeat(server, grants)
