"""Twenty callers refresh one token at once: with real threads and connections, and over HTTP."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import pytest
from django.db import connection, connections, transaction
from rest_framework.test import APIClient

from drf_tessera import sessions
from drf_tessera.exceptions import PasswordChanged, RefreshReused, TemporarilyUnavailable
from drf_tessera.models import Session
from drf_tessera.rotation import Outcome
from drf_tessera.tokens import read_refresh_token
from tests.conftest import PASSWORD, bearer, log_in, make_user
from tests.servers import PATIENCE, call, serve

pytestmark = pytest.mark.django_db(transaction=True)

CALLERS = 20
ROUNDS = 50
GRACE = timedelta(hours=1)
"""No round of callers takes longer, however busy the machine is. The default is 30 seconds."""


@pytest.fixture(autouse=True)
def _long_grace(settings: Any) -> None:
    settings.TESSERA = {"REFRESH_GRACE": GRACE}


def all_at_once(call: Callable[[], Any], callers: int = CALLERS) -> list[Any]:
    """Call from as many threads at the same time. Each thread has its own connection."""
    barrier = Barrier(callers)

    def run() -> Any:
        try:
            connection.ensure_connection()
            barrier.wait(timeout=PATIENCE)
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(callers) as pool:
        return [future.result() for future in [pool.submit(run) for _ in range(callers)]]


def let_the_window_pass() -> None:
    row = Session.objects.get()
    assert row.rotated_at is not None
    Session.objects.update(rotated_at=row.rotated_at - GRACE)


def judge(refreshed: list[str | None], before: int) -> None:
    """Check that exactly one caller rotated the row, by one generation, and that all callers got answers."""
    assert len(refreshed) == CALLERS
    assert sum(token is not None for token in refreshed) == 1
    row = Session.objects.get()
    assert (row.generation, row.revoked_at) == (before + 1, None)


@pytest.mark.long  # many rounds of many threads
def test_in_every_round_exactly_one_caller_moves_the_session() -> None:
    grant = sessions.start(make_user("anna"))
    for generation in range(ROUNDS):
        text = str(grant.refresh)
        answers = all_at_once(lambda text=text: sessions.refresh(text))
        judge([answer.refresh for answer in answers], generation)
        assert Counter(answer.outcome for answer in answers) == {
            Outcome.ROTATED: 1,
            Outcome.GRACE: CALLERS - 1,
        }
        grant = next(answer for answer in answers if answer.refresh)
        let_the_window_pass()


@pytest.mark.slow
def test_with_a_claims_hook_exactly_one_caller_moves_the_session(settings: Any) -> None:
    """With a hook, each caller reads first and swaps later, and the losers read again."""
    hook = {"CLAIMS": lambda user, session: {"name": user.get_username()}}
    settings.TESSERA = {**settings.TESSERA, **hook}
    grant = sessions.start(make_user("anna"))
    for generation in range(10):
        text = str(grant.refresh)
        answers = all_at_once(lambda text=text: sessions.refresh(text))
        judge([answer.refresh for answer in answers], generation)
        grant = next(answer for answer in answers if answer.refresh)
        let_the_window_pass()


@pytest.mark.slow
def test_twenty_recoveries_at_once_are_one() -> None:
    first = sessions.start(make_user("anna"))
    sessions.refresh(str(first.refresh))
    let_the_window_pass()
    answers = all_at_once(lambda: sessions.refresh(str(first.refresh)))
    assert Counter(answer.outcome for answer in answers) == {
        Outcome.RECOVERED: 1,
        Outcome.REPEATED: CALLERS - 1,
    }
    assert Session.objects.get().recoveries == 1
    # Each caller has a branch of its own, and the row has not moved.
    assert len({answer.refresh for answer in answers}) == CALLERS
    assert {read_refresh_token(str(answer.refresh)).generation for answer in answers} == {2}


@pytest.mark.slow
def test_a_theft_found_twenty_times_at_once_is_reported_once() -> None:
    from drf_tessera.signals import refresh_reused

    heard: list[Any] = []

    def receive(session_id: Any, **kwargs: Any) -> None:
        heard.append(session_id)

    first = sessions.start(make_user("anna"))
    second = sessions.refresh(str(first.refresh))
    let_the_window_pass()
    sessions.refresh(str(second.refresh))

    def steal() -> str:
        try:
            sessions.refresh(str(first.refresh))
        except RefreshReused:
            return "reused"
        except Exception as error:  # noqa: BLE001 - counted below by its name
            return type(error).__name__
        return "let in"

    refresh_reused.connect(receive)
    try:
        outcomes = Counter(all_at_once(steal))
    finally:
        refresh_reused.disconnect(receive)
    assert outcomes["let in"] == 0
    assert set(outcomes) <= {"reused", "SessionRevoked"}
    assert outcomes["reused"] == 1
    assert heard == [first.session_id]


@pytest.mark.slow
def test_logins_at_once_keep_to_the_limit(settings: Any) -> None:
    for limit in (1, 3):
        settings.TESSERA = {"MAX_SESSIONS_PER_USER": limit}
        user = make_user(f"anna{limit}")
        for _ in range(5):
            all_at_once(lambda user=user: sessions.start(user), callers=8)
            assert sessions.live_sessions(user.pk).count() == limit


@pytest.mark.slow
def test_a_login_waits_for_a_password_that_is_being_changed() -> None:
    """Its transaction may take a whole request, and its sessions end before its commit."""
    user = make_user("anna")
    changed, inserted = Event(), Event()

    def change() -> None:
        try:
            with transaction.atomic():
                user.set_password("another one")
                user.save()
                changed.set()
                inserted.wait(timeout=1.5)
        finally:
            connections.close_all()

    def log_in_meanwhile() -> Any:
        try:
            stale = type(user)._default_manager.get(pk=user.pk)
            assert stale.check_password(PASSWORD)
            begun.set()
            assert changed.wait(timeout=PATIENCE)
            return sessions.start(stale)
        except (PasswordChanged, TemporarilyUnavailable) as error:
            return error.code
        finally:
            inserted.set()
            connections.close_all()

    begun = Event()
    with ThreadPoolExecutor(2) as pool:
        login = pool.submit(log_in_meanwhile)
        assert begun.wait(timeout=PATIENCE)
        pool.submit(change).result()
        assert login.result() in {"password_changed", "temporarily_unavailable"}
    assert not sessions.live_sessions(user.pk).exists()


@pytest.mark.slow
@pytest.mark.skipif(connection.vendor != "sqlite", reason="the lock of a whole database is SQLite's")
def test_every_endpoint_answers_503_if_others_write_for_too_long(api: APIClient) -> None:
    body = log_in(api, make_user("anna"))
    connection.close()
    limits = connection.settings_dict["OPTIONS"]
    before, limits["timeout"] = limits["timeout"], 0.1
    holder = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE")
        for method, path, data in (
            ("post", "/api/token/", {"username": "anna", "password": PASSWORD}),
            ("post", "/api/token/refresh/", {"refresh": body["refresh"]}),
            ("post", "/api/token/revoke/", {"refresh": body["refresh"]}),
            ("delete", "/api/token/sessions/", None),
            ("delete", f"/api/token/sessions/{body['session']}/", None),
        ):
            answer = getattr(api, method)(path, data, **bearer(body["access"]))
            assert (path, answer.status_code) == (path, 503)
            assert answer["Retry-After"] == "1"
    finally:
        holder.close()
        connection.close()
        limits["timeout"] = before
    assert api.post("/api/token/revoke/", {"refresh": body["refresh"]}).json() == {"revoked": True}


@pytest.mark.skipif(connection.vendor != "postgresql", reason="isolation levels are PostgreSQL's here")
@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_stricter_isolation_changes_nothing(level: str) -> None:
    """With these levels, PostgreSQL refuses the slower writer with 40001 and does not check the row again."""
    import psycopg

    grant = sessions.start(make_user("anna"))
    options = connection.settings_dict["OPTIONS"]
    previous = dict(options)
    options["isolation_level"] = {
        "REPEATABLE READ": psycopg.IsolationLevel.REPEATABLE_READ,
        "SERIALIZABLE": psycopg.IsolationLevel.SERIALIZABLE,
    }[level]
    try:
        for generation in range(10):
            text = str(grant.refresh)
            answers = all_at_once(lambda text=text: sessions.refresh(text))
            judge([answer.refresh for answer in answers], generation)
            grant = next(answer for answer in answers if answer.refresh)
            let_the_window_pass()
    finally:
        options.clear()
        options.update(previous)


# -- Over HTTP -------------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A real web server with several worker processes, on the database of this test run."""
    with serve(tmp_path, tessera={"REFRESH_GRACE": int(GRACE.total_seconds())}) as address:
        yield address


@pytest.mark.long
@pytest.mark.server
def test_over_http_with_several_workers(server: str) -> None:
    user = make_user("anna")
    status, body = call(f"{server}/api/token/", {"username": user.get_username(), "password": PASSWORD})
    assert status == 200
    for generation in range(ROUNDS):
        text = body["refresh"]
        answers = all_at_once(lambda text=text: call(f"{server}/api/token/refresh/", {"refresh": text}))
        assert Counter(status for status, _ in answers) == {200: CALLERS}
        assert all(answer["access"] for _, answer in answers)
        rotated = [answer for _, answer in answers if "rotated" not in answer]
        judge([answer["refresh"] if answer in rotated else None for _, answer in answers], generation)
        body = rotated[0]
        let_the_window_pass()
