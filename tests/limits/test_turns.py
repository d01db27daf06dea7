"""Logins beyond ``LOGINS_AT_ONCE`` are refused for the moment, and leave their threads to other requests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from threading import Event, Semaphore, Thread
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import AbstractBaseUser
from django.db import connections
from rest_framework.test import APIClient

from drf_tessera import sessions
from drf_tessera.exceptions import LoginBusy
from drf_tessera.limits import turns
from tests.conftest import PASSWORD
from tests.servers import PATIENCE, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


class SlowHasher(MD5PasswordHasher):
    """A hasher that waits until the test lets it go on."""

    begun, free = Semaphore(0), Event()

    def encode(self, password: str, salt: str) -> str:
        if not self.free.is_set():
            self.begun.release()
            assert self.free.wait(PATIENCE)
        return super().encode(password, salt)


@pytest.fixture
def slow(
    settings: Any, anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> Iterator[type[SlowHasher]]:
    monkeypatch.setattr(SlowHasher, "begun", Semaphore(0))
    monkeypatch.setattr(SlowHasher, "free", Event())
    settings.PASSWORD_HASHERS = [f"{__name__}.SlowHasher"]
    yield SlowHasher
    SlowHasher.free.set()


def attempt(user: AbstractBaseUser, password: str = PASSWORD) -> Any:
    body = {"username": user.get_username(), "password": password}
    return APIClient(raise_request_exception=False).post("/api/token/", body)


def start(action: Callable[[], Any]) -> tuple[Thread, list[Any]]:
    """Call ``action`` in a thread. Return the thread and the list of its result."""
    found: list[Any] = []

    def call() -> None:
        try:
            found.append(action())
        finally:
            connections.close_all()

    thread = Thread(target=call)
    thread.start()
    return thread, found


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_the_login_beyond_the_bound_is_refused_and_a_refresh_is_not(
    anna: AbstractBaseUser, slow: type[SlowHasher], settings: Any, limit: int
) -> None:
    settings.TESSERA = {"LOGINS_AT_ONCE": limit, "LOGIN_RATE_PER_ACCOUNT": f"{limit + 1}/day"}
    grant = sessions.start(anna)
    running = [start(lambda: attempt(anna).status_code) for _ in range(limit)]
    for _ in running:
        assert slow.begun.acquire(timeout=PATIENCE)
    for _ in range(limit + 2):  # more than the limit of attempts, because none is counted
        answer = attempt(anna)
        assert (answer.status_code, answer.json()["code"]) == (503, "login_busy")
        assert answer["Retry-After"] == "1"
    assert not slow.begun.acquire(blocking=False), "a password was checked beyond the bound"
    answer = APIClient().post("/api/token/refresh/", {"refresh": grant.refresh})
    assert answer.status_code == 200
    slow.free.set()
    for thread, _ in running:
        thread.join(PATIENCE)
    assert [status for _, (status,) in running] == [200] * limit
    assert attempt(anna).status_code == 200


def test_one_login_waits_for_its_turn_and_the_next_one_is_refused_at_once(
    anna: AbstractBaseUser, slow: type[SlowHasher], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TESSERA = {"LOGINS_AT_ONCE": 1}
    monkeypatch.setattr(turns, "WAIT", PATIENCE)
    running = [start(lambda: attempt(anna).status_code)]
    assert slow.begun.acquire(timeout=PATIENCE)
    running.append(start(lambda: attempt(anna).status_code))
    wait_until(lambda: _is_waited_for(turns._get_turns()), "no login waits")
    for _ in range(5):
        assert attempt(anna).json()["code"] == "login_busy"
    slow.free.set()
    for thread, _ in running:
        thread.join(PATIENCE)
    assert [status for _, (status,) in running] == [200] * 2


def _is_waited_for(found: turns.Turns | None) -> bool:
    assert found is not None
    free = found._place.acquire(blocking=False)
    if free:
        found._place.release()
    return not free


def test_the_place_to_wait_is_free_again_after_a_login_that_got_no_turn(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TESSERA = {"LOGINS_AT_ONCE": 1}
    monkeypatch.setattr(turns, "WAIT", 0.01)
    with turns.turn():
        for _ in range(3):
            with pytest.raises(LoginBusy), turns.turn():
                raise AssertionError
            assert not _is_waited_for(turns._get_turns())


@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
def test_every_login_gives_its_turn_back(anna: AbstractBaseUser, settings: Any, password: str) -> None:
    settings.TESSERA = {"LOGINS_AT_ONCE": 1, "LOGIN_RATE_PER_ACCOUNT": None}
    for _ in range(5):
        assert attempt(anna, password).status_code == (200 if password == PASSWORD else 401)


@pytest.mark.slow
def test_the_work_for_an_account_that_was_attacked_from_everywhere_takes_a_turn_too(
    anna: AbstractBaseUser, slow: type[SlowHasher], settings: Any
) -> None:
    settings.TESSERA = {"LOGINS_AT_ONCE": 1, "LOGIN_RATE_PER_ACCOUNT_EVERYWHERE": "1/day"}
    running, found = start(lambda: attempt(anna, "wrong").status_code)
    assert slow.begun.acquire(timeout=PATIENCE)
    assert attempt(anna, "wrong").json()["code"] == "login_busy"
    slow.free.set()
    running.join(PATIENCE)
    assert found == [401]
    assert attempt(anna, "wrong").status_code == 429


def test_without_a_bound_every_login_is_checked(
    anna: AbstractBaseUser, slow: type[SlowHasher], settings: Any
) -> None:
    settings.TESSERA = {"LOGINS_AT_ONCE": None}
    running = [start(lambda: attempt(anna).status_code) for _ in range(5)]
    for _ in running:
        assert slow.begun.acquire(timeout=PATIENCE)
    slow.free.set()
    for thread, _ in running:
        thread.join(PATIENCE)
    assert [status for _, (status,) in running] == [200] * 5


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # a fork beside threads
def test_a_forked_child_has_turns_of_its_own(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread of the parent holds a turn, and does not exist in the child."""
    settings.TESSERA = {"LOGINS_AT_ONCE": 1}
    monkeypatch.setattr(turns, "WAIT", 0)
    with turns.turn():
        with pytest.raises(LoginBusy), turns.turn():
            raise AssertionError
        child = os.fork()
        if child == 0:
            try:
                with turns.turn():
                    os._exit(0)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
