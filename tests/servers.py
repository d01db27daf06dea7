"""Real servers for the tests: this project under gunicorn, and services that a test may stop and start."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

ROOT = Path(__file__).parent.parent

PATIENCE = 120.0
"""The number of seconds until a test stops waiting for an event. A busy machine needs much less.

A test waits for an event with this limit. It never waits for the time that a quiet machine would need.
"""

_FIRST_PORT, _PORTS_OF_A_WORKER = 10_000, 2_000

_allowed = {"servers": True}


def allow_servers(*, allowed: bool) -> None:
    """Record whether the starting test has the marker ``server``."""
    _allowed["servers"] = allowed


def find_port() -> int:
    """Return a free port for a server of the running test."""
    assert _allowed["servers"], "This test starts a server. Mark it with pytest.mark.server."
    return next(port for port in _ports if _is_free(port))


def _list_ports() -> Iterator[int]:
    """Yield ports without end, from a range of this worker's own.

    The range is below the ports that the system gives to outgoing connections, because such a connection
    could take a port before its server does. The first port is an arbitrary one of the range, because
    another run of the tests may have begun a moment ago.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = _FIRST_PORT + worker % 10 * _PORTS_OF_A_WORKER
    for number in count(os.getpid()):
        yield first + number % _PORTS_OF_A_WORKER


_ports = _list_ports()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # Servers set this option too, so a port whose last connection has just been closed is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(ready: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def _describe_environment(tessera: dict[str, Any] | None, environment: dict[str, str]) -> dict[str, str]:
    return {
        **os.environ,
        "TESSERA_SERVER_DB_NAME": str(connection.settings_dict["NAME"]),
        "TESSERA_SERVER_SETTINGS": json.dumps(tessera or {}),
        "DJANGO_SETTINGS_MODULE": "tests.server_settings",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        **environment,
    }


def manage(*arguments: str, tessera: dict[str, Any] | None = None, **environment: str) -> None:
    """Run a management command in a process of its own, with the settings of a server."""
    whole = _describe_environment(tessera, environment)
    subprocess.run(
        [sys.executable, "-m", "django", *arguments],
        env=whole,
        check=True,
        capture_output=True,
        timeout=PATIENCE,
    )


@contextmanager
def serve(
    folder: Path, *, workers: int = 3, tessera: dict[str, Any] | None = None, **environment: str
) -> Iterator[str]:
    """Serve the tests' project with several processes, by default on the database of this run."""
    port = find_port()
    command = [sys.executable, "-m", "gunicorn", "--workers", str(workers), "--threads", "4"]
    command += ["--timeout", str(int(PATIENCE)), "--graceful-timeout", str(int(PATIENCE // 2))]
    command += ["--bind", f"127.0.0.1:{port}", "django.core.wsgi:get_wsgi_application()"]
    with run_server(command, port, folder, tessera=tessera, **environment) as url:
        yield url


@contextmanager
def run_server(
    command: list[str], port: int, folder: Path, *, tessera: dict[str, Any] | None = None, **environment: str
) -> Iterator[str]:
    """Run a server with the tests' project. ``command`` makes it listen to ``port``."""
    log = folder / f"server{time.monotonic_ns()}.log"
    whole = _describe_environment(tessera, environment)
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=whole, stdout=output, stderr=output)
    try:
        wait_until(lambda: process.poll() is not None or is_open(port), log.read_text())
        assert process.poll() is None, log.read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGQUIT)  # stop at once, because a browser may still hold a connection
        process.wait(timeout=PATIENCE)


@contextmanager
def serve_demo(folder: Path) -> Iterator[str]:
    """Serve the demo with data of its own, and fail if a request was a 500."""
    port, log = find_port(), folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "demo" / "serve.py")],
            env={**os.environ, "PORT": str(port), "DEMO_DATA": str(folder)},
            stdout=output,
            stderr=output,
        )
    try:
        wait_until(lambda: process.poll() is not None or is_open(port), "the demo does not start")
        assert process.poll() is None, log.read_text()
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)
    assert "Traceback" not in log.read_text()


def call(
    url: str, body: dict[str, Any] | None = None, *, token: str = "", method: str | None = None
) -> tuple[int, dict[str, Any]]:
    """Send a request. Return the status and the body; an error also has its headers under ``headers``."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - an address of this test
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 - the same
            return answer.status, json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        with error:
            try:
                found = json.loads(error.read() or b"{}")
            except ValueError:
                found = {}
            return error.code, {**found, "headers": dict(error.headers)}


def require(*programs: str) -> list[str]:
    """Return the paths of programs. If a program is missing, skip the test, or fail in CI."""
    found = [shutil.which(name) for name in programs]
    if None in found:
        message = f"needs {', '.join(programs)}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return [str(path) for path in found]


REDIS_BACKEND = os.environ.get("TESSERA_TEST_REDIS", "django.core.cache.backends.redis.RedisCache")
"""The cache that the tests of the store in Redis use."""


def find_client(cache: Any) -> Any:
    """Return the driver of a cache in Redis. Django's own backend and django-redis name it differently."""
    return (
        cache._cache.get_client(None, write=True) if hasattr(cache, "_cache") else cache.client.get_client()
    )


class Redis:
    """A Redis of this test, which the test may stop and start.

    Args:
        folder: where it keeps its files.
        keeps: whether it still has its entries after a restart.
    """

    def __init__(self, folder: Path, *, keeps: bool = True) -> None:
        (self._program,) = require("redis-server")
        self.port, self._folder, self._keeps = find_port(), folder, keeps
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self, *options: str) -> None:
        command = [self._program, "--port", str(self.port), "--save", "", "--dir", str(self._folder)]
        command += ["--appendonly", "yes" if self._keeps else "no", *options]
        self._run(command)

    def freeze(self) -> None:
        """Stop the process with SIGSTOP. Connections stay open, and new ones are accepted, in silence."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def _run(self, command: list[str]) -> None:
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_until(lambda: is_open(self.port), "Redis does not start")

    def stop(self) -> None:
        if self._process is not None:
            self.thaw()
            self._process.terminate()
            self._process.wait(timeout=PATIENCE)
            self._process = None


class Sentinel(Redis):
    """Promotes the replica of ``primary`` if the primary is gone."""

    def watch(self, primary: Redis) -> None:
        file = self._folder / "sentinel.conf"
        file.write_text(
            f"port {self.port}\n"
            f"sentinel monitor {self.NAME} 127.0.0.1 {primary.port} 1\n"
            f"sentinel down-after-milliseconds {self.NAME} 500\n"
            f"sentinel failover-timeout {self.NAME} 5000\n"
        )
        self._run([self._program, str(file), "--sentinel"])

    NAME = "news"


class Cluster:
    """A Redis Cluster of three nodes without replicas. A node that stops loses its entries."""

    def __init__(self, folder: Path) -> None:
        self.nodes = [Redis(folder, keeps=False) for _ in range(3)]
        self._folder = folder

    def start(self) -> None:
        """Start the nodes. Each gets the list of all nodes, so that they need not find one another."""
        firsts = [0, 5_461, 10_923, 16_384]
        self._ports = [find_port() for _ in self.nodes]
        listed = [
            f"{index:040x} 127.0.0.1:{node.port}@{port} {{}} - 0 0 {index + 1} connected"
            f" {firsts[index]}-{firsts[index + 1] - 1}\n"
            for index, (node, port) in enumerate(zip(self.nodes, self._ports, strict=True))
        ]
        for index, node in enumerate(self.nodes):
            flags = ["myself,master" if index == place else "master" for place in range(len(listed))]
            lines = [line.format(flag) for line, flag in zip(listed, flags, strict=True)]
            self._name_file(node).write_text("".join([*lines, "vars currentEpoch 3 lastVoteEpoch 0\n"]))
            self.start_node(node)

    def start_node(self, node: Redis) -> None:
        port = self._ports[self.nodes.index(node)]
        node.start(
            *("--cluster-enabled", "yes", "--cluster-config-file", str(self._name_file(node))),
            *("--cluster-port", str(port), "--cluster-node-timeout", "1000", "--bind", "127.0.0.1"),
        )

    def _name_file(self, node: Redis) -> Path:
        return self._folder / f"{node.port}.conf"

    def stop(self) -> None:
        for node in self.nodes:
            node.stop()


class Postgres:
    """A PostgreSQL of this test, which the test may stop and start. It does not wait for the disk.

    Args:
        place: the folder for its data.
    """

    def __init__(self, place: Path | None = None) -> None:
        self._initdb, self._pg_ctl = require("initdb", "pg_ctl")
        # Do not use pytest's folder, because other users cannot read it.
        self._folder = Path(tempfile.mkdtemp(dir=place))
        self.port, self._data, self._runs = find_port(), self._folder / "pgdata", False
        # PostgreSQL refuses to run as root, but tests in containers run as root.
        self._as = [*require("runuser"), "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self._data.mkdir()
        if self._as:
            self._folder.chmod(0o755)
            shutil.chown(self._data, "postgres")
        self._run(self._initdb, "-D", str(self._data), "-A", "trust", "-U", "postgres", "-N")

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            [*self._as, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/", check=False
        )
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        options = f"-p {self.port} -h 127.0.0.1 -k '' -F"
        log = str(self._data / "log")
        self._run(self._pg_ctl, "-D", str(self._data), "-o", options, "-l", log, "-w", "-t", "120", "start")
        self._runs = True

    def stop(self) -> None:
        if self._runs:
            self._runs = False
            self._run(self._pg_ctl, "-D", str(self._data), "-m", "immediate", "-w", "-t", "120", "stop")

    def freeze(self) -> None:
        """Stop all processes with SIGSTOP. Connections stay open, and new ones are accepted, in silence."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        main = int((self._data / "postmaster.pid").read_text().split()[0])
        listed = subprocess.run(
            ["ps", "-e", "-o", "pid=,ppid="], stdout=subprocess.PIPE, check=True, text=True
        ).stdout.split()
        children = [
            int(pid) for pid, parent in zip(listed[::2], listed[1::2], strict=True) if int(parent) == main
        ]
        for pid in (main, *children):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def remove(self) -> None:
        if self._runs:
            self.thaw()
        self.stop()
        shutil.rmtree(self._folder)


class Line:
    """A line to a server of this machine that a test can cut: bytes then vanish, as behind a dead router."""

    def __init__(self, port: int) -> None:
        self.port, self._target = find_port(), port
        self._open = threading.Event()
        self._open.set()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self._open.clear()

    def mend(self) -> None:
        self._open.set()

    def close(self) -> None:
        self.mend()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        self._open.wait()
        with near, suppress(OSError), socket.create_connection(("127.0.0.1", self._target)) as far:
            back = threading.Thread(target=self._pass_on, args=(far, near), daemon=True)
            back.start()
            self._pass_on(near, far)
            back.join()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._open.wait()
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
