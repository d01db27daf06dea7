"""Requests to the protected view and to its open twin."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import Any

from benchmarks.inside import application, credentials, database

LEAD: int = 20
"""The number of requests before each batch that are not timed, because another peer used the CPU caches."""


@dataclass
class _Prepared:
    protected: list[application.Environ] = field(default_factory=list)
    open: list[application.Environ] = field(default_factory=list)
    position: int = 0


_prepared = _Prepared()


def prepare(*, tokens: int, touched: bool) -> dict[str, Any]:
    """Create the database, ``tokens`` users and one token for each user. Check the answers, and warm up."""
    database.create(users=tokens)
    path = "/touched/" if touched else "/ping/"
    _prepared.protected = [application.prepare_get(path, headers) for headers in credentials.make(tokens)]
    # Use as many dicts as there are protected requests, because a single dict would always be in the CPU
    # cache.
    _prepared.open = [application.prepare_get("/open/", {}) for _ in range(tokens)]
    _check(path)
    for environ in _prepared.protected:
        application.demand(environ)
    application.spend(_prepared.open[:200])
    statements = application.record_statements(lambda: application.spend(_prepared.protected[:100]))
    application.settle()
    return {"statements": len(statements) / 100, "examples": sorted(set(statements))[:3]}


def _check(path: str) -> None:
    """Check that the twins answer the same bytes, and that one twin is protected.

    Raises:
        WrongAnswerError: the answers differ, or the view is not protected.
    """
    if application.demand(_prepared.protected[0]) != application.demand(_prepared.open[0]):
        raise application.WrongAnswerError("The open view answers something else.")
    status, _, _ = application.call(application.prepare_get(path, {}))
    if not status.startswith(("401", "403")):
        raise application.WrongAnswerError(f"The protected view lets anybody in: {status}")


def measure(*, batch: int) -> dict[str, float]:
    """Measure one batch of each view, in random order. Return the seconds of each request."""
    found = {}
    for kind in random.sample(("protected", "open"), 2):
        found[kind] = _time_batch(getattr(_prepared, kind), batch)
    return found


def _time_batch(environs: list[application.Environ], batch: int) -> float:
    total = len(environs)
    start = _prepared.position
    _prepared.position = (start + LEAD + batch) % total
    chosen = [environs[(start + index) % total] for index in range(LEAD + batch)]
    application.spend(chosen[:LEAD])
    return application.spend(chosen[LEAD:]) / batch


def measure_pull(*, pause: float) -> float:
    """Return the cost of the revocation feed: the first request after a pause, minus the second request.

    The batches above are shorter than a second, so they do not contain this cost.
    """
    time.sleep(pause)
    first = application.spend(_prepared.protected[:1])
    return first - application.spend(_prepared.protected[:1])
