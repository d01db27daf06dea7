"""The clock of the refresh rule: the clock of the database, because all servers share it.

The rule compares the time of a rotation with the time of the next refresh. Two servers may handle them, and
their clocks differ. With one clock 17 s ahead, two tabs would look like a theft. So the database reads its
own clock, in the statements that judge and write a refresh. Access tokens keep the clock of the server,
because servers verify them without a query (``CLOCK_SKEW``).
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db import connections
from django.utils import timezone

from drf_tessera.database import find_database
from drf_tessera.sessions.expressions import CLOCKS

_TYPES: Final = (datetime,)
"""The class of honest times. freezegun replaces the names of modules, but not the contents of a tuple."""

_SECOND_CLOCK: Final = 5 if sys.platform == "linux" else None
"""``CLOCK_REALTIME_COARSE``. It is the same clock as the usual one, but tools for tests do not move it."""

_TOLERANCE: Final = 1.0
"""Seconds. The coarse clock is some milliseconds behind, and a thread may wait between the two readings."""


def choose_moment(now: datetime | None) -> datetime | None:
    """Return the time at which a refresh is judged. ``None`` means the time of the database.

    A time that the caller gives always applies. The time of this process applies in two cases:

    - On SQLite, which runs inside this process. All processes that open its file are on the same machine, so
      they share one clock already. Databases without an entry in ``CLOCKS`` are treated like SQLite.
    - In a test that has stopped or moved the clock of this process (freezegun, time-machine, a mock).
    """
    if now is not None:
        return now
    moment = timezone.now()
    return None if connections[find_database()].vendor in CLOCKS and not _is_moved(moment) else moment


def _is_moved(moment: datetime) -> bool:
    if type(moment) is not _TYPES[0]:
        return True
    if _SECOND_CLOCK is None:
        return False
    return abs(moment.timestamp() - time.clock_gettime(_SECOND_CLOCK)) > _TOLERANCE


class Times(NamedTuple):
    """The times of one ``UPDATE``: times, or shifts from the database's clock."""

    now: Any
    window: Any
    """The window has passed if the session rotated at this time or earlier."""
    idle: Any
    """The new idle limit."""


def find_times(now: datetime | None, window: timedelta, idle: timedelta) -> Times:
    """Return the times of a rotation at ``now``. Without ``now``, return shifts from the database's clock."""
    here: Any = measure_zone(find_database()) if now is None else now
    return Times(here, here - window, here + idle)


def measure_zone(using: str) -> timedelta:
    """Return the difference between the times in a column and those of the database's clock in UTC.

    MariaDB stores times without a zone. Django writes them in the zone of the connection, which is UTC unless
    the project has chosen another one. PostgreSQL compares moments, so the zone has no effect there.
    """
    connection = connections[using]
    if connection.vendor != "mysql":
        return timedelta(0)
    return datetime.now(UTC).astimezone(connection.timezone).utcoffset() or timedelta(0)
