"""Tests of the project of docs/howto/sockets.md, run by its own ``manage.py test``."""

from __future__ import annotations

import json

from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.models import User
from django.test import TransactionTestCase
from shop.asgi import application

from drf_tessera import sessions


class Sockets(TransactionTestCase):
    def test_a_ticket_opens_the_chat_once(self) -> None:
        anna = User.objects.create_user("anna")
        headers = {"authorization": f"Bearer {sessions.start(anna).access}"}
        ticket = self.client.post("/api/ticket/", headers=headers).json()["ticket"]

        @async_to_sync
        async def talk() -> None:
            query = f"ticket={ticket}".encode()
            scope = {"type": "websocket", "path": "/chat/", "query_string": query, "headers": []}
            socket = ApplicationCommunicator(application, dict(scope))
            await socket.send_input({"type": "websocket.connect"})
            assert (await socket.receive_output(60))["type"] == "websocket.accept"
            await socket.send_input({"type": "websocket.receive", "text": '"hello"'})
            said = json.loads((await socket.receive_output(60))["text"])
            assert said == {"from": "anna", "text": "hello"}
            await socket.send_input({"type": "websocket.disconnect", "code": 1000})
            await socket.wait(60)
            again = ApplicationCommunicator(application, dict(scope))
            await again.send_input({"type": "websocket.connect"})
            assert (await again.receive_output(60))["type"] == "websocket.accept"
            closed = await again.receive_output(60)
            assert (closed["code"], closed["reason"]) == (4401, "ticket_invalid")

        talk()
