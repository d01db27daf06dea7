"""Browsers as people have them: tabs that are really hidden, with timers that the browser slows down.

Playwright switches the slowing of timers off and tells each page that it has the focus. So these classes
start the browsers themselves. Each class speaks the protocol of its browser that needs no package.
"""

from __future__ import annotations

import itertools
import json
import os
import shlex
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from tests.servers import PATIENCE, find_port, is_open, wait_until

_FLAGS = "--no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-sync"


class Browser(Protocol):
    """A browser with tabs in one window. The tab that was opened last is in front."""

    def open(self, address: str) -> str:
        """Open a tab in front, and return its name."""

    def evaluate(self, tab: str, expression: str) -> Any:
        """Return the value of an expression in a tab. Wait for a promise."""


class Chromium:
    """Speaks the DevTools protocol through a pipe."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reader, self._writing = os.fdopen(reading, "rb"), writing
        self._ids = itertools.count(1)
        self._rest = b""

    def open(self, address: str) -> str:
        # A page that is being loaded has no scripts yet, so the tab begins with a page that is there at once.
        target = self._send("Target.createTarget", url="about:blank")["targetId"]
        tab: str = self._send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._send("Page.enable", tab)
        self._send("Page.navigate", tab, url=address)
        while self._receive().get("method") != "Page.loadEventFired":
            pass
        return tab

    def evaluate(self, tab: str, expression: str) -> Any:
        found = self._send(
            "Runtime.evaluate", tab, expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def close(self) -> None:
        self._send("Browser.close")
        self._reader.close()
        os.close(self._writing)

    def _send(self, method: str, tab: str | None = None, **params: Any) -> Any:
        number = next(self._ids)
        message = {"id": number, "method": method, "params": params} | ({"sessionId": tab} if tab else {})
        os.write(self._writing, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == number:
                assert "error" not in answer, answer["error"]
                return answer["result"]

    def _receive(self) -> Any:
        while b"\0" not in self._rest:
            part = os.read(self._reader.fileno(), 1 << 16)
            assert part, "Chromium has ended"
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)


@contextmanager
def run_chromium(program: str, folder: Path) -> Iterator[Browser]:
    """Start a Chromium whose hidden tabs are slowed down."""
    (child_reads, writing), (reading, child_writes) = os.pipe(), os.pipe()
    command = (
        f"exec {shlex.quote(program)} --headless=new --remote-debugging-pipe {_FLAGS} "
        f"--user-data-dir={shlex.quote(str(folder))} about:blank 3<&{child_reads} 4>&{child_writes}"
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["/bin/bash", "-c", command], pass_fds=(child_reads, child_writes), stdout=log, stderr=log
        )
    os.close(child_reads)
    os.close(child_writes)
    browser = Chromium(reading, writing)
    try:
        yield browser
        browser.close()
        process.wait(PATIENCE)
    finally:
        process.kill()
        process.wait()


class Firefox:
    """Speaks Marionette, the protocol below geckodriver."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._file = self._socket.makefile("rb")
        self._ids = itertools.count(1)
        self._receive()
        self._send("WebDriver:NewSession")
        self._send("WebDriver:SetTimeouts", script=PATIENCE * 1000, pageLoad=PATIENCE * 1000)

    def open(self, address: str) -> str:
        tab: str = self._send("WebDriver:NewWindow", type="tab", focus=True)["handle"]
        self._send("WebDriver:SwitchToWindow", handle=tab, focus=True)
        self._send("WebDriver:Navigate", url=address)
        return tab

    def evaluate(self, tab: str, expression: str) -> Any:
        self._send("WebDriver:SwitchToWindow", handle=tab, focus=False)
        script = (
            f"const done = arguments[0]; Promise.resolve(window.eval({json.dumps(expression)})).then(done);"
        )
        return self._send("WebDriver:ExecuteAsyncScript", script=script, args=[], sandbox=None)["value"]

    def close(self) -> None:
        self._send("Marionette:Quit", flags=["eForceQuit"])
        self._file.close()
        self._socket.close()

    def _send(self, command: str, **params: Any) -> Any:
        number = next(self._ids)
        message = json.dumps([0, number, command, params]).encode()
        self._socket.sendall(b"%d:%b" % (len(message), message))
        _, answered, error, result = self._receive()
        assert (answered, error) == (number, None), error
        return result

    def _receive(self) -> Any:
        length = b""
        while not length.endswith(b":"):
            digit = self._file.read(1)
            assert digit, "Firefox has ended"
            length += digit
        return json.loads(self._file.read(int(length[:-1])))


@contextmanager
def run_firefox(program: str, folder: Path) -> Iterator[Browser]:
    """Start a Firefox whose hidden tabs are slowed down."""
    port = find_port()
    (folder / "user.js").write_text(f'user_pref("marionette.port", {port});\n')
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "--headless", "--marionette", "--no-remote", "--profile", str(folder)],
            stdout=log,
            stderr=log,
        )
    try:
        wait_until(lambda: is_open(port), "Firefox does not start")
        browser = Firefox(port)
        yield browser
        browser.close()
        process.wait(PATIENCE)
    finally:
        process.kill()
        process.wait()
