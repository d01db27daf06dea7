"""A logout reaches the other processes, also if the store is stopped and started again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PASSWORD, make_user
from tests.servers import PATIENCE, Postgres, Redis, call, manage, serve, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server]

POLL = 0.3
SETTINGS = {"REVOCATION_POLL": POLL, "REVOCATION_MAX_STALENESS": 4}
PATIENT = {"REVOCATION_POLL": POLL, "REVOCATION_MAX_STALENESS": 10 * PATIENCE}


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    found = Redis(tmp_path)
    found.start()
    yield found
    found.stop()


def log_in(server: str) -> tuple[str, str]:
    status, body = call(f"{server}/api/token/", {"username": "anna", "password": PASSWORD})
    assert status == 200, body
    return body["access"], body["refresh"]


def statuses(server: str, access: str, times: int = 12) -> set[int]:
    """Return the statuses of enough requests to reach every worker."""
    return {call(f"{server}/me/", token=access)[0] for _ in range(times)}


@pytest.mark.parametrize("store", ["database", pytest.param("redis", marks=pytest.mark.once)])
def test_a_logout_is_felt_by_every_process_within_the_poll(
    tmp_path: Path, request: pytest.FixtureRequest, store: str
) -> None:
    make_user("anna")
    extra = {} if store == "database" else {"TESSERA_SERVER_REDIS": request.getfixturevalue("redis").url}
    settings = PATIENT if store == "database" else {**PATIENT, "REVOCATION_CACHE": "news"}
    with (
        serve(tmp_path, tessera=settings, **extra) as here,
        serve(tmp_path, tessera=settings, **extra) as there,
    ):
        for server in (here, there):  # a process that has just started may need more than a poll
            access, _ = log_in(server)
            wait_until(lambda: statuses(server, access) == {200}, "it does not start")  # noqa: B023
        for _ in range(5):
            access, refresh = log_in(here)
            other, _ = log_in(there)
            assert statuses(here, access) == statuses(there, access) == {200}
            assert call(f"{here}/api/token/revoke/", {"refresh": refresh}) == (200, {"revoked": True})
            time.sleep(POLL + 0.1)
            assert statuses(here, access) == statuses(there, access) == {401}
            assert statuses(here, other) == {200}


@pytest.mark.long
@pytest.mark.parametrize("store", ["database", pytest.param("redis", marks=pytest.mark.once)])
def test_the_command_that_ends_all_sessions_is_felt_by_every_process(
    tmp_path: Path, request: pytest.FixtureRequest, store: str
) -> None:
    user = make_user("anna")
    extra = {} if store == "database" else {"TESSERA_SERVER_REDIS": request.getfixturevalue("redis").url}
    settings = PATIENT if store == "database" else {**PATIENT, "REVOCATION_CACHE": "news"}
    for arguments in (["--all", "--no-input"], ["--user", str(user.pk)]):
        with (
            serve(tmp_path, tessera=settings, **extra) as here,
            serve(tmp_path, tessera=settings, **extra) as there,
        ):
            before = [log_in(server) for server in (here, there) for _ in range(3)]
            for access, _ in before:
                assert statuses(here, access, 6) == statuses(there, access, 6) == {200}
            manage("tessera_revoke", *arguments, tessera=settings, **extra)
            time.sleep(POLL + 0.1)
            after, refresh = log_in(there)
            for access, old in before:
                assert statuses(here, access, 6) == statuses(there, access, 6) == {401}
                assert call(f"{there}/api/token/refresh/", {"refresh": old})[0] == 401
            assert statuses(here, after) == statuses(there, after) == {200}
            assert call(f"{here}/api/token/refresh/", {"refresh": refresh})[0] == 200


@pytest.mark.long
@pytest.mark.once  # it has its own PostgreSQL
def test_postgresql_stopped_and_started_in_the_middle(tmp_path: Path, postgres: Postgres) -> None:
    """Check that old revocations are used for ``REVOCATION_MAX_STALENESS``, and that later all are refused.

    Two servers have two limits, because the stop of PostgreSQL may take longer than the short limit.
    """
    # Use one worker, because another worker without any request would know no revocation and refuse
    # everybody.
    own: dict[str, Any] = {"workers": 1, "TESSERA_SERVER_DB_PORT": str(postgres.port)}
    with (
        serve(tmp_path, tessera=PATIENT, **own) as patient,
        serve(tmp_path, tessera=SETTINGS, **own) as strict,
    ):
        access, _ = log_in(patient)
        ended, refresh = log_in(patient)
        for server in (patient, strict):
            assert statuses(server, access) == statuses(server, ended) == {200}
        call(f"{patient}/api/token/revoke/", {"refresh": refresh})
        for server in (patient, strict):
            wait_until(lambda: statuses(server, ended) == {401}, "the logout is not felt")  # noqa: B023
        postgres.stop()
        # The known revocations are still used, also those of logged-out users ...
        time.sleep(2 * POLL)
        assert statuses(patient, access, 4) == {200}
        assert statuses(patient, ended, 4) == {401}
        # ... and after the limit everybody is refused,
        wait_until(lambda: statuses(strict, access) == {503}, "it does not fail closed")
        status, body = call(f"{strict}/me/", token=access)
        assert (status, body["code"], body["headers"]["Retry-After"]) == (503, "revocation_unavailable", "1")
        time.sleep(2 * POLL)
        assert statuses(strict, access) == {503}
        # until the store is running again. The first request after that notices it.
        postgres.start()
        assert statuses(strict, access) == {200}
        assert statuses(strict, ended) == {401}
        time.sleep(POLL + 0.1)
        assert statuses(patient, access) == {200}
        assert statuses(patient, ended) == {401}


@pytest.mark.long
@pytest.mark.once  # it has its own PostgreSQL
def test_a_process_that_starts_without_the_store_lets_nobody_in(tmp_path: Path, postgres: Postgres) -> None:
    port = str(postgres.port)
    with serve(tmp_path, workers=1, tessera=PATIENT, TESSERA_SERVER_DB_PORT=port) as server:
        access, _ = log_in(server)
    postgres.stop()
    with serve(tmp_path, workers=1, tessera=PATIENT, TESSERA_SERVER_DB_PORT=port) as server:
        assert statuses(server, access) == {503}
        postgres.start()
        assert statuses(server, access) == {200}


@pytest.mark.long
@pytest.mark.once  # the store is Redis
def test_redis_stopped_and_started_in_the_middle(tmp_path: Path, redis: Redis) -> None:
    """A logout without Redis is not lost. It takes effect here at once, and everywhere when Redis is back."""
    make_user("anna")
    settings = {**SETTINGS, "REVOCATION_CACHE": "news"}
    options: dict[str, Any] = {"workers": 1, "tessera": settings, "TESSERA_SERVER_REDIS": redis.url}
    with serve(tmp_path, **options) as here, serve(tmp_path, **options) as there:
        access, _ = log_in(here)
        ended, refresh = log_in(here)
        assert statuses(here, access) == statuses(there, access) == {200}
        redis.stop()
        assert call(f"{here}/api/token/revoke/", {"refresh": refresh}) == (200, {"revoked": True})
        assert statuses(here, ended, 3) <= {401, 503}
        wait_until(lambda: statuses(there, access) == {503}, "it does not fail closed")
        redis.start()
        wait_until(lambda: statuses(here, access) == {200}, "it does not come back")
        time.sleep(POLL + 0.1)
        assert statuses(there, access) == {200}
        assert statuses(here, ended) == statuses(there, ended) == {401}
