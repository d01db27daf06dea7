"""The limits on logins, and on the endpoints for tokens."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.core.cache import cache
from django.db import connection
from django.urls import resolve
from rest_framework.test import APIClient

from drf_tessera import sessions, signals
from drf_tessera.exceptions import LoginFailed, TemporarilyUnavailable, TesseraError, TooManyAttempts
from drf_tessera.http import find_view_class
from drf_tessera.limits import counters, logins
from drf_tessera.login import log_in as log_in_directly
from drf_tessera.models import Session
from drf_tessera.sessions import Client
from tests.conftest import PASSWORD, bearer, log_in
from tests.limits import database_cache
from tests.servers import Redis

pytestmark = pytest.mark.django_db

HOME = "192.0.2.1"
WRONG = "wrong"
REDIS = "django.core.cache.backends.redis.RedisCache"
OURS = "drf_tessera.backends.EmailBackend"
DJANGOS = "django.contrib.auth.backends.ModelBackend"


def attempt(api: APIClient, name: str, field: str = "username", password: str = WRONG, **extra: str) -> int:
    return api.post("/api/token/", {field: name, "password": password}, **extra).status_code


def attempt_from(api: APIClient, network: int, name: str = "anna", **extra: Any) -> int:
    return attempt(api, name, REMOTE_ADDR=f"198.51.{network // 256}.{network % 256}", **extra)


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were compared with the one of a user."""
    found: list[str] = []
    model: Any = get_user_model()
    original = model.check_password

    def check(self: Any, password: str) -> bool:
        found.append(password)
        return bool(original(self, password))

    monkeypatch.setattr(model, "check_password", check)
    return found


# -- One account from one network: guessing --------------------------------------------------------


def test_ten_failures_a_minute_for_one_account_from_one_network(
    api: APIClient, anna: AbstractBaseUser, evaluated: list[str]
) -> None:
    assert [attempt(api, "anna") for _ in range(11)] == [401] * 10 + [429]
    assert len(evaluated) == 10
    answer = api.post("/api/token/", {"username": "anna", "password": PASSWORD})
    assert (answer.status_code, answer.json()["code"]) == (429, "throttled")
    assert 0 < int(answer["Retry-After"]) <= 60
    assert attempt(api, "bob") == 401
    assert attempt(api, "anna", REMOTE_ADDR=HOME) == 401


@pytest.mark.slow
def test_right_passwords_do_not_count(api: APIClient, anna: AbstractBaseUser) -> None:
    assert [attempt(api, "anna", password=PASSWORD) for _ in range(100)] == [200] * 100
    assert [attempt(api, "anna") for _ in range(11)] == [401] * 10 + [429]


@pytest.mark.slow
def test_a_right_password_does_not_forgive_the_wrong_ones(api: APIClient, anna: AbstractBaseUser) -> None:
    """Otherwise an attacker with an account could begin again after each login of their own."""
    found = [attempt(api, "anna", password=("wrong", PASSWORD)[index % 2]) for index in range(21)]
    assert found == [401, 200] * 9 + [401, 429, 429]


@pytest.mark.slow
@pytest.mark.parametrize("status", [503, 500])
def test_a_failure_of_the_server_counts_only_if_it_may_hide_an_answer(
    api: APIClient, anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise TemporarilyUnavailable if status == 503 else RuntimeError

    monkeypatch.setattr("drf_tessera.login.sessions.start", fail)
    api.raise_request_exception = False
    found = [attempt(api, "anna", password=PASSWORD) for _ in range(12)]
    assert found == ([503] * 12 if status == 503 else [500] * 10 + [429] * 2)


def test_a_number_for_a_name_is_its_text(api: APIClient) -> None:
    statuses = [
        api.post("/api/token/", {"username": name, "password": "x"}).status_code for name in ("5", 5) * 5
    ]
    assert statuses == [401] * 10
    assert api.post("/api/token/", {"username": 5, "password": "x"}).status_code == 429


@pytest.mark.parametrize("alias", ["ANNA", " anna", "\uff41nna", "Anna "])
def test_other_ways_to_write_a_name_have_no_budget_of_their_own(api: APIClient, alias: str) -> None:
    for _ in range(10):
        attempt(api, "anna")
    assert attempt(api, alias) == 429


def test_the_address_and_the_name_are_one_field_to_it(api: APIClient) -> None:
    for index in range(10):
        attempt(api, "anna@example.com", field=("username", "email")[index % 2])
    assert attempt(api, "ANNA@example.com", field="email") == 429


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["locmem", "database", pytest.param("redis", marks=pytest.mark.server)])
@pytest.mark.django_db(transaction=True)
def test_ten_of_a_hundred_simultaneous_guesses_are_evaluated(
    settings: Any, evaluated: list[str], tmp_path: Any, backend: str
) -> None:
    settings.TESSERA = {"LOGIN_RATE_PER_ACCOUNT": "10/day", "LOGIN_RATE_PER_ADDRESS": None}
    settings.TESSERA["LOGINS_AT_ONCE"] = 20  # on a slow machine some of 20 threads would wait too long: a 503
    get_user_model()._default_manager.create_user("anna", password=PASSWORD)
    start, found = threading.Barrier(20), []

    def guess() -> None:
        start.wait()
        try:
            found.extend(attempt(APIClient(), "anna") for _ in range(5))
        finally:
            connection.close()

    with running(backend, settings, tmp_path):
        threads = [threading.Thread(target=guess) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(evaluated) <= 10
    assert found.count(401) <= 10
    assert found.count(401) + found.count(429) == 100
    if not (backend == "database" and connection.vendor == "sqlite"):  # its lock refuses some attempts
        assert len(evaluated) == found.count(401) == 10


@contextmanager
def running(backend: str, settings: Any, folder: Any) -> Iterator[None]:
    if backend == "locmem":
        yield
        return
    if backend == "database":
        with database_cache(settings):
            yield
        return
    redis = Redis(folder)
    redis.start()
    settings.CACHES = {"default": {"BACKEND": REDIS, "LOCATION": redis.url}}
    try:
        yield
    finally:
        redis.stop()


# -- One account from everywhere: distributed guessing, and lock-out -------------------------------


@pytest.mark.slow
def test_a_hundred_failures_an_hour_for_one_account_from_everywhere(
    api: APIClient, anna: AbstractBaseUser, evaluated: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drf_tessera.limits.counters.read_clock", lambda: 1_800_000_600.0)  # 10 minutes past
    assert [attempt_from(api, index) for index in range(101)] == [401] * 100 + [429]
    answer = api.post("/api/token/", {"username": "anna", "password": PASSWORD}, REMOTE_ADDR=HOME)
    assert answer.status_code == 429
    assert 60 < int(answer["Retry-After"]) <= 3600
    assert len(evaluated) == 100
    assert attempt_from(api, 1, "bob") == 401


@pytest.mark.slow
@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("field", ["username", "email"])
def test_a_person_is_not_locked_out_where_they_have_logged_in_before(
    api: APIClient, settings: Any, anna: Any, field: str, *, ended: bool
) -> None:
    settings.TESSERA = {"LOGIN_RATE_PER_ACCOUNT_EVERYWHERE": "5/day"}
    sessions.start(anna, client=Client(ip=HOME))
    if ended:
        sessions.revoke_all(anna)
    name = {"username": "anna", "email": "anna@example.com"}[field]
    assert [attempt_from(api, index, name, field=field) for index in range(6)] == [401] * 5 + [429]
    assert attempt(api, name, field, PASSWORD, REMOTE_ADDR=HOME) == 200
    assert attempt(api, name, field, PASSWORD, REMOTE_ADDR="192.0.2.9") == 429


def test_the_network_and_not_the_address_is_known(api: APIClient, settings: Any, anna: Any) -> None:
    settings.TESSERA = {"LOGIN_RATE_PER_ACCOUNT_EVERYWHERE": "1/day"}
    sessions.start(anna, client=Client(ip="2001:db8:0:1::5"))
    attempt_from(api, 1)
    assert attempt(api, "anna", password=PASSWORD, REMOTE_ADDR="2001:db8:0:2::5") == 429
    assert attempt(api, "anna", password=PASSWORD, REMOTE_ADDR="2001:db8:0:1::6") == 200


def test_nobody_is_known_without_an_address(api: APIClient, settings: Any, anna: Any) -> None:
    """Otherwise every request over a Unix socket would pass, because it has no address either."""
    settings.TESSERA = {"LOGIN_RATE_PER_ACCOUNT_EVERYWHERE": "1/day"}
    sessions.start(anna)
    attempt_from(api, 1)
    assert attempt(api, "anna", password=PASSWORD, REMOTE_ADDR="") == 429


def test_from_a_known_network_a_wrong_password_is_answered_as_from_an_unknown_one(
    api: APIClient, settings: Any, anna: Any, hashes: list[str], evaluated: list[str]
) -> None:
    """Neither the answer nor its work shows a neighbour whether the account has logged in from there."""
    settings.TESSERA = {"LOGIN_RATE_PER_ACCOUNT_EVERYWHERE": "1/day"}
    sessions.start(anna, client=Client(ip=HOME))
    attempt_from(api, 1)
    attempt_from(api, 1, "nobody")
    hashes.clear()
    evaluated.clear()
    for name, address in (("anna", HOME), ("anna", "192.0.2.9"), ("nobody", HOME)):
        answer = api.post("/api/token/", {"username": name, "password": "wrong"}, REMOTE_ADDR=address)
        assert (answer.status_code, answer.json()["code"]) == (429, "throttled")
    assert len(hashes) == 3
    assert len(evaluated) == 1


@pytest.mark.slow
def test_the_known_network_still_has_the_tight_limit(api: APIClient, settings: Any, anna: Any) -> None:
    settings.TESSERA = {"LOGIN_RATE_PER_ACCOUNT_EVERYWHERE": "1/day"}
    sessions.start(anna, client=Client(ip=HOME))
    attempt_from(api, 1)
    for _ in range(10):
        assert attempt(api, "anna", REMOTE_ADDR=HOME) == 429
    assert attempt(api, "anna", password=PASSWORD, REMOTE_ADDR=HOME) == 429


def test_the_known_network_costs_queries_only_if_the_budget_is_spent(
    api: APIClient, settings: Any, anna: Any, django_assert_num_queries: Any
) -> None:
    settings.TESSERA = {"LOGIN_RATE_PER_ACCOUNT_EVERYWHERE": "1/day"}
    sessions.start(anna, client=Client(ip=HOME))
    with django_assert_num_queries(1):
        attempt_from(api, 1)
    with django_assert_num_queries(1):
        attempt_from(api, 2)
    with django_assert_num_queries(3):  # for the name, the user, and for the account
        attempt(api, "anna", REMOTE_ADDR=HOME)


@pytest.mark.parametrize("name", ["9" * 30, "\u0661", "x@y", "@", "'", "%"])
def test_any_name_can_be_looked_up_when_its_budget_is_spent(api: APIClient, settings: Any, name: str) -> None:
    settings.TESSERA = {"LOGIN_RATE_PER_ACCOUNT_EVERYWHERE": "1/day"}
    assert [attempt_from(api, index, name) for index in range(3)] == [401, 429, 429]


def test_a_name_that_no_column_can_have_is_nobody(monkeypatch: pytest.MonkeyPatch, anna: Any) -> None:
    monkeypatch.setattr(get_user_model(), "USERNAME_FIELD", "id")
    assert not logins._select_users("anna").exists()
    assert logins._select_users(str(anna.pk)).get() == anna
    assert logins._select_users("anna@example.com").get() == anna


def test_a_name_that_no_database_can_read_is_nobody(rf: Any, settings: Any) -> None:
    settings.TESSERA = {"LOGIN_RATE_PER_ACCOUNT_EVERYWHERE": "1/day"}
    for kind in (LoginFailed, TooManyAttempts):
        with pytest.raises(kind):
            log_in_directly(
                rf.post("/", REMOTE_ADDR=HOME), username="\ud800", password="x", client=Client(ip=HOME)
            )


def test_the_address_of_another_account_makes_no_network_known(api: APIClient, settings: Any) -> None:
    """Anybody may write the name of an account into the address of their own account."""
    settings.AUTHENTICATION_BACKENDS = [DJANGOS]
    settings.TESSERA = {"LOGIN_RATE_PER_ACCOUNT_EVERYWHERE": "5/day"}
    users: Any = get_user_model()._default_manager
    users.create_user("anna@example.com", password=PASSWORD)
    users.create_user("mallory", "anna@example.com", PASSWORD)
    assert attempt_from(api, 99, "mallory", password=PASSWORD) == 200
    assert [attempt_from(api, index, "anna@example.com") for index in range(6)] == [401] * 5 + [429]
    assert attempt_from(api, 99, "anna@example.com", password=PASSWORD) == 429


# -- Two names of one account ----------------------------------------------------------------------


@pytest.mark.slow
def test_the_name_and_the_address_of_an_account_have_one_budget_together(
    api: APIClient, anna: AbstractBaseUser, evaluated: list[str]
) -> None:
    """And the answers do not show it: a stranger could learn which address belongs to a name."""
    found = [attempt(api, "anna") for _ in range(6)] + [attempt(api, "anna@example.com") for _ in range(6)]
    assert len(evaluated) == 10
    assert found == [401] * 12
    nobody = [attempt(api, "nobody") for _ in range(6)] + [attempt(api, "no@example.com") for _ in range(6)]
    assert nobody == found


def test_an_account_that_two_names_have_spent_refuses_the_right_password_too(
    api: APIClient, anna: AbstractBaseUser, hashes: list[str]
) -> None:
    """The answer is the one of a wrong password, with its work, and says that this may be the reason."""
    for name in ("anna", "anna@example.com"):
        for _ in range(5):
            attempt(api, name)
    hashes.clear()
    answer = api.post("/api/token/", {"username": "anna", "password": PASSWORD})
    assert (answer.status_code, answer.json()["code"]) == (401, "login_failed")
    assert "too many attempts" in answer.json()["detail"]
    assert len(hashes) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "backends", [[OURS, DJANGOS], [DJANGOS, OURS], [DJANGOS, "tests.test_backends_of_projects.ByToken", OURS]]
)
def test_a_backend_beside_ours_gives_no_further_guesses(
    api: APIClient, settings: Any, anna: AbstractBaseUser, hashes: list[str], *, backends: list[str]
) -> None:
    """The right password is refused like a wrong one, with the same work."""
    settings.AUTHENTICATION_BACKENDS = backends
    for _ in range(10):
        attempt(api, "anna@example.com", field="email")
    work = []
    for password in (WRONG, PASSWORD):
        hashes.clear()
        assert attempt(api, "anna", password=password) == 401
        work.append(len(hashes))
    assert work == [2, 2]
    assert attempt(api, "anna", password=PASSWORD, REMOTE_ADDR=HOME) == 200


def test_a_name_of_nobody_asks_the_cache_as_often(
    api: APIClient, anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the time would show which accounts exist, above all with a cache in a database."""
    asked: list[str] = []
    original = counters.reserve

    def reserve(budget: counters.Budget) -> counters.Reservation:
        asked.append(budget.name)
        return original(budget)

    monkeypatch.setattr(counters, "reserve", reserve)
    found = []
    for field, name in [("username", "anna"), ("username", "nobody"), ("email", "anna@example.com")]:
        asked.clear()
        assert attempt(api, name, field=field) == 401
        found.append(list(asked))
    assert found == [found[0]] * 3
    assert len(found[0]) == 5


def test_both_names_pass_where_the_person_has_logged_in_before(
    api: APIClient, settings: Any, anna: AbstractBaseUser
) -> None:
    settings.TESSERA = {"LOGIN_RATE_PER_ACCOUNT_EVERYWHERE": "6/day"}
    sessions.start(anna, client=Client(ip=HOME))
    for index in range(3):
        attempt_from(api, index)
        attempt_from(api, index, "anna@example.com")
    assert attempt_from(api, 9, password=PASSWORD) == 401
    assert attempt(api, "anna", password=PASSWORD, REMOTE_ADDR=HOME) == 200
    assert attempt(api, "anna@example.com", password=PASSWORD, REMOTE_ADDR=HOME) == 200


# -- One address: spraying and stuffing ------------------------------------------------------------


@pytest.mark.slow
def test_sixty_failures_a_minute_from_one_address(api: APIClient) -> None:
    statuses = [attempt(api, f"user{index}") for index in range(61)]
    assert statuses == [401] * 60 + [429]
    assert attempt(api, "another", REMOTE_ADDR=HOME) == 401


@pytest.mark.slow
def test_an_office_whose_people_all_log_in_is_not_limited(api: APIClient, settings: Any, anna: Any) -> None:
    settings.TESSERA = {"LOGIN_RATE_PER_ADDRESS": "2/min"}
    assert [attempt(api, "anna", password=PASSWORD) for _ in range(20)] == [200] * 20


def test_the_limit_of_the_address_stands_before_the_body(
    api: APIClient, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TESSERA = {"LOGIN_RATE_PER_ADDRESS": "1/day"}
    assert attempt(api, "anna") == 401

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("the body was read")

    monkeypatch.setattr("rest_framework.parsers.JSONParser.parse", fail)
    assert attempt(api, "anna") == 429


def test_a_body_without_a_login_counts_for_the_address(api: APIClient, settings: Any) -> None:
    settings.TESSERA = {"LOGIN_RATE_PER_ADDRESS": "3/day"}
    bodies: tuple[Any, ...] = ([1], {"username": [5], "password": "x"}, {"username": "", "password": "x"})
    assert [api.post("/api/token/", body).status_code for body in bodies] == [400] * 3
    assert attempt(api, "anna") == 429


def test_a_forwarded_address_is_believed_only_from_counted_proxies(api: APIClient, settings: Any) -> None:
    settings.TESSERA = {"LOGIN_RATE_PER_ADDRESS": "2/min"}
    spoofed = [attempt(api, f"a{index}", HTTP_X_FORWARDED_FOR=f"10.0.0.{index}") for index in range(3)]
    assert spoofed == [401, 401, 429]
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}
    honest = [attempt(api, f"b{index}", HTTP_X_FORWARDED_FOR=f"x, 10.0.1.{index}") for index in range(3)]
    assert honest == [401] * 3
    behind = [attempt(api, f"c{index}", HTTP_X_FORWARDED_FOR=f"{index}, 10.0.2.1") for index in range(3)]
    assert behind == [401, 401, 429]


def test_a_network_of_ipv6_is_one_address(api: APIClient, settings: Any) -> None:
    settings.TESSERA = {"LOGIN_RATE_PER_ADDRESS": "2/min"}
    tries = [attempt(api, f"d{index}", REMOTE_ADDR=f"2001:db8::{index}") for index in range(3)]
    assert tries == [401, 401, 429]
    assert attempt(api, "e", REMOTE_ADDR="2001:db8:0:1::1") == 401


@pytest.mark.slow
def test_the_65536_networks_of_a_site_have_ten_budgets_and_not_65536(api: APIClient, settings: Any) -> None:
    settings.TESSERA = {"LOGIN_RATE_PER_ADDRESS": "2/day"}
    tries = [attempt(api, f"d{index}", REMOTE_ADDR=f"2001:db8:0:{index:x}::1") for index in range(21)]
    assert tries == [401] * 20 + [429]
    assert attempt(api, "e", REMOTE_ADDR="2001:db8:1::1") == 401


@pytest.mark.slow
@pytest.mark.parametrize("address", ["", "unknown", "_hidden"])
def test_clients_without_an_address_have_a_loose_budget_together(
    api: APIClient, settings: Any, address: str
) -> None:
    """A request over a Unix socket has no address, and some proxies hide it."""
    settings.TESSERA = {"LOGIN_RATE_PER_ADDRESS": "2/day"}
    tries = [attempt(api, f"u{index}", REMOTE_ADDR=address) for index in range(21)]
    assert tries == [401] * 20 + [429]


@pytest.mark.slow
def test_a_stranger_without_an_address_cannot_spend_the_tight_budget_of_an_account(
    api: APIClient, anna: AbstractBaseUser
) -> None:
    assert [attempt(api, "anna", REMOTE_ADDR="unknown") for _ in range(30)] == [401] * 30
    assert attempt(api, "anna", password=PASSWORD, REMOTE_ADDR="") == 200
    found = [attempt(api, "anna", REMOTE_ADDR="unknown") for _ in range(71)]
    assert found == [401] * 70 + [429]  # the budget of the account everywhere


@pytest.mark.parametrize(
    "rate", ["LOGIN_RATE_PER_ACCOUNT", "LOGIN_RATE_PER_ADDRESS", "LOGIN_RATE_PER_ACCOUNT_EVERYWHERE"]
)
def test_the_rates_are_settings_and_live(api: APIClient, settings: Any, rate: str) -> None:
    settings.TESSERA = {rate: "1/hour"}
    assert [attempt(api, "anna") for _ in range(2)] == [401, 429]
    settings.TESSERA = {rate: None}
    assert attempt(api, "anna") == 401


# -- Logins without our views ----------------------------------------------------------------------


def test_a_login_in_code_is_limited_too(anna: AbstractBaseUser, rf: Any, settings: Any) -> None:
    settings.TESSERA = {"LOGIN_RATE_PER_ACCOUNT": "1/day", "LOGIN_RATE_PER_ADDRESS": "3/day"}
    client = Client(ip=HOME)

    def guess(name: str) -> str:
        with pytest.raises(TesseraError) as found:
            log_in_directly(rf.post("/"), username=name, password="wrong", client=client)
        return found.value.code

    found = [guess(name) for name in ("anna", "anna", "bob", "carl")]
    assert found == ["login_failed", "throttled", "login_failed", "throttled"]


def test_a_login_without_a_request_is_limited_too(anna: AbstractBaseUser, settings: Any) -> None:
    settings.TESSERA = {"LOGIN_RATE_PER_ADDRESS": "1/day"}
    with logins.login_attempt(None, ["anna"], client=Client(ip=HOME)):
        pass
    with pytest.raises(RuntimeError), logins.login_attempt(None, ["anna"], client=Client(ip=HOME)):
        raise RuntimeError
    with pytest.raises(TooManyAttempts), logins.login_attempt(None, ["anna"], client=Client(ip=HOME)):
        pass


def test_outside_of_a_login_a_backend_may_check_every_password(anna: AbstractBaseUser) -> None:
    assert logins.admit_account(anna)
    assert not logins.admit_account(None)


def test_an_account_is_counted_once_in_one_login(anna: AbstractBaseUser, settings: Any) -> None:
    """A login checks the password up to three times, if the stored hash changes in between."""
    settings.TESSERA = {"LOGIN_RATE_PER_ACCOUNT": "1/day"}
    with logins.login_attempt(None, ["anna"]):
        assert [logins.admit_account(anna) for _ in range(3)] == [True] * 3


# -- Signals ---------------------------------------------------------------------------------------


@contextmanager
def heard(*names: str) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    found: list[tuple[str, dict[str, Any]]] = []
    receivers = []

    def receive(kind: str, /, sender: Any, signal: Any, **arguments: Any) -> None:
        assert sender is Session
        found.append((kind, arguments))

    for name in names:
        receivers.append(partial(receive, name))
        getattr(signals, name).connect(receivers[-1])
    try:
        yield found
    finally:
        for name, receiver in zip(names, receivers, strict=True):
            getattr(signals, name).disconnect(receiver)


WHERE = {"REMOTE_ADDR": HOME, "HTTP_USER_AGENT": "A phone\n" + "x" * 5000}
AGENT = "A phone " + "x" * 247


def test_a_failed_login_is_told_with_its_origin(api: APIClient, anna: AbstractBaseUser) -> None:
    with heard("login_failed") as found:
        attempt(api, "anna\x07", **WHERE)
        attempt(api, "anna", password=PASSWORD, **WHERE)
    assert found == [("login_failed", {"name": "anna", "address": HOME, "user_agent": AGENT})]


def test_a_throttled_login_is_told_once_in_a_window(api: APIClient, settings: Any) -> None:
    """An attacker must not be able to send a flood of mails by a flood of logins."""
    settings.TESSERA = {"LOGIN_RATE_PER_ACCOUNT": "2/day", "LOGIN_RATE_PER_ADDRESS": "5/day"}
    with heard("login_throttled") as found:
        for _ in range(20):
            attempt(api, "anna", **WHERE)
    assert [told.pop("retry_after") > 0 for _, told in found] == [True, True]
    origin = {"address": HOME, "user_agent": AGENT}
    assert found == [
        ("login_throttled", {"limit": "login_rate_per_account", "name": "anna", **origin}),
        ("login_throttled", {"limit": "login_rate_per_address", "name": "", **origin}),
    ]


def test_an_account_that_its_other_name_has_spent_is_told(
    api: APIClient, settings: Any, anna: AbstractBaseUser
) -> None:
    settings.TESSERA = {"LOGIN_RATE_PER_ACCOUNT_EVERYWHERE": "2/day"}
    with heard("login_throttled") as found:
        for index in range(2):
            attempt_from(api, index, ("anna", "anna@example.com")[index])
        attempt_from(api, 5)
    assert [told["limit"] for _, told in found] == ["login_rate_per_account_everywhere"]
    settings.TESSERA = {"LOGIN_RATE_PER_ACCOUNT": "2/day"}
    with heard("login_throttled") as found:
        for name in ("anna", "anna@example.com", "anna"):
            attempt(api, name, REMOTE_ADDR=HOME)
    assert [told["limit"] for _, told in found] == ["login_rate_per_account"]


def test_a_receiver_that_fails_does_not_change_the_answer(api: APIClient, settings: Any) -> None:
    settings.TESSERA = {"LOGIN_RATE_PER_ACCOUNT": "1/day"}

    def fail(**arguments: Any) -> None:
        raise RuntimeError

    for signal in (signals.login_failed, signals.login_throttled):
        signal.connect(fail)
    try:
        assert [attempt(api, "anna") for _ in range(2)] == [401, 429]
    finally:
        for signal in (signals.login_failed, signals.login_throttled):
            signal.disconnect(fail)


# -- The endpoints for tokens ----------------------------------------------------------------------


@pytest.mark.slow
def test_refreshes_and_calls_of_25_tabs_are_not_limited(api: APIClient, anna: AbstractBaseUser) -> None:
    body = log_in(api, anna)
    for _ in range(150):
        assert api.post("/api/token/refresh/", {"refresh": body["refresh"]}).status_code == 200
    for _ in range(100):
        assert api.get("/me/", **bearer(body["access"])).status_code == 200


@pytest.mark.parametrize("path", ["refresh", "verify", "revoke"])
def test_each_endpoint_has_a_limit_for_a_session(
    api: APIClient, anna: AbstractBaseUser, settings: Any, path: str
) -> None:
    settings.TESSERA = {"TOKEN_RATE_PER_SESSION": "3/day", "TOKEN_RATE_PER_ADDRESS": "1/day"}
    body, other = log_in(api, anna), log_in(api, anna)

    def send(tokens: dict[str, object]) -> int:
        sent = {"token": tokens["access"]} if path == "verify" else {"refresh": tokens["refresh"]}
        return api.post(f"/api/token/{path}/", sent).status_code

    assert [send(body) for _ in range(5)] == [200] * 3 + [429] * 2
    assert send(other) == 200
    if path != "refresh":
        assert api.post("/api/token/refresh/", {"refresh": other["refresh"]}).status_code in {200, 401}


def test_a_logout_by_the_access_token_counts_for_its_session(
    api: APIClient, anna: AbstractBaseUser, settings: Any
) -> None:
    settings.TESSERA = {"TOKEN_RATE_PER_SESSION": "1/day", "TOKEN_RATE_PER_ADDRESS": "1/day"}
    first, second = log_in(api, anna), log_in(api, anna)
    for tokens in (first, second):
        answer = api.post("/api/token/revoke/", **bearer(tokens["access"]))
        assert answer.json() == {"revoked": True}


@pytest.mark.parametrize("path", ["refresh", "verify", "revoke"])
def test_each_endpoint_has_a_limit_for_the_address_of_tokens_that_are_not_authentic(
    api: APIClient, settings: Any, path: str
) -> None:
    settings.TESSERA = {"TOKEN_RATE_PER_ADDRESS": "2/day"}
    for sent in ({"refresh": "tsr_x", "token": "x"}, {"refresh": "x", "token": "tsr_x"}):
        cache.clear()
        found = [api.post(f"/api/token/{path}/", sent).status_code for _ in range(3)]
        assert found[2] == 429 not in found[:2]
        answer = api.post(f"/api/token/{path}/", sent)
        assert answer.json()["code"] == "throttled"
        assert 0 < int(answer["Retry-After"]) <= 86_400
    assert api.post(f"/api/token/{path}/", sent, REMOTE_ADDR=HOME).status_code in {
        *(400, 401),
        *([200] if path == "revoke" else []),  # RFC 7009: an unknown ``token`` is not an error
    }


@pytest.mark.parametrize("name", ["refresh", "verify", "revoke"])
def test_a_view_of_a_project_may_have_no_limits(
    api: APIClient, anna: AbstractBaseUser, settings: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    settings.TESSERA = {"TOKEN_RATE_PER_SESSION": "1/day", "TOKEN_RATE_PER_ADDRESS": "1/day"}
    view = find_view_class(resolve(f"/api/token/{name}/").func)
    monkeypatch.setattr(view, "throttle_classes", ())
    body = log_in(api, anna)
    sent = {"refresh": body["refresh"], "token": body["access"]}
    assert {api.post(f"/api/token/{name}/", sent).status_code for _ in range(3)} == {200}


def test_a_site_of_ipv6_has_ten_budgets_for_tokens(api: APIClient, settings: Any) -> None:
    settings.TESSERA = {"TOKEN_RATE_PER_ADDRESS": "1/day"}
    found = [
        api.post("/api/token/refresh/", {"refresh": "x"}, REMOTE_ADDR=f"2001:db8:0:{n:x}::1").status_code
        for n in range(11)
    ]
    assert found == [401] * 10 + [429]


@pytest.mark.parametrize("path", ["refresh", "verify", "revoke"])
def test_no_limit_means_no_limit(api: APIClient, anna: AbstractBaseUser, settings: Any, path: str) -> None:
    settings.TESSERA = {"TOKEN_RATE_PER_SESSION": None, "TOKEN_RATE_PER_ADDRESS": None}
    body = log_in(api, anna)
    sent = {"refresh": body["refresh"], "token": body["access"]}
    assert {api.post(f"/api/token/{path}/", sent).status_code for _ in range(5)} <= {200, 401}


# -- A cache that is down --------------------------------------------------------------------------


@pytest.mark.slow
def test_a_cache_that_is_down_stops_neither_logins_nor_limits_nor_refreshes(
    api: APIClient, anna: AbstractBaseUser, settings: Any
) -> None:
    settings.CACHES = {"default": {"BACKEND": REDIS, "LOCATION": "redis://127.0.0.1:1/0"}}
    body = log_in(api, anna)
    for _ in range(100):
        assert api.post("/api/token/refresh/", {"refresh": body["refresh"]}).status_code == 200
    assert [attempt(api, "anna") for _ in range(11)] == [401] * 10 + [429]
