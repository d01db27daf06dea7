"""simplejwt serves 200 clients, the server restarts with drf-tessera, and no client notices."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
import pytest

from tests.compat.moving.project import DATABASES
from tests.environments import install_original
from tests.servers import PATIENCE, ROOT, find_port, is_open, wait_until
from tests.settings import PREFIX

pytestmark = [pytest.mark.server, pytest.mark.once]  # it has its own server and database

CLIENTS = 200
NAME = f"{PREFIX}_moving"
OURS = "drf-tessera"
MAKE_USERS = (
    "import django; django.setup();"
    "from django.contrib.auth.models import User; from django.contrib.auth.hashers import make_password as m;"
    f"User.objects.bulk_create(User(username=f'user{{n}}', password=m('right')) for n in range({CLIENTS}))"
)


class Client:
    """An app on a phone. It calls every two seconds, refreshes at every second call, and logs in once."""

    def __init__(self, number: int, port: int) -> None:
        self.name, self.port = f"user{number}", port
        self.access = self.refresh = ""
        self.calls = 0
        self.counts: Counter[str] = Counter()

    def ask(self, path: str, body: Any = None) -> tuple[int, Any]:
        """Repeat a request until there is an answer, because a restarting server does not answer at first."""
        headers = {"Content-Type": "application/json"}
        if body is None:
            headers["Authorization"] = f"Bearer {self.access}"
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
            try:
                connection.request("GET" if body is None else "POST", path, json.dumps(body), headers)
                answer = connection.getresponse()
                return answer.status, json.loads(answer.read())
            except (OSError, http.client.HTTPException):
                self.counts["no answer"] += 1
                time.sleep(0.2)
            finally:
                connection.close()

    def log_in(self) -> None:
        status, pair = self.ask("/token/", {"username": self.name, "password": "right"})
        assert status == 200, pair
        self.counts["logins"] += 1
        self.take(pair)

    def take(self, pair: dict[str, str]) -> None:
        self.access, self.refresh = pair["access"], pair.get("refresh", self.refresh)

    def step(self) -> None:
        self.calls += 1
        if self.calls % 2 == 0:
            self._refresh()
        status, body = self.ask("/me/")
        if status != 200 or body["name"] != self.name:
            self.counts[f"refused: {status} {body}"] += 1
            return
        self.counts[f"served by {body['server']}"] += 1

    def _refresh(self) -> None:
        status, pair = self.ask("/token/refresh/", {"refresh": self.refresh})
        if status != 200:
            self.counts[f"refused: {status} {pair}"] += 1
            return
        kind = "rotations" if pair.get("refresh", self.refresh) != self.refresh else "kept"
        self.counts[f"{kind} of {'ours' if self.refresh.startswith('tsr_') else 'theirs'}"] += 1
        self.take(pair)


@contextmanager
def serving(python: str, port: int, environment: dict[str, str]) -> Iterator[None]:
    command = [python, "-m", "gunicorn", "django.core.wsgi:get_wsgi_application()", "-b", f"127.0.0.1:{port}"]
    process = subprocess.Popen(
        [*command, "-w", "2", "-k", "gthread", "--threads", "8", "--log-level", "warning"],
        cwd=ROOT,
        env=environment,
    )
    try:
        wait_until(lambda: process.poll() is not None or is_open(port), "it does not start")
        yield
    finally:
        process.send_signal(signal.SIGTERM)  # a graceful stop, so that started requests are answered
        process.wait(timeout=PATIENCE)


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    chosen = DATABASES["default"]
    server = {"host": chosen["HOST"], "port": chosen["PORT"], "user": chosen["USER"]}
    with _connect(password=chosen["PASSWORD"], **server) as root:
        root.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
        root.execute(f"CREATE DATABASE {NAME}")
        own = {"DJANGO_SETTINGS_MODULE": "tests.compat.moving.project", "MOVING_DATABASE": NAME}
        yield {**os.environ, **own, "PYTHONPATH": str(ROOT)}
        root.execute(f"DROP DATABASE {NAME} WITH (FORCE)")


def _connect(**server: str) -> psycopg.Connection:
    try:
        return psycopg.connect(dbname="postgres", autocommit=True, **server)
    except psycopg.OperationalError:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip("!!! there is no PostgreSQL: nothing was tested of a move while clients work !!!")


@contextmanager
def working(clients: list[Client]) -> Iterator[None]:
    over = threading.Event()

    def work(client: Client) -> None:
        while not over.wait(random.uniform(1.5, 2.5)):  # noqa: S311 - no secret depends on it
            client.step()

    threads = [threading.Thread(target=work, args=(client,), daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(timeout=PATIENCE)
        assert not any(thread.is_alive() for thread in threads)


def manage(environment: dict[str, str], *command: str) -> str:
    """Run a command of Django in the environment of drf-tessera."""
    done = subprocess.run(
        [sys.executable, "-m", "django", *command], cwd=ROOT, env=environment, capture_output=True, check=True
    )
    return done.stdout.decode()


@pytest.mark.long
def test_nobody_is_logged_out(environment: dict[str, str]) -> None:
    original, port = install_original(sys.executable), find_port()
    for command in (["-m", "django", "migrate", "-v", "0"], ["-c", MAKE_USERS]):
        subprocess.run([original, *command], cwd=ROOT, env=environment, check=True)
    clients = [Client(number, port) for number in range(CLIENTS)]
    with ExitStack() as work:
        with serving(original, port, environment):
            for client in clients:
                client.log_in()
            work.enter_context(working(clients))
            wait_until(
                lambda: all(client.counts["rotations of theirs"] >= 1 for client in clients),
                "not every client has refreshed at simplejwt",
            )
        assert "token_blacklist" not in manage(environment, "migrate", "--plan")
        assert "No changes" in manage(environment, "makemigrations", "--check", "token_blacklist")
        manage(environment, "migrate", "-v", "0")
        with serving(sys.executable, port, environment):
            wait_until(
                lambda: all(client.counts["rotations of ours"] >= 2 for client in clients),
                "not every client has refreshed twice at ours",
            )
            work.close()  # stop the clients first, so that each client always finds the server
    total = sum((client.counts for client in clients), Counter())
    assert {name: number for name, number in total.items() if name.startswith("refused")} == {}
    assert total["logins"] == CLIENTS
    assert total["served by simplejwt 5.5.1"] >= CLIENTS
    assert total[f"served by {OURS}"] >= CLIENTS
    assert all(client.refresh.startswith("tsr_") for client in clients)
