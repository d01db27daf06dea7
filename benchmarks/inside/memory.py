"""The memory of a process that knows many ended sessions."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from drf_tessera.revocation.notices import NOBODY, Ended, Notice, Scope

LIFETIME: Final = 300
"""The default lifetime of an access token, in seconds."""

KEEP: Final = 365
"""Seconds for which a notice is kept: the lifetime, ``CLOCK_SKEW`` and a margin."""

_SWEEP: Final = 10
"""The feed drops old notices every ten seconds."""


def measure(*, sessions: int, lifetimes: int, kind: str) -> dict[str, Any]:
    """Return the bytes of a process that learns of ``sessions`` ended sessions in each lifetime.

    Args:
        sessions: the number in one lifetime. They come evenly, second by second.
        lifetimes: how long this goes on. Old notices are dropped meanwhile.
        kind: ``sessions`` or ``users`` for the notices of the feed, ``dict`` for a dict of UUIDs.
    """
    gc.collect()
    before = _read_memory()
    learn, count, ended = _KINDS[kind]()
    curve = []
    peak = held = 0
    for second in range(lifetimes * LIFETIME):
        learn(sessions // LIFETIME, second)
        if second % _SWEEP == 0:
            now = _read_memory() - before
            curve.append([second, count(), now])
            peak, held = max(peak, now), max(held, count())
    return {"peak": peak, "held": held, "curve": curve, "lookups": _time_lookups(ended) if ended else None}


def _read_memory() -> int:
    """Return the resident bytes of this process."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) * 1024


Learn = Callable[[int, int], None]
Made = tuple[Learn, Callable[[], int], Ended | None]


def _make_sessions() -> Made:
    return _make_notices(lambda until: Notice(UUID(bytes=os.urandom(16)), until))


def _make_users() -> Made:
    names = iter(range(1_000_000, 1 << 40))

    def make(until: int) -> Notice:
        scope = Scope(str(next(names)), until - KEEP - 60, until - KEEP + 60, int.from_bytes(os.urandom(7)))
        return Notice(NOBODY, until, scope)

    return _make_notices(make)


def _make_notices(make: Callable[[int], Notice]) -> Made:
    ended = Ended()

    def learn(count: int, second: int) -> None:
        if second % _SWEEP == 0:
            ended.drop_old(second)
        ended.learn(make(second + KEEP) for _ in range(count))

    return learn, lambda: len(ended), ended


def _make_dict() -> Made:
    """Return the simplest way: one dict, and a search for old entries."""
    known: dict[UUID, int] = {}

    def learn(count: int, second: int) -> None:
        if second % _SWEEP == 0:
            for key in [key for key, until in known.items() if until <= second]:
                del known[key]
        known.update((UUID(bytes=os.urandom(16)), second + KEEP) for _ in range(count))

    return learn, lambda: len(known), None


def _time_lookups(ended: Ended) -> float:
    """Return the seconds of one lookup of a session that has not ended, which is the usual case."""
    keys = [UUID(bytes=os.urandom(16)) for _ in range(20_000)]
    begun = time.thread_time()
    for key in keys:
        ended.judge(key, "7", 1 << 40)
    return (time.thread_time() - begun) / len(keys)


_KINDS: Final[dict[str, Callable[[], Made]]] = {
    "sessions": _make_sessions,
    "users": _make_users,
    "dict": _make_dict,
}
