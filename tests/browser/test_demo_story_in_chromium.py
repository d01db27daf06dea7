"""The demo tells its story: five stops on a stage that stays in sight, tampering, and comparisons."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.demo import log_in, stop_at, wait_until_idle
from tests.model import scenes

pytestmark = pytest.mark.long  # it plays the story of the demo's page


def test_five_stops_lead_from_the_login_to_the_theft(page: Page) -> None:
    log_in(page, "header")
    expect(page.locator("#holder-you")).to_contain_text("anna is logged in")
    expect(page.locator("#holder-you .tablet")).to_have_text(re.compile("^1"))
    stop_at(page, "call")
    expect(page.locator("#seen-call")).to_contain_text("2 notes")
    stop_at(page, "wait")
    expect(page.locator("#seen-wait")).to_contain_text("refresh token 1 first, and got number 2")
    expect(page.locator("#chain .tablet")).to_have_count(2)
    stop_at(page, "tab")
    expect(page.locator("#chain .tablet")).to_have_count(3)  # one rotation for two tabs
    expect(page.locator("#holder-tab .ticket")).to_have_count(1)
    stop_at(page, "thief")
    expect(page.locator("#verdict")).to_contain_text("THEFT")
    for outcome in ("The thief: refused", "This tab: logged out", "The second tab: logged out"):
        expect(page.locator("#verdict")).to_contain_text(outcome)
    expect(page.locator("#latest")).to_contain_text("THEFT")  # the last word
    expect(page.locator("#stop-words")).to_have_text("All five stops are done.")


@pytest.mark.parametrize("size", [(360, 740), (768, 1024), (1280, 800)], ids=str)
def test_the_stage_stays_in_sight(page: Page, size: tuple[int, int]) -> None:
    width, height = size
    page.set_viewport_size({"width": width, "height": height})
    log_in(page, "header")
    page.locator("#log").scroll_into_view_if_needed()
    box = page.locator("#stage").bounding_box()
    assert box is not None
    assert 0 <= box["y"] < height / 2
    page.locator("#act-call").focus()  # and the focused button is not behind the stage
    button = page.locator("#act-call").bounding_box()
    assert button is not None
    assert width > 1000 or button["y"] >= box["height"]


def test_the_first_sight_is_not_a_refusal(page: Page) -> None:
    """A browser that has never logged in sends no refresh."""
    refused: list[int] = []
    page.on("response", lambda answer: refused.append(answer.status) if answer.status >= 400 else None)
    page.reload()
    expect(page.locator("#scenes li").first).to_be_visible()
    wait_until_idle(page)
    expect(page.locator("#entries li")).to_have_count(0)
    assert refused == []


def test_a_failed_login_is_told_at_the_form(page: Page) -> None:
    page.locator("#password").fill("wrong")
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page.locator("#login-error")).to_contain_text("The password is wrong")
    expect(page.locator("#password")).to_be_focused()
    page.locator("#password").fill("demo-anna")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Logged in as anna")).to_be_visible()


def test_a_changed_claim_is_refused_and_the_token_itself_is_accepted(page: Page) -> None:
    log_in(page, "header")
    page.get_by_role("button", name="Send the changed token").click()
    expect(page.locator("#forgery")).to_contain_text("401 The signature does not match")
    page.get_by_role("button", name="Send this token without a refresh").click()
    expect(page.locator("#forgery")).to_contain_text("200")


def test_a_part_of_the_token_lights_up_with_its_claims(page: Page) -> None:
    log_in(page, "header")
    lit = page.locator("#access")
    for part in ("header", "claims", "signature"):
        page.locator(f"#access-text .{part}").hover()
        expect(lit).to_have_attribute("data-lit", part)
        page.locator(f"tbody[data-lights={part}] th").first.hover()
        expect(lit).to_have_attribute("data-lit", part)
    page.get_by_role("button", name="Header", exact=True).focus()
    expect(lit).to_have_attribute("data-lit", "header")


def test_times_are_shown_as_distances_and_agree_with_the_stage_after_a_time_lapse(page: Page) -> None:
    log_in(page, "header")
    stop_at(page, "call")
    stop_at(page, "wait")
    row = page.locator("#access-claims tr", has=page.get_by_role("rowheader", name="exp"))
    expect(row).to_contain_text(re.compile(r", in \d+ s\)"))
    expect(page.locator("#holder-you .ticket")).to_contain_text(re.compile(r"^\d+ s$"))


def test_a_logout_in_another_tab_is_told(page: Page, demo: str) -> None:
    log_in(page, "cookie", "bob")
    other = page.context.new_page()
    other.goto(demo)
    other.get_by_role("button", name="Log out", exact=True).click()
    expect(page.locator("#ended")).to_contain_text("logged out in another tab")


def test_ended_sessions_fold_away(page: Page) -> None:
    log_in(page, "header")
    page.get_by_role("button", name="Log out", exact=True).click()
    expect(page.locator("#lanes .lane.over")).to_have_count(1)  # the own session is still shown
    log_in(page, "header")
    expect(page.locator("#lanes .lane.over")).to_have_count(0)
    expect(page.locator("#ended-lanes")).not_to_have_attribute("open", "")
    expect(page.locator("#ended-count")).to_contain_text("that ended")


def test_a_thief_and_a_second_tab_play_freely_beside_this_tab(page: Page) -> None:
    log_in(page, "header")
    page.locator("#thief-copy").click()
    page.locator("#tab-refresh").click()
    page.locator("#tab-call").click()
    page.locator("#thief-refresh").click()
    page.locator("#thief-call").click()
    wait_until_idle(page)
    for holder in ("tab", "thief"):
        expect(page.locator(f"#holder-{holder} .ticket")).to_have_count(1)
    expect(page.locator("#latest")).to_contain_text("The thief: 200 GET /api/notes/")


def test_every_scene_of_the_model_is_on_the_page(page: Page) -> None:
    for scene in scenes.play_scenes():
        expect(page.locator("#scenes").get_by_role("heading", name=scene["name"])).to_be_visible()
    out = page.locator("#scenes .cell", has_text="You are logged out, without a thief")
    expect(out).to_have_count(2)  # strict rotation: two tabs, and a lost answer
    expect(page.locator("#scenes .cell.ours .bad")).to_have_count(0)


@pytest.mark.parametrize("path", ["nothing-here", "api/nothing-here", "static/nothing-here.js"])
def test_a_404_leads_back(page: Page, demo: str, path: str) -> None:
    answer = page.goto(f"{demo}{path}")
    assert answer is not None
    assert answer.status == 404
    page.get_by_role("link", name="Back to the demo").click()
    expect(page.locator("#login")).to_be_visible()


def test_a_client_of_the_api_gets_its_404_as_json(page: Page, demo: str) -> None:
    answer = page.request.get(f"{demo}api/nothing-here", headers={"Accept": "*/*"})
    assert (answer.status, answer.json()["code"]) == (404, "not_found")
