"""A TCP link of our own, which can be cut, held, slow, or lose answers.

A link stands between clients and an app server, and between an app server and its database or Redis. It works
where network namespaces need rights that a machine does not give.
"""

from __future__ import annotations

import asyncio
import time
from random import Random
from typing import Final

from tests.chaos import tempo

_CHUNK: Final = 65_536


class _BrokenLink(Exception):
    """Nothing more passes in this direction."""


class Link:
    """One listening port that leads to another port.

    A link that was held delivers nothing that is older than half a window: it resets those connections. The
    refresh rule assumes that such a message is dropped.
    """

    def __init__(self, name: str, target: int, rng: Random) -> None:
        self.name, self.target, self._rng = name, target, rng
        self.port = 0
        self._disturbances: list[tuple[str, float]] = []
        """Two faults may disturb a link at the same time. The end of one of them does not end the other."""
        self._open = asyncio.Event()
        self._open.set()
        self._transports: set[asyncio.WriteTransport] = set()
        self._handlers: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Open a free port."""

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            handler = asyncio.create_task(self._accept(reader, writer))
            self._handlers.add(handler)
            handler.add_done_callback(self._handlers.discard)

        self._server = await asyncio.start_server(accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and all connections."""
        if self._server is not None:
            self._server.close()
        self._open.set()
        self.reset()
        if self._handlers:
            await asyncio.wait(self._handlers)

    def begin(self, kind: str, amount: float = 1.0) -> None:
        """Begin to disturb the link.

        Args:
            kind: ``cut`` resets connections and refuses new ones. ``hold`` takes bytes and delivers nothing.
                ``slow`` delays each message. ``lose`` loses answers after the request was handled.
            amount: the longest delay in seconds, or the part of the answers.
        """
        self._disturbances.append((kind, amount))
        if kind == "cut":
            self.reset()
        if kind == "hold":
            self._open.clear()

    def end(self, kind: str, amount: float = 1.0) -> None:
        """End a disturbance."""
        self._disturbances.remove((kind, amount))
        if not self._measure("hold"):
            self._open.set()

    def _measure(self, kind: str) -> float:
        """Return the largest amount of a kind of disturbance, or 0."""
        return max((amount for name, amount in self._disturbances if name == kind), default=0.0)

    def lead(self, target: int) -> None:
        """Use another target from now on, as an address that moves in a fail-over."""
        self.target = target
        self.reset()

    def reset(self) -> None:
        """Reset all connections."""
        for transport in list(self._transports):
            transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._measure("cut"):
            writer.transport.abort()
            return
        mine = [writer.transport]
        self._transports.add(writer.transport)
        try:
            await self._wait(reader)
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
            mine.append(far_writer.transport)
            self._transports.add(far_writer.transport)
            await self._join(
                asyncio.create_task(self._carry(reader, far_writer)),
                asyncio.create_task(self._return(far_reader, writer)),
            )
        except (OSError, _BrokenLink):
            for transport in mine:
                transport.abort()
        finally:
            self._transports.difference_update(mine)
            for transport in mine:
                transport.close()  # after the bytes that are on their way

    async def _join(self, *directions: asyncio.Task[None]) -> None:
        """Run both directions until one of them ends."""
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for direction in directions:
                direction.cancel()
            results = await asyncio.gather(*directions, return_exceptions=True)
        for result in results:
            if isinstance(result, (OSError, _BrokenLink)):
                raise result

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send on the bytes of a client. Drop them if the client has given up meanwhile."""
        while chunk := await reader.read(_CHUNK):
            await self._wait(reader)
            if reader.at_eof():
                return
            writer.write(chunk)
            await writer.drain()

    async def _return(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send back the bytes of a server, or lose them.

        After one half of the lost answers the connection is closed, and after the other half it stays open.
        """
        loses, is_silent = self._rng.random() < self._measure("lose"), self._rng.random() < 0.5
        while chunk := await reader.read(_CHUNK):
            await self._wait(reader)
            if not loses:
                writer.write(chunk)
                await writer.drain()
        if loses and is_silent:
            await asyncio.sleep(tempo.PATIENCE)

    async def _wait(self, reader: asyncio.StreamReader) -> None:
        """Wait while the link is held, and as long as a slow link needs."""
        delay = self._measure("slow")
        if delay:
            await asyncio.sleep(self._rng.uniform(0, delay))
        if self._open.is_set():
            return
        began = time.monotonic()
        await self._open.wait()
        if time.monotonic() - began > tempo.GIVE_UP:
            raise _BrokenLink
