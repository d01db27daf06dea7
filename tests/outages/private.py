"""Private databases, which a test stops, fills and replaces. None of them is a server of this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conftest import PASSWORD
from tests.outages.endpoints import NAMES
from tests.servers import PATIENCE, ROOT, Postgres, find_port, is_open, require, serve, wait_until

SERVER = {"DJANGO_SETTINGS_MODULE": "tests.outages.server_settings"}
SETTINGS: dict[str, Any] = {
    # A call goes on with old knowledge in each test, however slow the machine is.
    "REVOCATION_MAX_STALENESS": 20 * PATIENCE,
    "LOGIN_RATE_PER_ADDRESS": None,
}
MAKE_USERS = (
    "from django.contrib.auth.models import User; "
    f"[User.objects.create_user(name, None, {PASSWORD!r}) for name in {NAMES!r}]"
)


def prepare(database: dict[str, Any], *, sql: str = "") -> None:
    """Make the tables and the users in a private database. ``sql`` is executed before that."""
    environment = {**os.environ, **SERVER, "TESSERA_SERVER_DATABASE": json.dumps(database)}
    code = (
        "import django; django.setup(); from django.core.management import call_command; "
        "from django.db import connection; "
        f"{sql!r} and connection.cursor().execute({sql!r}); "
        f"call_command('migrate', verbosity=0); {MAKE_USERS}"
    )
    subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, check=True)


@contextmanager
def serve_on(database: dict[str, Any], folder: Path, **settings: Any) -> Iterator[str]:
    """Serve the tests' project on a private database, with one process that keeps its connections.

    It keeps one for each thread, unless ``database`` has a pool.
    """
    age = 0 if "pool" in database.get("OPTIONS", {}) else 600
    environment = {**SERVER, "TESSERA_SERVER_DATABASE": json.dumps({**database, "CONN_MAX_AGE": age})}
    with serve(folder, workers=1, tessera={**SETTINGS, **settings}, **environment) as server:
        yield server


class Private(Postgres):
    """A PostgreSQL with options of its own, which may be the replica of another one."""

    options = (
        "max_connections=12",
        "superuser_reserved_connections=0",
        "synchronous_commit=local",
        "wal_level=replica",
        "max_wal_senders=4",
        "deadlock_timeout=100ms",
    )

    @property
    def data(self) -> Path:
        return self._data

    def start(self) -> None:
        listed = " ".join(f"-c {option}" for option in self.options)
        options = f"-p {self.port} -h 127.0.0.1 -k '' -F {listed}"
        log = str(self._data / "log")
        self._run(self._pg_ctl, "-D", str(self._data), "-o", options, "-l", log, "-w", "-t", "120", "start")
        self._runs = True

    def describe(self, name: str = "postgres") -> dict[str, Any]:
        """Return the entry of ``DATABASES``."""
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": name,
            "USER": "postgres",
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
        }

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="postgres", dbname="postgres", autocommit=True, **options
        )

    def execute(self, *statements: str) -> None:
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[call-overload]  # a text of this test

    def kill_connections(self) -> None:
        """End the connections of all clients, and wait until they are gone."""
        self.execute(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )

    def set(self, name: str, value: str) -> None:
        """Set an option while the server runs, and wait until new connections have it."""
        self.execute(f"ALTER SYSTEM SET {name} = '{value}'", "SELECT pg_reload_conf()")
        wait_until(lambda: self.show(name) == value, f"{name} is not {value}")

    def show(self, name: str) -> str:
        with self.connect() as connection:
            row = connection.execute(f"SHOW {name}").fetchone()  # type: ignore[call-overload]  # the same
            assert row is not None
            return str(row[0])

    def copy(self) -> Private:
        """Return a replica of this running server, which is started."""
        (basebackup,) = require("pg_basebackup")
        replica = type(self)()
        shutil.rmtree(replica.data)
        source = f"host=127.0.0.1 port={self.port} user=postgres"
        folder = replica.data.parent
        if self._as:
            shutil.chown(folder, "postgres")
        self._run(basebackup, "-d", source, "-D", str(replica.data), "-R", "-c", "fast")
        replica.start()
        return replica

    def promote(self) -> None:
        self._run(self._pg_ctl, "-D", str(self._data), "-w", "-t", "120", "promote")


class PgBouncer:
    """A PgBouncer in transaction mode before a private PostgreSQL."""

    def __init__(self, postgres: Private, pool_size: int) -> None:
        (program,) = require("pgbouncer")
        self.port, self._folder = find_port(), Path(tempfile.mkdtemp())
        (self._folder / "users").write_text('"postgres" ""\n')
        configuration = self._folder / "pgbouncer.ini"
        configuration.write_text(
            f"""[databases]
postgres = host=127.0.0.1 port={postgres.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = trust
auth_file = {self._folder}/users
pool_mode = transaction
default_pool_size = {pool_size}
query_wait_timeout = 1
server_login_retry = 0
"""
        )
        user = ["-u", "postgres"] if os.geteuid() == 0 else []
        if user:
            self._folder.chmod(0o755)
        self._process = subprocess.Popen(
            [program, "-q", *user, str(configuration)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(lambda: is_open(self.port), "PgBouncer does not start")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=PATIENCE)
        shutil.rmtree(self._folder)


class MariaDB:
    """A MariaDB of this test. The project's user has no privilege to write to a read-only server."""

    def __init__(self) -> None:
        (self._program, install) = require("mariadbd", "mariadb-install-db")
        self._folder = Path(tempfile.mkdtemp())
        self.port, self._data = find_port(), self._folder / "data"
        self._user = ["--user=mysql"] if os.geteuid() == 0 else []
        if self._user:
            self._folder.chmod(0o755)
            shutil.chown(self._folder, "mysql")
        command = ["--no-defaults", f"--datadir={self._data}", "--auth-root-authentication-method=normal"]
        subprocess.run([install, *command, *self._user], stdout=subprocess.DEVNULL, check=True)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self._data

    @property
    def socket(self) -> str:
        return str(self._folder / "socket")

    def start(self) -> None:
        options = [f"--datadir={self._data}", f"--port={self.port}", f"--socket={self.socket}"]
        options += ["--bind-address=127.0.0.1", "--max-connections=10", "--innodb-buffer-pool-size=16M"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "--no-defaults", *options, *self._user], stdout=log, stderr=log
            )
        wait_until(lambda: is_open(self.port), "MariaDB does not start")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=PATIENCE)
            self._process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def describe(self) -> dict[str, Any]:
        """Return the entry of ``DATABASES``."""
        return {
            "ENGINE": "django.db.backends.mysql",
            "NAME": "shop",
            "USER": "shop",
            "PASSWORD": "shop",
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "OPTIONS": {"charset": "utf8mb4"},
        }

    def execute(self, *statements: str) -> None:
        import pymysql

        connection = pymysql.connect(unix_socket=self.socket, user="root", autocommit=True)
        with connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


@contextmanager
def tiny_disk(megabytes: int) -> Iterator[Path]:
    """Return a new file system of this size. Skip the test where mounting is not allowed."""
    mount, umount = require("mount", "umount")
    folder = Path(tempfile.mkdtemp())
    options = ["-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if subprocess.run([mount, *options], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        folder.rmdir()
        pytest.skip("mounting a small file system is not allowed here")
    try:
        yield folder
    finally:
        subprocess.run([umount, "-l", str(folder)], check=True)
        folder.rmdir()
