"""HTTP for clients that give up: one connection for each request, and no answer after the patience."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

_HEAD: Final = struct.Struct(">B16sI")


class NoAnswer(Exception):
    """The connection was refused or cut, or the answer took too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer, with the times at which the request was sent and the answer was complete."""

    status: int
    headers: dict[str, str]
    body: bytes
    sent: float
    heard: float

    @property
    def data(self) -> dict[str, Any]:
        """Return the body, if it is a JSON object."""
        try:
            found = json.loads(self.body or b"{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def code(self) -> str:
        """Return the stable code of an error."""
        return str(self.data.get("code", ""))

    @property
    def is_json(self) -> bool:
        """Return whether a program can read the answer."""
        return not self.body or "json" in self.headers.get("content-type", "")

    @property
    def process(self) -> str:
        """Return the server and the process that have answered."""
        return self.headers.get("x-process", "?")

    @property
    def took(self) -> float:
        """Return how many seconds a thread of the server needed, without the time until it was free."""
        return float(self.headers.get("x-took", "0"))

    @property
    def statements(self) -> int:
        """Return how many statements the request has sent to the database."""
        return int(self.headers.get("x-statements", "0"))

    @property
    def retry_after(self) -> float:
        """Return how many seconds the server asks the client to wait."""
        value = self.headers.get("retry-after", "")
        return float(value) if value.isdigit() else 0.0


async def send(
    port: int,
    method: str,
    path: str,
    body: dict[str, Any] | None = None,
    *,
    token: str = "",
    patience: float,
) -> Answer:
    """Send a request and return its answer.

    Raises:
        NoAnswer: there is no complete answer within the patience.
    """
    sent = time.monotonic()
    try:
        async with asyncio.timeout(patience):
            raw = await _exchange(port, _write(method, path, body, token, sent))
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        raise NoAnswer(type(error).__name__) from error
    return _parse(raw, sent)


def _write(method: str, path: str, body: dict[str, Any] | None, token: str, sent: float) -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    lines = [
        f"{method} /{path} HTTP/1.1",
        "Host: localhost",
        "Connection: close",
        "Accept: application/json",
        f"X-Request-Start: {sent}",
        f"Content-Length: {len(content)}",
        *(["Content-Type: application/json"] if content else []),
        *([f"Authorization: Bearer {token}"] if token else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + content


async def _exchange(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        await writer.drain()
        return await reader.read()
    finally:
        # An abort tells the proxy at once that nobody waits for this answer.
        with suppress(OSError):
            writer.transport.abort()


def _parse(raw: bytes, sent: float) -> Answer:
    head, separator, body = raw.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines[1:])
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    if not separator or int(headers.get("content-length", "0")) > len(body):
        raise NoAnswer("a truncated answer")
    return Answer(
        status=int(lines[0].split()[1]), headers=headers, body=body, sent=sent, heard=time.monotonic()
    )


def parse_token(token: str) -> tuple[int, bool]:
    """Return the generation in a refresh token, and whether the token is a branch of it."""
    raw = token.partition("_")[2].encode()
    decoded = base64.urlsafe_b64decode(raw + b"=" * (-len(raw) % 4))
    version, _, generation = _HEAD.unpack_from(decoded)
    return generation, version != 1


def read_generation(token: str) -> str:
    """Return the generation in a refresh token, with a mark if the token is a branch."""
    generation, is_branch = parse_token(token)
    return f"{generation}{'+' if is_branch else ''}"
