"""The rules side by side: which rules lose sessions without a thief, and how much a thief gains."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from drf_tessera.rotation import Policy
from tests.model.explore import explore
from tests.model.rules import GRACE, UNBOUNDED, Chain, Counter, CurrentAgain, Repeated, Rule, SameSuccessor
from tests.model.trees import FirstChildWins, Graceful
from tests.model.world import Model

NO_GRACE: Final = timedelta(0)
SHIPPED: Final = "the rule that ships: grace 30 s, recoveries 5"

RULES: Final[Mapping[str, Rule]] = {
    "strict rotation: grace 0, recoveries 0": Chain(Policy(grace=NO_GRACE, recoveries=0)),
    "Supabase's counter": Counter(),
    "SuperTokens: the first child used wins": FirstChildWins(),
    "Ory's graceful rotation": Graceful(),
    "same successor again in the window": SameSuccessor(),
    "grace 0, recoveries 5": Chain(Policy(grace=NO_GRACE, recoveries=5)),
    "grace 30 s, recoveries 0": Chain(Policy(grace=GRACE, recoveries=0)),
    "grace 30 s, recoveries without bound": Chain(Policy(grace=GRACE, recoveries=UNBOUNDED)),
    SHIPPED: Chain(),
}


STORED: Final[Mapping[str, Rule]] = {
    "the token that was used, again": Repeated(),
    "the current token": CurrentAgain(),
    "a branch of the current token: it ships": Chain(),
}
"""The candidates for the refresh token of an answer in the window. Some clients store it."""


@dataclass(frozen=True)
class Line:
    """The results for one rule."""

    name: str
    states: int
    loss: int | None
    """The fewest lost answers in a row that end a session without a thief. ``None`` means never."""
    bound: int | None
    """The most successes of a thief that count. ``None`` means without bound."""
    trace: list[str]
    """The shortest way to lose a session."""

    def __str__(self) -> str:
        lost = "never" if self.loss is None else f"after {self.loss} in a row" if self.loss else "yes"
        gained = "without bound" if self.bound is None else f"{self.bound} at most"
        return f"{self.name:<47}{lost:<20}{gained:<15}{self.states:>7}"


HEADER: Final = f"{'rule':<47}{'session lost':<20}{'thief gains':<15}{'states':>7}"


def judge(
    name: str, rule: Rule, progress: Callable[[int], None] | None = None, **options: bool | int
) -> Line:
    """Explore one rule, without a thief and with one."""
    alone = explore(Model(rule=rule, **options), progress)  # type: ignore[arg-type]
    robbed = explore(Model(rule=rule, thief=True, **options), progress)  # type: ignore[arg-type]
    loss, trace = alone.find_loss() or (None, [])
    return Line(name, len(alone.worlds) + len(robbed.worlds), loss, robbed.find_bound(), trace)


def judge_all(progress: Callable[[int], None] | None = None) -> Iterator[Line]:
    """Explore all rules, one after another."""
    for name, rule in RULES.items():
        yield judge(name, rule, progress)


def judge_stored(progress: Callable[[int], None] | None = None) -> Iterator[Line]:
    """Explore the answers in the window, with clients that store the refresh token of each answer."""
    for name, rule in STORED.items():
        yield judge(name, rule, progress, storing=True, careless=True, prompt=True)
