"""Coroutines: no thread for a request whose token is known, and no query or wait in an event loop."""

from __future__ import annotations

import asyncio
import os
from asyncio import get_running_loop
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Thread
from typing import Any

import pytest
from asgiref.sync import SyncToAsync, async_to_sync, iscoroutinefunction
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import SynchronousOnlyOperation
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, AsyncRequestFactory

from drf_tessera import sessions
from drf_tessera.exceptions import SessionEnded
from drf_tessera.http import access, name_cookies
from drf_tessera.plain import TokenMiddleware, aauthenticate, authenticate, token_required
from drf_tessera.revocation import feed
from drf_tessera.revocation.feed import get_feed
from drf_tessera.workers.crews import Turn

pytestmark = pytest.mark.django_db


@contextmanager
def no_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Raise where a coroutine hands work to another thread, or starts one."""

    def fail(*args: object, **kwargs: object) -> None:
        pytest.fail("A thread was asked to work.")

    with monkeypatch.context() as patch:
        patch.setattr(SyncToAsync, "__call__", fail)
        patch.setattr(ThreadPoolExecutor, "submit", fail)
        patch.setattr(asyncio.base_events.BaseEventLoop, "run_in_executor", fail)
        patch.setattr(Thread, "start", fail)
        yield


@pytest.fixture(autouse=True)
def _no_waits_in_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a wait for a pull, or a pull, in the thread of an event loop."""
    assert "DJANGO_ALLOW_ASYNC_UNSAFE" not in os.environ

    def outside(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            with pytest.raises(RuntimeError):  # there is no loop in this thread
                get_running_loop()
            return method(*args, **kwargs)

        return call

    monkeypatch.setattr(Turn, "wait", outside(Turn.wait))
    monkeypatch.setattr(feed.Feed, "_pull", outside(feed.Feed._pull))


@token_required
async def view(request: Any) -> HttpResponse:
    return HttpResponse(f"{request.user.pk} {request.auth.sub}")


def make_request(path: str, access: str, method: str = "get") -> HttpRequest:
    factory, headers = AsyncRequestFactory(), {"sec-fetch-site": "same-origin"}
    if path == "cookie":
        factory.cookies[name_cookies()[1]] = access
    else:
        headers["authorization"] = f"Bearer {access}"
    return getattr(factory, method)("/", headers=headers)


@pytest.mark.usefixtures("still_feed")
@pytest.mark.parametrize("path", ["header", "cookie"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_request_with_a_known_token_takes_no_thread_and_no_query(
    path: str, method: str, anna: AbstractBaseUser, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TESSERA = {"PROFILE": "browser", "ACCESS_COOKIE": True}
    access = sessions.start(anna).access
    middleware: Any = TokenMiddleware(view)
    assert iscoroutinefunction(middleware)

    @async_to_sync
    async def call() -> list[str]:
        await middleware(make_request(path, access, method))
        with no_threads(monkeypatch):
            request = make_request(path, access, method)
            both = await middleware(request)
            assert await middleware.process_view(request, view, (), {}) is None
            alone = await view(make_request(path, access, method))
        return [both.content.decode(), alone.content.decode()]

    assert call() == [f"{anna.pk} {anna.pk}"] * 2


@pytest.mark.usefixtures("still_feed")
def test_a_request_without_a_token_takes_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    middleware: Any = TokenMiddleware(public)

    @async_to_sync
    async def call() -> HttpResponse:
        with no_threads(monkeypatch):
            return await middleware(AsyncRequestFactory().get("/"))

    assert call().content == b"None"


async def public(request: Any) -> HttpResponse:
    return HttpResponse(str(request.user.pk))


@pytest.mark.django_db(transaction=True)
def test_a_pull_that_is_due_waits_in_a_thread(anna: AbstractBaseUser) -> None:
    """Here the worker pulls. Otherwise the test's own transaction hides the sessions from its connection."""
    check_polls(anna)


def test_a_pull_on_the_connection_of_the_request_is_made_in_a_thread(anna: AbstractBaseUser) -> None:
    check_polls(anna)


def check_polls(anna: AbstractBaseUser) -> None:
    grant = sessions.start(anna)

    @async_to_sync
    async def call() -> None:
        found = await aauthenticate(make_request("header", grant.access))
        assert found is not None
        for _ in range(2):
            get_feed.forget()  # the next check has to pull
            assert await aauthenticate(make_request("header", grant.access))
        with pytest.raises(SynchronousOnlyOperation, match="arefresh_from_db"):
            assert found.user.get_username()

    call()
    sessions.revoke(grant.session_id)
    get_feed.forget()
    with pytest.raises(SessionEnded):
        async_to_sync(aauthenticate)(make_request("header", grant.access))


def test_a_session_in_doubt_is_asked_for_in_a_thread(anna: AbstractBaseUser) -> None:
    grant = sessions.start(anna)
    sessions.revoke_all(anna)
    later = sessions.start(anna)
    assert authenticate(make_request("header", later.access))

    @async_to_sync
    async def call() -> None:
        assert await aauthenticate(make_request("header", later.access))
        with pytest.raises(SessionEnded):
            await aauthenticate(make_request("header", grant.access))

    call()


def test_keys_that_were_not_read_yet_are_read_in_a_thread(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(credentials: str) -> None:
        raise SynchronousOnlyOperation

    monkeypatch.setattr(access, "recall_access_token", fail)
    assert async_to_sync(aauthenticate)(make_request("header", sessions.start(anna).access))


@pytest.mark.usefixtures("still_feed")
def test_the_user_is_loaded_once(anna: AbstractBaseUser, django_assert_num_queries: Any) -> None:
    access = sessions.start(anna).access
    middleware: Any = TokenMiddleware(named)
    call = async_to_sync(middleware)
    call(make_request("header", access))
    with django_assert_num_queries(1):
        assert call(make_request("header", access)).content.decode() == anna.get_username() * 2


async def named(request: Any) -> HttpResponse:
    first, second = await request.auser(), await request.auser()
    return HttpResponse(first.get_username() + second.get_username())


def test_a_user_who_is_loaded_on_every_request_is_loaded_in_a_thread(
    anna: AbstractBaseUser, settings: Any
) -> None:
    settings.TESSERA = {"USER": "database"}
    access = sessions.start(anna).access
    for _ in range(2):
        found = async_to_sync(aauthenticate)(make_request("header", access))
        assert found is not None
        assert found.user.get_username() == anna.get_username()


def test_a_tenant_is_found_in_a_thread(anna: AbstractBaseUser, settings: Any) -> None:
    """The function of the project may make a query."""

    def find(request: object) -> str:
        anna.refresh_from_db()
        return "acme"

    settings.TESSERA = {"TENANT": find}
    access = sessions.start(anna).access
    for _ in range(2):
        assert async_to_sync(aauthenticate)(make_request("header", access))


def test_the_challenge_of_a_coroutine_names_the_resource_of_its_tenant(
    anna: AbstractBaseUser, settings: Any
) -> None:
    def find(request: Any) -> str:
        anna.refresh_from_db()
        return "" if request is None else str(request.headers["x-tenant"])

    settings.TESSERA = {"TENANT": find, "RESOURCE": "https://{tenant}.example.com"}
    settings.ROOT_URLCONF = "tests.plain.urls"
    for headers in ({}, {"authorization": "Bearer rubbish"}):
        answer = async_to_sync(AsyncClient().get)("/async/", headers={"x-tenant": "acme", **headers})
        assert answer.status_code == 401
        assert 'resource_metadata="https://acme.example.com/.well-known/' in answer["WWW-Authenticate"]


def test_an_old_browser_is_checked_in_a_thread(anna: AbstractBaseUser, settings: Any) -> None:
    """Django's CSRF token may be in a session of the database."""
    settings.TESSERA = {"PROFILE": "browser", "ACCESS_COOKIE": True}
    access = sessions.start(anna).access
    client = AsyncClient(enforce_csrf_checks=True)
    client.cookies[name_cookies()[1]] = access

    @async_to_sync
    async def call() -> Any:
        return await client.post("/sync/", secure=True), await client.get("/sync/", secure=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "ROOT_URLCONF", "tests.plain.urls")
        refused, read = call()
    assert (refused.json()["code"], read.status_code) == ("csrf_token", 200)
