"""Sockets: how they authenticate, and that they close when their session ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404
from django.urls import path
from rest_framework.test import APIClient

from drf_tessera import sessions
from drf_tessera.contrib import channels
from drf_tessera.contrib.channels import SUBPROTOCOL, TokenAuthMiddleware
from drf_tessera.exceptions import ProjectError
from drf_tessera.http import name_cookies
from drf_tessera.issuers import ForeignToken
from drf_tessera.models import SpentTicket
from drf_tessera.plain import load_lazily
from drf_tessera.rest.tickets import TicketView
from drf_tessera.revocation import feed
from drf_tessera.tickets import issue_ticket
from drf_tessera.tokens import verify_access_token
from tests.conftest import bearer
from tests.issuers.material import issuer, make_jwk, write_claims, write_token

# The rows are committed, because a consumer of Channels uses connections of its own.
pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]
urlpatterns = [path("ticket/", TicketView.as_view())]


class Consumer(AsyncJsonWebsocketConsumer):
    async def connect(self) -> None:
        await self.accept()
        user = self.scope.get("user")
        name = user and (await load_lazily(user)).get_username()
        query = self.scope["query_string"].decode()
        await self.send_json([name, query, self.scope.get("subprotocols")])

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        await self.send_json(content)


class Socket:
    """The client of an application. An error of the application fails the test."""

    def __init__(self, app: Any, scope: Any) -> None:
        self.sent: asyncio.Queue[Any] = asyncio.Queue()
        self.received: asyncio.Queue[Any] = asyncio.Queue()
        self.task = asyncio.create_task(app(scope, self.sent.get, self.received.put))

    async def say(self, kind: str, **more: Any) -> None:
        await self.sent.put({"type": f"websocket.{kind}", **more})

    async def hear(self) -> Any:
        """Return the next message. If the application ends with an error instead, raise that."""
        message = asyncio.create_task(self.received.get())
        await asyncio.wait({message, self.task}, timeout=60, return_when=asyncio.FIRST_COMPLETED)
        if not message.done() and self.task.done():
            self.task.result()
        return await asyncio.wait_for(message, 1)


def run(check: Callable[[Any], Awaitable[None]], app: Any = None, **scope: Any) -> None:
    """Open a socket and hand it to ``check``."""

    @async_to_sync
    async def talk() -> None:
        whole = {"type": "websocket", "path": "/chat/", "query_string": b"", "headers": [], "scheme": "wss"}
        application: Any = TokenAuthMiddleware(Consumer.as_asgi()) if app is None else app
        socket = Socket(application, {**whole, "server": ("testserver", 443), **scope})
        await socket.say("connect")
        try:
            await asyncio.wait_for(check(socket), 60)
        finally:
            await socket.say("disconnect", code=1000)
            with suppress(StopConsumer):
                await asyncio.wait_for(socket.task, 60)

    talk()


def opens(**scope: Any) -> list[Any]:
    """Return what the consumer says about an accepted socket."""
    told: list[Any] = []

    async def check(socket: Any) -> None:
        accepted = await socket.hear()
        assert accepted["type"] == "websocket.accept", accepted
        said = await socket.hear()
        assert said["type"] == "websocket.send", said
        told.extend([accepted.get("subprotocol"), said["text"]])

    run(check, **scope)
    return told


def refused(**scope: Any) -> tuple[int, str]:
    found: list[Any] = []

    async def check(socket: Any) -> None:
        assert (await socket.hear())["type"] == "websocket.accept"
        found.append(await socket.hear())

    run(check, **scope)
    return found[0]["code"], found[0]["reason"]


def header(token: str) -> list[tuple[bytes, bytes]]:
    return [(b"authorization", f"Bearer {token}".encode())]


@pytest.fixture
def access(anna: AbstractBaseUser) -> str:
    return sessions.start(anna).access


def test_a_header_a_subprotocol_and_a_ticket_open_a_socket(access: str, anna: AbstractBaseUser) -> None:
    name = anna.get_username()
    assert opens(headers=header(access)) == [None, f'["{name}", "", null]']
    by_protocol = opens(subprotocols=[SUBPROTOCOL, access, "chat"])
    assert by_protocol == [SUBPROTOCOL, f'["{name}", "", ["chat"]]']
    ticket = issue_ticket(verify_access_token(access))
    assert opens(query_string=f"room=1&ticket={ticket}".encode()) == [None, f'["{name}", "room=1", null]']


def test_a_ticket_opens_one_socket(access: str) -> None:
    query = f"ticket={issue_ticket(verify_access_token(access))}".encode()
    opens(query_string=query)
    assert refused(query_string=query) == (4401, "ticket_invalid")


def test_a_token_in_the_address_opens_nothing(access: str) -> None:
    for name in ("token", "access_token", "ticket"):
        code = "ticket_invalid" if name == "ticket" else "not_authenticated"
        assert refused(query_string=f"{name}={access}".encode()) == (4401, code)


def test_refusals_have_codes(
    access: str, monkeypatch: pytest.MonkeyPatch, refused_tokens: list[dict[str, Any]]
) -> None:
    assert refused() == (4401, "not_authenticated")
    assert refused(headers=header("nonsense")) == (4401, "token_malformed")
    assert refused(subprotocols=[SUBPROTOCOL, "nonsense"]) == (4401, "token_malformed")
    assert refused(subprotocols=["chat", access]) == (4401, "not_authenticated")
    both = refused(headers=header("nonsense"), subprotocols=[SUBPROTOCOL, access])
    assert both == (4401, "token_malformed")  # the header comes first
    scoped = TokenAuthMiddleware(Consumer.as_asgi(), scopes=("chat",))
    assert refused(app=scoped, headers=header(access)) == (4403, "insufficient_scope")
    feed.get_feed.forget()  # the next check pulls
    monkeypatch.setattr(feed.Feed, "_is_fresh", lambda self: False)
    assert refused(headers=header(access)) == (1013, "revocation_unavailable")
    assert [told["code"] for told in refused_tokens] == ["token_malformed"] * 3


def test_a_refused_ticket_is_told_with_its_address(refused_tokens: list[dict[str, Any]]) -> None:
    agent = [(b"user-agent", b"curl/8")]
    assert refused(query_string=b"ticket=x", headers=agent, client=("192.0.2.1", 5)) == (
        4401,
        "ticket_invalid",
    )
    assert refused_tokens == [{"code": "ticket_invalid", "address": "192.0.2.1", "user_agent": "curl/8"}]


def test_personal_tokens_need_a_word(anna: AbstractBaseUser) -> None:
    made = sessions.issue_personal_token(anna, name="CI")
    assert refused(headers=header(made.text)) == (4401, "personal_token_refused")
    assert opens(app=TokenAuthMiddleware(Consumer.as_asgi(), personal=True), headers=header(made.text))


def test_the_cookie_counts_on_the_own_site_alone(access: str, settings: Any) -> None:
    settings.TESSERA = {"PROFILE": "browser", "ACCESS_COOKIE": True}
    cookie = [
        (b"host", b"example.com"),
        (b"cookie", b"a=b"),
        (b"cookie", f"{name_cookies()[1]}={access}".encode()),
    ]
    assert opens(headers=[*cookie, (b"origin", b"https://example.com")])
    assert refused(headers=[*cookie, (b"origin", b"https://evil.example")]) == (4403, "csrf_origin")
    assert refused(headers=cookie) == (4403, "csrf_token")
    settings.ALLOWED_HOSTS = ["example.org"]
    assert refused(headers=[*cookie, (b"origin", b"https://example.com")]) == (4403, "csrf_failed")


def test_a_socket_without_a_token_may_be_allowed(access: str) -> None:
    app = TokenAuthMiddleware(Consumer.as_asgi(), required=False)
    assert opens(app=app) == [None, '[null, "", null]']
    assert refused(app=app, headers=header("nonsense")) == (4401, "token_malformed")


def test_other_protocols_pass() -> None:
    async def inner(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "passed", "scope": scope["type"]})

    async def check(socket: Any) -> None:
        assert await socket.hear() == {"type": "passed", "scope": "http"}

    run(check, app=TokenAuthMiddleware(inner), type="http")


@pytest.mark.parametrize("error", [Http404, PermissionDenied, SuspiciousOperation])
@pytest.mark.parametrize("by_ticket", [False, True])
def test_a_host_that_the_project_refuses_has_no_sockets(
    anna: AbstractBaseUser, settings: Any, error: type[Exception], by_ticket: bool
) -> None:
    """``TENANT`` may raise what Django answers, and an ASGI server would answer it with a 500."""

    def find(request: Any) -> str:
        if request is not None:
            raise error
        return ""

    token = sessions.start(anna).access
    settings.TESSERA = {"TENANT": find}
    given: Any = {"query_string": b"ticket=x"} if by_ticket else {"headers": header(token)}
    assert refused(**given) == (4403, "csrf_failed")


def test_a_tenant_has_its_own_sockets(anna: AbstractBaseUser, settings: Any) -> None:
    settings.TESSERA = {"TENANT": lambda request: request.META["HTTP_HOST"] if request else "a.example"}
    access = sessions.start(anna).access
    ticket = issue_ticket(verify_access_token(access))
    query = f"ticket={ticket}".encode()
    assert refused(headers=[(b"host", b"b.example")], query_string=query) == (4401, "ticket_invalid")
    assert opens(headers=[(b"host", b"a.example")], query_string=query)
    assert opens(headers=[(b"host", b"a.example"), *header(access)])


def test_a_mistake_of_the_project_stays_an_error(access: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*args: object, **kwargs: object) -> None:
        raise ProjectError

    monkeypatch.setattr(channels, "aauthenticate", fail)
    with pytest.raises(ProjectError):
        refused(headers=header(access))


# -- The end ---------------------------------------------------------------------------------------


def closes(end: Callable[[], object], **scope: Any) -> tuple[int, str]:
    """Open a socket, call ``end`` in a thread, and return how the socket is closed."""
    found: list[Any] = []

    async def check(socket: Any) -> None:
        for _ in range(2):
            await socket.hear()
        await asyncio.to_thread(lambda: None)
        await channels.sync_to_async(end)()
        found.append(await socket.hear())
        await socket.say("receive", text='"too late"')
        await asyncio.sleep(0.05)
        assert socket.received.empty()  # the consumer does not know yet, and nothing is sent

    run(check, **scope)
    assert found[0]["type"] == "websocket.close", found
    return found[0]["code"], found[0]["reason"]


def test_a_socket_closes_when_its_session_ends(anna: AbstractBaseUser, settings: Any) -> None:
    settings.TESSERA = {"REVOCATION_POLL": 0}
    grant = sessions.start(anna)
    end = lambda: sessions.revoke(grant.session_id)  # noqa: E731 - one expression, used once
    assert closes(end, headers=header(grant.access)) == (4401, "session_ended")


def test_a_socket_that_memory_knows_asks_nothing(
    access: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TESSERA = {"REVOCATION_POLL": 0}
    asked: list[object] = []
    monkeypatch.setattr(channels, "knows_session", lambda token: not asked.append(token))
    monkeypatch.setattr(channels, "check_session", lambda token: pytest.fail("A thread was asked."))

    async def check(socket: Any) -> None:
        while len(asked) < 2:
            await asyncio.sleep(0.01)

    run(check, headers=header(access))
    assert {token.sub for token in asked} == {verify_access_token(access).sub}


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an hour pass between two looks at the clock of the watch."""
    hours = count(step=3600)
    clock = SimpleNamespace(monotonic=lambda: next(hours), time=time.time)
    monkeypatch.setattr(channels, "time", clock)


@pytest.mark.usefixtures("hasty")
def test_the_row_is_read_once_per_access_lifetime(anna: AbstractBaseUser, settings: Any) -> None:
    """A deactivation by ``update`` sends no notice, and an expiry does not either."""
    settings.TESSERA = {"REVOCATION_POLL": 0}
    access = sessions.start(anna).access
    end = lambda: type(anna)._base_manager.filter(pk=anna.pk).update(is_active=False)  # noqa: E731 - as above
    assert closes(end, headers=header(access)) == (4401, "user_inactive")


@pytest.mark.usefixtures("hasty")
def test_a_row_that_lives_keeps_the_socket_open(
    anna: AbstractBaseUser, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TESSERA = {"REVOCATION_POLL": 0}
    reads: list[Any] = []
    load = channels.load_user
    monkeypatch.setattr(channels, "load_user", lambda token: reads.append(load(token)))

    async def check(socket: Any) -> None:
        while not reads:
            await asyncio.sleep(0.01)

    run(check, headers=header(sessions.start(anna).access))
    assert [user.pk for user in reads] == [anna.pk]


def test_a_token_of_another_issuer_closes_at_its_end(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    one = make_jwk("one")
    settings.TESSERA = {"ISSUERS": [issuer(one)], "REVOCATION_POLL": 0, "CLOCK_SKEW": 0}
    token = write_token(one, write_claims(exp=int(time.time()) + 600))

    async def silent(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": scope["auth"].issuer})
        while (await receive())["type"] != "websocket.disconnect":
            pass

    app = TokenAuthMiddleware(silent)
    later = SimpleNamespace(monotonic=time.monotonic, time=lambda: time.time() + 3600)
    end = lambda: monkeypatch.setattr(channels, "time", later)  # noqa: E731 - as above
    assert closes(end, app=app, headers=header(token)) == (4401, "token_expired")


# -- The ticket ------------------------------------------------------------------------------------


def test_the_endpoint_issues_a_ticket(access: str, anna: AbstractBaseUser) -> None:
    answer = APIClient().post("/ticket/", **bearer(access))
    assert (answer.status_code, answer.json()["expires_in"]) == (200, 30)
    assert opens(query_string=f"ticket={answer.json()['ticket']}".encode())
    assert SpentTicket.objects.count() == 1
    assert APIClient().post("/ticket/").status_code == 401


def test_a_session_that_memory_knows_is_not_asked_for(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two polls a message costs no thread."""
    token = verify_access_token(sessions.start(anna).access)
    monkeypatch.setattr(channels, "knows_session", lambda token: True)
    monkeypatch.setattr(channels, "sync_to_async", None)
    async_to_sync(channels._check)(token, is_due=False)


def test_a_session_of_which_the_news_tells_nothing_is_not_read(
    anna: AbstractBaseUser, django_assert_num_queries: Any
) -> None:
    token = verify_access_token(sessions.start(anna).access)
    channels.check_session(token)
    with django_assert_num_queries(0):
        async_to_sync(channels._check)(token, is_due=False)


@pytest.mark.parametrize("is_due", [False, True])
def test_a_token_of_another_issuer_is_compared_with_the_clock_alone(
    is_due: bool, django_assert_num_queries: Any
) -> None:
    ends = int(time.time()) + 600
    token = ForeignToken(claims={}, issuer="theirs", sub="1", scopes=frozenset(), expires_at=ends)
    with django_assert_num_queries(0):
        async_to_sync(channels._check)(token, is_due=is_due)
