"""How many logins one process checks at the same time.

A password hash is slow on purpose, and a thread computes nothing else meanwhile. Without a bound, a few
logins a second take all threads of a process, and refreshes and calls wait behind them. So a login beyond the
bound waits for a moment, and is then refused with ``login_busy``. The client may try again, and nothing was
spent.

The bound is for one process, because each process has threads of its own. A process with one thread, or with
gevent, computes one hash at a time anyway.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Semaphore
from typing import Final

from drf_tessera.conf import Settings, per_settings
from drf_tessera.exceptions import LoginBusy

WAIT: Final = 0.5
"""Seconds that a login waits for its turn. The login holds a thread meanwhile, so the time is short."""


@per_settings
def _get_turns(settings: Settings) -> Semaphore | None:
    """Return the semaphore of this process. A forked child has another one."""
    return None if settings.logins_at_once is None else Semaphore(settings.logins_at_once)


@contextmanager
def turn() -> Iterator[None]:
    """Execute the block when fewer than ``LOGINS_AT_ONCE`` logins are being checked in this process.

    Raises:
        LoginBusy: there was no turn within :data:`WAIT`. The block was not executed.
    """
    turns = _get_turns()
    if turns is None:
        yield
        return
    if not turns.acquire(timeout=WAIT):
        raise LoginBusy
    try:
        yield
    finally:
        turns.release()
