"""Target 7: the time from a logout on one server until another server refuses the session's token.

There are two gunicorn servers of one process each, with the same PostgreSQL. Clients log out on server A at
random times. Then they ask server B again and again, over an open connection, until B answers 401. The time
starts before the logout is *sent*, so it is never too short. It includes the clients' pause between two
requests.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Final

from benchmarks import servers
from benchmarks.peers import TESSERA
from benchmarks.progress import advance
from benchmarks.results import Outcome, Table, Target
from benchmarks.scale import Scale
from benchmarks.spread import Spread, percentile
from benchmarks.workers import WorkerError, working

POLL: Final = 1.0
"""The default of ``REVOCATION_POLL``, in seconds."""

CLIENTS: Final = 12
PAUSE: Final = 0.01
PATIENCE: Final = 30.0


def measure(scale: Scale) -> Outcome:
    """Measure as many logouts as the scale requires."""
    count = scale.pick(1000, 60)
    with working(TESSERA, "postgres", name="revocation") as worker:
        tokens = worker.ask("logout.prepare", count=count)
        with (
            servers.serving(worker, "gunicorn", connections=None, workers=1, threads=4) as here,
            servers.serving(worker, "gunicorn", connections=None, workers=1, threads=4) as there,
        ):
            found = _run_clients(tokens, here, there)
    delays = [it["felt"] for it in found]
    worst = max(delays)
    outcome = Outcome(data={"poll": POLL, "delays": found})
    outcome.tables.append(
        Table(
            title="Logout felt by another server",
            note=f"Milliseconds from sending the logout to one process until another process answers 401."
            f" {count:,} logouts at random moments by {CLIENTS} clients. Each client asks every"
            f" {PAUSE * 1e3:.0f} ms. `REVOCATION_POLL` is {POLL:.0f} s.",
            header=("", "median", "90 %", "99 %", "longest"),
            rows=[
                ("felt by the other server", *_show(delays)),
                ("the logout itself", *_show([it["answered"] for it in found])),
            ],
        )
    )
    outcome.targets.append(
        Target(
            number=7,
            what=f"logout felt by another process, longest of {count:,}",
            wanted=f"below {POLL * 1e3 + 100:,.0f} ms",
            reached=f"{worst * 1e3:,.0f} ms; median {Spread.of(delays).show(0, scale=1e3)}",
            met=worst < POLL + 0.1,
        )
    )
    return outcome


def _show(values: list[float]) -> list[str]:
    return [f"{percentile(values, percent) * 1e3:,.0f}" for percent in (50, 90, 99, 100)]


def _run_clients(tokens: list[dict[str, str]], here: int, there: int) -> list[dict[str, float]]:
    connections = threading.local()

    def log_out(token: dict[str, str]) -> dict[str, float]:
        if not hasattr(connections, "here"):
            connections.here = _connect(here)
            connections.there = _connect(there)
        return _log_out(token, connections.here, connections.there)

    with ThreadPoolExecutor(CLIENTS) as pool:
        results = [pool.submit(log_out, token) for token in tokens]
        return [result.result() for result in advance("logouts", results)]


Ask = Callable[[str, str, str, dict[str, str]], int]


def _connect(port: int) -> Ask:
    connection = HTTPConnection(servers.HOST, port, timeout=PATIENCE)

    def ask(method: str, path: str, body: str, headers: dict[str, str]) -> int:
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status

    return ask


def _log_out(token: dict[str, str], here: Ask, there: Ask) -> dict[str, float]:
    """Log one session out. Return the seconds until its answer, and until the other server refuses the token.

    Raises:
        WorkerError: a server gave a wrong answer.
    """
    headers = {"Authorization": f"Bearer {token['access']}"}
    if there("GET", "/ping/", "", headers) != 200:
        raise WorkerError("The other server refused a session that nobody had ended.")
    time.sleep(random.uniform(0, POLL))
    begun = time.perf_counter()
    body = json.dumps({"refresh": token["refresh"]})
    if here("POST", "/api/token/revoke/", body, {"Content-Type": "application/json"}) != 200:
        raise WorkerError("The logout failed.")
    answered = time.perf_counter() - begun
    while (status := there("GET", "/ping/", "", headers)) == 200:
        if time.perf_counter() - begun > PATIENCE:
            raise WorkerError(f"The other server never felt the logout in {PATIENCE:.0f} s.")
        time.sleep(PAUSE)
    if status != 401:
        raise WorkerError(f"The other server answered {status}.")
    return {"answered": answered, "felt": time.perf_counter() - begun}
