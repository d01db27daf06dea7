"""The ways in which the tokens of a session can travel: one row for each.

A profile (``"api"``, ``"browser"``) names the kind of client. A transport defines how tokens travel. The
classes that read and deliver tokens are in ``http/``. The limits are here, because the tokens are written
before a response exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

HEADER: Final = "header"
"""The refresh token travels in a body, the access token in a header."""

COOKIE: Final = "cookie"
"""The refresh token travels in a cookie that no script can read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportLimits:
    """The profile that offers a transport, and the longest tokens that the transport can carry."""

    profile: str
    """The value of ``TESSERA["PROFILE"]`` that offers this transport."""
    refresh_length: int
    """The greatest number of characters of a refresh token."""
    access_cookie_length: int | None = None
    """The greatest number of characters of an access token, if ``ACCESS_COOKIE`` puts it into a cookie."""


LIMITS: Final[Mapping[str, TransportLimits]] = {
    HEADER: TransportLimits(profile="api", refresh_length=8192),
    # Browsers drop a cookie without a word if its name and value have more than 4,096 bytes (RFC 6265bis,
    # section 5.6). The name of the access cookie, ``__Host-tessera_access_token``, has 27.
    COOKIE: TransportLimits(profile="browser", refresh_length=2048, access_cookie_length=4069),
}

PROFILES: Final[Mapping[str, str]] = {limits.profile: name for name, limits in LIMITS.items()}
"""The transport that each profile offers."""

MAX_REFRESH_LENGTH: Final = max(limits.refresh_length for limits in LIMITS.values())
"""A longer text is not read as a refresh token by any transport."""
