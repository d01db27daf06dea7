"""The parts of the harness do to real connections and clocks what they say."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest

from drf_tessera.tokens.facts import SessionFacts
from drf_tessera.tokens.refresh import write_refresh_token
from tests.chaos import clocks, tempo
from tests.chaos.faults import Director, Links
from tests.chaos.plan import Fault
from tests.chaos.proxy import Link
from tests.chaos.records import Records
from tests.chaos.services import Services, find_missing, list_children
from tests.chaos.verdict import find_breaches
from tests.chaos.wire import NoAnswer, parse_token, read_generation, send
from tests.servers import ROOT

pytestmark = [pytest.mark.server, pytest.mark.once]  # its services are its own
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


def talk(act: Callable[[Link, list[bytes]], Awaitable[None]]) -> None:
    """Connect a client and a little server through a link."""

    async def run() -> None:
        heard: list[bytes] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            request = await reader.read(1000)
            heard.extend([request] if request else [])
            writer.write(ANSWER)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        link = Link("x", server.sockets[0].getsockname()[1], Random(1))
        await link.start()
        await act(link, heard)
        await link.stop()
        server.close()

    asyncio.run(run())


async def ask(link: Link, patience: float = tempo.PATIENCE) -> int:
    return (await send(link.port, "GET", "me/", patience=patience)).status


def test_a_link_carries_requests_and_answers() -> None:
    async def act(link: Link, heard: list[bytes]) -> None:
        assert await ask(link) == 200
        assert heard[0].startswith(b"GET /me/ HTTP/1.1\r\n")

    talk(act)


def test_a_link_that_is_cut_lets_nothing_through_until_it_is_mended() -> None:
    async def act(link: Link, heard: list[bytes]) -> None:
        link.begin("cut")
        with pytest.raises(NoAnswer):
            await ask(link)
        assert heard == []
        link.end("cut")
        assert await ask(link) == 200

    talk(act)


def test_a_lost_answer_is_lost_after_the_request_was_handled() -> None:
    async def act(link: Link, heard: list[bytes]) -> None:
        link.begin("lose")
        for _ in range(6):
            with pytest.raises(NoAnswer):
                await ask(link, patience=0.5)
        assert len(heard) == 6

    talk(act)


def test_a_held_link_drops_a_message_whose_sender_has_given_up() -> None:
    async def act(link: Link, heard: list[bytes]) -> None:
        link.begin("hold")
        with pytest.raises(NoAnswer):
            await ask(link, patience=0.2)
        link.end("hold")
        await asyncio.sleep(0.2)
        assert heard == []
        assert await ask(link) == 200

    talk(act)


def test_a_held_link_delivers_nothing_that_is_older_than_half_a_window() -> None:
    async def act(link: Link, heard: list[bytes]) -> None:
        link.begin("hold")
        asking = asyncio.create_task(ask(link))
        await asyncio.sleep(tempo.GIVE_UP + 0.3)
        link.end("hold")
        with pytest.raises(NoAnswer):
            await asking
        assert heard == []

    talk(act)


def test_a_slow_link_delivers_late() -> None:
    async def act(link: Link, heard: list[bytes]) -> None:
        link.begin("slow", 0.4)
        began = time.monotonic()
        for _ in range(8):
            assert await ask(link) == 200
        assert time.monotonic() - began > 0.4

    talk(act)


def test_the_end_of_one_fault_does_not_end_another_one_of_the_same_link() -> None:
    async def act(link: Link, heard: list[bytes]) -> None:
        for kind in ("cut", "lose", "hold"):
            link.begin(kind)
            link.begin(kind)
            link.end(kind)
            with pytest.raises(NoAnswer):
                await ask(link, patience=0.3)
            link.end(kind)
            assert await ask(link) == 200

    talk(act)


def test_a_link_leads_to_another_port_after_a_fail_over() -> None:
    async def act(link: Link, heard: list[bytes]) -> None:
        link.lead(1)  # nobody listens there
        with pytest.raises(NoAnswer):
            await ask(link)

    talk(act)


def test_a_clock_moves_with_its_file_and_the_monotonic_clock_stays(tmp_path: Path) -> None:
    path = tmp_path / "clock"
    clocks.set_offset(path, 600.0)
    script = f"""
import time; from pathlib import Path
real, steady = time.time(), time.monotonic()
from tests.chaos import clocks; clocks.install(Path({str(path)!r}))
from django.utils import timezone
assert 599 < time.time() - real < 660
assert 599 < timezone.now().timestamp() - real < 660
assert 599 < time.time_ns() / 1e9 - real < 660
assert 599 < time.clock_gettime(5) - real < 660
assert time.monotonic() - steady < 60
assert time.clock_gettime(time.CLOCK_MONOTONIC) - steady < 60
clocks.set_offset(Path({str(path)!r}), -600.0)
assert -660 < time.time() - real < -540
"""
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


def test_a_refresh_token_shows_its_generation_and_its_branch() -> None:
    names: dict[str, Any] = {"sub": "1", "amr": ("pwd",), "scope": "", "auth_time": 1, "expires_at": 2}
    facts = SessionFacts(session_id=UUID(int=5), **names)
    assert parse_token(write_refresh_token(facts, 77, b"s" * 16)) == (77, False)
    assert read_generation(write_refresh_token(facts, 78, b"s" * 16, branch=9)) == "78+"


def test_children_of_a_process_are_found() -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    end = time.monotonic() + 60
    while not list_children(parent.pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert len(list_children(parent.pid)) == 1
    parent.communicate(b"\n")


def test_a_service_that_does_not_come_back_is_a_breach_and_not_the_end_of_the_run() -> None:
    records, nothing = Records(), SimpleNamespace(apps=[])
    director = Director(cast("Services", nothing), cast("Links", nothing), records, lambda text: None)
    fault = Fault(number=0, kind="kill an app server", begin=0, seconds=0, server="a")
    asyncio.run(director.play([fault]))
    assert [breach.kind for breach in find_breaches(records)] == ["stuck"]
    assert "kill an app server" in records.stuck[0]


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.chaos.services.shutil", SimpleNamespace(which=lambda name: None))
    assert "pg_basebackup" in find_missing()
