"""Web servers of the project, as one would run them, and wrk, which loads them."""

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
from typing import Final

from benchmarks import environments
from benchmarks.peers import HOME, ROOT
from benchmarks.workers import Worker, WorkerError

HOST: Final = "127.0.0.1"
PATIENCE: Final = 60.0
"""Seconds for a server to answer for the first time."""

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
    """Give the module and the arguments that serve the project.

    gunicorn has its ``gthread`` workers: its ``sync`` ones close each connection after one answer, and
    what that costs would hide what authentication costs. Each takes 20 connections at most: without a
    limit one of the two takes all that come at once, keeps them, and leaves the other idle.
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
    """Serve the project of ``worker``, on its database, for the length of a block; give the port.

    Raises:
        WorkerError: the server does not answer.
    """
    port = _find_port()
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
            start_new_session=True,  # Ctrl-C is for the parent
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
    """Find wrk on the path."""
    return shutil.which("wrk")


def write_script(name: str, path: str, headers: Sequence[Mapping[str, str]]) -> Path:
    """Write what wrk is to send: requests to ``path`` with these headers, in turn."""
    tables = ",\n".join(
        "{" + ", ".join(f"[{json.dumps(key)}] = {json.dumps(value)}" for key, value in it.items()) + "}"
        for it in headers
    )
    script = HOME / "wrk" / f"{name}.lua"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(_LUA.format(headers="{" + tables + "}", path=path))
    return script


def load(port: int, script: Path, *, seconds: int, connections: int = 32) -> float:
    """Load a server from one thread of wrk, and give the requests per second.

    Raises:
        WorkerError: anything else than 2xx came back, or nothing did.
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


def _find_port() -> int:
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
