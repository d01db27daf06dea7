"""Explores every interleaving of a session's clients against the refresh rule that ships.

The server's answer is :func:`drf_tessera.rotation.decide` itself. Generations only matter by what
they are to the row: its current token, its parent, or neither (for ever), so the states are finite.

Time is counted in halves of the grace window, because a message takes less than one half or is
dropped: what is sent in one half arrives in it or in the next. A rotation starts the count anew;
whatever is then on its way, the answer of the rotation included, arrives in the first half.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from drf_tessera.rotation import Decision, Outcome, Policy, Position, State, decide

CURRENT, PARENT, OLD, NONE = "current", "parent", "old", "none"
MAX_IN_FLIGHT: Final = 3
MAX_LOSSES: Final = 9
GRACE: Final = timedelta(seconds=30)
_NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
_FAR: Final = _NOW + timedelta(days=365)
_GENERATIONS: Final = {CURRENT: 10, PARENT: 5, OLD: 3}


@dataclass(frozen=True, slots=True, order=True)
class Message:
    """A request with a token, or an answer with one (``none``: an access token only)."""

    answer: bool
    token: str
    late: bool
    """Sent in the half before this one: it arrives before the next half begins."""


@dataclass(frozen=True, slots=True)
class World:
    """The row, the store that all tabs share, and what is on its way."""

    store: str
    messages: tuple[Message, ...]
    halves: int
    """Halves of the window since the last rotation: 0, 1, or 2 for "it has passed"."""
    has_parent: bool
    recoveries: int
    alive: bool
    losses: int
    """Answers with a new refresh token that were lost in a row."""


START: Final = World(
    store=CURRENT, messages=(), halves=2, has_parent=False, recoveries=0, alive=True, losses=0
)


def ask(world: World, token: str, policy: Policy) -> Decision:
    """Ask the rule that ships about ``token`` in this world."""
    since = {0: timedelta(0), 1: GRACE / 2, 2: GRACE}[world.halves]
    position = Position(
        generation=_GENERATIONS[CURRENT],
        parent=_GENERATIONS[PARENT] if world.has_parent else None,
        recoveries=world.recoveries,
        rotated_at=_NOW - since if world.has_parent else None,
    )
    state = State(
        position=position, revoked=not world.alive, user_active=True, idle_expires_at=_FAR, expires_at=_FAR
    )
    return decide(state, _GENERATIONS[token], _NOW, policy)


def serve(world: World, token: str, policy: Policy) -> tuple[World, str | None]:
    """Answer a request: the world after it, and the token in the answer (``None``: a refusal)."""
    decision = ask(world, token, policy)
    if decision.outcome is Outcome.GRACE:
        return world, NONE
    if decision.position is None:
        return replace(world, alive=False), None
    parent = decision.position.parent
    moved = {name: PARENT if generation == parent else OLD for name, generation in _GENERATIONS.items()}
    return (
        replace(
            world,
            store=moved[world.store],
            messages=tuple(
                Message(item.answer, moved.get(item.token, item.token), late=True) for item in world.messages
            ),
            halves=0,
            has_parent=True,
            recoveries=decision.position.recoveries,
        ),
        CURRENT,
    )


def steps(world: World, policy: Policy) -> Iterator[tuple[str, World]]:
    """Give everything that may happen next, with a word for it."""
    if not world.alive:
        return
    if len(world.messages) < MAX_IN_FLIGHT:
        yield f"a tab sends {world.store}", _add(world, Message(False, world.store, late=False))
    if not any(message.late for message in world.messages):
        aged = tuple(sorted(replace(message, late=True) for message in world.messages))
        yield "half a window passes", replace(world, messages=aged, halves=min(2, world.halves + 1))
    for index, message in enumerate(world.messages):
        rest = replace(world, messages=world.messages[:index] + world.messages[index + 1 :])
        yield from _deliver(rest, message, policy) if message.answer else _receive(rest, message, policy)


def _receive(rest: World, message: Message, policy: Policy) -> Iterator[tuple[str, World]]:
    yield f"a request with {message.token} is lost", rest
    after, token = serve(rest, message.token, policy)
    if token is None:
        yield f"{message.token} is refused", after
    else:
        # The answer of a rotation leaves as its window begins, so it arrives in the first half.
        yield f"{message.token} is answered with {token}", _add(after, Message(True, token, token == CURRENT))


def _deliver(rest: World, message: Message, policy: Policy) -> Iterator[tuple[str, World]]:
    if message.token == NONE:
        yield "an access token arrives or is lost", rest
        return
    yield "a refresh token arrives", replace(rest, store=message.token, losses=0)
    yield "an answer is lost", replace(rest, losses=min(MAX_LOSSES, rest.losses + 1))


def _add(world: World, message: Message) -> World:
    return replace(world, messages=tuple(sorted((*world.messages, message))))


@dataclass(frozen=True, slots=True)
class Result:
    """What an exploration found."""

    states: int
    losses: int | None
    """The fewest answers lost in a row before a session died; ``None``: no session ever did."""
    trace: tuple[str, ...]
    """The shortest way to a dead session."""


def explore(policy: Policy) -> Result:
    """Visit every state that can be reached, breadth first, until none is new."""
    came_from: dict[World, tuple[World, str] | None] = {START: None}
    queue, dead = deque([START]), []
    while queue:
        world = queue.popleft()
        if not world.alive:
            dead.append(world)
        for word, following in steps(world, policy):
            if following not in came_from:
                came_from[following] = (world, word)
                queue.append(following)
    if not dead:
        return Result(len(came_from), None, ())
    first = min(dead, key=lambda world: world.losses)
    return Result(len(came_from), first.losses, tuple(_retrace(came_from, first)))


def _retrace(came_from: dict[World, tuple[World, str] | None], world: World) -> list[str]:
    words: list[str] = []
    while (step := came_from[world]) is not None:
        world, word = step
        words.append(word)
    return words[::-1]


RULES: Final = {
    "shipped": Policy(grace=GRACE, recoveries=5),
    "REFRESH_RECOVERIES = 0": Policy(grace=GRACE, recoveries=0),
    "REFRESH_GRACE = 0": Policy(grace=timedelta(0), recoveries=5),
    "strict: both 0": Policy(grace=timedelta(0), recoveries=0),
}


def write_table() -> str:
    """Explore each rule and write what was found, one line for each."""
    lines = [f"{'rule':<24}{'states':>8}  answers lost in a row before a session is lost without a thief"]
    for name, policy in RULES.items():
        result = explore(policy)
        lines.append(f"{name:<24}{result.states:>8}  {'never' if result.losses is None else result.losses}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(write_table() + "\n")
