"""The networks of client addresses.

An attacker seldom has only one address. An IPv6 subscriber has at least 64 bits of them, and often 80 bits (a
network of 48 bits, which contains 65,536 networks of 64 bits).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

UNKNOWN: Final = "unknown"
"""Stands for the network of all clients whose address is not known."""

_MAX_LENGTH: Final = 100
"""In characters. An IPv6 address with a zone has fewer."""
_SUBSCRIBER_BITS: Final = 64
_SITE_BITS: Final = 48
_TRANSLATED: Final = IPv6Network("64:ff9b::/96")
"""IPv4 clients of a server that has only IPv6 (RFC 6052). The last 32 bits are the client's address."""


def name_network(address: str | None) -> str:
    """Return the network of one subscriber: an IPv4 address, or the first 64 bits of an IPv6 address.

    Args:
        address: an address. ``None``, or a text that is not an address, has the network :data:`UNKNOWN`.
    """
    found = _read(address)
    if found is None:
        return UNKNOWN
    if isinstance(found, IPv4Address):
        return f"{found}/32"
    return str(IPv6Network((int(found), _SUBSCRIBER_BITS), strict=False))


def name_site(address: str | None) -> str | None:
    """Return the first 48 bits of an IPv6 address, which many subscribers have for themselves.

    The result for an unknown address is :data:`UNKNOWN`, and for an IPv4 address ``None``, because an IPv4
    address stands for itself.
    """
    found = _read(address)
    if found is None:
        return UNKNOWN
    if isinstance(found, IPv4Address):
        return None
    return str(IPv6Network((int(found), _SITE_BITS), strict=False))


def _read(address: str | None) -> IPv4Address | IPv6Address | None:
    if address is None or len(address) > _MAX_LENGTH:
        return None
    try:
        found = ip_address(address)
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return found.ipv4_mapped
        if found in _TRANSLATED:
            return IPv4Address(int(found) & 0xFFFFFFFF)
    return found
