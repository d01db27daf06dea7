"""A bad network: a proxy that loses, cuts, delays and damages answers, before or after the server acts."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.servers import PATIENCE, wait_until


class BadNetwork(ThreadingHTTPServer):
    """Passes on all requests. Each request to ``path`` meets one of the faults in ``faults``."""

    daemon_threads = True

    def __init__(self, path: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream = 0  # the port of the server
        self.path = path
        self.faults: list[str] = []
        self.met: list[str] = []
        self.under_way = 0  # requests that the server has, or may still get
        self._lock = threading.Lock()

    def wait_until_idle(self) -> None:
        """Wait until no request is in progress, including requests that their sender has given up."""
        wait_until(lambda: self.under_way == 0, "a request does not end")

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def count(self, change: int) -> None:
        with self._lock:
            self.under_way += change

    def draw(self, path: str) -> str:
        """Return the next fault for a request."""
        with self._lock:
            if path != self.path or not self.faults:
                return "none"
            self.met.append(self.faults[0])
            return self.faults.pop(0)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Do nothing, because broken connections are the purpose of this class."""


class Handler(BaseHTTPRequestHandler):
    server: BadNetwork
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        pass

    def handle_any(self) -> None:
        self.server.count(1)
        try:
            self._handle()
        finally:
            self.server.count(-1)

    def _handle(self) -> None:
        self.close_connection = True
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.server.draw(self.path)
        if fault == "cut":
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if fault == "unavailable":
            self._reply(503, [("Retry-After", "0")], b"<h1>Try again</h1>")
            return
        try:
            status, headers, answer = self._ask(body)
        except (OSError, http.client.HTTPException):
            self._reply(502, [], b"<h1>Bad gateway</h1>")  # like a proxy while its server restarts
            return
        if fault == "lost":
            self.connection.shutdown(socket.SHUT_RDWR)
        elif fault == "garbled":
            self._reply(502, [], answer[: len(answer) // 2])
        elif fault == "late":
            self._wait_until_given_up()
            self._reply(status, headers, answer)
        elif fault == "half":
            self._reply(status, headers, answer, part=len(answer) // 2)
        else:
            self._reply(status, headers, answer)

    do_GET = do_POST = do_DELETE = do_OPTIONS = handle_any  # noqa: N815 - names in the base class

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.upstream, timeout=PATIENCE)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            connection.request(self.command, self.path, body or None, headers)
            answer = connection.getresponse()
            kept = [
                (name, value)
                for name, value in answer.getheaders()
                if name.lower() not in {"connection", "transfer-encoding", "content-length", "date", "server"}
            ]
            return answer.status, kept, answer.read()
        finally:
            connection.close()

    def _wait_until_given_up(self) -> None:
        self.connection.settimeout(PATIENCE)
        assert self.connection.recv(1) == b""  # the client has closed the connection

    def _reply(
        self, status: int, headers: list[tuple[str, str]], body: bytes, *, part: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body if part is None else body[:part])


@contextmanager
def bad_network(path: str) -> Iterator[BadNetwork]:
    with BadNetwork(path) as network:
        threading.Thread(target=network.serve_forever, daemon=True).start()
        try:
            yield network
        finally:
            network.shutdown()
