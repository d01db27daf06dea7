"""The demo by keyboard, on a narrow screen, in forced colours, in other languages, and under axe-core."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.demo import add_factor, join_chat, log_in, sign_up, stop_at, wait_until_idle
from tests.environments import install_packages
from tests.servers import ROOT, require

pytestmark = pytest.mark.long  # it looks at each state of the demo's page

FOLDER = ROOT / "tests" / "browser" / "axe"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = "(tags) => axe.run(document, { runOnly: { type: 'tag', values: tags } })"
WIDE = """() => {
    const page = document.documentElement;
    if (page.scrollWidth <= page.clientWidth) return [];
    const isWide = ({ left, right }) => left < -1 || right > page.clientWidth + 1;
    const nodes = [...document.querySelectorAll("body *")];
    const wide = nodes.filter((node) => isWide(node.getBoundingClientRect()));
    return [`${page.scrollWidth} pixels`, ...wide.map((node) => node.outerHTML.slice(0, 200))];
}"""

Check = Callable[[str], None]


@pytest.fixture(scope="module")
def axe() -> str:
    require("npm")
    install_packages(FOLDER)
    return (FOLDER / "node_modules" / "axe-core" / "axe.min.js").read_text()


@pytest.fixture(params=["light", "dark"])
def check(request: pytest.FixtureRequest, page: Page, axe: str) -> Iterator[Check]:
    """Compare the page with axe-core's rules. ``check(state)`` does this in a state of the page."""
    page.emulate_media(color_scheme=request.param, reduced_motion="reduce")
    found: dict[str, Any] = {}

    def run(state: str) -> None:
        wait_until_idle(page)
        assert page.evaluate(WIDE) == [], state
        page.evaluate(axe)
        for violation in page.evaluate(RUN, RULES)["violations"]:
            found[f"{state}: {violation['id']}"] = [node["html"][:200] for node in violation["nodes"]]

    yield run
    assert found == {}


@pytest.mark.long
def test_axe_finds_nothing_in_any_state_with_the_token_in_memory(page: Page, check: Check) -> None:
    page.set_viewport_size({"width": 320, "height": 700})
    check("at the first sight")
    page.locator("#password").fill("wrong")
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page.locator("#login-error")).to_be_visible()
    check("after a failed login")
    page.locator("#login-form summary").click()
    check("with the form unfolded")
    log_in(page, "header")
    for name in ("List my notes", "List my sessions", "Send the changed token", "Twenty refreshes at once"):
        page.get_by_role("button", name=name).click()
    expect(page.locator("#session-list li")).not_to_have_count(0)
    check("logged in")
    page.locator("#personal summary").click()
    page.get_by_role("button", name="Make a token").click()
    page.get_by_role("button", name="Call as the script").click()
    expect(page.locator("#personal-answer")).to_be_visible()
    check("with a personal token")
    page.set_viewport_size({"width": 1280, "height": 800})
    for stop in ("call", "wait", "tab"):
        stop_at(page, stop)
    page.locator("#thief-header summary").click()
    page.locator("#access-text .claims").hover()
    check("with a second tab")
    stop_at(page, "thief")
    check("after a theft")
    page.set_viewport_size({"width": 320, "height": 700})
    check("after a theft, on a narrow screen")
    log_in(page, "header")
    page.locator("#ended-count").click()
    page.locator("#scenes summary").first.click()
    check("with everything unfolded")


@pytest.mark.long
def test_axe_finds_nothing_in_any_state_with_the_token_in_a_cookie(page: Page, check: Check) -> None:
    log_in(page, "cookie")
    stop_at(page, "call")
    page.get_by_role("button", name="Try to copy it").click()
    check("logged in")
    page.get_by_role("button", name="Log out", exact=True).click()
    expect(page.locator("#ended")).to_be_visible()
    check("logged out")


@pytest.mark.long
def test_axe_finds_nothing_in_any_state_of_the_parts(page: Page, check: Check) -> None:
    page.set_viewport_size({"width": 320, "height": 700})
    page.locator("#to-sign-up").click()
    page.locator("#sign-up-form button").click()
    expect(page.locator("#mails .code")).to_be_visible()
    check("with a mailbox")
    page.locator("#verify-back").click()
    sign_up(page)
    add_factor(page)
    check("when the login asks for a code")
    page.locator("#code-back").click()
    log_in(page, "header")
    join_chat(page)
    page.locator("#keys-part > summary").click()
    for name in ("Publish the next key", "Check my token as another service", "Log in on a phone, too"):
        page.get_by_role("button", name=name).click()
    expect(page.locator("#keys-answer")).to_contain_text("Accepted")
    check("in the chat, with keys and devices")


def test_axe_finds_nothing_on_the_page_of_a_404(page: Page, check: Check, demo: str) -> None:
    page.goto(f"{demo}nothing-here")
    expect(page.get_by_role("link", name="Back to the demo")).to_be_visible()
    check("a 404")


@pytest.mark.long
@pytest.mark.parametrize(("language", "direction"), [("ar", "rtl"), ("de", "ltr")])
def test_axe_finds_nothing_in_another_language(
    page: Page, check: Check, demo: str, language: str, direction: str
) -> None:
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.context.add_cookies([{"name": "django_language", "value": language, "url": demo}])
    page.set_viewport_size({"width": 320, "height": 700})
    page.goto(demo)
    expect(page.locator("html")).to_have_attribute("lang", language)
    expect(page.locator("html")).to_have_attribute("dir", direction)
    check("at the first sight")
    page.locator("[data-name=anna]").click()
    expect(page.locator("#session-title")).to_be_focused()
    for stop in ("call", "wait", "tab"):
        stop_at(page, stop)
    check("with a second tab")
    assert told == []
    stop_at(page, "thief")  # the browser tells of the refusals
    for summary in page.locator("#more summary, #scenes summary").all():
        summary.click()
    check("after a theft, with everything unfolded")
    for place in ("#access-text", "#entries code", "#entries pre", "#access-claims th"):
        direction_of_code = page.locator(place).first.evaluate("(node) => getComputedStyle(node).direction")
        assert direction_of_code == "ltr", place
    browser, server = (page.locator(place).bounding_box() for place in (".browser", ".server"))
    assert browser is not None
    assert server is not None
    assert (browser["x"] > server["x"]) == (direction == "rtl")


def test_the_menu_of_languages_works_without_scripts(chromium: Browser, demo: str) -> None:
    with chromium.new_context(java_script_enabled=False, locale="en-US") as context:
        page = context.new_page()
        page.goto(demo)
        expect(page.locator("#language-name")).to_have_value("en")
        page.get_by_role("combobox", name="Language").select_option("Deutsch")
        page.get_by_role("button", name="Change the language").click()
        expect(page.locator("html")).to_have_attribute("lang", "de")
        expect(page.locator("#language-name")).to_have_value("de")
        expect(page.get_by_role("button", name="Als anna anmelden")).to_be_visible()


def test_scripts_have_the_language_and_not_the_cookies_of_the_menu(page: Page) -> None:
    page.locator("#language-name").select_option("de")
    page.locator("#language button").click()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    expect(page.get_by_text("Ein Dieb kopiert Ihr Token")).to_be_visible()  # a script writes this
    assert page.evaluate("document.cookie") == ""
    assert {cookie["name"] for cookie in page.context.cookies()} == {"csrftoken", "django_language"}  # type: ignore[typeddict-item]


def test_the_keyboard_comes_to_the_form_first(page: Page) -> None:
    """After the skip link, nothing is in front of the login."""
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#account")).to_be_focused()
    for place in ("#password", "input[value=header]", "#login-form summary"):
        page.keyboard.press("Tab")
        expect(page.locator(place)).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Logged in as anna")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Log out", exact=True)).to_be_focused()


def test_in_forced_colours_a_token_shows_its_state_by_its_border(page: Page) -> None:
    page.emulate_media(forced_colors="active", reduced_motion="reduce")
    log_in(page, "header")
    for stop in ("call", "wait", "tab"):
        stop_at(page, stop)
    borders = page.locator("#chain .tablet").evaluate_all(
        """(nodes) => nodes.map((node) => {
            const style = getComputedStyle(node);
            return `${style.borderTopWidth} ${style.borderTopStyle} ${style.textDecorationLine}`;
        })"""
    )
    assert len(set(borders)) == 3  # replaced, just replaced, current


def test_nothing_moves_for_people_who_want_no_motion(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.evaluate(
        """() => {
            window.moved = 0;
            new MutationObserver((changes) => {
                for (const { addedNodes } of changes)
                    for (const node of addedNodes) moved += Number(node.className?.includes?.("parcel") ?? 0);
            }).observe(document.getElementById("scene"), { childList: true });
        }"""
    )
    log_in(page, "header")
    stop_at(page, "call")
    assert page.evaluate("moved") == 0
