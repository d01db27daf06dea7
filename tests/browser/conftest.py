"""A real Chromium, and a server for it.

On a machine without Chromium these tests are skipped with a visible message, except in CI.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.conftest import PASSWORD
from tests.servers import PATIENCE, serve, serve_demo

ARGUMENTS = [
    "--no-sandbox",  # tests in containers run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
TESSERA = {"PROFILE": ["browser", "api"], "COOKIE_SECURE": False}

expect.set_options(timeout=PATIENCE * 1000)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark all tests of this folder, because no browser can see the server's database or Django."""
    item.add_marker(pytest.mark.django_db(transaction=True))
    for name in ("browser", "server", "once"):
        item.add_marker(name)


@pytest.fixture(scope="module")  # not for the session, because its event loop would disturb other tests
def chromium() -> Iterator[Browser]:
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None and os.environ.get("CI") != "true":
        pytest.skip("!!! there is no Chromium: nothing was tested in a browser !!!")
    assert found is not None, "CI needs Chromium"
    # Playwright keeps an event loop in this thread, so Django would see asynchronous code.
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=found, args=ARGUMENTS, timeout=PATIENCE * 1000
            )
            yield browser
            browser.close()
    finally:
        os.environ.pop("DJANGO_ALLOW_ASYNC_UNSAFE")
        if before is not None:
            os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = before


@pytest.fixture
def start_server(tmp_path: Path, anna: AbstractBaseUser) -> Callable[..., Any]:
    """Start the tests' project, for pages at any loopback name."""

    def start(*, DEBUG: bool = False, **tessera: Any) -> Any:  # noqa: N803 - the name of the setting
        more = {"TESSERA_SERVER_DEBUG": "1"} if DEBUG else {}
        urls = "tests.browser.urls"
        settings = {**TESSERA, **tessera}
        return serve(tmp_path, workers=2, tessera=settings, TESSERA_SERVER_URLCONF=urls, **more)

    return start


@pytest.fixture
def open_browser(chromium: Browser) -> Iterator[Callable[[], BrowserContext]]:
    """Open separate browsers. Each browser has its own cookies."""
    opened: list[BrowserContext] = []

    def open_one() -> BrowserContext:
        context = chromium.new_context(locale="en-US")  # also on a machine with another language
        context.set_default_timeout(PATIENCE * 1000)
        opened.append(context)
        return context

    yield open_one
    for context in opened:
        context.close()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_demo(tmp_path_factory.mktemp("demo")) as address:
        yield address


@pytest.fixture
def page(demo: str, open_browser: Callable[[], BrowserContext]) -> Iterator[Page]:
    page = open_browser().new_page()
    page.set_viewport_size({"width": 360, "height": 800})
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.goto(demo)
    expect(page.locator("#login")).to_be_visible()
    yield page
    assert troubles == []


def open_tab(context: BrowserContext, address: str, **options: Any) -> Page:
    """Open the page, with its own client."""
    page = context.new_page()
    page.goto(f"{address}/page/")
    page.wait_for_function("window.ready === true")
    page.evaluate("(options) => start(options)", options)
    return page


def log_in(page: Page, name: str = "anna") -> Any:
    return page.evaluate(
        "([username, password]) => client.login({ username, password, device: 'Test' })", [name, PASSWORD]
    )


def call(page: Page, path: str = "/me/", method: str = "GET") -> Any:
    """Call the API with the client. Return the status, or the code of the error."""
    return page.evaluate(
        """([path, method]) => client.fetch(path, { method })
            .then((response) => response.status, (error) => error.code ?? String(error))""",
        [path, method],
    )


def read_events(page: Page) -> list[Any]:
    return [reason if event == "signedout" else event for event, reason in page.evaluate("events")]


def find_port(address: str) -> int:
    return int(re.findall(r":(\d+)", address)[-1])
