"""Signals about the life of sessions.

Each signal is sent with ``sender=Session`` and only after the change is committed, so a receiver never
learns about a change that was rolled back. An error of a receiver is logged and has no other effect. The
arguments are plain values. A receiver that needs the row must read the row.
"""

from __future__ import annotations

from typing import Final

from django.dispatch import Signal

session_started: Final = Signal()
"""A login started a session. Arguments: ``session_id``, ``sub``."""

session_refreshed: Final = Signal()
"""A refresh was answered. Arguments: ``session_id``, ``sub``, ``outcome`` (see ``rotation.Outcome``)."""

session_revoked: Final = Signal()
"""A session was ended early. Arguments: ``session_id``, ``sub``, ``reason``."""

refresh_reused: Final = Signal()
"""A replaced refresh token came back, very likely after a theft. Arguments: ``session_id``, ``sub``.

This signal is sent in addition to :data:`session_revoked`. A receiver should inform the user and the
people who monitor attacks.
"""
