"""The refresh rule: one pure function of a session's state, a token's generation and the time.

This module uses no database, no request and no Django, so the model test explores exactly the code that
ships. ``docs/explanation/refresh.md`` explains the reasons for the rule.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

GROWTH: Final = 3
"""Each window is so many times as long as the window before it, while answers are lost.

With 2, a brownout of 16 minutes would use up five recoveries (30 s * (1 + 2 + 4 + 8 + 16)). With 3, five
recoveries take an hour (30 s * (1 + 3 + 9 + 27 + 81)), however often the clients try.
"""
_FARTHEST: Final = 64
"""No window grows so often. The count of recoveries may be larger, and so would be the power."""


class Outcome(Enum):
    """The result of a refresh. The first five outcomes are answered with tokens, the others are refused."""

    ROTATED = "rotated"
    """The current token was used outside the window. The next generation is issued."""
    GRACE = "grace"
    """The token was used in the window after a rotation. The row does not change (see :class:`Spare`)."""
    REPEATED = "repeated"
    """The parent was used again, soon after a recovery. The lost answer is given once more.

    The row does not change. The refresh token in the answer is a new branch of the current generation.
    """
    RECOVERED = "recovered"
    """The parent was used after the window. Its successor was never used, so the answer was lost."""
    RESYNCED = "resynced"
    """An authentic token is ahead of the row: the database lost commits. The row follows the token."""
    REUSED = "reused"
    """The token was replaced long ago, was skipped, or is a branch that another branch has overtaken.

    There are two holders, so the session must end.
    """
    EXHAUSTED = "exhausted"
    """The parent was used after the window once more, and all recoveries in a row have been used.

    Too many answers were lost, or a thief has used the recoveries. No token shows which, so the session ends.
    """
    REVOKED = "revoked"
    """The session was ended early."""
    EXPIRED = "expired"
    """The session is past its idle or absolute limit."""
    USER_INACTIVE = "user_inactive"
    """The session's user may no longer log in."""


class Spare(Enum):
    """A refresh token for an answer in the window. Clients that know the rule ignore it.

    It is for clients that store the refresh token of each answer, in the order in which the answers arrive.
    All branches of the current generation are equal until one of them rotates. Then the others are reuse. So
    a client with one store goes on with the branch that it stored last, but two holders with two branches
    reveal each other at the next rotation.
    """

    SAME = "same"
    """The token that was used, once more."""
    BRANCH = "branch"
    """The current generation under a new branch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The parameters of the rule. If ``grace`` and ``recoveries`` are zero, rotation is strict."""

    grace: timedelta
    recoveries: int
    longest: timedelta = timedelta.max
    """No window is longer than this. With ``longest == grace`` all windows have the same length."""

    def measure_window(self, recoveries: int) -> timedelta:
        """Return the length of the window after so many recoveries in a row.

        The length grows by :data:`GROWTH` with each recovery. Losses come together: while a load balancer
        cuts every answer, windows of a fixed length would spend one recovery after the other.
        """
        factor = GROWTH ** min(recoveries, _FARTHEST)
        return self.longest if self.grace > self.longest / factor else self.grace * factor

    def measure_settling(self, recoveries: int) -> timedelta:
        """Return the length of the last part of the window of a recovery. In it no answer is repeated.

        An answer that is repeated must arrive before the window ends, and so must all requests that were sent
        with the old token. The part is as long as the window before, because a slow server may have a queue.
        """
        return max(self.grace, self.measure_window(recoveries) / GROWTH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The position of a session in its chain of refresh tokens: the columns that a refresh changes."""

    generation: int
    parent: int | None
    """The generation of the token that was exchanged for the current token."""
    parent_branch: int = 0
    """The branch of that token. The first token of a generation has branch 0."""
    recoveries: int
    rotated_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The part of a session's row that the rule reads."""

    position: Position
    revoked: bool
    user_active: bool
    idle_expires_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The outcome, and the new position to write. ``position`` is ``None`` if nothing changes."""

    outcome: Outcome
    position: Position | None = None
    spare: Spare | None = None


START = Position(generation=0, parent=None, recoveries=0, rotated_at=None)
"""The first position of each session. The first token may rotate at once: no rotation precedes it."""


def rotate(generation: int, now: datetime, branch: int = 0) -> Position:
    """Return the position after a use of the current token ``generation``."""
    return Position(
        generation=generation + 1, parent=generation, parent_branch=branch, recoveries=0, rotated_at=now
    )


def decide(  # noqa: PLR0911 - one return for each outcome makes the rule easy to read
    state: State, generation: int, now: datetime, policy: Policy, branch: int = 0
) -> Decision:
    """Return the outcome for an authentic refresh token of ``generation`` and ``branch``.

    The caller has already checked the token's signature and the session's secret. The order of the checks
    matters: an ended session is not a reuse. The window is checked before a parent counts as a reuse.
    """
    if state.revoked:
        return Decision(outcome=Outcome.REVOKED)
    if now >= state.idle_expires_at or now >= state.expires_at:
        return Decision(outcome=Outcome.EXPIRED)
    if not state.user_active:
        return Decision(outcome=Outcome.USER_INACTIVE)
    position = state.position
    if generation > position.generation:
        return Decision(outcome=Outcome.RESYNCED, position=rotate(generation, now, branch))
    is_current = generation == position.generation
    if not is_current and (generation, branch) != (position.parent, position.parent_branch):
        return Decision(outcome=Outcome.REUSED)
    left = _measure_rest(position, now, policy)
    if left > timedelta(0):
        repeats = (
            not is_current and position.recoveries > 0 and left > policy.measure_settling(position.recoveries)
        )
        outcome = Outcome.REPEATED if repeats else Outcome.GRACE
        return Decision(outcome=outcome, spare=Spare.SAME if is_current else Spare.BRANCH)
    if is_current:
        return Decision(outcome=Outcome.ROTATED, position=rotate(generation, now, branch))
    if position.recoveries >= policy.recoveries:
        # Without any recoveries the project takes each late parent for a theft.
        return Decision(outcome=Outcome.EXHAUSTED if policy.recoveries else Outcome.REUSED)
    return Decision(outcome=Outcome.RECOVERED, position=_recover(position, now))


def _measure_rest(position: Position, now: datetime, policy: Policy) -> timedelta:
    """Return the time until the window ends. Before the first rotation there is no window."""
    if position.rotated_at is None:
        return timedelta(0)
    return policy.measure_window(position.recoveries) - (now - position.rotated_at)


def _recover(position: Position, now: datetime) -> Position:
    """Return the position after the generation whose answer was lost is skipped.

    The parent stays the parent. The skipped generation is then neither current nor parent. A client that
    presents the skipped generation got it from an answer that its owner never received.
    """
    return replace(
        position, generation=position.generation + 1, recoveries=position.recoveries + 1, rotated_at=now
    )
