"""Requests inside the process: direct calls of Django's WSGI handler, with its whole middleware.

There is no test client, because its own work would be half of the measured time. A request is an environment
that is prepared in advance. Its answer is read and closed as a server does it. So Django sends its signals
for the start and the end of a request, and ``CONN_MAX_AGE`` keeps or closes connections.
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
    """A request got a wrong answer, so its time is meaningless."""


def prepare_get(path: str, headers: dict[str, str]) -> Environ:
    """Return a GET request."""
    return {**_BASE, "REQUEST_METHOD": "GET", "PATH_INFO": path, "wsgi.input": io.BytesIO(), **headers}


def prepare_post(path: str, body: dict[str, Any], **more: str) -> Environ:
    """Return a POST request with a JSON body. The request can be used once."""
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
    """Make one request. Return the status line, the headers and the body."""
    seen: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> Callable[[bytes], object]:
        seen.extend((status, headers))
        return _write

    response = handler(environ.copy(), start_response)
    body = b"".join(response)
    response.close()
    return seen[0], seen[1], body


def _write(_: bytes) -> None:
    """Raise an error in the place of WSGI's ``write``, because Django yields its body."""
    raise NotImplementedError


def demand(environ: Environ, status: str = "200 OK") -> bytes:
    """Make one request and return its body.

    Raises:
        WrongAnswerError: the status is different.
    """
    found, _, body = call(environ)
    if found != status:
        raise WrongAnswerError(f"{environ['PATH_INFO']} answered {found}: {body[:300]!r}")
    return body


def spend(environs: list[Environ]) -> float:
    """Make all requests and return the seconds that they took.

    Raises:
        WrongAnswerError: the status of an answer is not 200.
    """
    wrong: list[str] = []

    def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> Callable[[bytes], object]:
        if status != "200 OK":
            wrong.append(status)
        return _write

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
    """Return the SQL statements that ``action`` executes, without ``BEGIN`` and similar statements."""
    statements: list[str] = []

    def note(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        statements.append(sql)
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(note):
        action()
    return statements


def settle() -> None:
    """Exclude all existing objects from garbage collection.

    The collector stays on, as in production, because requests create garbage. But it must not visit the
    objects that were loaded before, because these differ from peer to peer.
    """
    gc.collect()
    gc.freeze()
