"""An ASGI application as a project has it: HTTP by Django, and a socket behind the middleware."""

from __future__ import annotations

from typing import Any

import django
from django.core.asgi import get_asgi_application

django.setup()

from channels.generic.websocket import AsyncJsonWebsocketConsumer  # noqa: E402 - the apps are ready now
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402 - the same
from django.urls import path  # noqa: E402 - the same

from drf_tessera.contrib.channels import TokenAuthMiddleware  # noqa: E402 - the same


class Echo(AsyncJsonWebsocketConsumer):
    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        await self.send_json({"user": str(self.scope["user"].pk), "said": content})


application = ProtocolTypeRouter(
    {
        "http": get_asgi_application(),
        "websocket": TokenAuthMiddleware(URLRouter([path("echo/", Echo.as_asgi())])),
    }
)
