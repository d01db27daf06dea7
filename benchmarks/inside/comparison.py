"""The questions of ``benchmarks.comparison`` to each peer. Each probe has its own users."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, TypeVar

from django.apps import apps
from django.db import connection
from django.db.models import QuerySet

from benchmarks.inside import application, clients, database
from benchmarks.project.scheme import read_scheme

REPEATS: Final = 10
PATIENCE: Final = 3.0
"""Seconds after a logout in which another process may notice it."""

COOKIE_PATHS: Final = {
    "tessera": ("/api/token/", "/api/token/refresh/"),
    "dj-rest-auth": ("/auth/login/", "/auth/token/refresh/"),
}
"""Where the peers that put tokens into cookies log in and refresh."""

_numbers = itertools.count()
_Item = TypeVar("_Item")


def prepare(*, users: int) -> None:
    """Make the database."""
    database.create(users=users)


def count_queries() -> dict[str, int]:
    """Count the queries of a request: to a view that reads no column of the user, and to one that does."""
    headers = _connect().headers
    found = {}
    for name, path in (("untouched", "/ping/"), ("touched", "/touched/")):
        request = application.prepare_get(path, headers)
        application.demand(request)
        statements = application.record_statements(partial(_repeat, application.demand, [request] * REPEATS))
        # Rounded, because once a second drf-tessera asks for the sessions that have ended.
        found[name] = round(len(statements) / REPEATS)
    return found


def count_refresh() -> dict[str, int] | None:
    """Count the statements of a refresh, and the rows that it adds."""
    holders = [_connect() for _ in range(REPEATS)]
    if not holders[0].refreshes:
        return None
    _renew(holders.pop())  # the first one warms up
    before = _count_rows()
    statements = application.record_statements(partial(_repeat, _renew, holders))
    added = _count_rows() - before
    return {"statements": round(len(statements) / len(holders)), "rows": round(added / len(holders))}


def log_in() -> dict[str, str]:
    """Log in, for :func:`log_out`, and return the headers of a request."""
    _waiting.append(_connect())
    return _waiting[-1].headers


def demand(*, headers: dict[str, str]) -> None:
    """Make sure that the protected view lets these headers in.

    Raises:
        WrongAnswerError: it does not.
    """
    application.demand(application.prepare_get("/ping/", headers))


def log_out() -> bool:
    """Log out, and return whether the access token still works in this process."""
    client = _waiting.pop()
    client.log_out()
    return client.works


def wait_for_refusal(*, headers: dict[str, str]) -> float | None:
    """Repeat a request until it is refused. Return the seconds that this took, or ``None``."""
    begun = time.monotonic()
    while (waited := time.monotonic() - begun) < PATIENCE:
        if clients.ask(headers) != 200:
            return waited
        time.sleep(0.01)
    return None


def change_password() -> dict[str, bool | None]:
    """Change the password as any view and the admin do, and try the tokens from before."""
    client = _connect()
    client.user.set_password("another password of the benchmarks")
    client.user.save()
    access = client.works
    # A refresh counts only if the new access token works.
    return {"access": access, "refresh": client.renew() and client.works if client.refreshes else None}


def replay() -> dict[str, bool] | None:
    """Refresh twice, use the first refresh token again, and try what the honest client has."""
    honest = _connect()
    if not honest.refreshes:
        return None
    thief = honest.fork()
    for _ in range(2):
        _renew(honest)
        if read_scheme() == "tessera":
            time.sleep(1.1)  # REFRESH_GRACE is 1 here: within it a refresh does not rotate
    if honest.refresh == thief.refresh:
        return None
    accepted = thief.renew()
    access = honest.works
    return {"accepted": accepted, "access": access, "refresh": honest.renew()}


def refresh_twice() -> dict[str, bool] | None:
    """Refresh with one token from two tabs, one right after the other, and let both go on."""
    first = _connect()
    if not first.refreshes:
        return None
    second = first.fork()
    _renew(first)
    second.renew()
    return {"second": second.renew() and second.works, "first": first.renew() and first.works}


def find_secrets() -> list[str]:
    """Return which of a login's secrets are in the database as they are."""
    client = _connect()
    if client.refreshes:
        _renew(client)
    connection.ensure_connection()
    dump = "\n".join(connection.connection.iterdump())
    return [name for name, text in client.list_secrets().items() if text in dump]


def refresh_from_another_site() -> bool | None:
    """Log in by cookie, and return whether a refresh that a page of another site causes is accepted.

    Raises:
        WrongAnswerError: a refresh by the site's own page is refused too.
    """
    scheme = read_scheme()
    if scheme not in COOKIE_PATHS:
        return None
    login, refresh = COOKIE_PATHS[scheme]
    client = clients.CLIENTS[scheme](next(_numbers))
    own = {"HTTP_ORIGIN": "http://testserver", "HTTP_SEC_FETCH_SITE": "same-origin"}
    body = {"username": client.name, "password": database.PASSWORD}
    jar = clients.demand("POST", login, body, own)["cookies"]
    jar |= clients.demand("POST", refresh, {}, own | _write_cookies(jar))["cookies"]
    foreign = {"HTTP_ORIGIN": "https://another.example", "HTTP_SEC_FETCH_SITE": "cross-site"}
    status, _ = clients.send("POST", refresh, {}, foreign | _write_cookies(jar))
    return status == 200


def _write_cookies(jar: dict[str, str]) -> dict[str, str]:
    return {"HTTP_COOKIE": "; ".join(f"{name}={value}" for name, value in jar.items())}


def _connect() -> clients.Client:
    """Return a client whose user no other probe has.

    Raises:
        WrongAnswerError: the protected view does not let it in, so that no refusal would mean anything.
    """
    client = clients.connect(next(_numbers))
    demand(headers=client.headers)
    return client


def _renew(client: clients.Client) -> None:
    """Refresh where a refresh must be accepted.

    Raises:
        WrongAnswerError: it is refused.
    """
    if not client.renew():
        raise application.WrongAnswerError("A refresh with a new token is refused.")


def _repeat(call: Callable[[_Item], object], items: Iterable[_Item]) -> None:
    for item in items:
        call(item)


def _count_rows() -> int:
    return sum(QuerySet(model).count() for model in apps.get_models())


_waiting: list[clients.Client] = []
