"""How tokens travel: read them from a request, and tell where the request comes from."""

from __future__ import annotations

from ipaddress import ip_address

from django.http import HttpRequest

from drf_tessera.exceptions import HeaderMalformed
from drf_tessera.sessions import Client


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
    try:
        return str(ip_address(address.partition("%")[0]))
    except ValueError:
        return None
