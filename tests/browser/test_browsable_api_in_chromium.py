"""A person uses the browsable API of REST framework in development, as docs/howto/browsable-api.md says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from playwright.sync_api import BrowserContext, expect

from drf_tessera import sessions
from tests.conftest import PASSWORD


def test_a_person_logs_in_calls_and_logs_out(
    start_server: Callable[..., Any], open_browser: Callable[[], BrowserContext], anna: AbstractBaseUser
) -> None:
    with start_server(PROFILE="browser", ACCESS_COOKIE=True) as address:
        page = open_browser().new_page()
        page.goto(f"{address}/me/")
        expect(page.locator(".response-info")).to_contain_text("HTTP 401")

        page.goto(f"{address}/api/token/")
        expect(page.locator("#content")).to_contain_text("Exchange a user name or an e-mail address")
        page.locator("#post-object-form input[name=username]").fill(anna.get_username())
        page.locator("#post-object-form input[name=password]").fill(PASSWORD)
        page.locator("#post-object-form button").click()
        expect(page.locator(".response-info")).to_contain_text("HTTP 200")

        page.goto(f"{address}/me/")
        expect(page.locator(".response-info")).to_contain_text(str(anna.pk))
        page.goto(f"{address}/api/token/sessions/")
        expect(page.locator(".response-info")).to_contain_text("current")
        assert sessions.live_sessions(anna.pk).count() == 1

        page.goto(f"{address}/change/")
        page.locator("#post-generic-content-form button").click()
        expect(page.locator(".response-info")).to_contain_text("changed")

        page.goto(f"{address}/api/token/revoke/")
        page.locator("#post-object-form button").click()
        expect(page.locator(".response-info")).to_contain_text("HTTP 200")
        assert sessions.live_sessions(anna.pk).count() == 0
        page.goto(f"{address}/me/")
        expect(page.locator(".response-info")).to_contain_text("HTTP 401")
