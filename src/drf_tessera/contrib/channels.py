"""Tokens for the sockets of Channels, and for every other ASGI application with sockets.

:class:`TokenAuthMiddleware` accepts an access token in the header, in the subprotocol or with
``ACCESS_COOKIE`` in the cookie, or a one-time ticket in the address. It never accepts a token in the address,
because addresses are written to logs. A socket whose session ends is closed within ``REVOCATION_POLL``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from asgiref.sync import sync_to_async
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest
from django.views.decorators.debug import sensitive_variables

from drf_tessera.conf import enter_tenant, get_settings
from drf_tessera.exceptions import (
    CsrfFailed,
    Refusal,
    ScopeMissing,
    TemporarilyUnavailable,
    TesseraError,
    TokenExpired,
    Unauthenticated,
)
from drf_tessera.http import read_authorization, report_refused_token, trace_token
from drf_tessera.issuers import ForeignToken
from drf_tessera.plain import Authenticated, LateRefusal, LateRefuser, aauthenticate, check_scopes
from drf_tessera.revocation import check_session, knows_session
from drf_tessera.tickets import redeem_ticket
from drf_tessera.tracing import AUTHENTICATE, traced
from drf_tessera.users import lazy_user, load_user

SUBPROTOCOL: Final = "tessera.bearer"
"""The subprotocol that stands before the token: ``new WebSocket(url, ["tessera.bearer", token])``."""

TICKET: Final = "ticket"
"""The parameter of the address that has the ticket."""

REFUSED: Final = 4401
"""Closes a socket whose token is refused. The reason is the code of the error, here and below."""
FORBIDDEN: Final = 4403
"""Closes a socket that comes from another site."""
UNAVAILABLE: Final = 1013
"""Closes a socket that may try again (RFC 6455)."""

_SHORTEST_POLL: Final = 0.2
"""Seconds. With ``REVOCATION_POLL = 0`` a socket is looked at this often."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class TokenAuthMiddleware:
    """Set ``scope["user"]`` and ``scope["auth"]``, and close the socket when its session ends.

    A refused socket is accepted and closed, because a browser tells a page nothing about a refused handshake.
    The consumer never sees it. ``scope["user"]`` is not loaded. A consumer that reads other fields than
    ``pk`` loads it with ``await load_lazily(scope["user"])`` (:func:`drf_tessera.plain.load_lazily`).

    Args:
        inner: the application, for example a ``URLRouter``.
        scopes: the scopes that the token must have.
        personal: whether to accept personal access tokens too.
        required: whether to refuse a socket without a token. Otherwise ``scope["user"]`` stays as it is.
    """

    def __init__(
        self, inner: Any, *, scopes: tuple[str, ...] = (), personal: bool = False, required: bool = True
    ) -> None:
        self.inner = inner
        self.scopes: tuple[str, ...] = scopes
        self.personal: bool = personal
        self.required: bool = required

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Authenticate a socket, and run the application."""
        if scope["type"] != "websocket":
            return await self.inner(scope, receive, send)
        handshake = _Handshake(scope)
        socket = _Socket(send, handshake)
        try:
            found = await self._authenticate(handshake)
        except TesseraError as error:
            return await _refuse(receive, socket, error)
        except (SuspiciousOperation, PermissionDenied, Http404):
            # Django answers these itself: a host of nobody, or TENANT of the project refuses the host.
            return await _refuse(receive, socket, CsrfFailed())
        if found is not None:
            socket.token = found.token
        more = {} if found is None else {"user": found.user, "auth": found.token}
        try:
            return await self.inner({**scope, **handshake.rest, **more}, receive, socket.send)
        finally:
            await socket.stop()

    async def _authenticate(self, handshake: _Handshake) -> Authenticated | None:
        if handshake.ticket is not None:
            found: Authenticated | None = await sync_to_async(_redeem)(handshake)
        else:
            found = await aauthenticate(handshake, personal=self.personal)
        if found is None:
            if self.required:
                raise Unauthenticated
            return None
        check_scopes(found.token, self.scopes)
        return found


@sensitive_variables()
@traced(AUTHENTICATE, lambda found: trace_token(found.token))
def _redeem(handshake: _Handshake) -> Authenticated:
    enter_tenant(handshake)
    try:
        token = redeem_ticket(handshake.ticket or "")
        user = lazy_user(token, refuse=LateRefuser(handshake), fail=LateRefusal)
    except Refusal as error:
        report_refused_token(error.code, handshake)
        raise
    return Authenticated(user, token, by_header=False)


class _Handshake(HttpRequest):
    """The request that opens a socket, without the ticket and the token for the application.

    It has no safe method, so a cookie counts only if the browser says that the page is of this site.
    """

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self.method = "CONNECT"
        self.path = self.path_info = scope.get("path", "/")
        self._secure = scope.get("scheme") == "wss"
        for name, value in scope.get("headers", ()):
            key = name.decode("latin-1").upper().replace("-", "_")
            text, before = value.decode("latin-1"), self.META.get(f"HTTP_{key}")
            joint = "; " if key == "COOKIE" else ","
            self.META[f"HTTP_{key}"] = text if before is None else f"{before}{joint}{text}"
        name, port = scope.get("server") or ("", None)
        self.META |= {"SERVER_NAME": name, "SERVER_PORT": str(port or 0)}
        self.META["REMOTE_ADDR"] = (scope.get("client") or ("",))[0]
        self.rest: dict[str, Any] = {}
        self.has_subprotocol = False
        self.ticket = self._take_ticket(scope)
        self._take_subprotocol(scope)

    def _get_scheme(self) -> str:
        return "https" if self._secure else "http"

    @sensitive_variables()
    def _take_ticket(self, scope: Scope) -> str | None:
        """Return the ticket of the address, and take it out, so that the application does not log it."""
        fields = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        found = [value for name, value in fields if name == TICKET]
        if found:
            others = [(name, value) for name, value in fields if name != TICKET]
            self.rest["query_string"] = urlencode(others).encode()
        return found[0] if found else None

    @sensitive_variables()
    def _take_subprotocol(self, scope: Scope) -> None:
        """Use the token of the subprotocol as a header, and take it out. A header comes first."""
        auth = list(scope.get("subprotocols", ()))
        if len(auth) < 2 or auth[0] != SUBPROTOCOL:
            return
        self.has_subprotocol = True
        self.rest["subprotocols"] = auth[2:]
        settings = get_settings()
        if not read_authorization(self):
            key = f"HTTP_{settings.header_name.upper().replace('-', '_')}"
            self.META[key] = f"{settings.header_prefix} {auth[1]}"


class _Socket:
    """The way back to the client, and the watch over the session of an open socket."""

    def __init__(self, send: Send, handshake: _Handshake) -> None:
        self.token: Any = None
        self._send, self._handshake = send, handshake
        self._watch: asyncio.Task[None] | None = None
        self._closed = False

    async def send(self, message: Any) -> None:
        """Send a message on, until the socket is closed. Start the watch when the socket is accepted."""
        if self._closed:
            return  # the consumer does not know yet
        if message["type"] == "websocket.accept":
            if self._handshake.has_subprotocol and not message.get("subprotocol"):
                message = {**message, "subprotocol": SUBPROTOCOL}
            if self.token is not None:
                self._watch = asyncio.create_task(self._guard())
        self._closed = message["type"] == "websocket.close"
        await self._send(message)

    async def close(self, error: TesseraError) -> None:
        """Close the socket for an error."""
        code = FORBIDDEN if isinstance(error, CsrfFailed | ScopeMissing) else REFUSED
        code = UNAVAILABLE if isinstance(error, TemporarilyUnavailable) else code
        await self.send({"type": "websocket.close", "code": code, "reason": error.code})

    async def stop(self) -> None:
        """End the watch, because the application has ended."""
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch

    async def _guard(self) -> None:
        """Close the socket when its session ends. Usually nothing but memory is asked."""
        settings = get_settings()
        pause = max(_SHORTEST_POLL, settings.revocation_poll.total_seconds())
        lifetime = settings.access_lifetime.total_seconds()
        read_at = time.monotonic()
        while True:
            await asyncio.sleep(pause)
            # A notice is kept for one ACCESS_LIFETIME, and an expiry has none. So the row is read that often.
            is_due = time.monotonic() - read_at >= lifetime
            try:
                await _check(self.token, is_due=is_due)
            except (Refusal, TemporarilyUnavailable) as error:
                await self.close(error)
                return
            read_at = time.monotonic() if is_due else read_at


async def _check(token: Any, *, is_due: bool) -> None:
    if isinstance(token, ForeignToken):
        if token.expires_at <= time.time():
            raise TokenExpired
    elif is_due:
        await sync_to_async(load_user)(token)
    elif not knows_session(token):
        await sync_to_async(check_session)(token)


async def _refuse(receive: Receive, socket: _Socket, error: TesseraError) -> None:
    """Accept the handshake and close the socket, with the code of the error as the reason."""
    if not isinstance(error, Refusal | CsrfFailed | ScopeMissing | TemporarilyUnavailable):
        raise error
    await receive()
    await socket.send({"type": "websocket.accept"})
    await socket.close(error)
