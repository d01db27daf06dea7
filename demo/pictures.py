"""``python demo/pictures.py``: take the README's picture of the demo, light and dark, with Chromium.

Starts a demo with data of its own, uses its page as a person would, and writes ``docs/images/demo.png``.
Needs the environment of ``make test`` and a Chromium on the path. Light and dark stand in one picture,
because PyPI shows no ``<picture>`` that chooses between two.
"""

from __future__ import annotations

import base64
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

HERE: Final = Path(__file__).parent
PICTURE: Final = HERE.parent / "docs" / "images" / "demo.png"
SIZE: Final = {"width": 560, "height": 1000}
SCALE: Final = 1.5
"""Pixels of the picture for each one of the page, so that the text stays sharp."""
MARGIN: Final = 12
PATIENCE: Final = 60
"""Seconds for the server to start, and for each step in the page."""


def main() -> int:
    """Make the pictures."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        print("There is no Chromium. Install one (in Debian: apt-get install chromium).")
        return 1
    with serving() as address, sync_playwright() as playwright:
        # Without a sandbox, because in a container this runs as root.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        print("Using the page: a theft takes about half a minute.")
        page = use(browser, address)
        halves = []
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            halves.append(page.screenshot(clip=frame(page)))  # type: ignore[arg-type]
        PICTURE.parent.mkdir(parents=True, exist_ok=True)
        PICTURE.write_bytes(join(browser, halves))
        browser.close()
    print(f"{PICTURE.relative_to(HERE.parent)}: {PICTURE.stat().st_size // 1000} kB")
    return 0


def use(browser: Browser, address: str) -> Page:
    """Return the page after a theft, with a new session and a second person's beside it."""
    bob = open_page(browser, address)
    log_in(bob, "bob", "cookie")
    page = open_page(browser, address)
    log_in(page, "anna", "header")
    page.get_by_role("button", name="Play a theft").click()
    expect(page.locator(".end.stolen")).to_be_visible()
    log_in(page, "anna", "cookie")
    page.get_by_role("button", name="Twenty refreshes at once").click()
    expect(page.locator("#latest")).to_contain_text("20 answers of 200")
    page.get_by_role("button", name="List my notes").click()
    expect(page.locator("#latest")).to_contain_text("notes of this user")
    page.evaluate("window.scrollTo(0, 0)")
    page.wait_for_timeout(1500)  # the timeline asks once a second
    return page


def frame(page: Page) -> dict[str, float]:
    """Return the part of the page that the picture shows: the timeline."""
    box = page.locator("#timeline").bounding_box()
    if box is None:
        raise ValueError("The page shows no timeline.")
    return {"x": 0, "y": box["y"] - MARGIN, "width": SIZE["width"], "height": box["height"] + 2 * MARGIN}


def join(browser: Browser, halves: list[bytes]) -> bytes:
    """Return one picture of pictures side by side."""
    page = browser.new_page()
    sources = [f"data:image/png;base64,{base64.b64encode(half).decode()}" for half in halves]
    images = "".join(f'<img src="{source}">' for source in sources)
    page.set_content(f'<div style="display: inline-flex">{images}</div>')
    return page.locator("div").screenshot()


def open_page(browser: Browser, address: str) -> Page:
    """Return the demo's page in a browser that has no cookies yet."""
    context = browser.new_context(viewport=SIZE, device_scale_factor=SCALE)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE * 1000)
    page = context.new_page()
    page.goto(address)
    return page


def log_in(page: Page, name: str, transport: str) -> None:
    """Log somebody in by the buttons of the page."""
    page.locator(f"input[value={transport}]").check()
    page.get_by_role("button", name=f"Log in as {name}").click()
    expect(page.get_by_role("heading", name=f"Logged in as {name}")).to_be_visible()


@contextmanager
def serving() -> Iterator[str]:
    """Serve a demo with new data for the length of a block, and return its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(  # noqa: S603 - the demo of this folder
            [sys.executable, str(HERE / "serve.py")],
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
    expect.set_options(timeout=PATIENCE * 1000)
    sys.exit(main())
