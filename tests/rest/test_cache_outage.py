"""While Django's default cache is down, every endpoint works, and the limits on logins still hold."""

from __future__ import annotations

import logging
import time
from math import floor
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.core.cache.backends.locmem import LocMemCache
from rest_framework.test import APIClient

from drf_tessera import sessions
from drf_tessera.http import find_view_class
from drf_tessera.limits import counters
from drf_tessera.limits.counters import PAUSE
from drf_tessera.rest import urls
from tests.compat import jwt_urls, simplejwt_urls
from tests.conftest import PASSWORD, bearer

pytestmark = pytest.mark.django_db


class Outage:
    def __init__(self) -> None:
        self.broken: set[str] = set()
        self.asked = 0
        self.error: Exception = ConnectionError("the cache is away")


outage = Outage()


class BreakableCache(LocMemCache):
    def _ask(self, method: str) -> None:
        outage.asked += 1
        if method in outage.broken:
            raise outage.error

    def get(self, *args: Any, **kwargs: Any) -> Any:
        self._ask("get")
        return super().get(*args, **kwargs)

    def set(self, *args: Any, **kwargs: Any) -> Any:
        self._ask("set")
        return super().set(*args, **kwargs)

    def add(self, *args: Any, **kwargs: Any) -> Any:
        self._ask("add")
        return super().add(*args, **kwargs)

    def incr(self, *args: Any, **kwargs: Any) -> Any:
        self._ask("incr")
        return super().incr(*args, **kwargs)


ALL = {"get", "set", "add", "incr"}


@pytest.fixture(autouse=True)
def _cache(settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.BreakableCache", "LOCATION": uuid4().hex}}
    outage.__init__()  # type: ignore[misc]  # as new


@pytest.mark.slow
@pytest.mark.parametrize("broken", [ALL, {"get"}, {"add"}, {"incr"}], ids=["all", "get", "add", "incr"])
@pytest.mark.parametrize(
    "error", [ConnectionError("away"), TimeoutError(), OSError(111, "refused"), RuntimeError()]
)
def test_a_login_works_and_is_limited(
    api: APIClient, anna: AbstractBaseUser, broken: set[str], error: Exception
) -> None:
    outage.broken, outage.error = broken, error
    name = anna.get_username()
    assert api.post("/api/token/", {"username": name, "password": PASSWORD}).status_code == 200
    statuses = [api.post("/api/token/", {"username": name, "password": "x"}).status_code for _ in range(12)]
    assert statuses[:8] == [401] * 8
    assert statuses[-1] == 429


@pytest.mark.slow
def test_no_endpoint_needs_the_cache(api: APIClient, anna: AbstractBaseUser, settings: Any) -> None:
    outage.broken = ALL
    for module in (urls, simplejwt_urls, jwt_urls):
        settings.ROOT_URLCONF = "tests.urls" if module is urls else module.__name__
        prefix = "/api/token/" if module is urls else "/"
        for pattern in module.urlpatterns:
            for method in ("get", "post", "delete"):
                if hasattr(find_view_class(pattern.callback), method):
                    url = prefix + str(pattern.pattern).replace("<str:session_id>", str(uuid4()))
                    header = bearer(sessions.start(anna).access)
                    answer = getattr(api, method)(url, {"username": "x", "password": "x"}, **header)
                    assert answer.status_code < 500, (method, url)


def test_it_is_logged_and_asked_again_after_a_pause(
    api: APIClient, anna: AbstractBaseUser, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    outage.broken = ALL
    now = floor(time.monotonic())  # a whole number, so that PAUSE later is not a little too early
    monkeypatch.setattr(counters.time, "monotonic", lambda: now)
    for _ in range(3):
        api.post("/api/token/", {"username": "x", "password": "x"})
    told = [record for record in caplog.records if record.name == counters.__name__]
    assert [record.levelno for record in told] == [logging.ERROR]
    assert outage.asked == 1
    outage.broken = set()
    now += PAUSE
    api.post("/api/token/", {"username": "x", "password": "x"})
    assert outage.asked > 1
    now -= 10**9  # as under a frozen clock: the time of the failure lies in the future
    before = outage.asked
    api.post("/api/token/", {"username": "x", "password": "x"})
    assert outage.asked > before


def test_a_cache_that_is_back_has_its_own_counts(
    api: APIClient, anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = floor(time.monotonic())  # a whole number, so that PAUSE later is not a little too early
    monkeypatch.setattr(counters.time, "monotonic", lambda: now)
    name = anna.get_username()
    for _ in range(10):
        api.post("/api/token/", {"username": name, "password": "x"})
    assert api.post("/api/token/", {"username": name, "password": "x"}).status_code == 429
    outage.broken = ALL
    assert api.post("/api/token/", {"username": name, "password": "x"}).status_code == 401
    outage.broken = set()
    now += PAUSE
    assert api.post("/api/token/", {"username": name, "password": "x"}).status_code == 429
