"""The reasons why a session was ended early."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """The reason why a session was ended early. ``Session.revoked_for`` and the signal carry it."""

    LOGOUT = "logout"
    LOGOUT_ALL = "logout_all"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a reason, not a password
    USER_INACTIVE = "user_inactive"
    USER_DELETED = "user_deleted"
    EVICTED = "evicted"
    REUSED = "refresh_reused"
    LOST = "refresh_lost"
    ADMIN = "admin"
