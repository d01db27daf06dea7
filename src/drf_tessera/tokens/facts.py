"""The facts about a session that its tokens carry, and the names of the claims that carry them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from drf_tessera.conf import HEADER

REGISTERED_CLAIMS: Final = frozenset(
    {"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "auth_time", "amr", "scope", "client_id", "cnf"}
)
"""Claims that identify a token and its audience (RFC 7519, 9068). No hook may set them."""

_SCOPE: Final = re.compile(r"[!#-\[\]-~]+( [!#-\[\]-~]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFacts:
    """Facts that stay the same for the whole life of a session: its user, its times, its kind.

    A refresh token carries them under its MAC, so that a refresh need not read them from the database.
    """

    session_id: UUID
    sub: str
    """The user's primary key as text."""
    auth_time: int
    """The time of the login, in seconds since the epoch."""
    expires_at: int
    """The session's absolute limit, in seconds since the epoch."""
    amr: tuple[str, ...]
    scope: str
    transport: str = HEADER
    """How the refresh tokens of the session travel: ``conf.HEADER`` or ``conf.COOKIE``."""
    idle: int | None = None
    """The session ends if it is not refreshed for so many seconds. ``None``: ``SESSION_IDLE_LIFETIME``."""
    persistent: bool = True
    """Whether a cookie of the session outlives the browser. The other transports have no such choice."""
    claims: Mapping[str, Any] = field(default_factory=dict)
    """Further claims of all access tokens of the session. Every holder of the refresh token can read them."""


def is_scope(value: object) -> bool:
    """Return whether ``value`` is a text in the syntax of scopes (RFC 6749, section 3.3)."""
    return isinstance(value, str) and _SCOPE.fullmatch(value) is not None
