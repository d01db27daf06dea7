"""``python -m tools.pictures``: take the README's pictures of the demo, light and dark, with Chromium.

Starts a demo with data of its own, goes through its five stops, and writes the pictures to ``docs/images/``.
Beside them it writes a digest of the page's files. A test compares this digest with the files, so that no
picture is older than the page. The tool needs the environment of ``make test`` and a Chromium on the path.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT: Final = Path(__file__).parent.parent
PAGE: Final = ROOT / "demo" / "page"
FOLDER: Final = ROOT / "docs" / "images"
DIGEST: Final = FOLDER / "demo.sha256"
SCHEMES: Final = ("light", "dark")
WIDTH: Final = 960
HEIGHT: Final = 900
SCALE: Final = 1.5
"""Pixels of the picture for each one of the page, so that the text stays sharp."""
PATIENCE: Final = 90
"""Seconds for the server to start, and for each step in the page."""


def main() -> int:
    """Make the pictures."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        print("There is no Chromium. Install one (in Debian: apt-get install chromium).")  # noqa: T201 - for people
        return 1
    expect.set_options(timeout=PATIENCE * 1000)
    digest = make_digest()
    with serving() as address, sync_playwright() as playwright:
        # Without a sandbox, because in a container this runs as root.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        page = play(browser, address)
        FOLDER.mkdir(parents=True, exist_ok=True)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            find_picture(scheme).write_bytes(page.locator("#stage").screenshot())
        browser.close()
    DIGEST.write_text(f"{digest}\n")
    return 0


def find_picture(scheme: str) -> Path:
    """Return the path of a picture."""
    return FOLDER / f"demo-{scheme}.png"


def make_digest(folder: Path = PAGE) -> str:
    """Return a digest of the page's files: their names and their contents."""
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            name = path.relative_to(folder).as_posix()
            whole.update(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()


def play(browser: Browser, address: str) -> Page:
    """Return the page after the five stops."""
    size = {"width": WIDTH, "height": HEIGHT}
    context = browser.new_context(
        viewport=size,  # type: ignore[arg-type]
        device_scale_factor=SCALE,
        reduced_motion="reduce",
        locale="en-US",
    )
    context.set_default_timeout(PATIENCE * 1000)
    page = context.new_page()
    page.goto(address)
    page.get_by_role("button", name="Log in as anna").click()
    for stop in ("call", "wait", "tab", "thief"):
        page.locator(f"#act-{stop}").click()
        expect(page.locator(f"#seen-{stop}")).to_be_visible()
        expect(page.locator("#busy")).to_be_hidden()
    expect(page.locator("#verdict.theft")).to_be_visible()
    return page


@contextmanager
def serving() -> Iterator[str]:
    """Serve a demo with new data for the length of a block, and return its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(  # noqa: S603 - the demo of this repository
            [sys.executable, str(ROOT / "demo" / "serve.py")],
            env={**os.environ, "PORT": str(port), "DEMO_DATA": folder},
            stdout=subprocess.DEVNULL,
        )
        try:
            wait_for(port, process)
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()
            process.wait()


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until the server listens.

    Raises:
        TimeoutError: it does not, or it has ended.
    """
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError("The demo does not start.")


if __name__ == "__main__":
    sys.exit(main())
