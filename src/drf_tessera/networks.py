"""The networks of client addresses.

An attacker seldom has only one address. An IPv6 subscriber has at least 64 bits of them, and often 80 bits (a
network of 48 bits, which contains 65,536 networks of 64 bits).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

UNKNOWN: Final = "unknown"
"""Stands for the network of all clients whose address is not known."""

_SUBSCRIBER_BITS: Final = 64
_SITE_BITS: Final = 48
_TRANSLATED: Final = IPv6Network("64:ff9b::/96")
"""IPv4 clients of a server that has only IPv6 (RFC 6052). The last 32 bits are the client's address."""


def name_network(address: str | None) -> str:
    """Return the network of one subscriber: an IPv4 address, or the first 64 bits of an IPv6 address.

    Args:
        address: a valid address, or ``None`` if the address is not known.
    """
    if address is None:
        return UNKNOWN
    found = _read(address)
    return str(ip_network((found, 32 if found.version == 4 else _SUBSCRIBER_BITS), strict=False))


def name_site(address: str | None) -> str | None:
    """Return the first 48 bits of an IPv6 address, which many subscribers have for themselves.

    The result for an unknown address is :data:`UNKNOWN`, and for an IPv4 address ``None``, because an IPv4
    address stands for itself.
    """
    if address is None:
        return UNKNOWN
    found = _read(address)
    return None if found.version == 4 else str(ip_network((found, _SITE_BITS), strict=False))


def _read(address: str) -> IPv4Address | IPv6Address:
    found = ip_address(address)
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return found.ipv4_mapped
        if found in _TRANSLATED:
            return IPv4Address(int(found) & 0xFFFFFFFF)
    return found
