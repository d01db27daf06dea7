"""The demo's page, used like a person uses it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.demo import log_in

pytestmark = pytest.mark.long  # it plays with the demo's page

Open = Callable[[], BrowserContext]

FITS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
NAMELESS = """[...document.querySelectorAll("button, a, input, summary, [tabindex='0']")]
    .filter((node) => node.checkVisibility())
    .filter((node) => !node.labels?.length && !node.ariaLabel && !node.textContent.trim())
    .map((node) => node.outerHTML)"""

LATE_TIMELINE = """() => {
    const ask = window.fetch;
    window.fetch = async (input, init) => {
        const answer = await ask(input, init);
        const late = String(input.url ?? input).includes("/api/timeline/") ? 800 : 0;
        await new Promise((go) => setTimeout(go, late));
        return answer;
    };
}"""


def test_a_login_by_cookie_refreshes_and_logs_out(page: Page) -> None:
    log_in(page, "cookie")
    mine = page.locator(".lane", has_text="this page")
    expect(mine.locator(".node")).to_have_count(1)
    page.get_by_role("button", name="List my notes").click()
    expect(page.locator("#latest")).to_contain_text("notes of this user")
    page.get_by_role("button", name="Twenty refreshes at once").click()
    expect(page.locator("#latest")).to_contain_text(
        "20 answers with status 200, 20 access tokens, 1 rotation"
    )
    expect(mine.locator(".node")).to_have_count(2)
    page.get_by_role("button", name="Try to copy it").click()
    expect(page.locator("#cookie-found")).to_contain_text("does not contain the refresh token")
    assert "tsr_" not in page.evaluate("document.cookie")
    page.reload()
    expect(page.get_by_role("heading", name="Logged in as anna")).to_be_visible()
    page.get_by_role("button", name="List my sessions").click()
    expect(page.locator("#session-list .badge")).to_have_count(1)
    page.get_by_role("button", name="Log out", exact=True).click()
    expect(page.locator("#ended")).to_contain_text("logged out")
    page.get_by_role("button", name="Send this token without a refresh").click()
    expect(page.locator("#latest")).to_contain_text("401 GET /api/notes/")
    page.reload()
    expect(page.locator("#login")).to_be_visible()


def test_a_request_with_a_body_is_sent(page: Page) -> None:
    log_in(page, "header")
    page.get_by_label("A new note").fill("Wind the clock.")
    page.get_by_role("button", name="Create").click()
    expect(page.locator("#note-list")).to_contain_text("Wind the clock.")
    expect(page.locator("#latest")).to_contain_text("201 POST /api/notes/")
    page.get_by_role("button", name="Delete note").click()
    expect(page.locator("#note-list li")).to_have_count(0)


def test_a_second_tab_is_logged_in_and_out_with_the_first(page: Page, demo: str) -> None:
    log_in(page, "cookie", "bob")
    other = page.context.new_page()
    other.goto(demo)
    expect(other.get_by_role("heading", name="Logged in as bob")).to_be_visible()
    other.get_by_role("button", name="Log out", exact=True).click()
    expect(page.locator("#ended")).to_contain_text("logged out")


@pytest.mark.parametrize("transport", ["cookie", "header"])
def test_a_login_while_the_page_still_starts_stays(demo: str, open_browser: Open, transport: str) -> None:
    page = open_browser().new_page()
    held: list[Route] = []
    released = False

    def hold(route: Route) -> None:
        if released:
            route.continue_()
        else:
            held.append(route)

    page.route("**/api/timeline/**", hold)
    page.goto(demo)
    page.locator(f"input[value={transport}]").check()
    page.get_by_role("button", name="Log in as anna").click()
    while not held:
        page.wait_for_timeout(50)
    released = True
    for route in held:
        route.continue_()
    expect(page.get_by_role("heading", name="Logged in as anna")).to_be_visible()
    page.get_by_role("button", name="List my notes").click()
    expect(page.locator("#latest")).to_contain_text("notes of this user")


@pytest.mark.parametrize("late", [False, True], ids=["", "late-timeline"])
def test_a_theft_is_played_to_its_end(page: Page, late: bool) -> None:
    if late:  # like on a busy machine
        page.evaluate(LATE_TIMELINE)
    log_in(page, "header")
    page.get_by_role("button", name="Play a theft").click()
    lane = page.locator(".lane", has_text="this page")
    expect(lane.locator(".end.stolen")).to_be_visible()
    expect(page.locator("#ended")).to_contain_text("ended")
    expect(page.locator("#entries")).to_contain_text("THEFT")


@pytest.mark.long
@pytest.mark.parametrize("transport", ["cookie", "header"])
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_everything_fits_a_narrow_screen_and_has_a_name(page: Page, transport: str, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    assert page.evaluate(FITS)
    assert page.evaluate(NAMELESS) == []
    log_in(page, transport)
    for name in ("Twenty refreshes at once", "List my notes", "List my sessions"):
        page.get_by_role("button", name=name).click()
    expect(page.locator("#session-list li")).not_to_have_count(0)
    assert page.evaluate(FITS)
    assert page.evaluate(NAMELESS) == []
    if folder := os.environ.get("TESSERA_SCREENSHOTS"):  # screenshots for a person
        for width in (360, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_timeout(300)
            page.screenshot(path=Path(folder) / f"{transport}-{scheme}-{width}.png", full_page=True)


def test_every_action_works_with_the_keyboard(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.name") == "anna":
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Logged in as anna")).to_be_focused()
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "refresh":
            break
    expect(page.get_by_role("button", name="Refresh", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#latest")).to_contain_text("POST /api/token/refresh/")


def run_operation(page: Page, operation: str, body: str = "") -> str:
    """Send a request of Swagger UI and return the status of its answer."""
    block = page.locator(f"[id$='-{operation}']")
    block.locator(".opblock-summary").click()
    if body:
        block.locator("textarea").first.fill(body)
    block.get_by_role("button", name="Execute").click()
    status = block.locator(".live-responses-table .response .response-col_status")
    expect(status).to_be_visible()
    return status.inner_text().split()[0]


def test_in_swagger_ui_one_logs_in_and_calls(page: Page) -> None:
    refused: list[str] = []
    page.on("console", lambda it: refused.append(it.text) if "Content Security Policy" in it.text else None)
    page.get_by_role("link", name="The same API in Swagger UI").click()
    expect(page.get_by_role("heading", name="The demo of drf-tessera")).to_be_visible()
    body = '{"username": "anna", "password": "demo-anna"}'
    assert run_operation(page, "notes_list") == "401"
    assert run_operation(page, "token_create", body) == "200"
    page.locator("[id$='-notes_list']").get_by_role("button", name="Execute").click()
    answer = page.locator("[id$='-notes_list'] .live-responses-table")
    expect(answer).to_contain_text("Call the dentist.")
    assert run_operation(page, "token_sessions_list") == "200"
    assert refused == []
