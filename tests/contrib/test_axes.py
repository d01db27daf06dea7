"""The functions that django-axes calls. The page about it is tested as a project with real locks."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.test import RequestFactory
from django.urls import resolve

from drf_tessera.contrib.axes import answer_lockout, find_address, find_username

pytestmark = pytest.mark.once

CREDENTIALS = {"username": "anna", "password": "********"}


@pytest.fixture(autouse=True)
def axes(settings: Any) -> None:
    """Install django-axes without its receivers, because its tables are not there."""
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "axes"]
    from axes import signals

    user_login_failed.disconnect(signals.handle_user_login_failed)
    user_logged_in.disconnect(signals.handle_user_logged_in)
    user_logged_out.disconnect(signals.handle_user_logged_out)


def lock(path: str, *, resolved: bool = True) -> Any:
    request = RequestFactory().post(path)
    if resolved:
        request.resolver_match = resolve(path)
    return answer_lockout(request, None, CREDENTIALS)


def test_our_endpoints_answer_with_the_code_of_our_own_limits(settings: Any) -> None:
    settings.AXES_COOLOFF_TIME = timedelta(minutes=15)
    answer = lock("/api/token/")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "900")
    assert json.loads(answer.content)["code"] == "throttled"


def test_a_lock_for_ever_has_a_code_and_no_time(settings: Any) -> None:
    settings.AXES_COOLOFF_TIME = None
    settings.AXES_PERMALOCK_MESSAGE = "Call us."
    answer = lock("/api/token/")
    assert (answer.status_code, "Retry-After" in answer.headers) == (429, False)
    assert json.loads(answer.content) == {"detail": "Call us.", "code": "account_locked"}


@pytest.mark.parametrize("resolved", [True, False])
def test_every_other_view_answers_as_django_axes_would(settings: Any, resolved: bool) -> None:
    settings.AXES_PERMALOCK_MESSAGE = "Call us."
    answer = lock("/admin/login/", resolved=resolved)
    assert (answer.status_code, answer.content) == (429, b"Call us.")
    settings.AXES_LOCKOUT_TEMPLATE = "admin/404.html"
    assert b"<html" in lock("/admin/login/", resolved=resolved).content
    settings.AXES_LOCKOUT_URL = "/locked/"
    assert lock("/admin/login/", resolved=resolved).headers["Location"] == "/locked/"


@pytest.mark.parametrize(
    ("credentials", "name"),
    [(CREDENTIALS, "anna"), ({"email": "a@example.com"}, "a@example.com"), ({"username": ""}, None)],
)
def test_the_account_is_found_by_its_name_or_its_address(credentials: Any, name: str | None) -> None:
    assert find_username(RequestFactory().post("/"), credentials) == name


def test_a_form_names_the_account_too() -> None:
    assert find_username(RequestFactory().post("/", {"username": "anna"}), None) == "anna"


def test_the_address_is_the_one_of_our_own_limits(settings: Any) -> None:
    headers = {"X-Forwarded-For": "203.0.113.9, 192.0.2.7"}
    request = RequestFactory().get("/", headers=headers, REMOTE_ADDR="10.0.0.1")
    assert find_address(request) == "10.0.0.1"
    settings.REST_FRAMEWORK = {"NUM_PROXIES": 1}
    assert find_address(request) == "192.0.2.7"
