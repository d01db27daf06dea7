"""Sockets on a real server, uvicorn, with a real client."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from django.contrib.auth.models import AbstractBaseUser
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from drf_tessera import sessions
from drf_tessera.contrib.channels import SUBPROTOCOL
from drf_tessera.tickets import issue_ticket
from drf_tessera.tokens import verify_access_token
from tests.servers import PATIENCE, ROOT, _describe_environment, find_port, is_open, wait_until

pytestmark = [pytest.mark.server, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def address(transactional_db: None) -> Iterator[str]:
    port = find_port()
    command = [sys.executable, "-m", "uvicorn", "tests.contrib.chat_asgi:application", "--port", str(port)]
    server = subprocess.Popen(
        [*command, "--log-level", "warning"], cwd=ROOT, env=_describe_environment(None, {})
    )
    try:
        wait_until(lambda: is_open(port), "uvicorn does not listen")
        yield f"ws://127.0.0.1:{port}/echo/"
    finally:
        server.terminate()
        server.wait(PATIENCE)


def test_each_way_in_and_the_end_of_a_session(address: str, anna: AbstractBaseUser) -> None:
    grant = sessions.start(anna)
    ticket = issue_ticket(verify_access_token(grant.access))
    header = {"Authorization": f"Bearer {grant.access}"}
    with ExitStack() as stack:
        ways = [
            stack.enter_context(connect(address, additional_headers=header)),
            stack.enter_context(connect(address, subprotocols=[SUBPROTOCOL, grant.access])),
            stack.enter_context(connect(f"{address}?ticket={ticket}")),
        ]
        check(address, ways, anna, ticket)
        sessions.revoke(grant.session_id)  # in another process than the server's
        for socket in ways:
            assert read_end(socket) == (4401, "session_ended")


def check(address: str, ways: list[ClientConnection], anna: AbstractBaseUser, ticket: str) -> None:
    assert ways[1].subprotocol == SUBPROTOCOL
    for socket in ways:
        socket.send(json.dumps("hello"))
        assert json.loads(socket.recv(PATIENCE)) == {"user": str(anna.pk), "said": "hello"}
    for query, code in (("", "not_authenticated"), (f"?ticket={ticket}", "ticket_invalid")):
        with connect(f"{address}{query}") as refused:
            assert read_end(refused) == (4401, code)


def read_end(socket: ClientConnection) -> tuple[int, str]:
    with pytest.raises(ConnectionClosed) as closed:
        socket.recv(PATIENCE)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason
