"""A stopped clock for tests, by freezegun."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import freezegun


@contextmanager
def stop_clock() -> Iterator[Callable[[timedelta], object]]:
    """Stop the clock in the block, at the present. Yield a function that moves it on."""
    with freezegun.freeze_time(datetime.now(UTC)) as frozen:
        yield frozen.tick
