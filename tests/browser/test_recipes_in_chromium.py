"""The recipes of docs/howto/front-ends.md that need a real browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import BrowserContext, Request

from tests.browser.conftest import call, log_in, open_tab

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
