"""The clients of the harness follow the documented rules, and the thieves are counted as the model counts."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
import time
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest

from tests.chaos import tempo
from tests.chaos.clients import STORING, WITHOUT_LOCK, Client, SignedOut, World
from tests.chaos.records import Records
from tests.chaos.thieves import Thief
from tests.chaos.wire import NoAnswer

pytestmark = [pytest.mark.server, pytest.mark.once]  # it has no database

CAREFUL, CARELESS = 0, 4
"""Numbers of clients with these habits."""


def write_token(generation: int, version: int = 1) -> str:
    raw = struct.pack(">B16sI", version, b"s" * 16, generation)
    return "tsr_" + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def grant(generation: int, *, rotated: bool = True, version: int = 1) -> tuple[int, dict[str, Any]]:
    body = {"access": f"a{generation}", "refresh": write_token(generation, version), "session": "s"}
    return 200, {**body, "expires_in": 1000, **({} if rotated else {"rotated": False})}


class Script:
    """A server that gives prepared answers to refreshes, in order. Calls and logins always succeed."""

    def __init__(self, *answers: tuple[int, dict[str, Any]] | None) -> None:
        self.answers, self.tokens = list(answers), []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().partition("content-length: ")[2].split("\r\n")[0])
        body = json.loads(await reader.readexactly(length) or b"{}")
        found: tuple[int, dict[str, Any]] | None = (200, {})
        if "/refresh/" in head:
            self.tokens.append(body["refresh"])
            found = self.answers.pop(0)
        elif "POST /api/token/ " in head:
            found = grant(0)
        if found is not None:
            text = json.dumps(found[1])
            retry = "Retry-After: 1\r\n" if found[0] == 503 else ""
            fields = f"Content-Type: application/json\r\n{retry}Content-Length: {len(text)}"
            writer.write(f"HTTP/1.1 {found[0]} X\r\n{fields}\r\n\r\n{text}".encode())
            await writer.drain()
        else:
            await reader.read()  # until the client gives up
        writer.close()


def play(script: Script, act: Callable[[Client], Awaitable[None]], number: int = CAREFUL) -> Records:
    """Run a client that has logged in, and whose access token has to be refreshed."""
    records = Records()

    async def run() -> None:
        server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
        world = World([server.sockets[0].getsockname()[1]], records)
        client = Client(number, "anna", world, "7")
        await client.log_in()
        client.born -= 2000
        await act(client)
        server.close()

    asyncio.run(run())
    return records


def test_a_client_stores_the_token_of_a_rotation() -> None:
    async def act(client: Client) -> None:
        await client.work()
        assert client.refresh == write_token(1)

    assert play(Script(grant(1)), act).rotations == 1


@pytest.mark.parametrize(("number", "stored"), [(CAREFUL, write_token(0)), (CARELESS, write_token(3, 2))])
def test_only_a_careless_client_stores_the_token_of_an_answer_in_the_window(number: int, stored: str) -> None:
    async def act(client: Client) -> None:
        await client.work()
        assert client.refresh == stored

    assert play(Script(grant(3, rotated=False, version=2)), act, number).rotations == 0


def test_a_client_gives_up_after_half_a_window_and_tries_again_with_the_same_token() -> None:
    script = Script(None, grant(1))
    began = time.monotonic()
    records = play(script, Client.work)
    assert time.monotonic() - began >= tempo.GIVE_UP
    assert script.tokens == [write_token(0)] * 2
    assert records.unanswered == 1


def test_a_client_waits_as_long_as_the_server_asks() -> None:
    began = time.monotonic()
    play(Script((503, {"code": "database_unavailable"}), grant(1)), Client.work)
    assert time.monotonic() - began >= 1


def test_a_client_is_signed_out_only_by_a_code_of_the_session() -> None:
    async def act(client: Client) -> None:
        with pytest.raises(SignedOut):
            await client.work()
        assert client.session is None

    script = Script((401, {"code": "token_expired"}), (401, {}), (401, {"code": "session_revoked"}))
    records = play(script, act)
    assert [session.refused[1] for session in records.sessions.values() if session.refused] == [
        "session_revoked"
    ]
    assert len(script.tokens) == 3


@pytest.mark.parametrize("number", [CAREFUL, CARELESS])
def test_tabs_of_a_client_with_a_lock_share_a_refresh(number: int) -> None:
    async def act(client: Client) -> None:
        await asyncio.gather(*(client.work(tab) for tab in range(3)))

    script = Script(grant(1))
    play(script, act, number)
    assert len(script.tokens) == 1


def test_a_reckless_client_stores_each_answer_and_has_no_lock() -> None:
    world = World([], Records(), reckless=True)
    habit = Client(CARELESS, "anna", world, "7").habit
    assert habit in WITHOUT_LOCK & STORING
    assert Client(CAREFUL, "anna", world, "7").habit not in WITHOUT_LOCK | STORING


@pytest.mark.parametrize(
    ("arrival", "generation", "successes"),
    [
        ("between", 1, 1),
        ("between", 0, 0),  # no token of a new generation
        ("before", 1, 0),  # the victim did not come by since the theft
        ("never", 1, 0),
    ],
)
def test_a_success_of_a_thief_counts_as_in_the_model(arrival: str, generation: int, successes: int) -> None:
    async def act(client: Client) -> None:
        session = client.session
        assert session is not None
        before = time.monotonic() - 5
        thief = Thief(client, client.world, Random(1))
        between = time.monotonic()
        if arrival != "never":
            when = before if arrival == "before" else between
            session.arrivals.append((when, when))
        await thief._use(thief.tokens[0])
        assert thief.theft.successes == successes
        assert thief.theft.answers == 1

    play(Script(grant(generation)), act)


def test_a_thief_who_is_refused_stops_and_one_without_an_answer_goes_on() -> None:
    async def act(client: Client) -> None:
        thief = Thief(client, client.world, Random(1))
        with pytest.raises(NoAnswer):
            await thief._use(thief.tokens[0])
        assert thief.theft.caught is None
        await thief.live()
        assert thief.theft.code == "refresh_reused"

    play(Script(None, (401, {"code": "refresh_reused"})), act)
