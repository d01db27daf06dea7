"""``python -m benchmarks.logins [--quick]``: refreshes and calls beside logins, in three ways.

``make bench BENCH="logins"`` measures the same (``benchmarks.measurements.logins``). This command has more
options.

The project is served by gunicorn with PBKDF2, Django's default hash. Logins come at a fixed rate, whether the
server is ready or not, and so do refreshes and calls. The table has the times of the refreshes and the calls:

- no bound: ``LOGINS_AT_ONCE = None``
- the bound: its default
- two pools: the same, and the logins go to processes of their own, as on the page of deployment

The command runs in the environment of the caller, with PostgreSQL as the other measurements have it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPException
from typing import Any, Final

from benchmarks.inside.database import PASSWORD
from benchmarks.peers import HOME, ROOT, TESSERA
from benchmarks.progress import say
from benchmarks.servers import HOST, PATIENCE, find_port
from benchmarks.spread import percentile
from benchmarks.workers import WorkerError

USERS: Final = 200
OTHERS: Final = 20
"""Refreshes and calls a second, in turn."""

_HASHER: Final = "django.contrib.auth.hashers.PBKDF2PasswordHasher"
UNLIMITED: Final[dict[str, Any]] = {
    "ACCESS_LIFETIME": 7200,
    "REFRESH_GRACE": 0,  # each refresh writes, and no window is so short that a refresh comes too late for it
    "LOGIN_RATE_PER_ACCOUNT": None,
    "LOGIN_RATE_PER_ADDRESS": None,
    "TOKEN_RATE_PER_SESSION": None,
}
WAYS: Final[dict[str, tuple[dict[str, Any], bool]]] = {
    "no bound": ({"LOGINS_AT_ONCE": None}, False),
    "the bound": ({}, False),
    "two pools": ({}, True),
}
"""The settings of each way, and whether logins have a pool of their own."""

HEADER: Final = (
    "way", "logins/s", "refresh 50 %", "99 %", "call 50 %", "99 %", "login 50 %", "logins 200",
    "503", "others",
)  # fmt: skip

Answer = tuple[str, int, float]
"""The kind of a request, its status (0: no answer) and its seconds."""


def main() -> None:
    """Measure each way at each rate, and print one table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.logins", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds: only to see that it works")
    parser.add_argument("--rates", type=float, nargs="+", help="logins a second")
    parser.add_argument("--seconds", type=float, help="how long each rate is measured")
    found = parser.parse_args()
    rates = found.rates or ([2] if found.quick else [0, 2, 5, 10])
    seconds = found.seconds or (3 if found.quick else 60)
    print(f"| {' | '.join(HEADER)} |\n{'|---' * len(HEADER)}|")
    for way in WAYS:
        for rate in rates:
            say(f"{way}, {rate:g} logins a second")
            print(f"| {' | '.join(show(way, rate, measure_way(way, rate, seconds)))} |", flush=True)


def measure_way(way: str, rate: float, seconds: float, *, python: str = sys.executable) -> list[Answer]:
    """Serve the project in one way, send requests for some time, and return all answers.

    Raises:
        WorkerError: the server does not answer.
    """
    settings, apart = WAYS[way]
    variables = {
        **TESSERA.describe("postgres", name="logins", connections=600),
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
        "BENCH_HASHER": _HASHER,
        "BENCH_SETTINGS": json.dumps({"TESSERA": {**UNLIMITED, **settings}}),
    }
    call_inside(python, variables, f"create(users={USERS})")
    try:
        with ExitStack() as stack:
            port = stack.enter_context(serving(python, variables))
            logins = stack.enter_context(serving(python, variables)) if apart else port
            return _load(port, logins, rate, seconds)
    finally:
        call_inside(python, variables, "drop()")


def call_inside(python: str, variables: dict[str, str], call: str, module: str = "database") -> None:
    """Call a function of ``benchmarks.inside`` in a process with the settings of the server."""
    code = f"import django; django.setup(); from benchmarks.inside import {module}; {module}.{call}"
    subprocess.run([python, "-c", code], cwd=ROOT, env=variables, check=True)


@contextmanager
def serving(python: str, variables: dict[str, str]) -> Iterator[int]:
    """Serve the project with two processes of four threads."""
    port = find_port()
    command = ["-m", "gunicorn", "benchmarks.project.wsgi:application", "--bind", f"{HOST}:{port}"]
    command += ["--workers", "2", "--threads", "4", "--log-level", "error"]
    log = HOME / "logs" / "logins.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as output:
        process = subprocess.Popen(
            [python, *command], cwd=ROOT, env=variables, stdout=output, stderr=output, start_new_session=True
        )
    try:
        end = time.monotonic() + PATIENCE
        while ask(port, "GET", "/open/")[0] != 200:
            if time.monotonic() > end or process.poll() is not None:
                raise WorkerError(f"The server does not answer; see {log.relative_to(ROOT)}.")
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


def ask(port: int, method: str, path: str, body: Any = None, token: str = "") -> tuple[int, Any]:
    """Send a request. Return its status (0: no answer) and its body."""
    connection = HTTPConnection(HOST, port, timeout=PATIENCE)
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text.startswith(b"{") else None
    except (OSError, HTTPException):
        return 0, None
    finally:
        connection.close()


def log_in(port: int, number: int) -> tuple[int, Any]:
    """Log one of the users in. Return the status and the tokens."""
    return ask(port, "POST", "/api/token/", {"username": f"user{number % USERS}", "password": PASSWORD})


def _load(port: int, logins: int, rate: float, seconds: float) -> list[Answer]:
    """Send logins, refreshes and calls at their moments, and return all answers."""
    clients = [log_in(port, number)[1] for number in range(8)]
    locks = [threading.Lock() for _ in clients]
    answers: list[Answer] = []

    def refresh(number: int) -> int:
        place = number % len(clients)
        with locks[place]:
            status, body = ask(port, "POST", "/api/token/refresh/", {"refresh": clients[place]["refresh"]})
            clients[place] = {**clients[place], **(body or {})} if status == 200 else clients[place]
        return status

    actions: dict[str, Callable[[int], int]] = {
        "refresh": refresh,
        "call": lambda number: ask(port, "GET", "/ping/", token=clients[number % len(clients)]["access"])[0],
        "login": lambda number: log_in(logins, number)[0],
    }

    def send(kind: str, number: int, due: float) -> None:
        time.sleep(max(0.0, due - time.monotonic()))
        status = actions[kind](number)
        answers.append((kind, status, time.monotonic() - due))  # a request that had to wait is late too

    begin = time.monotonic() + 0.5
    plan = [(index / OTHERS, ("refresh", "call")[index % 2]) for index in range(int(seconds * OTHERS))]
    plan += [(index / rate, "login") for index in range(int(seconds * rate))]
    with ThreadPoolExecutor(200) as pool:
        for number, (moment, kind) in enumerate(sorted(plan)):
            time.sleep(max(0.0, begin + moment - time.monotonic() - 0.2))
            pool.submit(send, kind, number, begin + moment)
    return answers


def show(way: str, rate: float, answers: list[Answer]) -> tuple[str, ...]:
    """Return the row of the table."""
    cells = [way, f"{rate:g}"]
    for kind, percents in (("refresh", (50, 99)), ("call", (50, 99)), ("login", (50,))):
        times = list_times(answers, kind)
        cells += [f"{percentile(times, percent) * 1e3:,.0f} ms" if times else "-" for percent in percents]
    statuses = Counter(status for kind, status, _ in answers if kind == "login")
    wrong = sum(status != 200 for kind, status, _ in answers if kind != "login")
    others = sum(statuses.values()) - statuses[200] - statuses[503] + wrong
    return (*cells, str(statuses[200]), str(statuses[503]), str(others))


def list_times(answers: list[Answer], kind: str) -> list[float]:
    """Return the seconds of the requests of one kind that succeeded."""
    return [seconds for name, status, seconds in answers if name == kind and status == 200]


if __name__ == "__main__":
    main()
