"""How many logins one process checks at the same time.

A password hash is slow on purpose, and a thread computes nothing else meanwhile. Without a bound, a few
logins a second take all threads of a process, and refreshes and calls wait behind them. So one login beyond
the bound waits for a moment, because it holds a thread too. Any other one is refused at once with
``login_busy``, and so is the one that has waited. The client may try again, and nothing was spent.

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


class Turns:
    """The turns of this process, and one place to wait for a turn.

    Args:
        number: how many turns there are.
    """

    def __init__(self, number: int) -> None:
        self._free = Semaphore(number)
        self._place = Semaphore()

    def take(self) -> bool:
        """Return whether there was a turn within :data:`WAIT`. It is the caller's until it is given back."""
        if self._free.acquire(blocking=False):
            return True
        if not self._place.acquire(blocking=False):
            return False
        try:
            return self._free.acquire(timeout=WAIT)
        finally:
            self._place.release()

    def give_back(self) -> None:
        """Return a turn, so that another login can take it."""
        self._free.release()


@per_settings
def _get_turns(settings: Settings) -> Turns | None:
    """Return the turns of this process. A forked child has others."""
    return None if settings.logins_at_once is None else Turns(settings.logins_at_once)


@contextmanager
def turn() -> Iterator[None]:
    """Execute the block when fewer than ``LOGINS_AT_ONCE`` logins are being checked in this process.

    Raises:
        LoginBusy: there was no turn within :data:`WAIT`, or another login waits already. The block was not
            executed.
    """
    turns = _get_turns()
    if turns is None:
        yield
        return
    if not turns.take():
        raise LoginBusy
    try:
        yield
    finally:
        turns.give_back()
