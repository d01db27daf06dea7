"""The refresh rules, in the form that the explorer needs. The shipped rule is called, never copied.

Time moves only in halves of the grace window (``world`` explains why). A row counts the halves since its last
rotation, and the real times are computed from this count.

Generations have no bound, so after each step the tokens are renumbered (:meth:`Chain.settle`). Renumbering is
sound because a rule only compares: ``test_the_rule_only_compares_generations``.
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
"""The number of halves after which the window of a rotation has passed."""

_NOW: Final = datetime(2030, 1, 1, tzinfo=UTC)
_BASE: Final = 6
"""The number of the current token after renumbering. Lower numbers are kinds; see :meth:`Chain.settle`."""


class Row(NamedTuple):
    """The position of a session: a :class:`Position` whose time is a number of halves of the window."""

    generation: int
    parent: int | None
    recoveries: int
    halves: int


class Reply(NamedTuple):
    """The answer to an accepted refresh."""

    row: Any
    token: int | None
    """The refresh token in the answer. ``None`` means that the answer has only an access token."""
    opened: bool
    """Whether a grace window starts with this answer. In a rule without windows, each answer counts."""


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

    def name(self, row: Any, token: int) -> str:
        """Return a name for a token of a row, for people."""


Decide = Callable[[State, int, datetime, Policy], Decision]


@dataclass(frozen=True)
class Chain:
    """The shipped rule with any policy. With another function as ``decide`` it is a mutant of the rule."""

    policy: Policy = SHIPPED
    decide: Decide = rotation.decide
    _known: dict[tuple[Row, int], Reply | None] = field(default_factory=dict, compare=False, repr=False)

    @property
    def first(self) -> tuple[Row, int]:
        start = rotation.START
        return Row(start.generation, start.parent, start.recoveries, HALVES), start.generation

    def use(self, row: Row, token: int) -> Reply | None:
        key = (row, token)
        if key not in self._known:
            self._known[key] = self.ask(row, token)
        return self._known[key]

    def ask(self, row: Row, token: int) -> Reply | None:
        decision = self.decide(self._make_state(row), token, _NOW, self.policy)
        position = decision.position
        if position is not None:
            # Without a bound the count decides nothing, but it would make the number of states infinite.
            recoveries = 0 if self.policy.recoveries == UNBOUNDED else position.recoveries
            return Reply(Row(position.generation, position.parent, recoveries, 0), position.generation, True)
        return Reply(row, None, False) if decision.outcome is rotation.Outcome.GRACE else None

    def _make_state(self, row: Row) -> State:
        since = row.halves * GRACE / HALVES
        return State(
            position=Position(
                generation=row.generation,
                parent=row.parent,
                recoveries=row.recoveries,
                rotated_at=None if row.parent is None else _NOW - since,
            ),
            revoked=False,
            user_active=True,
            idle_expires_at=_NOW + timedelta(days=14),
            expires_at=_NOW + timedelta(days=90),
        )

    def pass_half(self, row: Row) -> Row | None:
        if not self.policy.grace or row.halves == HALVES:
            return None
        return row._replace(halves=row.halves + 1)

    def settle(
        self, row: Row, snapshot: Row | None, owned: Iterable[int], stolen: Iterable[int]
    ) -> tuple[Row, Row | None, Mapping[int, int]]:
        """Renumber from the base on. Below the base keep only the order relative to the parents.

        The base is the generation of the row, or of a backup that may come back. Without a backup the numbers
        are: 0 older than the parent, 1 the parent, 2 skipped, 6 current, and 7, 8, ... ahead.
        """
        base = row.generation if snapshot is None else min(row.generation, snapshot.generation)
        parents = {row.parent} | ({snapshot.parent} if snapshot else set())
        pivots = sorted(parent for parent in parents if parent is not None and parent < base)
        tokens = {row.generation, *owned, *stolen, *pivots}
        if row.parent is not None:
            tokens.add(row.parent)
        if snapshot:
            tokens.add(snapshot.generation)

        def number(token: int) -> int:
            if token >= base:
                return token - base + _BASE
            return sum(2 if token > pivot else token == pivot for pivot in pivots)

        names = {token: number(token) for token in tokens}
        return _rename(row, names), snapshot and _rename(snapshot, names), names

    def name(self, row: Row, token: int) -> str:
        if token == row.generation:
            return "current"
        if token == row.parent:
            return "parent"
        if token > row.generation:
            return "ahead"
        return "skipped" if row.parent is not None and token > row.parent else "old"


def _rename(row: Row, names: Mapping[int, int]) -> Row:
    parent = None if row.parent is None else names[row.parent]
    return row._replace(generation=names[row.generation], parent=parent)


def _advance(row: Row, parent: int | None) -> Reply:
    return Reply(Row(row.generation + 1, parent, 0, 0), row.generation + 1, True)


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
