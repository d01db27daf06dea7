"""The chat: everybody who is logged in hears everybody.

The channel layer is in memory, because the demo has one process. A project with several processes uses Redis.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from channels.generic.websocket import AsyncJsonWebsocketConsumer

from drf_tessera.plain import load_lazily

ROOM: Final = "chat"
MAX_TEXT: Final = 280

BAD_MESSAGE: Final = 4400
"""Closes a socket whose message is not a text for the chat."""


class Chat(AsyncJsonWebsocketConsumer):
    """One socket. ``TokenAuthMiddleware`` has authenticated it, and closes it when its session ends."""

    async def connect(self) -> None:
        """Join the room."""
        self.user = await load_lazily(self.scope["user"])
        await self.channel_layer.group_add(ROOM, self.channel_name)
        await self.accept()
        await self._say("joined")

    async def disconnect(self, code: int) -> None:
        """Leave the room."""
        await self.channel_layer.group_discard(ROOM, self.channel_name)
        if hasattr(self, "user"):
            await self._say("left")

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None, **more: Any
    ) -> None:
        """Send a text to everybody in the room."""
        try:
            content = await self.decode_json(text_data or "")
        except ValueError:
            content = None
        text = content.get("text") if isinstance(content, dict) else None
        if not isinstance(text, str) or not 0 < len(text.strip()) <= MAX_TEXT:
            await self.close(BAD_MESSAGE, "bad_message")
            return
        await self._say("said", text.strip())

    async def chat_event(self, event: dict[str, Any]) -> None:
        """Send an event of the room to this socket."""
        await self.send_json(event["content"])

    async def _say(self, kind: str, text: str = "") -> None:
        content = {
            "kind": kind,
            "user": self.user.get_username(),
            "text": text,
            "at": time.time_ns() // 1_000_000,
        }
        await self.channel_layer.group_send(ROOM, {"type": "chat.event", "content": content})


async def refuse_path(
    scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """Refuse a socket at an address that has none. The server answers 403."""
    await receive()
    await send({"type": "websocket.close"})
