"""The possible events around one session.

**Clients.** Any number of tabs share one store of the refresh token. A tab sends the stored token at any
time, even while another request is in progress. So the model need not distinguish two tabs, a retry, and a
tab that gave up. An answer with a refresh token replaces the stored token. An answer without a refresh token
changes nothing, so the model does not keep such an answer in progress.

**Messages.** At most three requests and answers are in progress. Each message may be lost, and messages may
overtake one another.

**Time.** A message takes less than half a grace window or is dropped. So time is counted in halves of a
window since the last rotation. A message is ``late`` after the half in which it was sent. A late message
arrives or is lost before the next half ends. A rotation starts the count again. Messages in progress at a
rotation, including its own answer, are gone before the first half ends. After two halves the window has
passed and nothing is counted. Each real run is a run of the model, but not each run of the model is real.
This only makes the result "never" harder to reach.

**The thief** copies the store once, at any time, and uses each of his tokens at any time. His messages need
no time: a message that arrives late is like a message that he sent late.

**His successes** would have no bound if the victim stayed away, because the only holder of the token in use
*is* the client. So the model measures how long both can continue together. A success counts if it gives him a
refresh token, and if the victim came by since the theft and since the last counted success. The victim comes
by when one of her requests reaches the server, with or without an answer. ``count_access`` also counts access
tokens without a refresh token, once in a window. With ``answered`` she comes by only when she gets an answer.

**A restored database** has the state of its backup, which is at most three generations old. The messages in
progress are lost with the old database, unless the fail-over is ``seamless``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from tests.model.rules import PASSED, Row, Rule

MAX_LOSSES: Final = 9
LOST_GENERATIONS: Final = 3


class Message(NamedTuple):
    """A request with a token, or an answer with a token."""

    answer: bool
    token: int
    late: bool


class World(NamedTuple):
    """Everything that the future depends on."""

    row: Any
    store: int
    flight: tuple[Message, ...] = ()
    losses: int = 0
    """Lost answers with a refresh token, in a row. With a thief these are not counted."""
    stolen: frozenset[int] | None = None
    """The tokens of the thief. ``None`` means that no theft has happened."""
    came_by: bool = False
    scored: bool = False
    """Whether a success of the thief has counted in this window."""
    snapshot: Row | None = None
    restorable: bool = False
    alive: bool = True


class Move(NamedTuple):
    """A possible next event."""

    text: str
    after: World
    score: int = 0
    backwards: bool = False
    """Whether an answer replaced a newer token in the store by an older one."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """A question to the explorer: a rule and the possible events."""

    rule: Rule
    in_flight: int = 3
    thief: bool = False
    restores: bool = False
    seamless: bool = False
    punctual: bool = True
    """Whether messages take less than half a window. If not, a message may take any time."""
    prompt: bool = False
    """Whether all messages in progress arrive, or are lost, before the next half of a window ends."""
    storing: bool = False
    """Whether tabs store spare tokens too: those that do not know the rule."""
    careless: bool = False
    """Whether such tabs also lose their token if an answer has no refresh token at all."""
    count_access: bool = False
    answered: bool = False

    def start(self) -> World:
        row, token = self.rule.first
        return World(row, token, restorable=self.restores)

    def moves(self, world: World) -> Iterator[Move]:
        """Yield each possible next event in ``world``."""
        if not world.alive:
            return
        for move in self._moves(world):
            yield move._replace(after=self._settle(move.after)) if move.after.alive else move

    def _moves(self, world: World) -> Iterator[Move]:
        if len(world.flight) < self.in_flight:
            text = f"a tab sends {self._name(world, world.store)}"
            yield Move(text, world._replace(flight=(*world.flight, Message(False, world.store, False))))
        for index, message in enumerate(world.flight):
            rest = world._replace(flight=world.flight[:index] + world.flight[index + 1 :])
            yield from self._deliver(rest, message) if message.answer else self._receive(rest, message)
        yield from self._pass_time(world)
        if self.thief:
            yield from self._steal(world)
        if self.restores:
            yield from self._restore(world)

    def _pass_time(self, world: World) -> Iterator[Move]:
        row = self.rule.pass_half(world.row)
        if row is None or (self.punctual and any(message.late for message in world.flight)):
            return
        if self.prompt and world.flight:
            return
        if not isinstance(row, Row) and world.flight:
            return  # see the docstring of trees
        flight = tuple(message._replace(late=True) for message in world.flight)
        yield Move("half a window passes", world._replace(row=row, flight=flight))

    def _receive(self, rest: World, message: Message) -> Iterator[Move]:
        name = self._name(rest, message.token)
        yield Move(f"a request with {name} is lost", rest)
        reply = self.rule.use(rest.row, message.token)
        if reply is None:
            yield Move(f"{name} is refused, and the session ends", rest._replace(alive=False))
            return
        # An answer without a refresh token is not kept in progress, so it counts as received at once.
        token = reply.spare if reply.token is None and self.storing else reply.token
        came_by = rest.stolen is not None and (token is None or not self.answered)
        after = rest._replace(row=reply.row, came_by=rest.came_by or came_by)
        if reply.opened:
            after = _open_window(after)
        if token is None:
            lost = self.careless and self.storing
            text = f"{name} is answered with an access token only"
            yield Move(
                f"{text}, and the tab forgets its token" if lost else text, after._replace(alive=not lost)
            )
            return
        answer = Message(True, token, late=reply.opened)
        text = f"{name} is answered with {self._name(after, token)}"
        yield Move(text, after._replace(flight=(*after.flight, answer)))

    def _deliver(self, rest: World, message: Message) -> Iterator[Move]:
        name = self._name(rest, message.token)
        lost = 0 if self.thief else min(MAX_LOSSES, rest.losses + 1)
        yield Move(f"an answer with {name} is lost", rest._replace(losses=lost))
        came_by = rest.came_by or (self.answered and rest.stolen is not None)
        after = rest._replace(store=message.token, losses=0, came_by=came_by)
        yield Move(
            f"an answer with {name} is stored",
            after,
            backwards=self.rule.rank(message.token) < self.rule.rank(rest.store),
        )

    def _steal(self, world: World) -> Iterator[Move]:
        if world.stolen is None:
            after = world._replace(stolen=frozenset({world.store}))
            yield Move(f"THEFT of {self._name(world, world.store)}", after)
            return
        for token in world.stolen:
            reply = self.rule.use(world.row, token)
            if reply is None:
                continue  # it would end the session, but the longest run is wanted
            after = _open_window(world._replace(row=reply.row)) if reply.opened else world
            found = reply.spare if reply.token is None else reply.token
            # Another token of a generation that he has opens nothing more.
            news = found is not None and self.rule.rank(found) not in map(self.rule.rank, world.stolen)
            score = int(world.came_by and (news or (self.count_access and not after.scored)))
            if score:
                after = after._replace(came_by=False, scored=self.count_access)
            if found is not None:
                after = after._replace(stolen=world.stolen | {found})
            got = "an access token only" if found is None else self._name(after, found)
            mark = " (COUNTS)" if score else ""
            yield Move(f"the THIEF gets {got} for {self._name(world, token)}{mark}", after, score=score)

    def _restore(self, world: World) -> Iterator[Move]:
        snapshot = world.snapshot
        if world.restorable and snapshot is None:
            yield Move("a BACKUP is made", world._replace(snapshot=world.row))
        elif snapshot is not None and snapshot.generation != world.row.generation:
            # Rotations are at least a window apart, so the window of the backup's rotation has passed.
            row = snapshot._replace(halves=PASSED)
            flight = world.flight if self.seamless else ()
            after = world._replace(row=row, flight=flight, snapshot=None, restorable=False)
            yield Move("the BACKUP comes back", after)

    def _settle(self, world: World) -> World:
        row, snapshot = world.row, world.snapshot
        restorable = world.restorable
        lost = 0 if snapshot is None else self.rule.rank(row.generation) - self.rule.rank(snapshot.generation)
        if lost > LOST_GENERATIONS:
            snapshot, restorable = None, False
        owned = [world.store, *(message.token for message in world.flight)]
        stolen = sorted(world.stolen or ())
        row, snapshot, names = self.rule.settle(row, snapshot, owned, stolen)
        timeless = not self.punctual or self.rule.pass_half(row) is None
        flight = sorted(
            Message(answer, names[token], late and not timeless) for answer, token, late in world.flight
        )
        return world._replace(
            row=row,
            store=names[world.store],
            flight=tuple(flight),
            stolen=None if world.stolen is None else frozenset(names[token] for token in stolen),
            snapshot=snapshot,
            restorable=restorable,
        )

    def _name(self, world: World, token: int) -> str:
        return self.rule.name(world.row, token)


def _open_window(world: World) -> World:
    flight = tuple(message._replace(late=True) for message in world.flight)
    return world._replace(flight=flight, scored=False)
