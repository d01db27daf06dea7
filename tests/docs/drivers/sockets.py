"""Tests of the project of docs/howto/sockets.md, run by its own ``manage.py test``."""

from __future__ import annotations

from asgiref.sync import async_to_sync
from channels.testing import WebsocketCommunicator
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
            socket = WebsocketCommunicator(application, f"/chat/?ticket={ticket}")
            assert (await socket.connect(60))[0]
            await socket.send_json_to("hello")
            assert await socket.receive_json_from(60) == {"from": "anna", "text": "hello"}
            await socket.disconnect(timeout=60)
            again = WebsocketCommunicator(application, f"/chat/?ticket={ticket}")
            assert (await again.connect(60))[0]
            closed = await again.receive_output(60)
            assert (closed["code"], closed["reason"]) == (4401, "ticket_invalid")

        talk()
