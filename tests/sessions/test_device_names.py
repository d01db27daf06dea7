"""The name of a device says enough to recognise it in a list, and no update of a browser changes it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drf_tessera.models import DEVICE_LENGTH
from drf_tessera.sessions.devices import name_device

CHROME = "Mozilla/5.0 ({}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 {}Safari/537.36"
SAFARI = "Mozilla/5.0 ({}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (CHROME.format("Windows NT 10.0; Win64; x64", 142, ""), "Chrome on Windows"),
        (CHROME.format("Windows NT 10.0; Win64; x64", 142, "") + " Edg/142.0.0.0", "Edge on Windows"),
        (CHROME.format("Linux; Android 14; Pixel 8 Pro", 142, "Mobile "), "Chrome Mobile on Pixel 8 Pro"),
        (CHROME.format("Linux; Android 10; K", 142, "Mobile "), "Chrome Mobile on Android"),
        (SAFARI.format("iPhone; CPU iPhone OS 17_5 like Mac OS X"), "Mobile Safari on iPhone"),
        (SAFARI.format("iPad; CPU OS 16_5 like Mac OS X"), "Mobile Safari on iPad"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:131.0) Gecko/20100101 Firefox/131.0",
         "Firefox on Mac OS X"),
        ("Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0",
         "Firefox on Ubuntu"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://example.com/bot.html)", "Googlebot"),
        ("Mozilla/5.0 (compatible; Unheard-of/2.1)", "Mozilla"),
        ("okhttp/4.12.0", "okhttp"),
        ("Notes/3.2 (iPhone; iOS 17.5; Scale/3.00)", "Notes"),
        ("curl/8.5.0", "curl"),
        ("Anna's program", "Anna's program"),
        ("/", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_a_user_agent_has_a_short_name(user_agent: str, name: str) -> None:
    assert name_device(user_agent) == name


def test_an_update_of_a_browser_is_not_a_new_device() -> None:
    names = {name_device(CHROME.format("Windows NT 10.0; Win64; x64", version, "")) for version in (141, 142)}
    assert len(names) == 1


@pytest.mark.slow
@given(st.one_of(st.text(), st.text().map("Mozilla/5.0 ({}".format)))
def test_any_text_has_a_name_that_fits_its_column(text: str) -> None:
    assert len(name_device(text)) <= DEVICE_LENGTH
