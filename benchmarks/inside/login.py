"""Logins through the peer's own view, and the part of the password's hash in their time."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import check_password

from benchmarks.inside import application, database

LEAD: int = 3
"""The number of logins before each batch that are not timed."""

_names: list[str] = []
_turn: list[int] = [0]


def prepare(*, users: int) -> dict[str, Any]:
    """Create the database and its users. Return the SQL statements of one login."""
    database.create(users=users)
    _names[:] = get_user_model().objects.order_by("pk").values_list("username", flat=True)
    for _ in range(20):
        application.demand(_make_request())
    request = _make_request()
    statements = application.record_statements(lambda: application.demand(request))
    application.settle()
    return {"statements": statements, "hasher": settings.PASSWORD_HASHERS[0].rpartition(".")[2]}


def measure(*, batch: int) -> dict[str, float]:
    """Measure a batch of logins, of hashes, and of requests to the open view. Return the seconds of each."""
    requests = [_make_request() for _ in range(LEAD + batch)]
    application.spend(requests[:LEAD])
    login = application.spend(requests[LEAD:]) / batch
    encoded = get_user_model().objects.order_by("pk").values_list("password", flat=True)[0]
    begun = time.perf_counter()
    for _ in range(batch):
        check_password(database.PASSWORD, encoded)
    hashing = (time.perf_counter() - begun) / batch
    opened = application.spend([application.prepare_get("/open/", {})] * batch) / batch
    return {"login": login, "hash": hashing, "open": opened}


def _make_request() -> application.Environ:
    """Return the login of the next user, with its own address, so that no limit of attempts is reached."""
    _turn[0] += 1
    number = _turn[0]
    return application.prepare_post(
        "/api/token/",
        {"username": _names[number % len(_names)], "password": database.PASSWORD},
        REMOTE_ADDR=f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
    )
