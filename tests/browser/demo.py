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


def join_chat(page: Page) -> None:
    page.locator("#chat-part > summary").click()
    page.locator("#chat-join").click()
    expect(page.locator("#chat-form")).to_be_visible()
    wait_until_idle(page)


def sign_up(page: Page) -> str:
    """Sign up with the address that the page proposes, and return it."""
    page.locator("#to-sign-up").click()
    address = page.locator("#sign-up-email").input_value()
    page.locator("#sign-up-form button").click()
    page.get_by_role("button", name="Copy the code").click()
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name=f"({address})")).to_be_visible()
    wait_until_idle(page)
    return address


def add_factor(page: Page) -> None:
    """Add a second factor, and go on to the login that asks for the code."""
    page.locator("#factor-add").click()
    page.locator("#factor-phone").get_by_role("button", name="Type it in").click()
    page.get_by_role("button", name="Turn it on").click()
    page.locator("#factor-try").click()
    expect(page.locator("#code-phone .code")).to_have_text(re.compile(r"^\d{3} \d{3}$"))
    wait_until_idle(page)
