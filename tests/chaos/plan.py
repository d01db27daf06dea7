"""The sequence of faults that belongs to a seed. The same seed gives the same faults and the same choices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Final

from tests.chaos import tempo

CALM: Final = (3.0, 7.0)
"""Seconds without a fault between two groups of faults. A logout can be measured in this time."""

WINDOWS: Final = (1, 2, 4, 8, 16, 30, 60)
"""The lengths of brownouts. By default 60 windows are 30 minutes."""

_LENGTHS: Final = {
    "kill a worker": (0.0, 0.0),
    "kill an app server": (0.5, 4.0),
    "crash the database": (0.0, 0.0),
    "stop the database": (0.5, 5.0),
    "kill the database": (0.5, 5.0),
    "promote the replica": (1.0, 4.0),
    "hang the database": (1.0, 8.0),
    "hold the database from a server": (1.0, 8.0),
    "cut the database from a server": (1.0, 6.0),
    "cut a server from its clients": (1.0, 6.0),
    "hold a server from its clients": (1.0, 6.0),
    "slow answers": (3.0, 10.0),
    "lose answers": (3.0, 10.0),
    "brownout": (0.0, 0.0),
    "jump a clock": (2.0, 10.0),
    "kill Redis": (0.5, 5.0),
    "hang Redis": (1.0, 8.0),
    "empty Redis": (0.0, 0.0),
    "hold Redis from a server": (1.0, 8.0),
    "cut Redis from a server": (1.0, 6.0),
}
"""Each kind of fault, and the shortest and the longest time of it in seconds."""

KINDS: Final = tuple(_LENGTHS)
JUMPS: Final = (-600.0, -70.0, -5.0, 5.0, 70.0, 600.0)
"""Seconds by which a clock jumps, and back at the end of the fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One planned fault."""

    number: int
    kind: str
    begin: float
    """Seconds since the beginning of the round."""
    seconds: float
    server: str
    amount: float = 0.0
    """The part of lost answers, the longest delay, the jump of a clock, or the windows of a brownout."""
    seed: int = field(default=0, repr=False)
    """The choices inside of the fault belong to it."""

    def __str__(self) -> str:
        amount = f" ({self.amount:g})" if self.amount else ""
        return f"{self.kind}{amount}, server {self.server}, {self.seconds:.1f} s"


def choose_kinds(store: str, only: tuple[str, ...] = ()) -> list[str]:
    """Return the kinds of faults that can happen with a store. Redis matters only if it is the store."""
    return [kind for kind in only or KINDS if store == "redis" or "Redis" not in kind]


def make_plan(seed: str, seconds: float, kinds: list[str]) -> list[Fault]:
    """Return the faults of a round, in the order of their beginnings."""
    return list(_plan(Random(f"{seed} faults"), seconds, kinds))


def _plan(rng: Random, seconds: float, kinds: list[str]) -> Iterator[Fault]:
    deck: list[str] = []
    begin, number = 3.0, 0
    while True:
        if not deck:
            deck = rng.sample(kinds, len(kinds))  # each kind once before any kind comes twice
        fault = _make(rng, deck.pop(), number, begin, seconds)
        end = fault.begin + fault.seconds
        if end + tempo.ACCESS > seconds:
            return
        yield fault
        number += 1
        overlaps = rng.random() < 0.25
        begin = fault.begin + fault.seconds * rng.random() if overlaps else end + rng.uniform(*CALM)


def _make(rng: Random, kind: str, number: int, begin: float, seconds: float) -> Fault:
    length, amount = rng.uniform(*_LENGTHS[kind]), 0.0
    if kind == "brownout":
        amount = rng.choice([windows for windows in WINDOWS if windows * tempo.GRACE <= seconds / 4] or [1])
        length = amount * tempo.GRACE
    elif kind == "lose answers":
        amount = rng.choice([0.2, 0.5, 0.9])
    elif kind == "slow answers":
        amount = rng.choice([0.2, 0.8, 1.6]) * tempo.GIVE_UP
    elif kind == "jump a clock":
        amount = rng.choice(JUMPS)
    return Fault(
        number=number,
        kind=kind,
        begin=begin,
        seconds=length,
        server=rng.choice(list(tempo.OFFSETS)),
        amount=amount,
        seed=rng.getrandbits(32),
    )
