"""The plugin for pytest, as the tests of a project use it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import freezegun
import pytest
import time_machine
from django.apps import apps
from django.contrib.auth.models import AbstractBaseUser
from rest_framework.test import APIClient

from drf_tessera import sessions, testing
from drf_tessera.contrib import pytest as plugin
from drf_tessera.testing import TokenClient, client_with


def test_the_client_is_logged_in_as_the_user(
    tessera_client: TokenClient, tessera_user: AbstractBaseUser
) -> None:
    assert tessera_client.get("/me/").json()["id"] == str(tessera_user.pk)
    assert tessera_user.get_username() == plugin.NAME


def test_a_client_for_any_user(
    tessera_client_for: Callable[..., TokenClient], anna: AbstractBaseUser
) -> None:
    assert tessera_client_for(anna, tenant="blue").get("/me/").json()["id"] == str(anna.pk)


@pytest.mark.parametrize(
    ("fixture", "code"),
    [
        ("tessera_expired_token", "token_expired"),
        ("tessera_wrong_audience_token", "token_wrong_audience"),
        ("tessera_ended_token", "session_ended"),
    ],
)
def test_each_bad_token_has_a_fixture(request: pytest.FixtureRequest, fixture: str, code: str) -> None:
    answer = client_with(request.getfixturevalue(fixture)).get("/me/")
    assert (answer.status_code, answer.json()["code"]) == (401, code)


@pytest.mark.parametrize("attempt", range(3))
def test_no_test_spends_the_limits_of_another(anna: AbstractBaseUser, settings: Any, attempt: int) -> None:
    """The fixture of our own conftest.py clears the whole cache, so this test shows it by the keys."""
    settings.TESSERA = {"LOGIN_RATE_PER_ACCOUNT": "1/min"}
    wrong = {"username": anna.get_username(), "password": "x"}
    assert APIClient().post("/api/token/", wrong).status_code == 401
    assert APIClient().post("/api/token/", wrong).status_code == 429
    plugin.pytest_runtest_setup()  # what pytest calls before the next test
    assert APIClient().post("/api/token/", wrong).status_code == 401


def test_other_projects_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those without Django, and those of Django that do not install the package."""
    monkeypatch.setattr(testing, "forget_attempts", lambda: pytest.fail("called"))
    monkeypatch.setattr(apps, "is_installed", lambda name: False)
    plugin.pytest_runtest_setup()
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE")
    monkeypatch.setattr(apps, "is_installed", lambda name: True)
    plugin.pytest_runtest_setup()


# -- The clock -------------------------------------------------------------------------------------

STOPPERS = {"freezegun": freezegun, "time_machine": time_machine}


@pytest.fixture(params=STOPPERS)
def only_stopper(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Hide the other package."""
    monkeypatch.setattr(plugin, "find_spec", lambda name: name == request.param or None)
    return str(request.param)


def test_the_clock_stands_until_it_is_moved(
    only_stopper: str,
    anna: AbstractBaseUser,
    tessera_clock: Callable[[timedelta], object],
    tessera_client_for: Callable[..., TokenClient],
) -> None:
    """With each of both packages, at any speed of the machine."""
    client = tessera_client_for(anna)
    assert client.grant is not None
    assert client.get("/me/").status_code == 200
    tessera_clock(timedelta(minutes=6))
    assert client.get("/me/").json()["code"] == "token_expired"
    grant = sessions.refresh(str(client.grant.refresh))
    assert client_with(grant.access).get("/me/").status_code == 200
    tessera_clock(timedelta(seconds=299))
    assert client_with(grant.access).get("/me/").status_code == 200
    tessera_clock(timedelta(seconds=1))
    assert client_with(grant.access).get("/me/").json()["code"] == "token_expired"


def test_without_both_packages_the_clock_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="freezegun or time-machine"):
        plugin._find_stopper()


# -- The cost --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_project_that_does_not_use_the_plugin_loads_nothing() -> None:
    """pytest imports the plugin in every project of the environment, also in those without Django."""
    code = (
        "import sys, pytest; before = set(sys.modules); import drf_tessera.contrib.pytest;"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["drf_tessera"]
