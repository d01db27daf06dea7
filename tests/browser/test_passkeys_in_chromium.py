"""The passkeys of docs/howto/sign-up.md: its project, its script, and Chromium's virtual authenticator."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from drf_tessera.jose.encoding import decode_base64url, decode_json_object
from tests.docs.pages import DOCS, Project
from tests.servers import PATIENCE, find_port, is_open, wait_until

(SCRIPT,) = re.findall(
    r"^```js\n// passkeys\.js\n(.*?)^```",
    (DOCS / "howto" / "sign-up.md").read_text(),
    re.MULTILINE | re.DOTALL,
)
LOAD = """async (source) => {
    const file = new Blob([source], { type: "text/javascript" });
    window.passkeys = await import(URL.createObjectURL(file));
}"""
MAILBOX = """
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = BASE_DIR / "letters"
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[str]:
    """Start the project of the page, and return its address. ``localhost`` counts as a safe place."""
    project, port = Project(tmp_path), find_port()
    project.follow("howto/sign-up.md")
    project.add("shop/settings.py", MAILBOX)
    project.manage("migrate", "--verbosity", "0")
    command = [sys.executable, "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"]
    with (tmp_path / "server.log").open("w") as log:
        process = subprocess.Popen(command, cwd=tmp_path, env=project.environment, stdout=log, stderr=log)
    try:
        wait_until(lambda: is_open(port), "the project does not start")
        yield f"http://localhost:{port}"
    finally:
        process.kill()
        process.wait(PATIENCE)


def add_authenticator(page: Page) -> None:
    """Add a platform authenticator that knows its person, such as the lock of a phone."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def open_account_page(project: str, context: BrowserContext) -> Page:
    page = context.new_page()
    page.goto(f"{project}/_allauth/app/v1/config")
    page.evaluate(LOAD, SCRIPT)
    add_authenticator(page)
    return page


def run(page: Page, name: str, *arguments: Any) -> Any:
    return page.evaluate("([name, rest]) => passkeys[name](...rest)", [name, list(arguments)])


def send_code(page: Page, letters: Path) -> None:
    """Read the newest letter, and send its code."""
    letter = max(letters.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    found = re.search(r"^[A-Z0-9]{3,}-?[A-Z0-9]{3,}$", letter.read_text(), re.MULTILINE)
    assert found
    run(page, "sendCode", found[0])


def read_claims(token: str) -> Any:
    return decode_json_object(decode_base64url(token.split(".")[1].encode()))


@pytest.mark.long
def test_passkeys_do_what_the_page_says(
    project: str, tmp_path: Path, open_browser: Callable[[], BrowserContext]
) -> None:
    """A person without a password, and a person whose passkey is the second factor."""
    page = open_account_page(project, open_browser())
    run(page, "askForCode", "anna@example.com")
    send_code(page, tmp_path / "letters")
    first = read_claims(run(page, "signUp", "Phone")["meta"]["access_token"])
    assert first["amr"] == ["pop"]
    page.reload()
    page.evaluate(LOAD, SCRIPT)
    meta = run(page, "logIn")["meta"]
    second = read_claims(meta["access_token"])
    assert (second["amr"], second["acr"], second["sub"]) == (["pop"], "pop", first["sub"])
    assert second["sid"] != first["sid"]
    proved = run(page, "proveAgain", meta["refresh_token"])["data"]["access_token"]
    assert read_claims(proved)["sid"] == second["sid"]

    page = open_account_page(project, open_browser())
    body = {"email": "bob@example.com", "password": "correct horse battery staple"}
    run(page, "call", "auth/signup", body)
    send_code(page, tmp_path / "letters")
    run(page, "call", "auth/reauthenticate", {"password": body["password"]})
    assert run(page, "add", "Key")["data"]["is_passwordless"] is True
    page.reload()
    page.evaluate(LOAD, SCRIPT)
    assert run(page, "call", "auth/login", body)["status"] == 401
    found = read_claims(run(page, "answerWithPasskey")["meta"]["access_token"])
    assert (found["amr"], found["acr"]) == (["pwd", "pop"], "pop")
