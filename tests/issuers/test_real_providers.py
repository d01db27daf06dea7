"""Two providers that we did not write, each in a process of its own: ``oidc-provider`` and Authlib."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.conftest import bearer
from tests.environments import install_packages
from tests.issuers.material import make_jwk
from tests.servers import PATIENCE, ROOT, call, find_port, is_open, require, serve_demo, wait_until

pytestmark = [
    pytest.mark.once,
    pytest.mark.server,
    pytest.mark.django_db,
    pytest.mark.urls("tests.issuers.urls"),
]

NODE = ROOT / "tests" / "issuers" / "node"
AUTHLIB = ROOT / "tests" / "issuers" / "authlib_server.py"


class Real:
    """A provider that the test may start, stop and freeze."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self.port, self._file = find_port(), folder / "keys.json"
        self._command = [*command, str(self.port), str(self._file)]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, *keys: dict[str, Any]) -> None:
        """Start with private keys. The first one signs."""
        self._file.write_text(json.dumps({"keys": keys}))
        self._process = subprocess.Popen(
            self._command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(lambda: is_open(self.port), "the provider does not start")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)
            self._process = None

    def freeze(self) -> None:
        """Stop the process without closing its port: it accepts connections, and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def get_token(self, scope: str = "read") -> str:
        secret = base64.b64encode(b"robot:the secret of a robot in the tests").decode()
        request = urllib.request.Request(  # noqa: S310 - an address of this test
            f"{self.issuer}/token",
            f"grant_type=client_credentials&scope={scope}".encode(),
            {"Authorization": f"Basic {secret}"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 - the same
            return json.loads(answer.read())["access_token"]


@pytest.fixture(params=["oidc-provider", "authlib"])
def real(request: pytest.FixtureRequest, tmp_path: Path, settings: Any) -> Iterator[Real]:
    if request.param == "authlib":
        command = [sys.executable, str(AUTHLIB)]
    else:
        (node,) = require("node")
        install_packages(NODE)
        command = [node, str(NODE / "provider.mjs")]
    found = Real(command, tmp_path)
    settings.TESSERA = {"ISSUERS": [{"issuer": found.issuer, "audience": "api"}]}
    try:
        yield found
    finally:
        found.stop()


ONE, TWO = make_jwk("one", "RS256"), make_jwk("two", "RS256")


def test_its_token_is_accepted_without_a_query(
    real: Real, api: APIClient, django_assert_num_queries: Callable[..., Any]
) -> None:
    real.start(ONE)
    token = real.get_token()
    with django_assert_num_queries(0):
        answer = api.get("/whoami/", **bearer(token))
    assert answer.status_code == 200, answer.content
    assert answer.json() == {"user": "robot", "issuer": real.issuer, "scopes": ["read"]}


def test_its_keys_roll_over_under_load(real: Real, api: APIClient) -> None:
    """Requests with the old token run all the time, and none of them, old or new, is refused."""
    real.start(ONE)
    old, done, answers = real.get_token(), threading.Event(), []

    def load() -> None:
        client = APIClient()
        while not done.is_set():
            # Each text is new to the cache of verified tokens, so each token is verified again.
            answers.append(client.get("/whoami/", HTTP_AUTHORIZATION=f"bearer {old}").status_code)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: len(answers) > 50, "nothing happens")
        real.stop()
        seen = len(answers)
        wait_until(lambda: len(answers) > seen + 50, "nothing happens in the outage")
        real.start(TWO, ONE)
        new = real.get_token()
        assert api.get("/whoami/", **bearer(new)).status_code == 200
        seen = len(answers)
        wait_until(lambda: len(answers) > seen + 50, "nothing happens afterwards")
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert set(answers) == {200}


def test_a_provider_that_is_down_or_frozen_is_a_503_only_without_keys(
    real: Real, api: APIClient, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real.start(ONE)
    token = real.get_token()
    assert api.get("/whoami/", **bearer(token)).status_code == 200
    real.freeze()
    assert api.get("/whoami/", HTTP_AUTHORIZATION=f"bearer {token}").status_code == 200
    real.stop()
    settings.TESSERA = dict(settings.TESSERA)  # like a new process, which knows no keys
    answer = api.get("/whoami/", **bearer(token))
    assert (answer.status_code, answer.json()["code"]) == (503, "issuer_unavailable")
    assert 0 < int(answer["Retry-After"]) <= 10


@pytest.mark.long
def test_the_demo_accepts_the_tokens_of_a_provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One variable names the provider, and its users are created."""
    (node,) = require("node")
    install_packages(NODE)
    provider = Real([node, str(NODE / "provider.mjs")], tmp_path)
    provider.start(ONE)
    monkeypatch.setenv("DEMO_ISSUER", provider.issuer)
    try:
        with serve_demo(tmp_path) as address:
            token = provider.get_token()
            status, body = call(f"{address}api/notes/", {"text": "from a robot"}, token=token)
            assert (status, body["text"]) == (201, "from a robot")
            assert call(f"{address}api/token/sessions/", token=token)[0] == 403
    finally:
        provider.stop()


def test_the_node_of_the_lock_has_no_address() -> None:
    """The lock is read by every registry, so it names none."""
    lock = (NODE / "package-lock.json").read_text()
    assert "integrity" in lock
    assert "resolved" not in lock
