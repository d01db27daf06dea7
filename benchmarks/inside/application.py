"""Requests in the process: straight into Django's WSGI handler, with its whole middleware.

No test client, whose own work would be half of what is measured. A request is an environment prepared
beforehand; its answer is read and closed as a server does it, so Django's signals of a request's
beginning and end are sent, and connections are kept or closed by ``CONN_MAX_AGE``.
"""

from __future__ import annotations

import gc
import io
import json
import time
from collections.abc import Callable
from typing import Any, Final

from django.core.handlers.wsgi import WSGIHandler
from django.db import connection

Environ = dict[str, Any]

handler: Final = WSGIHandler()

_BASE: Final[Environ] = {
    "SERVER_NAME": "testserver",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": "127.0.0.1",
    "HTTP_HOST": "testserver",
    "HTTP_USER_AGENT": "benchmarks/1.0",
    "HTTP_ACCEPT": "*/*",
    "SCRIPT_NAME": "",
    "QUERY_STRING": "",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.errors": io.StringIO(),
    "wsgi.multithread": False,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}


class WrongAnswerError(Exception):
    """A request was not answered as it must be, so that its time means nothing."""


def prepare_get(path: str, headers: dict[str, str]) -> Environ:
    """Prepare a GET request."""
    return {**_BASE, "REQUEST_METHOD": "GET", "PATH_INFO": path, "wsgi.input": io.BytesIO(), **headers}


def prepare_post(path: str, body: dict[str, Any], **more: str) -> Environ:
    """Prepare a POST request with a JSON body, for one use."""
    raw = json.dumps(body).encode()
    return {
        **_BASE,
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(raw)),
        "wsgi.input": io.BytesIO(raw),
        **more,
    }


def call(environ: Environ) -> tuple[str, list[tuple[str, str]], bytes]:
    """Make one request; give the status line, the headers and the body."""
    seen: list[Any] = []
    response = handler(environ.copy(), lambda status, headers, *_: seen.extend((status, headers)))
    body = b"".join(response)
    response.close()
    return seen[0], seen[1], body


def demand(environ: Environ, status: str = "200 OK") -> bytes:
    """Make one request and give its body.

    Raises:
        WrongAnswerError: another status.
    """
    found, _, body = call(environ)
    if found != status:
        raise WrongAnswerError(f"{environ['PATH_INFO']} answered {found}: {body[:300]!r}")
    return body


def spend(environs: list[Environ]) -> float:
    """Make all these requests and give the seconds that they took.

    Raises:
        WrongAnswerError: one was not answered with 200.
    """
    wrong: list[str] = []

    def start_response(status: str, headers: Any, *_: Any) -> None:
        if status != "200 OK":
            wrong.append(status)

    run = handler
    begun = time.perf_counter()
    for environ in environs:
        response = run(environ.copy(), start_response)
        for _ in response:
            pass
        response.close()
    elapsed = time.perf_counter() - begun
    if wrong:
        raise WrongAnswerError(f"{len(wrong)} of {len(environs)} requests were answered with {wrong[0]}")
    return elapsed


def record_statements(action: Callable[[], object]) -> list[str]:
    """Give the statements that ``action`` executes, without ``BEGIN`` and the like."""
    statements: list[str] = []

    def note(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        statements.append(sql)
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(note):
        action()
    return statements


def settle() -> None:
    """Put all that is there now beyond the garbage collector's reach.

    The collector stays on, as it is in production, because requests make garbage of their own; but it
    must not walk what happened to be loaded before, which differs from peer to peer.
    """
    gc.collect()
    gc.freeze()
