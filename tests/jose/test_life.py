"""The model of the life of a key: every moment, every server and every verifier that caches the JWK Set.

Time is counted in whole steps. A server of ours may know only what was published one ``read`` ago, its clock
may be fast, and a verifier may use a set that it fetched one ``cached`` ago.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import product

import pytest

from drf_tessera.jose.life import (
    NEVER,
    Life,
    Pace,
    Stage,
    find_end,
    find_next_change,
    find_retirement,
    find_stage,
)

PACES = [
    Pace(read=read, cached=cached, lifetime=lifetime, skew=skew)
    for read, cached, lifetime, skew in [(1, 2, 2, 1), (0, 1, 2, 0), (1, 0, 3, 1), (0, 2, 2, 1), (2, 1, 2, 0)]
]


class Hasty(Pace):
    """Publishes for one step less."""

    @property
    def delay(self) -> float:
        return super().delay - 1


class Careless(Pace):
    """Withdraws a key too early: in whole steps, a key signs for the last time one step before its end."""

    @property
    def rest(self) -> float:
        return super().rest - 2


class World:
    """Keys that were published at given moments, by servers whose clocks are late or fast."""

    def __init__(self, pace: Pace, published: tuple[tuple[int, int], ...]) -> None:
        self.pace, self.published = pace, [-100, *(moment for moment, _ in published)]
        signs = [0.0, *(moment + clock + pace.delay for moment, clock in published)]
        self.lives = [Life(signs_at=moment) for moment in signs]
        self.skews = range(int(pace.skew) + 1)
        self.stages = cache(self._stages)

    def _stages(self, known: int, clock: int) -> tuple[Stage, ...]:
        lives = self.lives[:known]
        return tuple(find_stage(lives, index, self.pace, clock) for index in range(known))

    def known_at(self, moment: int) -> Iterator[tuple[Stage, ...]]:
        """Yield the stages as each server may see them at a moment."""
        for age, skew in product(range(int(self.pace.read) + 1), self.skews):
            known = sum(published <= moment - age for published in self.published)
            yield self.stages(known, moment + skew)

    def find_lost_token(self) -> tuple[int, int, int] | None:
        """Return a key, the moment of its signature, and the moment at which a valid token was refused."""
        last = int(max(life.signs_at for life in self.lives) + self.pace.rest) + 2
        fetched = {
            moment: [
                {index for index, stage in enumerate(stages) if stage not in (Stage.GONE, Stage.REVOKED)}
                for stages in self.known_at(moment)
            ]
            for moment in range(-3, 2 * last)
        }
        for moment, age, skew in product(range(last), range(int(self.pace.read) + 1), self.skews):
            known = sum(published <= moment - age for published in self.published)
            signing = [
                i for i, stage in enumerate(self.stages(known, moment + skew)) if stage is Stage.SIGNING
            ]
            assert len(signing) == 1
            end = moment + skew + int(self.pace.lifetime)
            for later in range(moment, end):  # by the clock of a verifier that is late
                for fetch in range(later - int(self.pace.cached), later + 1):
                    if any(signing[0] not in keys for keys in fetched[fetch]):
                        return signing[0], moment, later
        return None


def worlds(pace: Pace) -> Iterator[World]:
    """Yield one rotation and two, at all distances, also while the first is under way."""
    for clocks in product({0, int(pace.skew)}, repeat=2):
        for distance in range(int(pace.delay + pace.rest) + 2):
            yield World(pace, ((1, clocks[0]), (1 + distance, clocks[1])))


@pytest.mark.parametrize("pace", PACES, ids=str)
def test_every_live_token_verifies_at_every_moment_for_every_verifier(pace: Pace) -> None:
    assert [world.find_lost_token() for world in worlds(pace) if world.find_lost_token()] == []


@pytest.mark.parametrize("kind", [Hasty, Careless])
def test_neither_time_can_be_shorter(kind: type[Pace]) -> None:
    for pace in PACES:
        shorter = kind(read=pace.read, cached=pace.cached, lifetime=pace.lifetime, skew=pace.skew)
        assert any(world.find_lost_token() for world in worlds(shorter))


PACE = Pace(read=31, cached=3600, lifetime=300, skew=60)


def test_a_key_goes_through_its_stages_in_order() -> None:
    lives = [Life(signs_at=0), Life(signs_at=10_000), Life(signs_at=20_000)]
    stages = [
        (moment, find_stage(lives, 1, PACE, moment)) for moment in (9_999, 10_000, 19_999, 20_000, 20_360)
    ]
    assert [stage.value for _, stage in stages] == ["published", "signing", "signing", "retiring", "gone"]
    assert (find_retirement(lives, 1), find_end(lives, 1, PACE)) == (20_000, 20_360)
    assert (find_retirement(lives, 2), find_end(lives, 2, PACE)) == (NEVER, NEVER)


def test_a_key_that_was_withdrawn_before_its_time_leaves_the_signature_to_the_older_one() -> None:
    lives = [Life(signs_at=0), Life(signs_at=10_000, revoked_at=9_000)]
    assert find_stage(lives, 0, PACE, 20_000) is Stage.SIGNING
    assert find_stage(lives, 1, PACE, 8_999) is Stage.PUBLISHED
    assert find_stage(lives, 1, PACE, 9_000) is Stage.REVOKED


def test_a_stolen_key_does_not_bring_an_older_key_back() -> None:
    lives = [Life(signs_at=0), Life(signs_at=10_000, revoked_at=50_000), Life(signs_at=50_000)]
    assert [find_stage(lives, index, PACE, 50_000) for index in range(3)] == [
        Stage.GONE,
        Stage.REVOKED,
        Stage.SIGNING,
    ]
    assert find_stage(replace_last(lives), 0, PACE, 60_000) is Stage.GONE


def replace_last(lives: list[Life]) -> list[Life]:
    """Revoke the last key too."""
    return [*lives[:-1], replace(lives[-1], revoked_at=55_000)]


def test_the_newer_one_of_two_keys_with_one_moment_signs() -> None:
    lives = [Life(signs_at=5), Life(signs_at=5)]
    assert [find_stage(lives, index, PACE, 5) for index in (0, 1)] == [Stage.RETIRING, Stage.SIGNING]


def test_the_next_change_is_the_next_moment_at_which_a_stage_differs() -> None:
    lives = [Life(signs_at=0), Life(signs_at=100, revoked_at=300)]
    now, found = -1.0, []
    while (now := find_next_change(lives, PACE, now)) != NEVER:
        found.append(now)
    assert found == [0, 100, 300, 460]
