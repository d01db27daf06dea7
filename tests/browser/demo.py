"""The demo in a browser: steps that several tests take."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect


def log_in(page: Page, transport: str, name: str = "anna") -> None:
    page.locator(f"input[value={transport}]").check()
    page.get_by_role("button", name=f"Log in as {name}").click()
    expect(page.get_by_role("heading", name=f"Logged in as {name}")).to_be_visible()


def wait_until_idle(page: Page) -> None:
    """Wait until no task is running, and the last parcel has arrived."""
    expect(page.locator("#busy")).to_be_hidden()
    expect(page.locator(".parcel")).to_have_count(0)
    expect(page.locator("#lapse")).to_be_hidden()


def stop_at(page: Page, stop: str) -> None:
    """Run a stop by its button, and wait for its tick."""
    page.locator(f"#act-{stop}").click()
    expect(page.locator(f"#stop-{stop}")).to_have_class(re.compile("done"))
    wait_until_idle(page)
