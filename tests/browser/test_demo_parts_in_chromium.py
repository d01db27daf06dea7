"""The devices of the demo, and its parts under "More to try": chat, sign-up, second factor and keys."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.demo import add_factor, join_chat, log_in, sign_up, wait_until_idle

pytestmark = pytest.mark.long  # it plays with the demo's page


@pytest.fixture
def still(page: Page) -> Page:
    """The page without motion, because these tests do not watch the parcels."""
    page.emulate_media(reduced_motion="reduce")
    return page


def test_a_logout_in_another_tab_closes_the_socket_of_this_tab(still: Page, demo: str) -> None:
    sockets: list[str] = []
    still.on("websocket", lambda socket: sockets.append(socket.url))
    log_in(still, "cookie")
    other = still.context.new_page()
    other.goto(demo)
    expect(other.get_by_role("heading", name="Logged in as anna")).to_be_visible()
    for tab in (still, other):
        join_chat(tab)
    other.locator("#chat-text").fill("Are you there?")
    other.keyboard.press("Enter")
    expect(still.locator("#chat-lines")).to_contain_text("anna: Are you there?")
    expect(still.locator("#holder-you .chip")).to_be_visible()
    other.get_by_role("button", name="Log out", exact=True).click()
    expect(still.locator("#chat-state")).to_contain_text(
        re.compile(r"closed the socket .* because you were logged out in another tab \(4401 session_ended\)")
    )
    expect(still.locator("#holder-you .chip")).to_have_count(0)
    expect(still.locator("#ended")).to_contain_text("logged out in another tab")
    assert [re.sub(r"=.+", "", url.partition("?")[2]) for url in sockets] == ["ticket"]
    assert "eyJ" not in "".join(sockets)


def test_a_socket_tells_the_page_that_its_session_has_ended(still: Page) -> None:
    """The client hears nothing of the logout, because the second tab in the page is not a client."""
    log_in(still, "header", "bob")
    join_chat(still)
    still.locator("#chat-out").click()
    expect(still.locator("#chat-state")).to_contain_text("4401 session_ended")
    expect(still.locator("#ended")).to_contain_text("logged out in another tab")
    expect(still.locator("#latest")).to_contain_text("The server closed the socket")


def test_a_sign_up_with_a_code_of_the_mailbox_and_a_second_factor(still: Page) -> None:
    address = sign_up(still)
    expect(still.locator("#holder-you .tablet")).to_have_text(re.compile("^1"))
    claims = still.locator("#access-claims")
    expect(claims).to_contain_text('["pwd"]')
    add_factor(still)
    still.locator("#code").fill("000000")
    still.get_by_role("button", name="Continue").click()
    expect(still.locator("#code-error")).to_contain_text("The code is wrong")
    still.locator("#code-phone").get_by_role("button", name="Type it in").click()
    still.get_by_role("button", name="Continue").click()
    expect(still.get_by_role("heading", name=f"({address})")).to_be_focused()
    expect(claims).to_contain_text('["pwd","otp"]')
    shown = still.locator("#entries").text_content() or ""
    assert not re.search(r'"(session_token|secret|ticket)": "(?!•)', shown)


def test_the_mailbox_of_a_known_address_says_that_there_is_an_account(still: Page) -> None:
    """The page of the sign-up itself does not tell it, so strangers cannot find out who has an account."""
    still.locator("#to-sign-up").click()
    still.locator("#sign-up-email").fill("anna@example.com")
    still.locator("#sign-up-form button").click()
    expect(still.locator("#mails")).to_contain_text("already exists")
    expect(still.locator("#latest")).to_contain_text("One step is missing")
    still.get_by_role("button", name="Take another address").click()
    expect(still.locator("#sign-up-email")).not_to_have_value("anna@example.com")


def test_keys_rotate_and_another_service_verifies_old_and_new_tokens(still: Page) -> None:
    log_in(still, "header")
    still.locator("#keys-part > summary").click()

    def press(name: str) -> None:
        still.get_by_role("button", name=name, exact=True).click()
        wait_until_idle(still)

    check = "Check my token as another service"
    answer, keys = still.locator("#keys-answer"), still.locator("#key-list li")
    press("Publish the next key")
    expect(keys.first).to_contain_text("published")
    press("Let an hour pass")
    expect(keys.first).to_contain_text("signing")
    expect(keys.nth(1)).to_contain_text("retiring your token")
    press(check)
    expect(answer).to_contain_text("Accepted")
    press("Refresh")
    press("Show the keys")
    expect(keys.first).to_contain_text("signing your token")
    press(check)
    expect(answer).to_contain_text("Accepted")
    press("Log out")
    press(check)
    expect(answer).to_contain_text("this service cannot know it")


def test_a_device_that_was_ended_is_refused(still: Page) -> None:
    log_in(still, "header")
    still.get_by_role("button", name="Log in on a phone, too").click()
    still.get_by_role("button", name="End the session on Phone").click()
    expect(still.locator("#latest")).to_contain_text("The phone: 401 GET /api/notes/")
    expect(still.locator("#session-list")).not_to_contain_text("Phone")
