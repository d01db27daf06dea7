"""The refresh rules, in the form that the explorer needs. The shipped rule is called, never copied.

Time moves only in halves of the grace window (``world`` explains why). A row counts the halves since its
last rotation, and the real times are computed from this count. A window after a recovery is longer, and has
one more part before its last two halves. This part stands for all the time in which the answer of the
recovery is repeated. A message that is sent in it arrives before the next half ends, as in reality. In
reality the message can do less, because the part takes longer than the message.

A token is a number: its generation, multiplied by ``STEP``, plus its branch. Generations have no bound, so
after each step the tokens are renumbered (:meth:`Chain.settle`). Renumbering is sound because a rule only
compares generations and distinguishes branches: ``test_the_rule_only_compares_generations``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, Protocol

from drf_tessera import rotation
from drf_tessera.rotation import Decision, Policy, Position, State

GRACE: Final = timedelta(seconds=30)
SHIPPED: Final = Policy(grace=GRACE, recoveries=5)
UNBOUNDED: Final = 10**9
HALVES: Final = 2
"""The number of halves in the window of a rotation, and at the end of each longer window."""
PASSED: Final = HALVES + 1
"""The number of parts of the window of a recovery. A row with so many has no window."""

_NOW: Final = datetime(2030, 1, 1, tzinfo=UTC)
STEP: Final = 16
_FRESH: Final = STEP - 1
"""The branch of a spare token until it is renumbered."""
_BASE: Final = 6
"""The generation of the current token after renumbering. Lower ones are kinds; see :meth:`Chain.settle`."""


class Row(NamedTuple):
    """The position of a session: a :class:`Position` whose time is a number of halves of the window."""

    generation: int
    """The first token of the current generation."""
    parent: int | None
    """The token that was exchanged for it."""
    recoveries: int
    halves: int


class Reply(NamedTuple):
    """The answer to an accepted refresh."""

    row: Any
    token: int | None
    """The refresh token in the answer. ``None`` means that the answer has only an access token."""
    opened: bool
    """Whether a grace window starts with this answer. In a rule without windows, each answer counts."""
    spare: int | None = None
    """A refresh token that only some clients store (:class:`drf_tessera.rotation.Spare`)."""


class Rule(Protocol):
    """The functions of a rule for the explorer. Each rule has its own type of row. Tokens are numbers."""

    @property
    def first(self) -> tuple[Any, int]:
        """Return the row of a new session, and its refresh token."""

    def use(self, row: Any, token: int) -> Reply | None:
        """Return the answer to a refresh. ``None`` ends the session."""

    def pass_half(self, row: Any) -> Any | None:
        """Return the row after half a window. ``None`` means that nothing depends on time at this point."""

    def settle(
        self, row: Any, snapshot: Any | None, owned: Iterable[int], stolen: Iterable[int]
    ) -> tuple[Any, Any | None, Mapping[int, int]]:
        """Return the row, the backup and the new numbers, without differences that no longer matter."""

    def rank(self, token: int) -> int:
        """Return a number that is higher for a newer token, and the same for tokens of one generation."""

    def name(self, row: Any, token: int) -> str:
        """Return a name for a token of a row, for people."""


Decide = Callable[[State, int, datetime, Policy, int], Decision]


@dataclass(frozen=True)
class Chain:
    """The shipped rule with any policy. With another function as ``decide`` it is a mutant of the rule."""

    policy: Policy = SHIPPED
    decide: Decide = rotation.decide
    _known: dict[tuple[Row, int], Reply | None] = field(default_factory=dict, compare=False, repr=False)

    @property
    def first(self) -> tuple[Row, int]:
        start = rotation.START
        return Row(start.generation, start.parent, start.recoveries, PASSED), start.generation

    def use(self, row: Row, token: int) -> Reply | None:
        key = (row, token)
        if key not in self._known:
            self._known[key] = self.ask(row, token)
        return self._known[key]

    def ask(self, row: Row, token: int) -> Reply | None:
        generation, branch = divmod(token, STEP)
        decision = self.decide(self._make_state(row), generation, _NOW, self.policy, branch)
        position = decision.position
        if position is not None:
            # Without a bound the model needs only to know whether there were recoveries. The number of states
            # would be infinite.
            most = 1 if self.policy.recoveries == UNBOUNDED else position.recoveries
            recoveries = min(position.recoveries, most)
            parent = None if position.parent is None else position.parent * STEP + position.parent_branch
            current = position.generation * STEP
            return Reply(Row(current, parent, recoveries, 0), current, True)
        spares = {rotation.Spare.SAME: token, rotation.Spare.BRANCH: row.generation + _FRESH, None: None}
        spare = spares[decision.spare]
        if decision.outcome is rotation.Outcome.REPEATED:
            return Reply(row, spare, False)
        return Reply(row, None, False, spare) if decision.outcome is rotation.Outcome.GRACE else None

    def _make_state(self, row: Row) -> State:
        since = self._measure(row)
        parent, branch = divmod(row.parent or 0, STEP)
        return State(
            position=Position(
                generation=row.generation // STEP,
                parent=None if row.parent is None else parent,
                parent_branch=branch,
                recoveries=row.recoveries,
                rotated_at=None if row.parent is None else _NOW - since,
            ),
            revoked=False,
            user_active=True,
            idle_expires_at=_NOW + timedelta(days=14),
            expires_at=_NOW + timedelta(days=90),
        )

    def _measure(self, row: Row) -> timedelta:
        """Return the time since the last rotation. The last two parts of a window are halves of the grace."""
        window = self.policy.measure_window(row.recoveries)
        if row.halves in {0, PASSED}:
            return window if row.halves else timedelta(0)
        return window - (self._count_parts(row) - row.halves) * GRACE / HALVES

    def _count_parts(self, row: Row) -> int:
        return PASSED if self.policy.measure_window(row.recoveries) > self.policy.grace else HALVES

    def pass_half(self, row: Row) -> Row | None:
        if not self.policy.grace or row.halves == PASSED:
            return None
        halves = row.halves + 1
        return row._replace(halves=PASSED if halves == self._count_parts(row) else halves)

    def settle(
        self, row: Row, snapshot: Row | None, owned: Iterable[int], stolen: Iterable[int]
    ) -> tuple[Row, Row | None, Mapping[int, int]]:
        """Renumber from the base on. Below the base keep only the order relative to the parents.

        The base is the generation of the row, or of a backup that may come back. Without a backup the
        generations are: 0 older than the parent, 1 the parent, 2 skipped, 6 current, and 7, 8, ... ahead.
        """
        rows = [row, snapshot] if snapshot else [row]
        base = min(each.generation for each in rows) // STEP
        parents = [each.parent for each in rows if each.parent is not None]
        pivots = sorted({parent // STEP for parent in parents if parent // STEP < base})
        tokens = [*parents, *owned, *stolen]
        shared, lost = _number_branches([*parents, *owned]), _number_branches(parents)

        def number(token: int) -> int:
            generation = token // STEP
            if generation >= base:
                return (generation - base + _BASE) * STEP + _find_branch(token, shared)
            kind = sum(2 if generation > pivot else generation == pivot for pivot in pivots)
            return kind * STEP + (_find_branch(token, lost) if generation in pivots else 0)

        def rename(each: Row) -> Row:
            parent = None if each.parent is None else number(each.parent)
            return each._replace(generation=number(each.generation) // STEP * STEP, parent=parent)

        names = {token: number(token) for token in tokens}
        return rename(row), snapshot and rename(snapshot), names

    def rank(self, token: int) -> int:
        return token // STEP

    def name(self, row: Row, token: int) -> str:
        generation, parent = token // STEP, None if row.parent is None else row.parent // STEP
        if generation == row.generation // STEP:
            return f"branch {token % STEP} of current" if token % STEP else "current"
        if generation == parent:
            return "parent" if token == row.parent else "another branch of parent"
        if token > row.generation:
            return "ahead"
        return "skipped" if row.parent is not None and token > row.parent else "old"


def _number_branches(tokens: Iterable[int]) -> dict[int, int]:
    """Return a number for each branch of a generation, in the order of the first occurrence."""
    found: dict[int, int] = {}
    for token in tokens:
        if token not in found:
            found[token] = sum(other // STEP == token // STEP for other in found)
    return found


def _find_branch(token: int, numbers: Mapping[int, int]) -> int:
    """Return the number of a branch. All branches without a number have the next one."""
    others = sum(other // STEP == token // STEP for other in numbers)
    return numbers.get(token, others)


def _advance(row: Row, parent: int | None) -> Reply:
    current = row.generation + STEP
    return Reply(Row(current, parent, 0, 0), current, True)


@dataclass(frozen=True)
class SameSuccessor(Chain):
    """In the window the parent gets the current token again. After the window the parent recovers."""

    def ask(self, row: Row, token: int) -> Reply | None:
        if token == row.generation:
            return _advance(row, token)
        if token == row.parent:
            return Reply(row, row.generation, False) if row.halves < HALVES else _advance(row, row.parent)
        return None


@dataclass(frozen=True)
class Repeated(Chain):
    """In the window each client gets the token that it has used, for clients that store each answer."""

    def ask(self, row: Row, token: int) -> Reply | None:
        reply = super().ask(row, token)
        return reply if reply is None or reply.spare is None else reply._replace(spare=token)


@dataclass(frozen=True)
class CurrentAgain(Chain):
    """In the window each client gets the current token, without a branch of its own."""

    def ask(self, row: Row, token: int) -> Reply | None:
        reply = super().ask(row, token)
        return reply if reply is None or reply.spare is None else reply._replace(spare=row.generation)


@dataclass(frozen=True)
class Counter(Chain):
    """Supabase's counter (its ``internal/tokens/service.go``, with a reuse interval).

    A token one generation behind always gets the current token again. An older token gets it only within the
    interval. Each answer starts the interval again.
    """

    def ask(self, row: Row, token: int) -> Reply | None:
        if token == row.generation:
            return _advance(row, token)
        if token == row.parent or row.halves < HALVES:
            return Reply(row._replace(halves=0), row.generation, True)
        return None
