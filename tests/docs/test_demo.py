"""`make demo` says what is wrong with a port, and stops as a whole at Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.servers import PATIENCE, ROOT, call, find_port, is_open, wait_until

pytestmark = [pytest.mark.once, pytest.mark.server]  # the demo has a database of its own


def start(port: str, data: Path, language: str = "en") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "demo" / "serve.py")],
        env={**os.environ, "PORT": port, "DEMO_DATA": str(data), "LANGUAGE": language},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("port", ["-1", "http", "99999", "٣"])
def test_a_wrong_port_is_explained(port: str, tmp_path: Path) -> None:
    _, told = (process := start(port, tmp_path / "data")).communicate(timeout=PATIENCE)
    assert (process.returncode, told.count("\n")) == (1, 1)
    assert "PORT must be a number from 1 to 65535" in told


@pytest.mark.parametrize("language", ["de_DE.UTF-8", "nl:de"])
def test_the_terminal_has_the_language_of_the_shell(language: str, tmp_path: Path) -> None:
    _, told = start("-1", tmp_path / "data", language).communicate(timeout=PATIENCE)
    assert "PORT muss eine Zahl von 1 bis 65535 sein" in told


def test_the_catalogue_for_china_is_found_by_the_name_of_its_language(tmp_path: Path) -> None:
    _, told = start("-1", tmp_path / "data", "zh_CN.UTF-8").communicate(timeout=PATIENCE)
    assert "PORT" in told
    assert "PORT must be" not in told


@pytest.mark.slow  # it starts a server
def test_the_demo_stops_with_open_sockets_and_a_second_one_leaves_its_port_alone(tmp_path: Path) -> None:
    port = find_port()
    demo = start(str(port), tmp_path / "data")
    try:
        wait_until(lambda: demo.poll() is not None or is_open(port), "the demo does not start")
        _, told = (second := start(str(port), tmp_path / "other")).communicate(timeout=PATIENCE)
        assert (second.returncode, "Choose another port" in told) == (1, True)
        assert not (tmp_path / "other").exists()
        address = f"127.0.0.1:{port}"
        _, grant = call(f"http://{address}/api/token/", {"username": "anna", "password": "demo-anna"})
        _, made = call(f"http://{address}/api/ticket/", {}, token=grant["access"])
        with connect(f"ws://{address}/ws/chat/?ticket={made['ticket']}") as socket:
            assert json.loads(socket.recv(PATIENCE))["kind"] == "joined"
            demo.send_signal(signal.SIGINT)
            with pytest.raises(ConnectionClosed, match="1012"):  # the service restarts (RFC 6455)
                socket.recv(PATIENCE)
        shown, told = demo.communicate(timeout=PATIENCE)
    finally:
        demo.kill()
        demo.wait()
    assert (demo.returncode, told) == (0, "")
    assert shown.endswith("\nStopped.\n")
    assert "101  SOCKET /ws/chat/\n" in shown
    assert made["ticket"] not in shown
