"""Refresh rules as the explorer sees them. The shipped rule is called, never copied.

Time passes only in halves of the grace window (``world`` explains why). A row has the number of halves that
have passed since its last rotation, and the real times are computed from that number.

Generations have no bound, so after every step the tokens are given new numbers (:meth:`Chain.settle`). That
is sound because a rule only compares generations. ``test_the_rule_only_compares_generations`` proves that.
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
"""The number of the current token after settling. Lower numbers are kinds, see :meth:`Chain.settle`."""


class Row(NamedTuple):
    """The state of a session: a :class:`Position` whose time is counted in halves of the window."""

    generation: int
    parent: int | None
    recoveries: int
    halves: int


class Reply(NamedTuple):
    """A refresh that was answered."""

    row: Any
    token: int | None
    """The refresh token in the answer. ``None`` means that the answer has only an access token."""
    opened: bool
    """Whether a grace window begins with this answer. If a rule has no grace, every answer counts as one."""


class Rule(Protocol):
    """The interface of a rule to the explorer. Each rule has its own kind of rows. Tokens are numbers."""

    @property
    def first(self) -> tuple[Any, int]:
        """Return the row of a new session, and its refresh token."""

    def use(self, row: Any, token: int) -> Reply | None:
        """Answer a refresh. ``None`` ends the session."""

    def pass_half(self, row: Any) -> Any | None:
        """Let half a window pass. ``None`` means that the row no longer depends on time."""

    def settle(
        self, row: Any, snapshot: Any | None, owned: Iterable[int], stolen: Iterable[int]
    ) -> tuple[Any, Any | None, Mapping[int, int]]:
        """Forget every difference that no longer matters. Return the row, the backup and the new numbers."""

    def name(self, row: Any, token: int) -> str:
        """Return a readable name for a token's relation to a row."""


Decide = Callable[[State, int, datetime, Policy], Decision]


@dataclass(frozen=True)
class Chain:
    """The shipped rule under any policy. With another function as ``decide`` it is a mutant of that rule."""

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
            # Without a bound the count never decides anything, and would make the number of states infinite.
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
        """Keep the distances of tokens from the base on. Below the base keep only the order to the parents.

        The base is the row's generation, or the generation of a backup that may come back, if that is lower.
        Without a backup the numbers are: 0 older than the parent, 1 the parent, 2 skipped, 6 current, and 7,
        8, ... ahead.
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
    """Within the window the parent is answered with the current token. After the window it recovers."""

    def ask(self, row: Row, token: int) -> Reply | None:
        if token == row.generation:
            return _advance(row, token)
        if token == row.parent:
            return Reply(row, row.generation, False) if row.halves < HALVES else _advance(row, row.parent)
        return None


@dataclass(frozen=True)
class Counter(Chain):
    """Supabase's counter (its ``internal/tokens/service.go``, with a reuse interval).

    A token one generation behind is always answered with the current token. An older token is answered so
    only within the interval, and every answer starts the interval again.
    """

    def ask(self, row: Row, token: int) -> Reply | None:
        if token == row.generation:
            return _advance(row, token)
        if token == row.parent or row.halves < HALVES:
            return Reply(row._replace(halves=0), row.generation, True)
        return None
