"""Visit all reachable states, breadth first, and find lost sessions and the successes of a thief."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from tests.model.world import Model, World

STEP: Final = 5_000


class Edge(NamedTuple):
    """A move: the next state, the thief's score, and a description."""

    target: int
    score: int
    text: str


@dataclass(frozen=True)
class Graph:
    """All states of a model, numbered in the order of their discovery, and all moves."""

    worlds: list[World]
    edges: list[list[Edge]]
    found_from: list[tuple[int, str] | None]
    backwards: int
    """The number of moves that replace a newer token by an older one."""

    def find_loss(self) -> tuple[int, list[str]] | None:
        """Return the fewest lost answers in a row that end a session, and the way to that state."""
        dead = [number for number, world in enumerate(self.worlds) if not world.alive]
        if not dead:
            return None
        first = min(dead, key=lambda number: (self.worlds[number].losses, number))
        return self.worlds[first].losses, self._retrace(first)

    def _retrace(self, number: int) -> list[str]:
        words = []
        while (step := self.found_from[number]) is not None:
            number, word = step
            words.append(word)
        return words[::-1]

    def find_bound(self) -> int | None:
        """Return the highest possible score. ``None`` means that a cycle scores, so there is no bound."""
        parts = _find_parts(self.edges)
        best = [0] * len(self.edges)
        # A part has a higher number than all parts that it leads to, so one pass over the parts is enough.
        for number in sorted(range(len(parts)), key=parts.__getitem__):
            here = parts[number]
            for edge in self.edges[number]:
                if parts[edge.target] != here:
                    best[here] = max(best[here], edge.score + best[parts[edge.target]])
                elif edge.score:
                    return None
        return best[parts[0]]

    def find_run(self, score: int) -> list[str]:
        """Return a shortest run with this score."""
        found_from: dict[tuple[int, int], tuple[tuple[int, int], str] | None] = {(0, 0): None}
        queue = deque([(0, 0)])
        while queue:
            here = queue.popleft()
            if here[1] == score:
                break
            for edge in self.edges[here[0]]:
                there = (edge.target, here[1] + edge.score)
                if there not in found_from:
                    found_from[there] = (here, edge.text)
                    queue.append(there)
        else:
            raise LookupError(f"No run scores {score}.")
        words = []
        while (step := found_from[here]) is not None:
            here, word = step
            words.append(word)
        return words[::-1]


def explore(model: Model, progress: Callable[[int], None] | None = None) -> Graph:
    """Visit states until there is no new state. ``progress`` receives the number of states."""
    worlds = [model.start()]
    numbers = {worlds[0]: 0}
    edges: list[list[Edge]] = []
    found_from: list[tuple[int, str] | None] = [None]
    backwards = 0
    while len(edges) < len(worlds):
        here = len(edges)
        edges.append([])
        for move in model.moves(worlds[here]):
            backwards += move.backwards
            target = numbers.setdefault(move.after, len(worlds))
            if target == len(worlds):
                worlds.append(move.after)
                found_from.append((here, move.text))
                if progress is not None and target % STEP == 0:
                    progress(target)
            edges[here].append(Edge(target, move.score, move.text))
    return Graph(worlds, edges, found_from, backwards)


def _find_parts(edges: list[list[Edge]]) -> list[int]:
    """Return the number of each state's strongly connected part (Tarjan's algorithm, without recursion).

    State 0 leads to every other state, so one search from state 0 finds all states.
    """
    parts, low, order = [-1] * len(edges), [0] * len(edges), [-1] * len(edges)
    path: list[int] = []
    work = [(0, iter(edges[0]))]
    clock = count = 0
    while work:
        number, rest = work[-1]
        if order[number] < 0:
            order[number] = low[number] = clock
            clock += 1
            path.append(number)
        for edge in rest:
            if order[edge.target] < 0:
                work.append((edge.target, iter(edges[edge.target])))
                break
            if parts[edge.target] < 0:
                low[number] = min(low[number], order[edge.target])
        else:
            work.pop()
            if work:
                low[work[-1][0]] = min(low[work[-1][0]], low[number])
            if low[number] == order[number]:
                while parts[number] < 0:
                    parts[path.pop()] = count
                count += 1
    return parts
