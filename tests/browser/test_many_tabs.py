"""Twenty-five tabs after a wake-up, in browsers that slow down the timers of hidden tabs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drf_tessera.models import Session
from tests.browser.tabs import Browser, run_chromium, run_firefox
from tests.conftest import PASSWORD
from tests.rest.test_endpoints import age
from tests.servers import wait_until

Start = Callable[..., Any]

TABS = 25
LIMIT = 10_000
"""Milliseconds for all tabs. A quiet machine needs one or two seconds.

If each tab waited for the timers of the tabs before it, they would need more than 25 seconds.
"""
BROWSERS = {
    "chromium": (("chromium", "google-chrome"), run_chromium),
    "firefox": (("firefox-esr", "firefox"), run_firefox),
}

COUNT = "performance.getEntriesByType('resource').filter(({ name }) => name.includes('/refresh/')).length"
CALL = """void (window.begun = performance.now(), window.done = client.fetch("/me/")
    .then(({ status }) => status, ({ code }) => code)
    .then((found) => [found, performance.now() - begun]))"""
TICK = """(async () => {
    const begun = performance.now();
    for (let tick = 0; tick < 3; tick += 1) await new Promise((resolve) => setTimeout(resolve, 10));
    return performance.now() - begun;
})()"""


@pytest.fixture(
    params=[pytest.param(name, marks=pytest.mark.long if name == "firefox" else ()) for name in BROWSERS]
)
def browser(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Browser]:
    programs, run = BROWSERS[request.param]
    program = next(filter(None, map(shutil.which, programs)), None)
    if program is None and (os.environ.get("CI") != "true" or request.param == "firefox"):
        pytest.skip(f"!!! there is no {request.param}: its tabs were not tested !!!")
    assert program is not None, "CI needs Chromium"
    folder = tmp_path / "profile"
    folder.mkdir()
    with run(program, folder) as found:
        yield found


def open_tabs(browser: Browser, address: str) -> list[str]:
    """Open tabs of one user, each of which has a token. The last tab is in front."""
    tabs = []
    for _ in range(TABS):
        tab = browser.open(f"{address}/page/")
        wait_until(lambda tab=tab: browser.evaluate(tab, "window.ready === true"), "the page does not load")  # type: ignore[misc]
        browser.evaluate(tab, "void start({})")
        tabs.append(tab)
        if len(tabs) == 1:
            browser.evaluate(
                tab, f"client.login({{ username: 'anna', password: '{PASSWORD}' }}).then(() => 1)"
            )
        assert browser.evaluate(tab, "client.fetch('/me/').then(({ status }) => status)") == 200
    return tabs


def count_refreshes(browser: Browser, tabs: list[str]) -> int:
    return sum(browser.evaluate(tab, COUNT) for tab in tabs)


def wake_up(browser: Browser, tabs: list[str]) -> list[tuple[Any, float]]:
    """Call the API in all tabs at once, after their tokens have expired. Return the answers."""
    for tab in tabs:
        browser.evaluate(tab, "void (window.skipped += 300_000)")
    age()
    for tab in tabs:
        browser.evaluate(tab, CALL)
    return [tuple(browser.evaluate(tab, "done")) for tab in reversed(tabs)]


def test_all_tabs_are_answered_soon_with_one_refresh(start_server: Start, browser: Browser) -> None:
    with start_server() as address:
        tabs = open_tabs(browser, address)
        states = [browser.evaluate(tab, "document.visibilityState") for tab in tabs]
        assert states == ["hidden"] * (TABS - 1) + ["visible"]
        wait_until(
            lambda: browser.evaluate(tabs[0], TICK) > 1500, "the timers of hidden tabs are not slowed down"
        )
        before, generation = count_refreshes(browser, tabs), Session.objects.get().generation
        answers = wake_up(browser, tabs)
        print("milliseconds:", *(round(wait) for _, wait in answers))  # noqa: T201 - for people
        assert [status for status, _ in answers] == [200] * TABS
        assert max(wait for _, wait in answers) < LIMIT
        assert count_refreshes(browser, tabs) - before == 1
        session = Session.objects.get()
        assert (session.generation - generation, session.recoveries, session.revoked_at) == (1, 0, None)
