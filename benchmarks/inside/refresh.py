"""Refreshes through the real view, and the floor: one keyed UPDATE in an equally simple view."""

from __future__ import annotations

import json
import random
import time
from typing import Any

from benchmarks.inside import application, database, filling
from benchmarks.project.scheme import read_scheme

PATH = "/api/token/refresh/"
LEAD: int = 3
"""The number of refreshes before each batch that are not timed."""

_tokens: list[list[str]] = []
_latest: list[str] = []


def prepare(*, rows: int, users: int, live: int, age: int = 0) -> dict[str, Any]:
    """Create a database with ``rows`` rows and ``live`` sessions to refresh. Check answers, and warm up."""
    database.create(users=users)
    _tokens[:] = filling.fill(rows=rows, live=live, age=age)
    random.shuffle(_tokens)
    statements = application.record_statements(_refresh_one)
    for _ in range(20):
        _refresh_one()
    application.settle()
    return {"statements": statements, "rows": filling.count_rows()}


def measure(*, batch: int) -> dict[str, float]:
    """Measure a batch of each way, in random order. Return the seconds of each request.

    Each session is refreshed only once, as clients do it. A second refresh would fall into the grace window,
    which is a different case.
    """
    ways = ["refresh", "floor", "bare"] if read_scheme() == "tessera" else ["refresh"]
    return {way: _time(way, batch) for way in random.sample(ways, len(ways))}


def _time(way: str, batch: int) -> float:
    chosen = [_tokens.pop() for _ in range(LEAD + batch)]
    if way == "refresh":
        environs = [application.prepare_post(PATH, {"refresh": token}) for token, _ in chosen]
    else:
        # The body has the same number of bytes, because the key takes the place of the token.
        path = "/floor/" if way == "floor" else "/floor/bare/"
        environs = [
            application.prepare_post(path, {"refresh": key, "padding": "p" * (len(token) - len(key) - 15)})
            for token, key in chosen
        ]
    application.spend(environs[:LEAD])
    return application.spend(environs[LEAD:]) / batch


def _refresh_one() -> None:
    application.demand(application.prepare_post(PATH, {"refresh": _tokens.pop()[0]}))


def keep(*, count: int) -> None:
    """Start ``count`` sessions that :func:`sustain` refreshes again and again."""
    _latest[:] = [token for token, _ in _tokens[:count]]


def sustain(*, seconds: float, interval: float) -> list[float]:
    """Refresh one session every ``interval`` for some time. Return how long each refresh had to wait."""
    found = []
    begun = due = time.perf_counter()
    while due < begun + seconds:
        time.sleep(max(0.0, due - time.perf_counter()))
        token = _latest.pop(0)
        answer = json.loads(application.demand(application.prepare_post(PATH, {"refresh": token})))
        found.append(time.perf_counter() - due)
        _latest.append(answer["refresh"])
        due += interval
    return found
