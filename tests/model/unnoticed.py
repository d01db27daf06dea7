"""For how long does the cleverest thief go unnoticed, in minutes?

A thief copies the store of a client once. The client is used all the time, gets its answers, and refreshes
after each ``period``. The thief knows when. He uses any of his tokens at any time, also just before and just
after a refresh of the client. He never sends a token that would reveal him.

The result is the longest time from the theft to the last answer that he gets. An answer with an access token
only counts too. Time moves in steps of ``UNIT``, and the shipped function judges each refresh. All orders of
events are explored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NamedTuple

from drf_tessera import rotation
from drf_tessera.rotation import Policy
from tests.model.explore import Edge, Graph
from tests.model.rules import Chain, Decide, Row

UNIT: Final = timedelta(seconds=30)


@dataclass(frozen=True)
class Timed(Chain):
    """The shipped rule. A row counts the units since its last rotation."""

    def _measure(self, row: Row) -> timedelta:
        return row.halves * UNIT

    def pass_half(self, row: Row) -> Row:
        """Return the row a unit later. Nothing is counted after the window."""
        ends = row.halves * UNIT >= self.policy.measure_window(row.recoveries)
        return row if ends else row._replace(halves=row.halves + 1)


class Scene(NamedTuple):
    """Everything that the future depends on."""

    row: Row
    store: int
    stolen: frozenset[int]
    wait: int
    """The units until the client refreshes."""


def find_unnoticed(
    policy: Policy, period: timedelta, *, stores_each: bool = False, decide: Decide = rotation.decide
) -> float | None:
    """Return the minutes until the thief's last answer. ``None`` means without bound."""
    rule, units = Timed(policy, decide), period // UNIT
    row, token = rule.first
    # The theft is at any time between two refreshes. The session has rotated before.
    first = rule.use(row, token)
    assert first is not None
    scenes: list[Scene] = []
    for passed in range(units + 1):
        here = first.row
        for _ in range(passed):
            here = rule.pass_half(here)
        scenes.append(
            _settle(rule, Scene(here, here.generation, frozenset({here.generation}), units - passed))
        )
    best = [_explore(rule, scene, units, stores_each=stores_each) for scene in scenes]
    return None if None in best else max(found for found in best if found is not None)


def _explore(rule: Timed, start: Scene, units: int, *, stores_each: bool) -> float | None:
    numbers, scenes = {start: 0}, [start]
    moves: list[list[tuple[int, int, bool]]] = []
    while len(moves) < len(scenes):
        here = scenes[len(moves)]
        found = []
        for scene, passed, gained in _list_moves(rule, here, units, stores_each=stores_each):
            after = _settle(rule, scene)
            target = numbers.setdefault(after, len(scenes))
            if target == len(scenes):
                scenes.append(after)
            found.append((target, passed, gained))
        moves.append(found)
    useful = _find_useful(moves)
    edges = [
        [Edge(target, passed, "") for target, passed, gained in found if useful[target] or gained]
        for found in moves
    ]
    bound = Graph([], edges, [], 0).find_bound()
    return None if bound is None else bound * UNIT / timedelta(minutes=1)


def _find_useful(moves: list[list[tuple[int, int, bool]]]) -> list[bool]:
    """Return which scenes can lead to another answer for the thief. Time counts only before them."""
    before: list[list[int]] = [[] for _ in moves]
    useful = [any(gained for _, _, gained in found) for found in moves]
    for number, found in enumerate(moves):
        for target, _, _ in found:
            before[target].append(number)
    work = [number for number, known in enumerate(useful) if known]
    while work:
        for number in before[work.pop()]:
            if not useful[number]:
                useful[number] = True
                work.append(number)
    return useful


def _list_moves(
    rule: Timed, scene: Scene, units: int, *, stores_each: bool
) -> Iterator[tuple[Scene, int, bool]]:
    """Yield the next scenes, the units that pass, and whether the thief gets an answer."""
    for token in scene.stolen:
        reply = rule.use(scene.row, token)
        if reply is not None:
            new = reply.spare if reply.token is None else reply.token
            stolen = scene.stolen if new is None else scene.stolen | {new}
            yield scene._replace(row=reply.row, stolen=stolen), 0, True
    if scene.wait:
        yield scene._replace(row=rule.pass_half(scene.row), wait=scene.wait - 1), 1, False
        return
    reply = rule.use(scene.row, scene.store)
    if reply is None:
        return  # the client is refused, and the owner logs in again
    new = reply.spare if reply.token is None and stores_each else reply.token
    store = scene.store if new is None else new
    yield scene._replace(row=reply.row, store=store, wait=units), 0, False


def _settle(rule: Timed, scene: Scene) -> Scene:
    stolen = sorted(scene.stolen)
    row, _, names = rule.settle(scene.row, None, [scene.store], stolen)
    # A token that the rule refuses now is refused for ever, so the thief forgets it.
    kept = frozenset(names[token] for token in stolen if rule.use(row, names[token]) is not None)
    return scene._replace(row=row, store=names[scene.store], stolen=kept)
