"""The client of a request: its address and its device."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Final

from django.conf import settings as django_settings
from django.http import HttpRequest

from drf_tessera.conf import enter_tenant
from drf_tessera.sessions import Client

_ADDRESS: Final = re.compile(
    r"\[(?P<bracketed>[^]%]+)(%[^]]*)?](:\d+)?|(?P<plain>[^:%]+(?=(:\d+)?$)|[^%]*)(%.*|:\d+)?"
)
"""An address as in ``REMOTE_ADDR`` and in headers of proxies, with or without a port and brackets."""

_MAX_ADDRESS_LENGTH: Final = 100
"""In characters. An IPv6 address with a zone, brackets and a port has fewer."""


def count_proxies() -> int:
    """Return ``NUM_PROXIES`` of ``REST_FRAMEWORK``. If the setting is not set, return 0.

    (If the setting is not set, REST framework trusts all of ``X-Forwarded-For``, which any client can
    write.) REST framework itself need not be there.
    """
    chosen: Mapping[str, Any] = getattr(django_settings, "REST_FRAMEWORK", None) or {}
    return chosen.get("NUM_PROXIES") or 0


def describe_client(request: HttpRequest, *, proxies: int, label: str = "") -> Client:
    """Return the client that a request comes from. Enter the tenant of the request."""
    enter_tenant(request)
    return Client(
        ip=read_address(request, proxies=proxies),
        user_agent=request.META.get("HTTP_USER_AGENT", ""),
        label=label,
    )


def read_address(request: HttpRequest, *, proxies: int) -> str | None:
    """Return the client's IP address, or ``None`` if there is none (for example on a Unix socket).

    Args:
        request: Django's request.
        proxies: the number of the project's own proxies. They have written the last entries of
            ``X-Forwarded-For``. The entries before those are ignored, because any client can write them.
    """
    address = request.META.get("REMOTE_ADDR", "")
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
    if proxies and forwarded:
        # Split at the last commas only, because any client can write the entries before them.
        hops = forwarded.rsplit(",", proxies)
        address = hops[-min(proxies, len(hops))].strip()
    if len(address) > _MAX_ADDRESS_LENGTH:
        return None
    match = _ADDRESS.fullmatch(address)
    try:
        found = ip_address(match["bracketed"] or match["plain"]) if match else None
    except ValueError:
        return None
    return None if found is None else str(getattr(found, "ipv4_mapped", None) or found)
