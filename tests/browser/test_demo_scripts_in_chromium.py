"""A personal access token in the demo: made, used by the line that was copied, ended and refused."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.demo import log_in, wait_until_idle
from tests.servers import require

pytestmark = pytest.mark.long  # it plays with the demo's page


def run_line(line: str, *more: str) -> tuple[int, Any]:
    """Run a line of curl. Return the status and the body of the answer."""
    program, *arguments = shlex.split(line)
    command = [*require(program), "-s", "-w", "\n%{http_code}", *more, *arguments]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    body, status = text.rsplit("\n", 1)
    return int(status), json.loads(body)


def make_token(page: Page, name: str) -> str:
    """Make a token, and return its line for a terminal."""
    page.locator("#personal-name").fill(name)
    page.get_by_role("button", name="Make a token").click()
    expect(page.locator("#personal-tokens")).to_contain_text(name)
    wait_until_idle(page)
    return page.locator("#personal-line").inner_text()


def test_a_token_for_a_script_is_made_used_ended_and_refused(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    expect(page.locator("#personal-nobody")).to_be_hidden()  # folded
    log_in(page, "header")
    page.locator("#personal summary").click()
    line = make_token(page, "Backup")
    assert re.search(r"Bearer tsk_[\w-]{43}\"", line)
    page.get_by_role("button", name="Copy the line").click()
    expect(page.locator("#personal-answer")).to_have_text("The line is copied.")
    assert page.evaluate("navigator.clipboard.readText()") == line
    status, notes = run_line(line)
    assert (status, len(notes)) == (200, 2)
    status, refusal = run_line(line, "--json", '{"text": "x"}')
    assert (status, refusal["code"]) == (403, "insufficient_scope")
    page.get_by_role("button", name="Call as the script").click()
    expect(page.locator("#personal-answer")).to_contain_text("200: The script reads 2 notes.")
    page.get_by_role("button", name="End the token Backup").click()
    expect(page.locator("#personal-tokens li")).to_have_count(0)
    page.get_by_role("button", name="Call as the script").click()
    expect(page.locator("#personal-answer")).to_contain_text("401: The token was ended")
    assert run_line(line)[0] == 401


def test_the_log_shows_no_whole_token_and_the_timeline_has_no_lane_for_it(page: Page) -> None:
    log_in(page, "header", "bob")
    page.locator("#personal summary").click()
    line = make_token(page, "Nightly")
    page.get_by_role("button", name="Call as the script").click()
    expect(page.locator("#personal-answer")).to_contain_text("200")
    assert not re.search(r"tsk_[\w-]{43}", page.locator("#entries").inner_text())
    assert line
    page.get_by_role("button", name="List my sessions").click()
    expect(page.locator("#session-list .badge.warn")).to_have_text("personal token")
    wait_until_idle(page)
    assert page.locator(".lane", has_text="Nightly").count() == 0


def test_another_login_does_not_see_the_token(page: Page) -> None:
    log_in(page, "header")
    page.locator("#personal summary").click()
    make_token(page, "Mine")
    page.get_by_role("button", name="Log out", exact=True).click()
    expect(page.locator("#personal-nobody")).to_be_visible()
    log_in(page, "header", "bob")
    expect(page.locator("#personal-line")).to_be_hidden()
    assert page.locator("#personal-line").text_content() == ""
