"""Clients in a brownout: for how many minutes may every answer be lost until a session ends?

Time is real here, in seconds, and each refresh is judged by the shipped function. In a brownout each request
still reaches the server, and no answer reaches the client:

``cut``   a load balancer cuts the answer at once
``slow``  the server takes longer than the client waits; it handles the request at some time before that
``queued`` the server handles the request up to a minute later, when the client has given up

After the brownout life goes on, because a session may end long after the last lost answer.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final

from drf_tessera import rotation
from drf_tessera.rotation import Outcome, Policy, Position, State

LIFETIME: Final = 300.0
"""Seconds between the refreshes of a page that is used all the time."""
PATIENCE: Final = 15.0
"""Seconds after which a client gives up: half of the grace window."""
TRIP: Final = 0.1
AFTERWARDS: Final = 3 * 3600.0
"""Seconds for which life goes on: longer than each window."""
IDLE: Final = timedelta(days=14)
LENGTHS: Final = (*(half / 2 for half in range(1, 13)), *range(7, 21), *range(25, 121, 5))
"""The minutes of the brownouts that are tried, in this order."""
FAULTS: Final = ("cut", "slow")
"""The faults in which a message takes less than half a window, as the rule assumes."""
_REACH: Final = {"cut": 0.0, "slow": PATIENCE * 0.9, "queued": 60.0}
"""The seconds until the server handles a request, at most."""

_BEGIN: Final = datetime(2030, 1, 1, tzinfo=UTC)
_KEPT: Final = frozenset({Outcome.GRACE, Outcome.REPEATED})

Wait = Callable[[int, random.Random], float]


@dataclass(frozen=True, kw_only=True)
class Client:
    """A way to try again. ``wait`` returns the seconds before the next attempt."""

    wait: Wait
    rest: Callable[[int], float] = lambda lates: 0.0
    """The seconds before the next attempt, at least, after so many answers in a row that came too late."""
    tabs: int = 1
    stores_each: bool = False
    """Whether the client stores the refresh token of each answer, without a look at ``rotated``."""


def _wait_like_ours(attempt: int, rng: random.Random) -> float:
    """Return the time for which ``retries.js`` waits."""
    return max(0.05, min(30.0, 0.5 * 2.0**attempt) * rng.random())


def _rest_like_ours(lates: int) -> float:
    """Return the time for which ``retries.js`` leaves a slow server alone."""
    return 0.0 if lates < 2 else min(2 * PATIENCE * 2.0 ** (lates - 2), 300.0)


CLIENTS: Final[Mapping[str, Client]] = {
    "ours": Client(wait=_wait_like_ours, rest=_rest_like_ours),
    "ours, three tabs without a common lock": Client(wait=_wait_like_ours, rest=_rest_like_ours, tabs=3),
    "tries again after a second": Client(wait=lambda attempt, rng: 1.0),
    "tries again after a second, stores each answer": Client(wait=lambda attempt, rng: 1.0, stores_each=True),
    "every 5 s, three tabs": Client(wait=lambda attempt, rng: 5.0, tabs=3),
    "every minute": Client(wait=lambda attempt, rng: 60.0),
    "every 5 minutes": Client(wait=lambda attempt, rng: 300.0),
    "1, 2, 4, 8 s ... without an end": Client(wait=lambda attempt, rng: 2.0**attempt),
    "a person who tries now and then": Client(wait=lambda attempt, rng: rng.uniform(1, 900)),
}


@dataclass
class _Server:
    """The row of one session."""

    policy: Policy
    position: Position = rotation.START
    idle: datetime = _BEGIN + IDLE
    branches: Iterator[int] = field(default_factory=lambda: count(1))

    def answer(self, token: tuple[int, int], seconds: float) -> tuple[Outcome, tuple[int, int] | None]:
        """Return the outcome, and the token in the answer."""
        now = _BEGIN + timedelta(seconds=seconds)
        state = State(
            position=self.position,
            revoked=False,
            user_active=True,
            idle_expires_at=self.idle,
            expires_at=_BEGIN + timedelta(days=90),
        )
        decision = rotation.decide(state, token[0], now, self.policy, token[1])
        if decision.position is not None:
            self.position, self.idle = decision.position, now + IDLE
            return decision.outcome, (self.position.generation, 0)
        if decision.outcome not in _KEPT:
            return decision.outcome, None
        if decision.spare is rotation.Spare.SAME:
            return decision.outcome, token
        return decision.outcome, (self.position.generation, next(self.branches))


def lose(
    client: Client, policy: Policy, *, fault: str, begin: float, seconds: float, seed: int
) -> Outcome | None:
    """Run a client through a brownout. Return the refusal that ends the session, or ``None``."""
    rng, server, order = random.Random(seed), _Server(policy), count()  # noqa: S311 - a simulation
    store, attempts = (0, 0), [0] * client.tabs
    end = begin + seconds
    events: list[tuple[float, int, str, int, tuple[int, int]]] = []

    def plan(moment: float, kind: str, tab: int, token: tuple[int, int] = (0, 0)) -> None:
        heapq.heappush(events, (moment, next(order), kind, tab, token))

    for tab in range(client.tabs):
        plan(LIFETIME * rng.uniform(0.99, 1), "send", tab)
    while events and events[0][0] < end + AFTERWARDS:
        now, _, kind, tab, token = heapq.heappop(events)
        lost = begin <= now < end
        if kind == "send":
            reach = TRIP / 2 + (rng.uniform(0, _REACH[fault]) if lost else 0)
            plan(now + reach, "lose" if lost else "handle", tab, store)
            if lost:
                attempts[tab] += 1
                gone, rest = (TRIP, 0.0) if fault == "cut" else (PATIENCE, client.rest(attempts[tab]))
                plan(now + gone + max(rest, client.wait(attempts[tab] - 1, rng)), "send", tab)
        elif kind == "store":
            store, attempts[tab] = token, 0
            plan(now + LIFETIME * rng.uniform(0.9, 1), "send", tab)
        else:
            outcome, found = server.answer(token, now)
            if found is None:
                return outcome
            if kind == "handle":
                keeps = outcome is Outcome.GRACE and not client.stores_each
                plan(now + TRIP / 2, "store", tab, token if keeps else found)
    return None


def survives(
    client: Client, policy: Policy, minutes: float, *, seeds: int, faults: Sequence[str] = FAULTS
) -> bool:
    """Return whether a client keeps its session in each of several brownouts of this length."""
    return all(
        lose(client, policy, fault=fault, begin=begin, seconds=60 * minutes, seed=seed) is None
        for seed in range(seeds)
        for fault in faults
        for begin in (LIFETIME - 10, LIFETIME - 3 + 0.7 * seed)
    )


def find_longest(client: Client, policy: Policy, *, seeds: int = 3) -> float:
    """Return the longest of ``LENGTHS`` such that a client is sure to survive it and all shorter ones."""
    longest = 0.0
    for minutes in LENGTHS:
        if not survives(client, policy, minutes, seeds=seeds):
            break
        longest = minutes
    return longest
