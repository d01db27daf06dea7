"""How tokens travel: read them from a request, and tell where the request comes from."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from typing import Final

from django.http import HttpRequest

from drf_tessera.exceptions import HeaderMalformed
from drf_tessera.sessions import Client

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


def check_bearer_token(text: str) -> None:
    """Tell a malformed header from a malformed token.

    Raises:
        HeaderMalformed: our scheme, and not exactly one token behind it.
    """
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise HeaderMalformed


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
