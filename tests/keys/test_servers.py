"""Keys change under load, in real processes: no request is refused, and a stolen key is refused by all."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from django.utils import timezone

from drf_tessera.models import SigningKey
from tests.conftest import PASSWORD, make_user
from tests.servers import PATIENCE, _describe_environment, call, manage, serve, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server]

POLL = 0.3
USUAL = {
    "REVOCATION_POLL": POLL,
    "REVOCATION_MAX_STALENESS": 10 * PATIENCE,
    "LOGIN_RATE_PER_ADDRESS": None,
    "LOGINS_AT_ONCE": None,
}
SHARED: dict[str, Any] = {**USUAL, "KEYS": [{"derived": True}]}
BOTH: dict[str, Any] = {**USUAL, "KEYS": [{"derived": True}, {"database": True}]}
STORED: dict[str, Any] = {**USUAL, "KEYS": [{"database": True}]}


class Load:
    """Clients that log in, refresh and call, each at one of the servers in turn. Each refusal is recorded."""

    def __init__(self, servers: Callable[[], list[str]]) -> None:
        self._servers = servers
        self.refused: list[tuple[str, int, Any]] = []
        self.algorithms: list[str] = []
        self.calls = 0
        self._stop = threading.Event()

    def _ask(self, what: str, server: str, **how: Any) -> dict[str, Any]:
        status, body = call(f"{server}{what}", **how)
        self.calls += 1
        if status != 200:
            self.refused.append((what, status, body))
        return body

    def work(self, number: int) -> None:
        """Use a session as a client does: the tokens of one server are used at all others."""
        turn = number
        servers = self._servers()
        body = self._ask("/api/token/", servers[0], body={"username": "anna", "password": PASSWORD})
        while not self._stop.is_set():
            self.algorithms.append(jwt.get_unverified_header(body["access"])["alg"])
            for server in self._servers():
                self._ask("/me/", server, token=body["access"])
            turn += 1
            servers = self._servers()
            where = servers[turn % len(servers)]
            body = self._ask("/api/token/refresh/", where, body={"refresh": body["refresh"]})

    @contextmanager
    def running(self, clients: int = 3) -> Iterator[None]:
        threads = [threading.Thread(target=self.work, args=(number,)) for number in range(clients)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(PATIENCE)

    def wait_for(self, algorithm: str, times: int = 6) -> None:
        """Wait until the last tokens have an algorithm, and until each of them was used."""
        calls = self.calls
        wait_until(
            lambda: (
                self.refused != []
                or (self.calls > calls + 40 and set(self.algorithms[-times:]) == {algorithm})
            ),
            f"no token is signed with {algorithm}: {self.algorithms[-times:]}",
        )


def let_sign() -> str:
    """Write an early time for the published key, because a test cannot wait for the lifetime of the JWK Set.

    The verifiers of this test are the servers, which fetch nothing. They know the key after one poll.
    """
    key = SigningKey.objects.order_by("number").last()
    assert key is not None
    key.signs_at = timezone.now() + timedelta(seconds=2)
    key.save()
    return str(key.kid)


def tell(tessera: dict[str, Any]) -> None:
    """Send all servers the notice that the keys have changed."""
    manage("shell", "-c", TELL, tessera=tessera)


TELL = (
    "from django.utils import timezone; from drf_tessera.revocation import publish_keys; "
    "publish_keys(timezone.now())"
)


@pytest.fixture(autouse=True)
def _no_keys() -> Iterator[None]:
    make_user("anna")
    SigningKey.objects.all().delete()
    yield
    SigningKey.objects.all().delete()


@pytest.mark.long
def test_a_live_system_moves_from_hs256_to_ed25519_without_a_refused_request(tmp_path: Path) -> None:
    """Two servers are released one after the other, as the page says: three settings and one command."""
    servers: list[str] = []
    load = Load(lambda: list(servers))
    with ExitStack() as stack:

        def release(tessera: dict[str, Any]) -> str:
            return stack.enter_context(serve(tmp_path, workers=2, tessera=tessera))

        one, two = release(SHARED), release(SHARED)
        servers[:] = [one, two]
        with load.running():  # it stops before the servers do
            load.wait_for("HS256")
            three = release(BOTH)
            servers[:] = [one, three]  # for a while there are old and new processes
            load.wait_for("HS256")
            four = release(BOTH)
            servers[:] = [three, four]
            load.wait_for("HS256")
            manage("tessera_keys", "rotate", tessera=BOTH)
            load.wait_for("HS256")
            let_sign()
            tell(BOTH)
            load.wait_for("Ed25519")
            five = release(STORED)
            servers[:] = [four, five]
            load.wait_for("Ed25519")
            servers[:] = [five]
            load.wait_for("Ed25519")
        assert load.refused == []


@pytest.mark.long
def test_a_rotation_under_load_refuses_nothing(tmp_path: Path) -> None:
    servers: list[str] = []
    load = Load(lambda: list(servers))
    with (
        serve(tmp_path, workers=2, tessera=STORED) as one,
        serve(tmp_path, workers=2, tessera=STORED) as two,
    ):
        servers[:] = [one, two]
        with load.running():
            load.wait_for("Ed25519")
            for algorithm in ("ES256", "Ed25519"):
                manage("tessera_keys", "rotate", "--alg", algorithm, tessera=STORED)
                let_sign()
                tell(STORED)
                load.wait_for(algorithm)
        assert load.refused == []
        assert set(load.algorithms) == {"ES256", "Ed25519"}


def test_a_stolen_key_is_refused_by_every_process(tmp_path: Path) -> None:
    with (
        serve(tmp_path, workers=2, tessera=STORED) as one,
        serve(tmp_path, workers=2, tessera=STORED) as two,
    ):
        body = {"username": "anna", "password": PASSWORD}
        access = call(f"{one}/api/token/", body)[1]["access"]

        def ask() -> set[int]:
            return {call(f"{server}/me/", token=access)[0] for server in (one, two) for _ in range(8)}

        wait_until(lambda: ask() == {200}, "the servers do not start")
        kid = jwt.get_unverified_header(access)["kid"]
        manage("tessera_keys", "retire", kid, "--now", tessera=STORED)
        wait_until(lambda: ask() == {401}, "the stolen key is accepted")
        fresh = call(f"{two}/api/token/", body)[1]["access"]
        assert jwt.get_unverified_header(fresh)["kid"] != kid
        assert {call(f"{server}/me/", token=fresh)[0] for server in (one, two) for _ in range(8)} == {200}
        assert ask() == {401}


def test_commands_that_rotate_at_once_make_one_key(tmp_path: Path) -> None:
    environment = _describe_environment(STORED, {})
    command = [sys.executable, "-m", "django", "tessera_keys", "rotate", "--if-due", "--json"]
    started = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    found = [json.loads(process.communicate(timeout=PATIENCE)[0]) for process in started]
    assert [process.returncode for process in started] == [0, 0, 0]
    assert len({key["kid"] for key in found}) == SigningKey.objects.count() == 1
