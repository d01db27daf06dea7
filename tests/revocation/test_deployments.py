"""A logout is felt under each kind of server, and no request fails."""

from __future__ import annotations

import json
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.db import connection

from drf_tessera import sessions
from tests.servers import call, find_port, run_server, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server]

WSGI = "tests.revocation.warm_wsgi:application"
GUNICORN = [sys.executable, "-m", "gunicorn", WSGI, "--bind"]
UWSGI = [str(Path(sysconfig.get_path("scripts"), "uwsgi")), "--master", "--processes", "2"]
UWSGI += ["--module", WSGI, "--http-socket"]


def statuses(server: str, access: str) -> set[int]:
    """Return the statuses of enough requests at once to reach every process."""
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda path: call(f"{server}{path}", token=access)[0], ["/me/", "/name/"] * 8)
        return set(found)


def check(
    user: AbstractBaseUser, folder: Path, command: list[str], *options: str, **environment: str
) -> None:
    """Check that each process of a server feels the logouts of another process, as long as it runs."""
    port = find_port()
    listening = [*command, f"127.0.0.1:{port}", *options]
    with run_server(listening, port, folder, tessera={"REVOCATION_POLL": 0.3}, **environment) as server:
        kept = sessions.start(user)
        wait_until(lambda: statuses(server, kept.access) == {200}, "it does not start")
        for _ in range(2):
            ended = sessions.start(user)
            assert statuses(server, ended.access) == {200}
            sessions.revoke(ended.session_id)
            wait_until(lambda: statuses(server, ended.access) == {401}, "it is not felt")  # noqa: B023
        assert statuses(server, kept.access) == {200}
    (log,) = folder.glob("*.log")
    assert "Traceback" not in log.read_text()


def test_gunicorn_with_gevent(anna: AbstractBaseUser, tmp_path: Path) -> None:
    check(anna, tmp_path, GUNICORN, "--worker-class", "gevent")


@pytest.mark.parametrize("options", [(), ("--threads", "4")], ids=["processes", "threads"])
def test_uwsgi(anna: AbstractBaseUser, tmp_path: Path, options: tuple[str, ...]) -> None:
    """It loads the project, and then forks without a word to Python."""
    check(anna, tmp_path, UWSGI, *options)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="Django has a pool for PostgreSQL")
def test_the_pool_of_django(anna: AbstractBaseUser, tmp_path: Path) -> None:
    pool: dict[str, Any] = {"OPTIONS": {"pool": {"min_size": 1, "max_size": 4}}, "CONN_MAX_AGE": 0}
    check(anna, tmp_path, GUNICORN, "--threads", "4", TESSERA_SERVER_DB=json.dumps(pool))
