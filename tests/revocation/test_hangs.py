"""A store that hangs: no request waits longer than a poll, and past the limit all are refused at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.revocation.test_servers import log_in
from tests.servers import PATIENCE, Line, Postgres, Redis, call, serve, wait_until

pytestmark = [pytest.mark.django_db, pytest.mark.server, pytest.mark.once]  # it has its own PostgreSQL

POLL, STALENESS, THREADS = 0.5, 6.0, 4
SETTINGS: dict[str, Any] = {"REVOCATION_POLL": POLL, "REVOCATION_MAX_STALENESS": STALENESS}


class Answer(NamedTuple):
    sent: float
    seconds: float
    status: int
    retry_after: str | None


@pytest.fixture
def line(postgres: Postgres) -> Iterator[Line]:
    found = Line(postgres.port)
    yield found
    found.close()


def ask_all_the_time(server: str, access: str, seconds: float, *, clients: int = THREADS) -> list[Answer]:
    """Send requests that need no query, from as many clients as the server has threads. Send one at least."""
    end = time.monotonic() + seconds

    def ask() -> list[Answer]:
        found = list[Answer]()
        while not found or time.monotonic() < end:
            started = time.monotonic()
            status, body = call(f"{server}/me/", token=access)
            retry_after = body.get("headers", {}).get("Retry-After")
            found.append(Answer(started, time.monotonic() - started, status, retry_after))
            time.sleep(0.02)
        return found

    with ThreadPoolExecutor(clients) as pool:
        return [answer for found in pool.map(lambda _: ask(), range(clients)) for answer in found]


def log_in_in_doubt(server: str) -> str:
    """Return an access token of a session that began so soon after a notice that only its row can tell."""
    access, _ = [log_in(server)[0] for _ in range(2)]
    assert call(f"{server}/api/token/sessions/", token=access, method="DELETE")[0] == 200
    return log_in(server)[0]


def judge_doubt(server: str, access: str, expected: int) -> None:
    """Check that a request that needs a row does not wait for a database that hangs."""
    (answer,) = ask_all_the_time(server, access, 0, clients=1)
    assert answer.status == expected
    assert answer.seconds < STALENESS


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    found = Redis(tmp_path)
    found.start()
    yield found
    found.stop()


@pytest.mark.long
@pytest.mark.parametrize("fault", ["database stopped with SIGSTOP", "database black-holed", "Redis stopped"])
def test_a_store_that_hangs_holds_no_request(
    tmp_path: Path, postgres: Postgres, line: Line, redis: Redis, fault: str
) -> None:
    faults: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
        "database stopped with SIGSTOP": (postgres.freeze, postgres.thaw),
        "database black-holed": (line.cut, line.mend),
        "Redis stopped": (redis.freeze, redis.thaw),
    }
    begin, end = faults[fault]
    own: dict[str, Any] = {"workers": 1, "TESSERA_SERVER_DB_PORT": str(line.port)}
    settings = dict(SETTINGS)
    if fault == "Redis stopped":
        own["TESSERA_SERVER_REDIS"] = redis.url
        settings["REVOCATION_CACHE"] = "news"
    with serve(tmp_path, tessera=settings, **own) as server:
        in_doubt = log_in_in_doubt(server)
        access, _ = log_in(server)
        other, refresh = log_in(server)
        spare = log_in(server)
        asked = time.monotonic()  # the news is older than a poll at most, or is read now
        assert call(f"{server}/me/", token=access)[0] == 200
        begun = time.monotonic()
        begin()
        try:
            judge_doubt(server, in_doubt, 200 if fault == "Redis stopped" else 503)
            answers = ask_all_the_time(server, access, 3 * STALENESS)
            if fault == "Redis stopped":  # a logout waits for a poll at most, and counts here at once
                _, spare_refresh = spare
                assert call(f"{server}/api/token/revoke/", {"refresh": spare_refresh})[0] == 200
        finally:
            end()
        # Nobody waits for the store, which would take as long as the fault. At most a few answers per
        # hang take as long as a poll: one for each thread that meets a pull that has just begun.
        assert max(answer.seconds for answer in answers) < STALENESS
        assert sum(answer.seconds > 0.8 * POLL for answer in answers) < len(answers) / 10
        # Old knowledge counts until the limit, and not longer.
        assert {answer.status for answer in answers} == {200, 503}
        late = [answer for answer in answers if answer.sent > begun + POLL + STALENESS]
        assert {(answer.status, answer.retry_after) for answer in late} == {(503, "1")}
        known = asked + STALENESS - 2 * POLL  # a slow machine reads the news late
        early = [answer for answer in answers if answer.sent + answer.seconds < known]
        assert {answer.status for answer in early} == {200}
        # It heals by itself, and a logout is felt again.
        wait_until(lambda: call(f"{server}/me/", token=access)[0] == 200, "it does not heal", PATIENCE)
        wait_until(lambda: call(f"{server}/me/", token=in_doubt)[0] == 200, "its row is not read")
        assert call(f"{server}/api/token/revoke/", {"refresh": refresh})[0] == 200
        wait_until(lambda: call(f"{server}/me/", token=other)[0] == 401, "a logout is not felt")
        assert call(f"{server}/me/", token=access)[0] == 200
        if fault == "Redis stopped":
            assert call(f"{server}/me/", token=spare[0])[0] == 401


@pytest.mark.long
@pytest.mark.parametrize("fault", ["SIGSTOP", "black hole"])
def test_nobody_waits_for_the_keys_or_the_id_of_the_installation(
    tmp_path: Path, postgres: Postgres, line: Line, fault: str
) -> None:
    """A stranger may send unknown keys and ask for the JWK Set, and a server may replace its processes."""
    begin, end = (postgres.freeze, postgres.thaw) if fault == "SIGSTOP" else (line.cut, line.mend)
    own: dict[str, Any] = {
        "workers": 1,
        "tessera": {**SETTINGS, "KEYS": [{"alg": "Ed25519", "database": True}]},
        "TESSERA_SERVER_DB_PORT": str(line.port),
        "TESSERA_SERVER_URLCONF": "tests.revocation.urls_keys",
    }
    with serve(tmp_path, **own) as server, serve(tmp_path, **own) as new:
        access, _ = log_in(server)
        key_set = f"{server}/.well-known/jwks.json"
        assert call(key_set)[0] == 200
        unknown = jwt.encode(
            jwt.decode(access, options={"verify_signature": False}),
            Ed25519PrivateKey.generate(),
            algorithm="EdDSA",
            headers={"kid": "unknown", "typ": "at+jwt"},
        )
        assert call(f"{server}/me/", token=unknown)[0] == 401
        begin()
        try:
            time.sleep(2 * POLL)  # what this process knows of the keys is too old for a stranger's question
            begun = time.monotonic()
            assert call(key_set)[0] in {200, 503}  # on a busy machine the limit may be over
            assert time.monotonic() - begun < STALENESS
            first = [
                *ask_all_the_time(server, unknown, 0),
                *ask_all_the_time(server, access, 0),
                *ask_all_the_time(new, access, 0),
            ]
            rest = [
                *ask_all_the_time(server, unknown, STALENESS / 2),
                *ask_all_the_time(new, access, STALENESS / 2),
            ]
        finally:
            end()
        assert {answer.status for answer in first} <= {200, 401, 503}
        assert max(answer.seconds for answer in (*first, *rest)) < STALENESS
        assert sum(answer.seconds > 0.8 * POLL for answer in rest) < len(rest) / 10
        wait_until(lambda: call(f"{new}/me/", token=access)[0] == 200, "it does not heal", PATIENCE)
        wait_until(lambda: call(f"{server}/me/", token=access)[0] == 200, "it does not heal", PATIENCE)
        assert call(f"{server}/me/", token=unknown)[0] == 401
