"""A bounded GET: the only connections that this package opens to other servers. The home of ``urllib3``.

The answer is limited in size and in time, a redirect is an error, and only HTTPS is used, or a loopback host.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from threading import Timer
from typing import TYPE_CHECKING, Any, Final

from drf_tessera.conf import is_safe_address

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

MAX_BYTES: Final = 262_144
"""The largest answer. The key sets of large providers have 20 kB."""

WHOLE_TIME: Final = 5.0
"""Seconds for one answer, from the connection to the last byte, however slowly the bytes come."""

_CHUNK: Final = 16_384


class FetchError(Exception):
    """There is no answer, or the answer is not acceptable. The message says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of an answer, and how long it may be kept."""

    body: bytes
    cache_control: str


def can_fetch() -> bool:
    """Return whether the HTTP library is installed (``drf-tessera[issuers]``)."""
    return find_spec("urllib3") is not None


def fetch(address: str, *, seconds: float = WHOLE_TIME) -> Answer:
    """Return the answer to a GET.

    Raises:
        FetchError: see the class.
    """
    import urllib3  # noqa: PLC0415 - an extra of the package, which only projects with ISSUERS need
    from urllib3.exceptions import HTTPError  # noqa: PLC0415 - the same

    if not is_safe_address(address):
        raise FetchError(f"{address!r} is not an address that begins with https://.")
    pool = urllib3.connection_from_url(address, maxsize=1, retries=False, timeout=seconds)
    watched = _watch(pool)
    end = Timer(seconds, watched.close)
    end.daemon = True
    end.start()
    try:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "drf-tessera"}
        answer = pool.urlopen(
            "GET", _find_target(address), headers=headers, redirect=False, preload_content=False
        )
        return _read(answer, watched)
    except (HTTPError, OSError, ValueError) as error:
        raise FetchError(f"{address} does not answer ({type(error).__name__}).") from None
    finally:
        end.cancel()
        pool.close()


def _find_target(address: str) -> str:
    from urllib3.util import parse_url  # noqa: PLC0415 - see fetch

    return parse_url(address).request_uri


def _read(answer: BaseHTTPResponse, watched: _Watched) -> Answer:
    if answer.status != 200:
        raise FetchError(f"The answer has the status {answer.status}.")
    body = b""
    while chunk := answer.read(_CHUNK, decode_content=False):
        body += chunk
        if len(body) > MAX_BYTES:
            raise FetchError(f"The answer is longer than {MAX_BYTES} bytes.")
    if watched.late:
        raise FetchError("The answer takes too long.")
    return Answer(body, answer.headers.get("Cache-Control", ""))


class _Watched:
    """The connection of one fetch, which another thread may end."""

    def __init__(self) -> None:
        self.connection: Any = None
        self.socket: Any = None
        self.late = False

    def close(self) -> None:
        """End the connection, so that the thread that waits for it gets an error."""
        self.late = True
        # A connection forgets its socket when the headers are read, and has another one before the handshake.
        found = self.socket or getattr(self.connection, "sock", None)
        if found is not None:
            with suppress(OSError):
                found.shutdown(socket.SHUT_RDWR)


def _watch(pool: Any) -> _Watched:
    """Return what ends the connection of a pool. A time-out of the library starts again with each byte."""
    watched, kind = _Watched(), pool.ConnectionCls

    class Connection(kind):  # type: ignore[misc,valid-type]  # of the class that the pool has chosen
        def connect(self) -> None:
            watched.connection = self
            super().connect()
            watched.socket = self.sock

    pool.ConnectionCls = Connection
    return watched
