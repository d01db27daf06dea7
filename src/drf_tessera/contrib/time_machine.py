"""A stopped clock for tests, by time-machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import time_machine


@contextmanager
def stop_clock() -> Iterator[Callable[[timedelta], object]]:
    """Stop the clock in the block, at the present. Yield a function that moves it on."""
    with time_machine.travel(datetime.now(UTC), tick=False) as traveller:
        yield traveller.shift
