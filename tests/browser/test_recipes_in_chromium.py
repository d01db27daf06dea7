"""The recipes of docs/howto/front-ends.md that need a real browser."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, Request, expect

from drf_tessera import sessions
from tests.browser.conftest import TESSERA, call, log_in, open_tab
from tests.conftest import PASSWORD
from tests.servers import PATIENCE, ROOT, _describe_environment, find_port, is_open, wait_until

pytestmark = pytest.mark.long  # it follows each recipe in a browser

Start = Callable[..., Any]
Open = Callable[[], BrowserContext]


def test_a_file_is_sent_with_the_token_and_its_progress_is_told(
    start_server: Start, open_browser: Open
) -> None:
    with start_server() as address:
        page = open_tab(open_browser(), address)
        send = """async () => {
            const { upload } = await import("/recipes/upload.js");
            const told = [];
            const file = new File([new Uint8Array(1_000_000)], "large");
            return [await upload("/change/", file, (part) => told.push(part)), Math.max(...told)];
        }"""
        sent: list[str | None] = []

        def note(request: Request) -> None:  # Playwright sets an attribute on it, so not a method
            if request.url.endswith("/change/"):
                sent.append(request.headers.get("authorization"))

        page.on("request", note)
        log_in(page)
        first = page.evaluate("client.token()")
        page.evaluate("skipped += 300_000")
        assert page.evaluate(send) == [200, 1]
        assert sent == [f"Bearer {page.evaluate('client.token()')}"]
        assert first not in str(sent)  # the token had expired, so the client has refreshed


def test_a_service_worker_keeps_no_answer_of_a_user(start_server: Start, open_browser: Open) -> None:
    with start_server() as address:
        page = open_tab(open_browser(), address)
        log_in(page)
        page.evaluate(
            """async () => {
                await navigator.serviceWorker.register("/recipes/worker.js", { scope: "/" });
                await navigator.serviceWorker.ready;
            }"""
        )
        page.reload()
        page.wait_for_function("window.ready === true && navigator.serviceWorker.controller !== null")
        page.evaluate("start({})")
        assert page.evaluate("client.restore()") is True
        assert call(page) == 200
        assert page.evaluate("fetch('/empty/').then(({ status }) => status)") == 200
        kept = page.evaluate(
            """caches.open("public").then((cache) => cache.keys())
                .then((requests) => requests.map(({ url }) => new URL(url).pathname))"""
        )
        assert "/empty/" in kept
        assert not {"/me/", "/api/token/refresh/"} & set(kept)


DIALOG = """<dialog><form>
    <label>Password <input name="password" type="password"></label><output></output><button>Prove</button>
</form></dialog>"""


@pytest.fixture
def old_tab(settings: Any, start_server: Start, open_browser: Open, anna: AbstractBaseUser) -> Iterator[Page]:
    """A tab with a session that began two hours ago, so a payment wants a proof."""
    settings.TESSERA = TESSERA  # those of the server
    with start_server() as address:
        page = open_tab(open_browser(), address)
        log_in(page)
        old = sessions.start(anna, transport="cookie", now=timezone.now() - timedelta(hours=2))
        (cookie,) = (found for found in page.context.cookies() if "tessera_refresh" in found["name"])
        page.context.add_cookies([{**cookie, "value": old.refresh or ""}])  # type: ignore[typeddict-item]
        page.reload()
        page.wait_for_function("window.ready === true")
        page.evaluate("start({})")
        assert page.evaluate("client.restore()") is True
        yield page


def put_dialog(page: Page) -> None:
    """Put the dialog of the recipe into the page. It asks for each proof that the client needs."""
    page.evaluate(
        """async (dialog) => {
            document.body.innerHTML = dialog;
            const { askForProofs } = await import("/recipes/proof.js");
            askForProofs(document.querySelector("dialog"));
        }""",
        DIALOG,
    )


def test_a_dialog_asks_for_the_proof_that_a_view_wants(old_tab: Page) -> None:
    """A wrong password can be mended, and the payment is then sent once more. Another payment asks nobody."""
    put_dialog(old_tab)
    old_tab.evaluate(
        """() => {
            window.pay = async (sum) => {
                const headers = { "Content-Type": "application/json" };
                const body = JSON.stringify({ sum });
                const response = await client.fetch("/payments/", { method: "POST", headers, body });
                return [response.status, (await response.json()).paid ?? null];
            };
            window.payments = Promise.all([pay(7), pay(8)]);
        }"""
    )
    field = old_tab.get_by_label("Password")
    field.fill("wrong")
    field.press("Enter")
    expect(old_tab.locator("output")).not_to_be_empty()
    field.fill(PASSWORD)
    field.press("Enter")
    assert old_tab.evaluate("payments") == [[200, 7], [200, 8]]
    expect(old_tab.locator("dialog")).to_be_hidden()
    assert old_tab.evaluate("pay(9)") == [200, 9]


def test_a_person_who_gives_up_leaves_the_page_logged_in(old_tab: Page) -> None:
    put_dialog(old_tab)
    old_tab.evaluate(
        """() => {
            window.payment = client.fetch("/payments/", { method: "POST" });
        }"""
    )
    expect(old_tab.locator("dialog")).to_be_visible()
    old_tab.keyboard.press("Escape")
    assert old_tab.evaluate("payment.then(({ status }) => status)") == 401
    assert call(old_tab) == 200


def test_a_listener_that_asks_the_view_itself_is_not_held(old_tab: Page) -> None:
    """Otherwise the request would wait for the listener, and the listener for the request."""
    old_tab.evaluate(
        """(password) => {
            window.seen = [];
            const headers = { "Content-Type": "application/json" };
            const init = { method: "POST", body: '{"sum": 7}', headers };
            const pay = async () => (await client.fetch("/payments/", init)).status;
            client.on("stepup", async () => {
                await new Promise((resolve) => setTimeout(resolve));
                seen.push(await pay());
                await client.prove({ password });
                seen.push(await pay());
            });
            pay().then((status) => seen.push(status));
        }""",
        PASSWORD,
    )
    old_tab.wait_for_function("seen.length === 3")
    assert old_tab.evaluate("seen") == [401, 200, 200]


@pytest.fixture
def uvicorn(transactional_db: None, tmp_path: Path) -> Iterator[str]:
    port, log = find_port(), tmp_path / "uvicorn.log"
    command = [sys.executable, "-m", "uvicorn", "tests.contrib.chat_asgi:application", "--port", str(port)]
    environment = _describe_environment(TESSERA, {"TESSERA_SERVER_URLCONF": "tests.browser.urls"})
    with log.open("wb") as output:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        wait_until(lambda: is_open(port), log.read_text())
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(PATIENCE)
    text = log.read_text()
    assert "ticket=" in text  # the server writes addresses to its log: a ticket may be there
    assert "eyJ" not in text  # and a token may not


def test_a_socket_opens_with_a_ticket_and_again_after_a_break(
    uvicorn: str, open_browser: Open, anna: AbstractBaseUser
) -> None:
    page = open_tab(open_browser(), uvicorn)
    page.evaluate(
        """async () => {
            const { WebSocket } = window;
            window.sockets = [];
            window.WebSocket = class extends WebSocket {
                constructor(url) {
                    super(url);
                    sockets.push(this);
                    this.addEventListener("open", () => this.send(JSON.stringify("hello")));
                    this.addEventListener("close", ({ code, reason }) => ends.push([code, reason]));
                }
            };
            Object.assign(window, { heard: [], ends: [] });
            const { connect } = await import("/recipes/socket.js");
            window.connect = () => (window.disconnect = connect("/echo/", (message) => heard.push(message)));
        }"""
    )
    log_in(page)
    page.evaluate("connect(), null")
    page.wait_for_function("heard.length === 1")
    page.evaluate("sockets[0].close()")
    page.wait_for_function("heard.length === 2")
    assert page.evaluate("heard[1]") == {"user": str(anna.pk), "said": "hello"}
    assert page.evaluate("new Set(sockets.map(({ url }) => url)).size") == 2  # each with a ticket of its own
    page.evaluate("client.logoutAll()")
    page.wait_for_function("ends.length === 2")
    assert page.evaluate("ends[1]") == [4401, "session_ended"]
    page.wait_for_function("client.status === 'signedout'")
    assert page.evaluate("sockets.length") == 2  # nobody is logged in, so the socket stays closed
    page.evaluate("disconnect()")
