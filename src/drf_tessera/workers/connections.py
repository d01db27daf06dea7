"""The connections of the threads of a crew, whose drivers give up when the database hangs."""

from __future__ import annotations

from typing import Final

from django.db.backends.base.base import BaseDatabaseWrapper

_KEPT: Final = 60
"""Seconds for which the connection of the thread is kept if ``CONN_MAX_AGE`` is 0.

0 means to Django that each request opens a connection. A thread that pulls once a second would open as many
connections as there are seconds, and PostgreSQL starts a process for each.
"""


def describe_own(connection: BaseDatabaseWrapper, limit: float) -> BaseDatabaseWrapper:
    """Return a connection like ``connection``, not opened yet, whose driver gives up after about ``limit``.

    The options of the project come first. A pool of connections is left out, because a connection that hangs
    would be missing there.
    """
    own = connection.copy()
    settings = own.settings_dict
    options = {**limit_waits(own.vendor, str(settings["ENGINE"]), limit), **settings["OPTIONS"]}
    options.pop("pool", None)
    settings["OPTIONS"] = options
    if settings["CONN_MAX_AGE"] == 0:
        settings["CONN_MAX_AGE"] = _KEPT
    return own


def limit_waits(vendor: str, engine: str, limit: float) -> dict[str, int]:
    """Return the options of a database's driver that make it give up after about ``limit`` seconds.

    The driver of another ``engine`` may name its options otherwise, and refuse these.
    """
    seconds = max(2, round(limit))  # libpq knows no shorter timeout
    if vendor == "postgresql":
        return {"connect_timeout": seconds, "tcp_user_timeout": seconds * 1000}
    if vendor == "mysql" and engine.startswith("django."):
        return {"connect_timeout": seconds, "read_timeout": seconds, "write_timeout": seconds}
    return {}
