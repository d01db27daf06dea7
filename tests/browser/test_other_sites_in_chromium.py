"""Pages of other sites, in a real browser, against each endpoint that changes data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from playwright.sync_api import BrowserContext, Page

from drf_tessera.models import Session
from tests.browser.conftest import call, find_port, log_in, open_tab
from tests.conftest import PASSWORD

Start = Callable[..., Any]
Open = Callable[[], BrowserContext]

OWN = "api.localhost"
SAME_SITE = "evil.api.localhost"  # for SameSite, this host belongs to our site
CROSS_SITE = "evil.localhost"
ANOTHER_NAME = "127.0.0.1"

ENDPOINTS = {
    "login": ("POST", "/api/token/"),
    "refresh": ("POST", "/api/token/refresh/"),
    "logout": ("POST", "/api/token/revoke/"),
    "logout everywhere": ("DELETE", "/api/token/sessions/"),
    "logout elsewhere": ("DELETE", "/api/token/sessions/others/"),
    "one session": ("DELETE", "/api/token/sessions/ID/"),
    "a view": ("POST", "/change/"),
}
BODY = f"username=anna&password={PASSWORD}&transport=cookie".replace(" ", "+")

FETCH = """([method, url, mode, type, body]) => fetch(url, {
    method, mode, credentials: "include", headers: { "Content-Type": type },
    body: method === "POST" ? body : undefined,
}).then((response) => response.status, (error) => String(error))"""

FORM = """([url, pairs]) => {
    const form = document.createElement("form");
    form.method = "post";
    form.action = url;
    for (const [name, value] of pairs) {
        const field = document.createElement("input");
        [field.name, field.value] = [name, value];
        form.append(field);
    }
    document.body.append(form);
    form.submit();
}"""


@dataclass
class Victim:
    context: BrowserContext
    page: Page
    port: int
    session: str

    def address(self, host: str) -> str:
        return f"http://{host}:{self.port}"

    def lure(self, host: str) -> tuple[Page, dict[str, int]]:
        """Open a page of another site in the same browser, and record the answers to its requests."""
        page = self.context.new_page()
        page.goto(f"{self.address(host)}/empty/")
        answers: dict[str, int] = {}
        page.on("response", lambda answer: answers.update({answer.url: answer.status}))
        return page, answers


@contextmanager
def harmless(victim: Victim) -> Iterator[None]:
    """Check that nothing has changed: no session ended, rotated or started, and no cookie changed."""

    def describe() -> Any:
        rows = Session.objects.order_by("pk").values_list("pk", "generation", "revoked_at")
        # Exclude the CSRF cookie, because the page of REST framework's browsable API sets this cookie.
        ours = [cookie for cookie in victim.context.cookies() if cookie["name"].startswith("tessera_")]
        return list(rows), sorted((cookie["name"], cookie["value"], cookie["domain"]) for cookie in ours)

    before = describe()
    yield
    assert describe() == before
    assert call(victim.page) == 200


def wait_for_answer(page: Page, answers: dict[str, int], url: str) -> None:
    """Wait for the browser's report of an answer, which may come later than the answer itself."""
    while url not in answers:
        page.wait_for_event("response")


@pytest.fixture
def victim(start_server: Start, open_browser: Open, anna: AbstractBaseUser) -> Iterator[Victim]:
    with start_server(PROFILE="browser", ACCESS_COOKIE=True) as address:
        port = find_port(address)
        context = open_browser()
        page = open_tab(context, f"http://{OWN}:{port}")
        log_in(page)
        other = open_tab(open_browser(), f"http://{OWN}:{port}")
        log_in(other)
        yield Victim(context, page, port, page.evaluate("client.session"))


def test_the_page_itself_may_do_everything(victim: Victim) -> None:
    """Without this test, the tests below would prove nothing."""
    assert call(victim.page, "/change/", "POST") == 200
    status = victim.page.evaluate(
        "fetch('/api/token/refresh/', { method: 'POST' }).then((response) => response.status)"
    )
    assert status == 200
    assert victim.page.evaluate("client.logoutOthers()") == {"revoked": 1}
    assert victim.page.evaluate("client.logout()") == {"revoked": True}


@pytest.mark.long
@pytest.mark.parametrize("host", [SAME_SITE, CROSS_SITE, ANOTHER_NAME])
def test_a_fetch_from_another_origin_changes_nothing(victim: Victim, host: str) -> None:
    page, answers = victim.lure(host)
    for method, path in ENDPOINTS.values():
        url = victim.address(OWN) + path.replace("ID", victim.session)
        for mode, kind in [
            ("no-cors", "application/x-www-form-urlencoded"),
            ("no-cors", "text/plain"),
            ("cors", "application/x-www-form-urlencoded"),
            ("cors", "application/json"),
        ]:
            if mode == "no-cors" and method == "DELETE":
                continue  # no browser sends this
            answers.clear()
            with harmless(victim):
                found = page.evaluate(FETCH, [method, url, mode, kind, BODY])
                assert found == 0 if mode == "no-cors" else "TypeError" in str(found)
            if (host, mode, kind) == (SAME_SITE, "no-cors", "application/x-www-form-urlencoded"):
                wait_for_answer(page, answers, url)
                assert answers[url] == 403  # the cookies were sent, and the check refused


@pytest.mark.long
@pytest.mark.parametrize("host", [SAME_SITE, CROSS_SITE, ANOTHER_NAME])
def test_a_form_of_another_site_changes_nothing(victim: Victim, host: str) -> None:
    pairs = [["username", "anna"], ["password", PASSWORD], ["transport", "cookie"]]
    for name, (method, path) in ENDPOINTS.items():
        if method != "POST":
            continue  # no form sends this
        url = victim.address(OWN) + path
        page, answers = victim.lure(host)
        with harmless(victim):
            page.evaluate(FORM, [url, pairs])
            page.wait_for_url(url)
            wait_for_answer(page, answers, url)
        if host == SAME_SITE or name == "login":
            assert answers[url] == 403
        else:
            assert answers[url] in {200, 401}  # SameSite kept the cookies back, so nobody was logged in
        page.close()
