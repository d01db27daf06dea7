"""The client's address, in each form that proxies write."""

from __future__ import annotations

import pytest
from django.test import RequestFactory

from drf_tessera.http import name_network, read_address


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("1.2.3.4", "1.2.3.4"),
        ("1.2.3.4:5678", "1.2.3.4"),
        ("2001:db8::1", "2001:db8::1"),
        ("2001:0DB8:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:5678", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%eth0]:80", "fe80::1"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("unknown", None),
        ("_hidden:5678", None),
        ("", None),
        ("1.2.3.4 5.6.7.8", None),
        ("1.2.3.4:x", None),
        ("[1.2.3.4", None),
    ],
)
def test_an_address_with_or_without_a_port(written: str, address: str | None) -> None:
    assert read_address(RequestFactory().get("/", REMOTE_ADDR=written), proxies=0) == address
    if written:
        behind = RequestFactory().get("/", HTTP_X_FORWARDED_FOR=f"9.9.9.9, {written}")
        assert read_address(behind, proxies=1) == address


def test_a_subscriber_has_one_ipv4_address_or_64_bits_of_ipv6() -> None:
    assert name_network("1.2.3.4") == "1.2.3.4/32"
    assert name_network("2001:db8:0:1:ffff::1") == name_network("2001:db8:0:1::2") == "2001:db8:0:1::/64"
    assert name_network("2001:db8:0:2::1") != name_network("2001:db8:0:1::1")
