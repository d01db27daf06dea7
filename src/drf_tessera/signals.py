"""What happened, for others to hear.

Each is sent with ``sender=Session`` and only after the change is committed, so a receiver never
hears of something that was rolled back. A receiver that raises is logged and harms nobody. Values
are plain: a receiver that wants the row reads it.
"""

from __future__ import annotations

from typing import Final

from django.dispatch import Signal

session_started: Final = Signal()
"""A login made a session. Arguments: ``session_id``, ``sub``."""

session_refreshed: Final = Signal()
"""A refresh was answered. Arguments: ``session_id``, ``sub``, ``outcome`` (see ``rotation.Outcome``)."""

session_revoked: Final = Signal()
"""A session was ended early. Arguments: ``session_id``, ``sub``, ``reason``."""

refresh_reused: Final = Signal()
"""A replaced refresh token came back: a theft, very likely. Arguments: ``session_id``, ``sub``.

Sent besides :data:`session_revoked`. Tell the user, and whoever watches for break-ins.
"""
