"""Rules that give each use of a token a successor of its own, so that a session's tokens are a tree.

Their rows are not places in a chain, and only what is "possible" under them is claimed of them; time
runs here in one coarse step, when nothing is on its way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from tests.model.rules import Reply

DEAD: Final = 0


class Family(NamedTuple):
    """SuperTokens' row: the last token that proved its successor arrived, and its children."""

    parent: int
    children: frozenset[int]


@dataclass(frozen=True)
class FirstChildWins:
    """SuperTokens: the parent may be used again until one of its children is; that ends the others."""

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
        """Nothing here depends on time."""

    def settle(
        self, row: Family, snapshot: None, owned: Iterable[int], stolen: Iterable[int]
    ) -> tuple[Family, None, Mapping[int, int]]:
        """Children of the thief alone are all alike: one is enough."""
        names = {row.parent: 1}
        names = _number(names, owned, alive=row.children)
        thief_only = max(names.values()) + 1
        for token in stolen:
            if token not in names:
                names[token] = thief_only if token in row.children else DEAD
        children = frozenset(names[child] for child in row.children if child in names)
        return Family(1, children), None, names

    def name(self, row: Family, token: int) -> str:
        return "parent" if token == row.parent else f"child {token}" if token in row.children else "dead"


class Forest(NamedTuple):
    """Ory's row: the tokens that were not used yet, and those in their grace period."""

    fresh: frozenset[int]
    graced: frozenset[int]


@dataclass(frozen=True)
class Graceful:
    """Ory: within its grace period a used token yields new tokens, all of which live on side by side."""

    @property
    def first(self) -> tuple[Forest, int]:
        return Forest(frozenset({1}), frozenset()), 1

    def use(self, row: Forest, token: int) -> Reply | None:
        if token not in row.fresh | row.graced:
            return None
        child = max(row.fresh | row.graced) + 1
        return Reply(Forest(row.fresh - {token} | {child}, row.graced | {token}), child, True)

    def pass_half(self, row: Forest) -> Forest | None:
        """All grace periods at once: fewer runs than there are, and each of them possible."""
        return row._replace(graced=frozenset()) if row.graced else None

    def settle(
        self, row: Forest, snapshot: None, owned: Iterable[int], stolen: Iterable[int]
    ) -> tuple[Forest, None, Mapping[int, int]]:
        """Tokens that the thief alone has are alike if they are in the same state."""
        names = _number({}, owned, alive=row.fresh | row.graced)
        last = max(names.values(), default=0)
        for token in stolen:
            if token not in names:
                names[token] = last + 1 if token in row.fresh else last + 2 if token in row.graced else DEAD
        fresh = frozenset(names[token] for token in row.fresh if token in names)
        graced = frozenset(names[token] for token in row.graced if token in names)
        return Forest(fresh, graced), None, names

    def name(self, row: Forest, token: int) -> str:
        return f"fresh {token}" if token in row.fresh else f"used {token}" if token in row.graced else "spent"


def _number(names: dict[int, int], tokens: Iterable[int], alive: frozenset[int]) -> dict[int, int]:
    """Number tokens in the order in which they are met; those that nobody can use are all alike."""
    for token in tokens:
        if token not in names:
            names[token] = max(names.values(), default=0) + 1 if token in alive else DEAD
    return names
