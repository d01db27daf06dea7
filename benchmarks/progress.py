"""Lines that show the progress to a person at a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeVar

T = TypeVar("T")

_BEGUN: Final = time.monotonic()


def say(text: str) -> None:
    """Write one line, with the minutes since the start."""
    seconds = int(time.monotonic() - _BEGUN)
    print(f"[{seconds // 60:2d}:{seconds % 60:02d}] {text}", file=sys.stderr, flush=True)


def advance(label: str, steps: Sequence[T] | range, *, every: float = 5.0) -> Iterator[T]:
    """Yield ``steps``, and print every few seconds how many steps are done and how long the rest takes."""
    begun = said = time.monotonic()
    total = len(steps)
    say(f"{label}: 0 of {total}")
    items: Iterable[T] = steps  # type: ignore[assignment]  # a range is an iterable of int
    for done, item in enumerate(items):
        now = time.monotonic()
        if done and now - said >= every:
            left = (now - begun) / done * (total - done)
            say(f"{label}: {done} of {total} ({100 * done // total} %), about {left:.0f} s left")
            said = now
        yield item
    say(f"{label}: done in {time.monotonic() - begun:.0f} s")
