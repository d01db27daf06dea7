"""Target 14: refreshes and calls before, during and after a change of the signing key, and none refused."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from benchmarks import environments, logins
from benchmarks.peers import ROOT, TESSERA
from benchmarks.progress import say
from benchmarks.results import Outcome, Table, Target
from benchmarks.scale import Scale
from benchmarks.spread import percentile

_STEPS: Final = (("HS256", "Ed25519"), ("Ed25519", "ES256"), ("ES256", "Ed25519"))
"""The move from the derived key to the database, and two rotations."""

_AHEAD: Final = 10.0
"""Seconds between the command and the moment at which the key signs."""

_RATE: Final = 40
"""Requests a second: a refresh and three calls in turn."""

_CLIENTS: Final = 12

_HEADER: Final = ("change", "phase", "refresh 50 %", "99 %", "call 50 %", "99 %", "requests", "refused")

_Answer = tuple[float, str, int, float]
"""The moment, the kind of the request, its status and its seconds."""


def measure(scale: Scale) -> Outcome:
    """Change the key under load, and measure each phase."""
    python, seconds = str(environments.python_of(environments.OURS)), scale.pick(30.0, 4.0)
    variables = {
        **TESSERA.describe("postgres", name="rotation", connections=600),
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
        "BENCH_SETTINGS": json.dumps(
            {"TESSERA": {**logins.UNLIMITED, "KEYS": [{"derived": True}, {"database": True}]}}
        ),
    }
    logins.call_inside(python, variables, f"create(users={logins.USERS})")
    try:
        with logins.serving(python, variables) as port:
            rows, data = _change_all(python, variables, port, seconds)
    finally:
        logins.call_inside(python, variables, "drop()")
    table = Table(
        title="A change of the signing key under load, PostgreSQL",
        note=f"gunicorn with two processes of four threads, {_RATE} requests a second of {_CLIENTS} clients."
        " The phase `during` begins with the command `rotate`, and ends two seconds after the key has begun"
        " to sign.",
        header=_HEADER,
        rows=rows,
    )
    refused = sum(int(row[-1]) for row in rows)
    target = Target(
        number=14,
        what="requests refused during a move from HS256 and two rotations",
        wanted="0",
        reached=str(refused),
        met=refused == 0,
    )
    return Outcome(tables=[table], targets=[target], data=data)


def _change_all(
    python: str, variables: dict[str, str], port: int, seconds: float
) -> tuple[list[tuple[str, ...]], dict[str, Any]]:
    rows: list[tuple[str, ...]] = []
    data: dict[str, Any] = {}
    for old, new in _STEPS:
        say(f"from {old} to {new}")
        load = _Load(port)
        with ThreadPoolExecutor(100) as pool:
            feeder = threading.Thread(target=load.run, args=(pool,))
            feeder.start()
            time.sleep(seconds)
            begin, signs_at = time.time(), time.time() + _AHEAD
            call = f"publish(alg={new!r}, signs_at={signs_at!r})"
            logins.call_inside(python, variables, call, "rotation")
            time.sleep(max(0.0, signs_at - time.time()) + 2.0 + seconds)
            load.stop.set()
            feeder.join()
        for phase, answers in _split(load.answers, begin, signs_at + 2.0):
            rows.append((f"{old} to {new}", phase, *_show(answers)))
            data[f"{old} to {new}, {phase}"] = {
                kind: {str(percent): _find(answers, kind, percent) for percent in (50, 99)}
                for kind in ("refresh", "call")
            }
    return rows, data


class _Load:
    """Clients that refresh and call at a fixed rate."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._clients = [logins.log_in(port, number)[1] for number in range(_CLIENTS)]
        self._locks = [threading.Lock() for _ in self._clients]
        self.answers: list[_Answer] = []
        self.stop = threading.Event()

    def run(self, pool: ThreadPoolExecutor) -> None:
        """Send requests until somebody sets ``stop``."""
        begin, number = time.monotonic(), 0
        while not self.stop.is_set():
            pool.submit(self._send, number)
            number += 1
            time.sleep(max(0.0, begin + number / _RATE - time.monotonic()))

    def _send(self, number: int) -> None:
        moment, started, place = time.time(), time.monotonic(), number // 4 % _CLIENTS
        if number % 4:
            kind, token = "call", self._clients[place]["access"]
            status, _ = logins.ask(self._port, "GET", "/ping/", token=token)
        else:
            kind = "refresh"
            with self._locks[place]:
                body = {"refresh": self._clients[place]["refresh"]}
                started = time.monotonic()
                status, found = logins.ask(self._port, "POST", "/api/token/refresh/", body)
                if status == 200:
                    self._clients[place] = {**self._clients[place], **found}
        self.answers.append((moment, kind, status, time.monotonic() - started))


def _split(answers: list[_Answer], begin: float, end: float) -> Iterator[tuple[str, list[_Answer]]]:
    yield "before", [answer for answer in answers if answer[0] < begin]
    yield "during", [answer for answer in answers if begin <= answer[0] < end]
    yield "after", [answer for answer in answers if answer[0] >= end]


def _find(answers: list[_Answer], name: str, percent: float) -> float | None:
    times = [spent for _, kind, status, spent in answers if kind == name and status == 200]
    return percentile(times, percent) if times else None


def _show(answers: list[_Answer]) -> tuple[str, ...]:
    found = [_find(answers, name, percent) for name in ("refresh", "call") for percent in (50, 99)]
    cells = ["-" if seconds is None else f"{seconds * 1e3:,.1f} ms" for seconds in found]
    refused = sum(status != 200 for _, _, status, _ in answers)
    return (*cells, str(len(answers)), str(refused))
