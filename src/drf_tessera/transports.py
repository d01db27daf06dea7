"""How tokens travel: by header or by cookie, in and out; and where a request comes from."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.views.decorators.debug import sensitive_variables

from drf_tessera import cookies
from drf_tessera.conf import COOKIE, get_settings
from drf_tessera.csrf import check_site
from drf_tessera.exceptions import CookieAmbiguous, HeaderMalformed, RefreshInvalid, TransportUnavailable
from drf_tessera.sessions import Client, Grant
from drf_tessera.tokens import Login, read_refresh_token

_ADDRESS: Final = re.compile(
    r"\[(?P<bracketed>[^]%]+)(%[^]]*)?](:\d+)?|(?P<plain>[^:%]+(?=(:\d+)?$)|[^%]*)(%.*|:\d+)?"
)
"""As ``REMOTE_ADDR`` and proxies write it: with a port or without, IPv6 in brackets if it has one."""


def read_bearer_token(header: str, prefix: str) -> str | None:
    """Take the token out of an ``Authorization`` header (RFC 6750, section 2.1).

    Gives ``None`` if the header is absent or of another scheme: it is somebody else's to read. What it
    gives need not look like a token: that is asked, by :func:`check_bearer_token`, only if it is none.
    """
    scheme, _, rest = header.partition(" ")
    if scheme != prefix and scheme.lower() != prefix.lower():
        return None
    return rest.strip(" ")


def has_bearer_token(request: HttpRequest) -> bool:
    """Tell whether the request has an ``Authorization`` header of our scheme.

    Only such a one goes before cookies: a browser sends one of ``Basic`` with every request, once a server,
    such as the proxy before a staging site, has asked for it.
    """
    return (
        read_bearer_token(request.META.get("HTTP_AUTHORIZATION", ""), get_settings().header_prefix)
        is not None
    )


def check_bearer_token(text: str) -> None:
    """Tell a malformed header from a malformed token.

    Raises:
        HeaderMalformed: our scheme, and not exactly one token behind it.
    """
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise HeaderMalformed


def choose_transport(asked: str | None) -> str:
    """Give the transport of a new session: the one that the client asked for, or the first of ``PROFILE``.

    Raises:
        TransportUnavailable: ``PROFILE`` does not have it.
    """
    offered = get_settings().transports
    if asked is not None and asked not in offered:
        raise TransportUnavailable(asked, offered)
    return asked or offered[0]


def read_refresh_cookie(request: HttpRequest, path: str) -> str | None:
    """Give the refresh token of the cookie of a request that the site itself made; ``None``: no cookie.

    Where ``PROFILE`` has no cookies, none is ever read.

    Raises:
        CsrfFailed: in one of its kinds: there is a cookie, and another site may have made the request.
    """
    if COOKIE not in get_settings().transports:
        return None
    text = cookies.read_refresh_cookie(request, path)
    if text is not None:
        check_site(request)
    return text


@sensitive_variables()
def set_cookies(request: HttpRequest, response: HttpResponse, grant: Grant, *, path: str) -> None:
    """Give the browser the tokens of a session whose transport is the cookie.

    Within the grace window there is no new refresh token, and the cookie stays as it is.
    """
    if grant.refresh is not None:
        seconds = grant.refresh_expires_in
        cookies.set_refresh_cookie(request, response, grant.refresh, path=path, seconds=seconds)
    if get_settings().access_cookie:
        cookies.set_access_cookie(request, response, grant.access, seconds=grant.expires_in)


def peek_cookie_login(request: HttpRequest, path: str) -> Login | None:
    """Tell whose refresh cookie came along with a request that something else authenticates.

    ``None``: there is none, or none that says anything. Lets nobody in: it is for clearing up.
    """
    if COOKIE not in get_settings().transports:
        return None
    try:
        text = cookies.read_refresh_cookie(request, path)
        return None if text is None else read_refresh_token(text).login
    except (CookieAmbiguous, RefreshInvalid):
        return None


def describe_client(request: HttpRequest, *, proxies: int, label: str = "") -> Client:
    """Tell where a request comes from."""
    return Client(
        ip=read_address(request, proxies=proxies),
        user_agent=request.META.get("HTTP_USER_AGENT", ""),
        label=label,
    )


def read_address(request: HttpRequest, *, proxies: int) -> str | None:
    """Give the client's IP address, or ``None`` where there is none (a Unix socket).

    Args:
        request: Django's request.
        proxies: how many proxies of the project's own stand in front. ``X-Forwarded-For`` is
            believed that far and no further: what stands before it anybody can write.
    """
    address = request.META.get("REMOTE_ADDR", "")
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
    if proxies and forwarded:
        hops = forwarded.split(",")
        address = hops[-min(proxies, len(hops))].strip()
    match = _ADDRESS.fullmatch(address)
    try:
        found = ip_address(match["bracketed"] or match["plain"]) if match else None
    except ValueError:
        return None
    return None if found is None else str(getattr(found, "ipv4_mapped", None) or found)


def name_network(address: str) -> str:
    """Name the network that one subscriber has: an IPv4 address, or the first 64 bits of an IPv6 one."""
    return str(ip_network((address, 64 if ":" in address else 32), strict=False))
