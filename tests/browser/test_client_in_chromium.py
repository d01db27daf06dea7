"""The client and the server in a real browser, from the login to the last logout."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Response

from drf_tessera.models import Session
from tests.browser.conftest import call, find_port, log_in, open_tab, read_events
from tests.browser.proxy import bad_network
from tests.conftest import make_user
from tests.rest.test_endpoints import age
from tests.servers import PATIENCE

Start = Callable[..., Any]
Open = Callable[[], BrowserContext]

REFRESH = "/api/token/refresh/"


def count_refreshes(page: Page) -> list[str]:
    """Record each refresh that a page sends."""
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.url) if REFRESH in request.url else None)
    return seen


def test_log_in_call_expire_refresh_and_reload(start_server: Start, open_browser: Open) -> None:
    with start_server() as address:
        context = open_browser()
        page = open_tab(context, address)
        refreshes = count_refreshes(page)
        assert page.evaluate("client.restore()") is False
        assert call(page) == 401
        assert log_in(page)["username"] == "anna"
        assert call(page) == 200
        assert refreshes == []  # the page sees that nobody was logged in
        page.evaluate("skipped += 300_000")
        assert call(page) == 200
        assert len(refreshes) == 1
        page.reload()
        page.wait_for_function("window.ready === true")
        page.evaluate("start({})")
        assert page.evaluate("client.restore()") is True
        assert page.evaluate("client.user.username") == "anna"
        assert call(page) == 200
        assert read_events(page) == ["signedin"]


def test_no_script_can_read_the_refresh_token(start_server: Start, open_browser: Open) -> None:
    with start_server() as address:
        context = open_browser()
        page = open_tab(context, address)
        answers: list[Response] = []

        def note(answer: Response) -> None:  # Playwright sets an attribute on it, so no method
            answers.append(answer)

        page.on("response", note)
        log_in(page)
        page.evaluate("client.refresh()")
        marker, cookie = sorted(context.cookies(), key=lambda found: found["httpOnly"])
        assert cookie["name"] == "tessera_refresh_token"
        assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Lax", "/api/token/")
        assert marker["httpOnly"] is False
        assert page.evaluate("document.cookie") == "tessera_signed_in=1"
        assert len(answers) == 2
        assert not any("tsr_" in answer.text() for answer in answers)
        stored = page.evaluate("JSON.stringify([{ ...localStorage }, { ...sessionStorage }])")
        assert stored == "[{},{}]"
        assert page.evaluate("indexedDB.databases()") == []


def test_plain_localhost_works_in_development_without_any_cookie_setting(
    start_server: Start, open_browser: Open
) -> None:
    """The profile and DEBUG are enough."""
    with start_server(COOKIE_SECURE=None, DEBUG=True) as address:
        context = open_browser()
        page = open_tab(context, address.replace("127.0.0.1", "localhost"))
        log_in(page)
        page.evaluate("client.refresh()")
        assert call(page) == 200
        assert {cookie["secure"] for cookie in context.cookies()} == {False}


ROUNDS = 20
BEGIN_CALLS = """() => {
    window.answers = [];
    window.done = (async () => {
        for (let number = 0; number < 10; number += 1) {
            answers.push(await client.fetch("/me/").then((found) => found.status, (error) => error.code));
        }
    })();
}"""


@pytest.mark.long
def test_five_tabs_refresh_once_in_each_lifetime(start_server: Start, open_browser: Open) -> None:
    """Five tabs find their token old, but no tab is logged out, and each generation has one refresh."""
    with start_server() as address:
        context = open_browser()
        tabs = [open_tab(context, address, slowly=20) for _ in range(5)]
        log_in(tabs[0])
        for tab in tabs:
            tab.wait_for_function("client.signedIn")
            assert call(tab) == 200  # each tab asks for its first token
        begin = Session.objects.get().generation
        refreshes = [count_refreshes(tab) for tab in tabs]
        for generation in range(ROUNDS):
            assert Session.objects.get().generation == begin + generation
            for tab in tabs:
                tab.evaluate("skipped += 300_000")
            age()
            for tab in tabs:
                tab.evaluate(BEGIN_CALLS)
            for tab in tabs:
                tab.evaluate("done")
                assert tab.evaluate("answers") == [200] * 10
        for tab in tabs:
            assert set(read_events(tab)) == {"signedin", "refreshed"}
        session = Session.objects.get()
        assert session.revoked_at is None
        assert session.recoveries == 0
        assert session.generation - begin == sum(map(len, refreshes)) == ROUNDS


def test_logging_out_in_one_tab_logs_all_out(start_server: Start, open_browser: Open) -> None:
    with start_server() as address:
        context = open_browser()
        tabs = [open_tab(context, address) for _ in range(3)]
        log_in(tabs[0])
        for tab in tabs:
            tab.wait_for_function("client.signedIn")
        assert tabs[1].evaluate("client.logout()") == {"revoked": True}
        for tab in tabs:
            tab.wait_for_function("!client.signedIn")
            assert read_events(tab)[-1] == "logout"
            assert call(tab) == 401
        assert context.cookies() == []


def test_logging_out_everywhere_is_felt_in_another_browser_within_a_second(
    start_server: Start, open_browser: Open
) -> None:
    with start_server() as address:
        here, there = (open_tab(open_browser(), address) for _ in range(2))
        for page in (here, there):
            log_in(page)
            assert call(page) == 200
        assert here.evaluate("client.logoutAll()") == {"revoked": 2}
        time.sleep(1)  # each process polls once a second
        assert call(there) == 401
        assert read_events(there)[-1] == "session_revoked"
        assert there.evaluate("client.signedIn") is False


def test_a_stolen_cookie_ends_the_session_for_both(start_server: Start, open_browser: Open) -> None:
    with start_server(REFRESH_RECOVERIES=1) as address:
        owner, thief = open_browser(), open_browser()
        page = open_tab(owner, address)
        log_in(page)
        thief.add_cookies(owner.cookies())
        copy = open_tab(thief, address)
        page.evaluate("client.refresh()")
        age()
        page.evaluate("client.refresh()")
        age()
        assert copy.evaluate("client.refresh().catch((error) => error.code)") == "refresh_reused"
        assert page.evaluate("client.refresh().catch((error) => error.code)") == "session_revoked"
        assert read_events(page)[-1] == "session_revoked"
        assert call(page) == 401
        assert Session.objects.get().revoked_for == "refresh_reused"


def test_another_login_in_one_tab_is_followed_by_the_others(start_server: Start, open_browser: Open) -> None:
    make_user("bob")
    with start_server() as address:
        context = open_browser()
        first, second = (open_tab(context, address) for _ in range(2))
        log_in(first)
        second.wait_for_function("client.signedIn")
        log_in(second, "bob")
        first.wait_for_function("client.user?.username === 'bob'")
        assert call(first) == 200


FAULTS = ("cut", "lost", "lost", "unavailable", "half", "garbled") * 8 + ("late",)
""""late" is rare, because the client waits three seconds before it gives up."""


@pytest.mark.long
def test_two_hundred_broken_refreshes_lose_nothing(start_server: Start, open_browser: Open) -> None:
    """The network is cut, answers are lost after the commit or arrive late or cut, and the server restarts.

    The grace window passes in the database, and only while no message is in progress. The rule cannot
    distinguish a message that takes longer than the window from a thief, and 30 seconds is a long time for a
    message. For the same reason at most four answers of a rotation in a row are lost. For the rule, six lost
    answers in a row, each after the window, are a theft (``REFRESH_RECOVERIES``).
    """
    dice = random.Random(4)  # noqa: S311 - the same faults each time
    page = None
    with bad_network(REFRESH) as network:
        for _ in range(6):
            with start_server() as address:
                network.upstream = find_port(address)
                if page is None:
                    # The client gives up after half of the grace, so it only gives up if the answer is late.
                    page = open_tab(open_browser(), network.address, grace=6, patience=PATIENCE, quick=True)
                    log_in(page)
                else:
                    assert page.evaluate("pending") == "done"  # across the restart
                for number in range(45):
                    if number % 5 == 0:
                        network.wait_until_idle()
                        age()
                        assert page.evaluate(TRY) == "done"
                        continue
                    network.faults = [dice.choice(FAULTS) for _ in range(dice.choice((1, 1, 2)))]
                    assert page.evaluate(TRY) == "done"
                    if dice.random() < 0.7:  # inside and outside of the grace window
                        network.wait_until_idle()
                        age()
                page.evaluate(f"() => {{ window.pending = {TRY}; }}")
        met = list(network.met)
        with start_server() as address:
            network.upstream = find_port(address)
            assert page.evaluate("pending") == "done"
            assert call(page) == 200
    assert len(met) >= 200
    assert set(met) == set(FAULTS)
    assert set(read_events(page)) == {"signedin", "refreshed"}
    session = Session.objects.get()
    assert session.revoked_at is None
    assert session.generation > 50


SLOW_SECONDS = 25
ASK_ALL_THE_TIME = """void (async () => {
    window.asking = true;
    while (asking) {
        await client.refresh().catch(() => {});
        await new Promise((resolve) => setTimeout(resolve, 200));
    }
})()"""


@pytest.mark.long
def test_a_slow_server_is_left_alone_and_ends_no_session(start_server: Start, open_browser: Open) -> None:
    """Each refresh takes longer than half of the grace window, which is two seconds here."""
    with bad_network(REFRESH) as network, start_server(REFRESH_GRACE=2) as address:
        network.upstream = find_port(address)
        page = open_tab(open_browser(), network.address, grace=2, patience=PATIENCE)
        log_in(page)
        network.faults = ["late"] * 1000
        page.evaluate(ASK_ALL_THE_TIME)
        time.sleep(SLOW_SECONDS)  # the time of the slowness itself
        network.faults.clear()
        page.evaluate("window.asking = false")
        assert page.evaluate(TRY) == "done"
        # Without breaks there would be one each second.
        assert 3 <= len(network.met) <= SLOW_SECONDS / 3
        assert call(page) == 200
        assert set(read_events(page)) == {"signedin", "refreshed"}
        session = Session.objects.get()
        assert session.revoked_at is None
        assert session.recoveries < 5


@pytest.mark.long
def test_a_suspended_tab_does_not_keep_the_lock_for_ever(start_server: Start, open_browser: Open) -> None:
    """The suspended tab has the lock and says nothing. After five seconds the lock is taken from it."""
    with start_server() as address:
        context = open_browser()
        suspended, page = (open_tab(context, address) for _ in range(2))
        log_in(page)
        lock = "navigator.locks.request(`tessera:${location.origin}/api/token/`, () => new Promise(() => {}))"
        suspended.evaluate(f"void {lock}.catch(() => (window.lost = true))")
        page.wait_for_function("navigator.locks.query().then(({ held }) => held.length === 1)")
        page.evaluate("skipped += 300_000")
        assert call(page) == 200
        suspended.wait_for_function("window.lost")


TRY = """(async () => {
    for (;;) {
        await new Promise((resolve) => setTimeout(resolve, 60));
        try {
            return await client.refresh(), 'done';
        } catch (error) {
            if (!error.retryAfter) return error.code;
        }
    }
})()"""
"""The client keeps its lock for 50 ms. During this time no other refresh begins.

After two answers that came too late, the client leaves the server alone for a while and says for how long.
"""
