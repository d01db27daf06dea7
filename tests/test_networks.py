"""The network of a client is one budget, so an attacker gets no other one by another address in it."""

from __future__ import annotations

import pytest

from drf_tessera.networks import UNKNOWN, name_network, name_site


@pytest.mark.parametrize(
    ("address", "network", "site"),
    [
        ("1.2.3.4", "1.2.3.4/32", None),
        ("::ffff:1.2.3.4", "1.2.3.4/32", None),
        ("64:ff9b::1.2.3.4", "1.2.3.4/32", None),
        ("2001:db8:0:1:ffff::1", "2001:db8:0:1::/64", "2001:db8::/48"),
        ("2001:db8:0:1::2", "2001:db8:0:1::/64", "2001:db8::/48"),
        ("2001:db8:0:2::1", "2001:db8:0:2::/64", "2001:db8::/48"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("::1", "::/64", "::/48"),
        ("fe80::1%eth0", "fe80::/64", "fe80::/48"),
        (None, UNKNOWN, UNKNOWN),
        ("", UNKNOWN, UNKNOWN),
        ("unknown", UNKNOWN, UNKNOWN),
        ("1.2.3.4.5", UNKNOWN, UNKNOWN),
        ("1" * 60_000, UNKNOWN, UNKNOWN),
        ("fe80::1%" + "x" * 60_000, UNKNOWN, UNKNOWN),
    ],
)
def test_a_subscriber_has_an_ipv4_address_or_64_bits_or_48_bits_of_ipv6(
    address: str | None, network: str, site: str | None
) -> None:
    assert (name_network(address), name_site(address)) == (network, site)
