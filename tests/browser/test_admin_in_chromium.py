"""The pages of the admin fit the screen of an operator, also with the longest names."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from playwright.sync_api import BrowserContext, Page, expect

from drf_tessera import sessions
from drf_tessera.models import Session
from tests.conftest import PASSWORD, make_user

LONG = sessions.Client(
    ip="2001:0db8:1234:5678:9abc:def0:1234:5678",
    user_agent="A" * 255,
    label="M" * 64,
)

OFF_SCREEN = """[...document.querySelectorAll("#content *")]
    .filter((node) => node.checkVisibility() && node.getBoundingClientRect().right > innerWidth)
    .map((node) => node.outerHTML)"""
SCROLLS = """[...document.querySelectorAll("html, .results, .tabular, .module")]
    .filter((node) => node.scrollWidth > node.clientWidth && node.clientWidth > 0)
    .map((node) => node.outerHTML.slice(0, 200))"""


@pytest.fixture
def page(start_server: Callable[..., Any], open_browser: Callable[[], BrowserContext]) -> Any:
    make_user("root", is_staff=True, is_superuser=True)
    with start_server() as address:
        page = open_browser().new_page()
        page.set_viewport_size({"width": 1280, "height": 800})
        page.goto(f"{address}/admin/")
        page.locator("#id_username").fill("root")
        page.locator("#id_password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        expect(page.locator("#user-tools")).to_be_visible()
        page.address = address
        yield page


def check(page: Page, name: str) -> None:
    if folder := os.environ.get("TESSERA_SCREENSHOTS"):  # screenshots for a person
        page.screenshot(path=Path(folder) / f"admin-{name}.png", full_page=True)
    assert page.evaluate(OFF_SCREEN) == []
    assert page.evaluate(SCROLLS) == []


def test_nothing_is_off_screen_at_1280_pixels(page: Any, anna: AbstractBaseUser) -> None:
    owner = make_user("w" * 150)
    for user in (anna, owner):
        for client in (LONG, sessions.Client(ip="192.0.2.7", user_agent="okhttp/5", label="Phone")):
            sessions.start(user, client=client)
    ended = sessions.start(anna, client=LONG)
    sessions.revoke(ended.session_id, reason=sessions.Reason.LOGOUT_ALL)
    first = Session.objects.filter(user_id=owner.pk, label="Phone")
    first.update(idle_expires_at=datetime(2026, 1, 1, tzinfo=UTC))

    page.goto(f"{page.address}/admin/tessera/session/")
    expect(page.locator("#result_list tbody tr")).to_have_count(5)
    check(page, "list")
    page.goto(f"{page.address}/admin/auth/user/{anna.pk}/change/")
    expect(page.locator(".tessera-sessions tbody tr")).to_have_count(3)
    check(page, "user")
    page.locator(".tessera-sessions").get_by_role("link", name="End", exact=True).first.click()
    check(page, "question")
    page.get_by_role("button", name="End this session").click()
    expect(page.get_by_text("The session was ended.")).to_be_visible()
    assert page.url.endswith(f"/admin/auth/user/{anna.pk}/change/")
    page.goto(f"{page.address}/admin/tessera/session/{ended.session_id}/change/")
    check(page, "session")
