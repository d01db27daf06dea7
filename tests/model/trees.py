"""Rules in which each use of a token creates its own successor, so that a session's tokens are a tree.

Their rows are not positions in a chain. The results for these rules only claim that something is "possible".
Time moves in one coarse step, and only when no message is in progress.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from tests.model.rules import Reply

DEAD: Final = 0


class Family(NamedTuple):
    """The row of SuperTokens: the last token whose successor has been used, and its children."""

    parent: int
    children: frozenset[int]


@dataclass(frozen=True)
class FirstChildWins:
    """SuperTokens: the parent may be used until one of its children is used. Then the other children end."""

    @property
    def first(self) -> tuple[Family, int]:
        return Family(1, frozenset()), 1

    def use(self, row: Family, token: int) -> Reply | None:
        child = max(row.parent, token, *row.children, 0) + 1
        if token == row.parent:
            return Reply(row._replace(children=row.children | {child}), child, True)
        if token in row.children:
            return Reply(Family(token, frozenset({child})), child, True)
        return None

    def pass_half(self, row: Family) -> None:
        """Return ``None``, because nothing depends on time."""

    def settle(
        self, row: Family, snapshot: None, owned: Iterable[int], stolen: Iterable[int]
    ) -> tuple[Family, None, Mapping[int, int]]:
        """Keep one of the children that only the thief has, because these children are equivalent."""
        names = {row.parent: 1}
        names = _number(names, owned, alive=row.children)
        thief_only = max(names.values()) + 1
        for token in stolen:
            if token not in names:
                names[token] = thief_only if token in row.children else DEAD
        children = frozenset(names[child] for child in row.children if child in names)
        return Family(1, children), None, names

    def rank(self, token: int) -> int:
        return token

    def name(self, row: Family, token: int) -> str:
        return "parent" if token == row.parent else f"child {token}" if token in row.children else "dead"


class Forest(NamedTuple):
    """The row of Ory: the tokens that were not used yet, and the tokens in their grace period."""

    fresh: frozenset[int]
    graced: frozenset[int]


@dataclass(frozen=True)
class Graceful:
    """Ory: in its grace period a used token creates new tokens, and all of them stay valid."""

    @property
    def first(self) -> tuple[Forest, int]:
        return Forest(frozenset({1}), frozenset()), 1

    def use(self, row: Forest, token: int) -> Reply | None:
        if token not in row.fresh | row.graced:
            return None
        child = max(row.fresh | row.graced) + 1
        return Reply(Forest(row.fresh - {token} | {child}, row.graced | {token}), child, True)

    def pass_half(self, row: Forest) -> Forest | None:
        """End all grace periods at once. There are fewer runs than in reality, but each run is possible."""
        return row._replace(graced=frozenset()) if row.graced else None

    def settle(
        self, row: Forest, snapshot: None, owned: Iterable[int], stolen: Iterable[int]
    ) -> tuple[Forest, None, Mapping[int, int]]:
        """Merge the tokens that only the thief has if they are in the same state."""
        names = _number({}, owned, alive=row.fresh | row.graced)
        last = max(names.values(), default=0)
        for token in stolen:
            if token not in names:
                names[token] = last + 1 if token in row.fresh else last + 2 if token in row.graced else DEAD
        fresh = frozenset(names[token] for token in row.fresh if token in names)
        graced = frozenset(names[token] for token in row.graced if token in names)
        return Forest(fresh, graced), None, names

    def rank(self, token: int) -> int:
        return token

    def name(self, row: Forest, token: int) -> str:
        return f"fresh {token}" if token in row.fresh else f"used {token}" if token in row.graced else "spent"


def _number(names: dict[int, int], tokens: Iterable[int], alive: frozenset[int]) -> dict[int, int]:
    """Renumber the tokens in the order of their occurrence. All tokens that nobody can use get one number."""
    for token in tokens:
        if token not in names:
            names[token] = max(names.values(), default=0) + 1 if token in alive else DEAD
    return names
