"""The end of all sessions, and the requests of people meanwhile."""

from __future__ import annotations

import json
import math
import resource
import time
from itertools import cycle
from typing import Any

from django.contrib.auth import get_user_model

from benchmarks.inside import application, database, filling
from drf_tessera import sessions

_CLIENTS: list[dict[str, Any]] = []
_TURNS: Any = cycle(("call", "refresh"))
_PLACE: list[int] = [0]


def prepare(*, rows: int, users: int, clients: int) -> None:
    """Create a database with ``rows`` live sessions. ``clients`` more belong to the requests."""
    database.create(users=users)
    filling.fill(rows=rows, live=0)
    _CLIENTS[:] = [_log_in({"user": user}) for user in get_user_model().objects.order_by("pk")[:clients]]
    for _ in range(2 * clients):
        _ask()
    application.settle()


def refill(*, rows: int) -> None:
    """Delete the sessions that have ended, and add ``rows`` live ones."""
    database.run("DELETE FROM tessera_session WHERE revoked_at IS NOT NULL")
    filling.fill(rows=rows, live=0)
    sustain(seconds=0.5, interval=0.01)


def sustain(*, seconds: float, interval: float) -> list[list[Any]]:
    """Make one request every ``interval``: a call and a refresh in turn.

    Return the kind of each request, its status, the time of its answer and how long it had to wait. A client
    whose session has ended logs in again, and this login is not measured.
    """
    found = []
    begun = due = time.perf_counter()
    while due < begun + seconds:
        time.sleep(max(0.0, due - time.perf_counter()))
        kind, status, client = _ask()
        found.append([kind, status, time.time(), time.perf_counter() - due])
        due += interval
        if status == 401:
            _log_in(client)
            due = max(due, time.perf_counter())
    return found


def end_everybody(*, slice_seconds: float) -> dict[str, Any]:
    """End all sessions, in slices with pauses of the same length.

    So the requests during the work and those of the pauses meet the same disturbances of the machine. Return
    the times of the slices.
    """
    slices = [[float(math.ceil(time.time())), 0.0]]  # the function waits for the end of the present second

    def pause(_: int) -> None:
        now = time.time()
        if now - slices[-1][0] >= slice_seconds:
            slices[-1][1] = now
            time.sleep(slice_seconds)
            slices.append([time.time(), 0.0])

    count = sessions.revoke_everybody(progress=pause)
    slices[-1][1] = time.time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"ended": count, "slices": slices, "peak": peak}


def _ask() -> tuple[str, int, dict[str, Any]]:
    kind = next(_TURNS)
    if kind == "call":
        _PLACE[0] = (_PLACE[0] + 1) % len(_CLIENTS)
    client = _CLIENTS[_PLACE[0]]
    if kind == "call":
        headers = {"HTTP_AUTHORIZATION": f"Bearer {client['access']}"}
        status = int(application.call(application.prepare_get("/ping/", headers))[0][:3])
    else:
        environ = application.prepare_post("/api/token/refresh/", {"refresh": client["refresh"]})
        line, _, body = application.call(environ)
        status = int(line[:3])
        if status == 200:
            client.update(json.loads(body))
    return kind, status, client


def _log_in(client: dict[str, Any]) -> dict[str, Any]:
    grant = sessions.start(client["user"])
    client.update(access=grant.access, refresh=grant.refresh)
    return client
