"""The transports of tokens: one class for each transport, and the functions that views use for all of them.

To add a transport, write its class in a file of this room, and add one line to :data:`TRANSPORTS` and one
line to ``conf/transports.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from django.http import HttpRequest, HttpResponse
from django.views.decorators.debug import sensitive_variables

from drf_tessera.conf import COOKIE, HEADER, enter_tenant, get_settings
from drf_tessera.http.bearer import HeaderTransport
from drf_tessera.http.cookies import CookieTransport, set_access_cookie
from drf_tessera.http.csrf import check_site
from drf_tessera.limits import refund_address
from drf_tessera.sessions import Grant
from drf_tessera.tokens import SessionFacts


class Transport(Protocol):
    """A way in which the tokens of a session travel. :data:`conf.LIMITS` limits their length."""

    ambient: bool
    """Whether a browser sends the refresh token by itself. Then the site itself has to make the request."""

    in_body: bool
    """Whether the refresh token is the field ``refresh`` of a body."""

    def read(self, request: HttpRequest, credentials: dict[str, Any]) -> str | None:
        """Return the refresh token of a request, or ``None``."""

    def deliver(
        self, request: HttpRequest, response: HttpResponse, grant: Grant, credentials: dict[str, Any]
    ) -> None:
        """Put the tokens of a grant into the response. Remove those from the body that travel elsewhere."""

    def clear(
        self, request: HttpRequest, response: HttpResponse, ended: Callable[[SessionFacts], bool] | None
    ) -> None:
        """Remove the tokens of an ended session from the client, as far as a response can.

        Args:
            request: the request that ended the session.
            response: its response.
            ended: returns whether a session has ended. ``None`` removes the tokens of any session.
        """


TRANSPORTS: Final[Mapping[str, Transport]] = {HEADER: HeaderTransport(), COOKIE: CookieTransport()}
"""The transports by name, in the order in which a request is searched for a refresh token."""


def admit_login(request: HttpRequest, transport: str) -> None:
    """Return if a login from this request may use the transport.

    Otherwise another site could log its visitors in as another user.

    Raises:
        CsrfFailed: the transport is ambient, and another site may have made the request.
    """
    if TRANSPORTS[transport].ambient:
        check_site(request)


def needs_body() -> bool:
    """Return whether a refresh token can come only in a body, by every transport that ``PROFILE`` offers."""
    return all(TRANSPORTS[name].in_body for name in get_settings().transports)


def takes_body() -> bool:
    """Return whether a refresh token can come in a body, by one of the transports that ``PROFILE`` offers."""
    return any(TRANSPORTS[name].in_body for name in get_settings().transports)


def offers_ambient() -> bool:
    """Return whether ``PROFILE`` offers a transport in which a browser sends the refresh token by itself."""
    return any(TRANSPORTS[name].ambient for name in get_settings().transports)


@sensitive_variables()
def find_refresh_token(
    request: HttpRequest, credentials: dict[str, Any], *, ambient: bool = True
) -> tuple[str, str] | None:
    """Return the name of the transport that brings a refresh token, and the token, or ``None``.

    The tenant of the request is entered first.

    Args:
        request: the request.
        credentials: its parsed body.
        ambient: whether to search the ambient transports too.

    Raises:
        CsrfFailed: the token is in a cookie, and another site may have made the request.
        CookieAmbiguous: there are several cookies.
    """
    enter_tenant(request)
    for name, transport in TRANSPORTS.items():
        token = transport.read(request, credentials) if ambient or not transport.ambient else None
        if token is not None:
            return name, token
    return None


@sensitive_variables()
def deliver_grant(request: HttpRequest, response: HttpResponse, grant: Grant) -> dict[str, Any]:
    """Put the tokens of a grant into the response, and return the body of the response.

    ``rotated`` is ``False`` within the grace window, unless a lost answer is repeated. It means that the
    client keeps the refresh token that it has. The body has a ``refresh`` then too, for clients that store
    one from each answer. A login that gets this far does not count as an attempt of its address.
    """
    if grant.outcome is None:
        refund_address(request)
    credentials: dict[str, Any] = {
        "access": grant.access,
        "refresh": grant.refresh or grant.spare,
        "token_type": get_settings().header_prefix,
        "expires_in": grant.expires_in,
        "refresh_expires_in": grant.refresh_expires_in,
        "session": str(grant.session_id),
    }
    if grant.refresh is None:
        credentials["rotated"] = False
    TRANSPORTS[grant.transport].deliver(request, response, grant, credentials)
    return credentials


def clear_ended(request: HttpRequest, response: HttpResponse, ended: Callable[[SessionFacts], bool]) -> None:
    """Remove from the client the tokens of the sessions that this request has ended."""
    for transport in TRANSPORTS.values():
        transport.clear(request, response, ended)


def admit_access(request: HttpRequest) -> None:
    """Return if :func:`deliver_access` may send an access token to the client of a request.

    Raises:
        CsrfFailed: the token would be in a cookie, and another site may have made the request.
    """
    if get_settings().access_cookie:
        check_site(request)


@sensitive_variables()
def deliver_access(
    request: HttpRequest, response: HttpResponse, token: str, expires_in: int
) -> dict[str, Any]:
    """Put an access token that has no refresh token into the response, and return the body.

    With ``ACCESS_COOKIE`` it is in the cookie, for as long as the token lasts.
    """
    if get_settings().access_cookie:
        set_access_cookie(request, response, token, seconds=expires_in)
        return {"expires_in": expires_in}
    return {"access": token, "token_type": get_settings().header_prefix, "expires_in": expires_in}
