from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator
from functools import wraps
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import AbstractBaseUser
from django.core.cache import cache
from pytest_django.plugin import DjangoDbBlocker
from rest_framework.test import APIClient
from rest_framework.throttling import SimpleRateThrottle

from drf_tessera import installation, signals
from drf_tessera.conf import foreign
from drf_tessera.limits import counters
from drf_tessera.models import Session
from drf_tessera.revocation import feed
from drf_tessera.revocation.feed import get_feed
from drf_tessera.workers import crews
from tests import clearing, servers
from tests.architecture import statements
from tests.contrib import watch
from tests.matrix import DIALECT_TESTS

pytest_plugins = ("drf_tessera.contrib.pytest",)  # also if the installation is older

gc.disable()  # until the tests are collected

statements.watch()
watch.watch()
clearing.install()

INSTALLATION = "the-id-of-these--tests"
installation._known[""] = INSTALLATION
"""Known before the first test, so that no test counts the query. The test database gets this id."""

_clock = SimpleNamespace(now=0.0)
"""The clock of the limits stands still in a test, because a busy machine may need a minute for the test."""


@wraps(counters.read_clock)
def _read_clock() -> float:
    return _clock.now


counters.read_clock = _read_clock
SimpleRateThrottle.timer = staticmethod(_read_clock)

PASSWORD = "correct horse battery staple"

if find_spec("hypothesis"):  # hypothesis is absent where tests/compat/applications runs
    from hypothesis import HealthCheck
    from hypothesis import settings as hypothesis_settings

    # Hypothesis would fail an example that takes 200 ms: on a busy machine any example may.
    hypothesis_settings.register_profile(
        "tests", hypothesis_settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    hypothesis_settings.load_profile("tests")


@pytest.hookimpl(trylast=True)  # after the conftest.py of the folder, which may add markers
def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark a test that uses the database, before ``-m`` chooses.

    A test without a marker runs in each run where its result could differ: on each version of Django, and on
    each database if it uses a database. ``make test`` runs those on each database that depend on its SQL, and
    ``make test-long`` runs the others. pytest-django refuses the database to a test without the marker
    ``django_db`` and without a database fixture, so no such test is missed. Only the marker ``once`` makes an
    exception, and this marker is always in the test's own file or folder.
    """
    if item.get_closest_marker("long"):
        item.add_marker("slow")
    fixtures = getattr(item, "fixturenames", ())
    uses_database = item.get_closest_marker("django_db") or not _DATABASE_FIXTURES.isdisjoint(fixtures)
    if uses_database and not item.get_closest_marker("once"):
        item.add_marker("database")
        if item.path.as_posix().removeprefix(f"{_FOLDER}/").startswith(DIALECT_TESTS):
            item.add_marker("dialect")


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Keep the collected tests out of the garbage collection, because it would look at all of them again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
    gc.enable()


@pytest.hookimpl(trylast=True)  # after pytest-randomly has shuffled them
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that take long first.

    So the workers end at about the same time, because the last tests are short and fill the gaps.
    """
    items.sort(key=lambda item: not any(item.get_closest_marker(name) for name in ("server", "slow")))


_FOLDER = Path(__file__).parent.as_posix()

_DATABASE_FIXTURES = {"db", "transactional_db", "django_db_reset_sequences", "django_db_serialized_rollback"}


# These hooks do what fixtures with autouse could do. Thousands of tests pay for each such fixture.


@pytest.hookimpl(tryfirst=True)  # before any fixture of the test
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Start the test like a new process: without attempts, news, statements and answers of other tests.

    Only a test with the marker ``server`` may start a server, because ``make check`` skips those tests.
    """
    servers.allow_servers(allowed=item.get_closest_marker("server") is not None)
    # A test that installs an app for a while leaves the models of the app in the admin.
    for model in [model for model in admin.site._registry if model._meta.app_label not in apps.app_configs]:
        admin.site.unregister(model)
    # Both packages of ``compat/`` are installed here, but most tests are about a project without them.
    foreign._expecting["legacy tokens"] = "compat" in item.path.parts
    statements.found.clear()
    watch.found.clear()
    _clock.now = time.time()
    counters.forget_counts()
    cache.clear()
    get_feed.forget()


@pytest.hookimpl(wrapper=True, tryfirst=True)  # around the end of every fixture
def pytest_runtest_teardown() -> Iterator[None]:
    """Check that the test did not do what no test may do.

    - A module of the package wrote a table that belongs to another module.
    - An endpoint answered what its description in ``rest.answers`` does not have.
    - The id of the installation is another one for the tests after it.
    """
    yield
    left = installation._known.get("", INSTALLATION)
    installation._known[""] = INSTALLATION
    assert left == INSTALLATION
    assert statements.found == []
    assert watch.found == []


@pytest.fixture
def own_crews(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Use new crews, so that threads of other tests do not count. In the end, wait until no thread works.

    A thread that went on would call what the next test has put in the place of a function.
    """
    found = dict[str, crews.Crew]()
    monkeypatch.setattr(crews, "_crews", found)
    yield
    hands = [hand for crew in found.values() for hand in (*crew.hands, *crew.lost)]
    servers.wait_until(lambda: all(hand.job is None for hand in hands), "a thread of a crew does not end")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Create the test databases, as pytest-django does, and remember the rows of the migrations."""
    with django_db_blocker.unblock():
        clearing.remember()


@pytest.fixture(autouse=True, scope="session")
def _servers_are_not_measured() -> None:
    """Coverage measures the workers of pytest-xdist, which are children of pytest, but not their servers."""
    os.environ.pop("COVERAGE_PROCESS_CONFIG", None)


@pytest.fixture
def refused_tokens() -> Iterator[list[dict[str, Any]]]:
    """Everything that a receiver of ``token_refused`` learns. It makes a query, also behind a coroutine."""
    found: list[dict[str, Any]] = []

    def hear(signal: object, sender: object, **told: Any) -> None:
        Session._default_manager.exists()
        found.append(told)

    signals.token_refused.connect(hear)
    yield found
    signals.token_refused.disconnect(hear)


@pytest.fixture
def still_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the clock of the feed, which pulls once then: otherwise it would pull again after a second."""
    monkeypatch.setattr(feed, "time", SimpleNamespace(monotonic=lambda: 1000.0, time=time.time))


@pytest.fixture
def same_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """End all sessions without the wait for the end of the second, which only later sessions need."""
    clock = SimpleNamespace(time=time.time, monotonic=time.monotonic, sleep=lambda seconds: None)
    monkeypatch.setattr("drf_tessera.sessions.clearing.time", clock)


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record each hashed password, because an attacker can measure the time of this work."""
    found: list[str] = []
    original = MD5PasswordHasher.encode

    def encode(self: object, password: str, salt: str, *args: object) -> str:
        found.append(password)
        return original(self, password, salt, *args)

    monkeypatch.setattr(MD5PasswordHasher, "encode", encode)
    return found


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Redis]:
    """Start a Redis of the module's own. Only a test with the marker ``server`` may use it."""
    found = servers.Redis(tmp_path_factory.mktemp("redis"))
    found.start()
    yield found
    found.stop()


@pytest.fixture
def api() -> APIClient:
    return APIClient()


@pytest.fixture
def anna(db: None) -> AbstractBaseUser:
    return make_user("anna")


@pytest.fixture
def bob(db: None) -> AbstractBaseUser:
    return make_user("bob")


def make_user(name: str, **fields: object) -> AbstractBaseUser:
    """Create a user of the run's user model."""
    model = get_user_model()
    if model.USERNAME_FIELD == "email":
        return model.objects.create_user(email=f"{name}@example.com", password=PASSWORD, **fields)
    if model.USERNAME_FIELD == "handle":
        return model.objects.create_user(handle=name, password=PASSWORD, **fields)
    return model.objects.create_user(
        username=name, email=f"{name}@example.com", password=PASSWORD, first_name=name.title(), **fields
    )


def log_in(api: APIClient, user: AbstractBaseUser, **extra: object) -> dict[str, object]:
    """Log in through the API and return the body of the answer."""
    answer = api.post("/api/token/", {"username": user.get_username(), "password": PASSWORD, **extra})
    assert answer.status_code == 200, answer.content
    return answer.json()


def bearer(token: object) -> dict[str, str]:
    return {"HTTP_AUTHORIZATION": f"Bearer {token}"}
