"""A short name for the device of a login, from its user agent: enough to recognise it in a list.

The text of a user agent is a stranger's, it is long, and it changes with each update of a browser. The name
has no version, so an update is not a new device.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from drf_tessera.models import DEVICE_LENGTH

if TYPE_CHECKING:
    from ua_parser import Device

_BROWSER: Final = "Mozilla/"
"""Each browser begins its user agent with this. Programs and apps begin with their own name."""

_END_OF_NAME: Final = re.compile(r"[/(;,]")


def name_device(user_agent: str) -> str:
    """Return a name such as "Firefox on Windows" or "okhttp", at most ``DEVICE_LENGTH`` characters.

    Args:
        user_agent: a stranger's text, of printable characters and of limited length.
    """
    text = user_agent.strip()
    name = _name_browser(text) if text.startswith(_BROWSER) else ""
    return (name or _END_OF_NAME.split(text)[0].strip())[:DEVICE_LENGTH].strip()


def _name_browser(user_agent: str) -> str:
    from ua_parser import parse  # noqa: PLC0415 - it loads in a tenth of a second, and few requests are logins

    found = parse(user_agent)
    browser = found.user_agent.family if found.user_agent else ""
    system = found.os.family if found.os else ""
    place = (_name_model(found.device) if found.device else "") or system
    return " on ".join(part for part in (browser, place) if part)


def _name_model(device: Device) -> str:
    """Return the name of a phone or tablet. Chrome hides it and says "K"; a robot's is "Desktop"."""
    if device.brand == "Apple":
        return "" if device.family == "Mac" else device.family
    return "" if device.brand == "Spider" or device.model == "K" else device.model or ""
