"""The client's address, in each form that proxies write."""

from __future__ import annotations

import pytest
from django.test import RequestFactory

from drf_tessera.http import read_address


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


def test_a_long_entry_is_not_an_address() -> None:
    """The length is checked first, so the pattern never sees a long text."""
    for written in ("1" * 8000, "[" * 8000, ":" * 8000 + "1", "%" * 8000):
        assert read_address(RequestFactory().get("/", HTTP_X_FORWARDED_FOR=written), proxies=1) is None


def test_many_entries_cost_no_more_than_one() -> None:
    behind = RequestFactory().get("/", HTTP_X_FORWARDED_FOR="9.9.9.9," * 4000 + "1.2.3.4, 5.6.7.8")
    assert read_address(behind, proxies=1) == "5.6.7.8"
    assert read_address(behind, proxies=2) == "1.2.3.4"
