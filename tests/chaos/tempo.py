"""The lifetimes of the chaos servers, in seconds, and the bounds of the verdict.

The defaults of the package are divided by 15 where a client can notice them: a window of 30 s is 2 s here.
"""

from __future__ import annotations

from typing import Final

ACCESS: Final = 6.0
GRACE: Final = 2.0
POLL: Final = 0.5
STALENESS: Final = 3.0
SKEW: Final = 1.5
SCALE: Final = GRACE / 30
"""The waits of ``client.js`` are multiplied by this number."""

GIVE_UP: Final = GRACE / 2
"""A refresh, or a request in a queue, that is older than this is dropped (docs/explanation/refresh.md)."""

PATIENCE: Final = 10.0
"""How long a client waits for an answer that is not the answer to a refresh."""

MOST_SUCCESSES: Final = 7
"""The bound of the thief, which ``python -m tests.model`` proves."""

OFFSETS: Final = {"a": 0.0, "b": 1.1}
"""The clock of an app server is ahead by so much. This is 17 s of a window of 30 s."""

SETTINGS: Final = {
    "ACCESS_LIFETIME": ACCESS,
    "REFRESH_GRACE": GRACE,
    "REVOCATION_POLL": POLL,
    "REVOCATION_MAX_STALENESS": STALENESS,
    "CLOCK_SKEW": SKEW,
}
"""Settings of ``TESSERA`` that are numbers of seconds."""
