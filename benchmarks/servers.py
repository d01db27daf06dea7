"""The web servers of the project, configured as in production, and wrk, which loads the servers."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import environments
from benchmarks.peers import HOME, ROOT
from benchmarks.workers import Worker, WorkerError

HOST: Final = "127.0.0.1"
PATIENCE: Final = 60.0
"""How many seconds a server may take until its first answer."""

_APPLICATION: Final = "benchmarks.project.wsgi:application"
_LUA: Final = """
local headers = {headers}
local requests, turn = {{}}, 0
init = function()
  for index, header in ipairs(headers) do
    requests[index] = wrk.format("GET", "{path}", header)
  end
end
request = function()
  turn = turn % #requests + 1
  return requests[turn]
end
"""


def build_command(server: str, port: int, *, workers: int, threads: int) -> list[str]:
    """Return the module and the arguments that serve the project.

    gunicorn uses ``gthread`` workers, because a ``sync`` worker closes each connection after one answer. The
    cost of new connections would hide the cost of authentication. Each worker accepts at most 20 connections.
    Without this limit, one of the two workers accepts all simultaneous connections and the other worker is
    idle.
    """
    commands = {
        "gunicorn": [
            "gunicorn", _APPLICATION, "--bind", f"{HOST}:{port}", "--workers", str(workers),
            "--worker-class", "gthread", "--threads", str(threads), "--keep-alive", "60",
            "--worker-connections", "20",
            "--log-level", "error", "--no-control-socket",
        ],
        "granian": [
            "granian", _APPLICATION, "--interface", "wsgi", "--host", HOST, "--port", str(port),
            "--workers", str(workers), "--blocking-threads", str(threads), "--log-level", "error",
        ],
    }  # fmt: skip
    return commands[server]


@contextmanager
def serving(
    worker: Worker, server: str, *, connections: int | None, workers: int = 2, threads: int = 2
) -> Iterator[int]:
    """Serve the project of ``worker``, with its database, while the block runs. Yield the port.

    Raises:
        WorkerError: the server does not answer.
    """
    port = find_port()
    python = str(environments.python_of(worker.peer.environment))
    command = [python, "-m", *build_command(server, port, workers=workers, threads=threads)]
    log = HOME / "logs" / f"{worker.peer.name}-{server}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**worker.variables, "BENCH_CONN_MAX_AGE": json.dumps(connections)},
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # only the parent handles Ctrl-C
        )
    try:
        _wait_for(port, process, log)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def find_wrk() -> str | None:
    """Return the path of wrk."""
    return shutil.which("wrk")


def find_redis() -> str | None:
    """Return the path of the server of Redis."""
    return shutil.which("redis-server")


@contextmanager
def running_redis() -> Iterator[int]:
    """Run a Redis that keeps everything in memory, while the block runs. Yield its port.

    Raises:
        WorkerError: it does not start.
    """
    port = find_port()
    with TemporaryDirectory(prefix="tessera-bench-redis-") as folder:
        process = subprocess.Popen(
            [
                find_redis() or "redis-server", "--port", str(port), "--bind", HOST, "--save", "",
                "--appendonly", "no", "--dir", folder, "--maxmemory-policy", "noeviction",
            ],
            stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            _wait_for_port(port, process)
            yield port
        finally:
            process.terminate()
            process.wait()


def _wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends and process.poll() is None:
        try:
            socket.create_connection((HOST, port), timeout=5).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise WorkerError("Redis did not start.")


def write_script(name: str, path: str, headers: Sequence[Mapping[str, str]]) -> Path:
    """Write the script of wrk: requests to ``path`` with these headers, in turn."""
    tables = ",\n".join(
        "{" + ", ".join(f"[{json.dumps(key)}] = {json.dumps(value)}" for key, value in it.items()) + "}"
        for it in headers
    )
    script = HOME / "wrk" / f"{name}.lua"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(_LUA.format(headers="{" + tables + "}", path=path))
    return script


def load(port: int, script: Path, *, seconds: int, connections: int = 32) -> float:
    """Load a server from one thread of wrk, and return the requests per second.

    Raises:
        WorkerError: there was no answer, or an answer that is not 2xx.
    """
    command = [
        "wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s",
        "--timeout", "10s", "--script", str(script), f"http://{HOST}:{port}",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    wrong = re.search(r"Non-2xx.*|Socket errors.*", done.stdout)
    if done.returncode or rate is None or wrong or not float(rate[1]):
        raise WorkerError(f"wrk: {wrong[0] if wrong else done.stderr or done.stdout}")
    return float(rate[1])


def find_port() -> int:
    """Return a free port."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends and process.poll() is None:
        connection = HTTPConnection(HOST, port, timeout=5)
        try:
            connection.request("GET", "/open/")
            if connection.getresponse().status == 200:
                return
        except (OSError, HTTPException):
            time.sleep(0.1)
        finally:
            connection.close()
    raise WorkerError(f"The server did not start; see {log.relative_to(ROOT)}: {log.read_text()[-500:]}")
