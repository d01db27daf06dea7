"""Signals about the life of sessions and about logins.

Each signal is sent with ``sender=Session`` and only after the change is committed, so a receiver never
learns about a change that was rolled back. An error of a receiver is logged and has no other effect. The
arguments are plain values. A receiver that needs the row must read the row.

``address`` is the client's IP address as text, or ``None`` if it is not known. ``user_agent`` and ``name``
are texts of a stranger, cut to a length and without control characters. Escape them before you show them.
"""

from __future__ import annotations

from typing import Final

from django.dispatch import Signal

session_started: Final = Signal()
"""A login started a session. Arguments: ``session_id``, ``sub``, ``address``, ``device``, ``amr``."""

session_impersonated: Final = Signal()
"""A person acts as another one. Sent after :data:`session_started`.

Arguments: ``session_id``, ``sub``, ``actor`` (as in ``sub``).
"""

session_handed_over: Final = Signal()
"""Another subdomain got an access token of a session. Arguments: ``session_id``, ``sub``, ``audience``.

``audience`` is the host of the other subdomain.
"""

session_refreshed: Final = Signal()
"""A refresh was answered. Arguments: ``session_id``, ``sub``, ``outcome`` (see ``rotation.Outcome``)."""

session_revoked: Final = Signal()
"""A session was ended early. Arguments: ``session_id``, ``sub``, ``reason``."""

sessions_cleared: Final = Signal()
"""The sessions of everybody that began before a moment were ended.

Arguments: ``before``, ``reason``, ``count``.

:data:`session_revoked` is not sent for these sessions, because there may be millions of them.
"""

refresh_reused: Final = Signal()
"""A replaced refresh token came back, very likely after a theft. Arguments: ``session_id``, ``sub``.

This signal is sent in addition to :data:`session_revoked`. A receiver should inform the user and the
people who monitor attacks.
"""

refresh_lost: Final = Signal()
"""Recoveries were used up, so a session was ended. Arguments: ``session_id``, ``sub``.

Many of these signals at once are a brownout. One alone may be a client that stores no refresh token, or a
thief. This signal is sent in addition to :data:`session_revoked`.
"""

login_failed: Final = Signal()
"""A login was refused, because its credentials are wrong.

Arguments: ``name`` (the account as it was typed), ``address``, ``user_agent``.
"""

login_throttled: Final = Signal()
"""A limit refuses logins. Sent once in each window of the limit, so an attacker cannot cause many of them.

Arguments: ``limit`` (the name of the setting in lower case), ``name`` (empty for the limit of an address),
``address``, ``user_agent``, ``retry_after`` (seconds until the end of the window).
"""

token_refused: Final = Signal()
"""A request was refused because of its access token. Expired tokens are among them, and they are usual.

Arguments: ``code`` (see ``docs/reference/errors.md``), ``address``, ``user_agent``. Sent for each such
request, so a receiver must be quick.
"""

refresh_failed: Final = Signal()
"""A refresh was refused. Sent at once.

Arguments: ``code``, ``session_id`` and ``sub`` (``None`` if the refresh token is not authentic), ``address``,
``user_agent``.
"""

new_device: Final = Signal()
"""A login came from a network or a kind of device that no earlier session of the user has.

Arguments: ``session_id``, ``sub``, ``address``, ``device`` (such as "Firefox on Windows"), ``new_network``,
``new_device``. The last two are true for the first login of a user. Sessions that have been pruned are
forgotten.
"""

network_changed: Final = Signal()
"""A login came from another network than the latest earlier session of the user.

Arguments: ``session_id``, ``sub``, ``address``, ``device``, ``previous_address``, ``previous_device``,
``elapsed`` (seconds from the latest use of the earlier session to this login). A receiver that knows where
addresses are can decide whether anybody can travel as fast. Sent only if both addresses are known.
"""
