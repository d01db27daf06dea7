"""The refresh rule: one pure function of a session's state, a token's generation and the time.

Nothing here knows of a database, a request or Django, so the model test explores the very code that
ships. ``docs/explanation/refresh.md`` tells why the rule is what it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum


class Outcome(Enum):
    """What a refresh comes to. The first four are answered with tokens, the others refused."""

    ROTATED = "rotated"
    """The current token, first use outside the window: the next generation is issued."""
    GRACE = "grace"
    """Within the window after a rotation: an access token only; the client keeps its refresh token."""
    RECOVERED = "recovered"
    """The parent, after the window: its successor was never used, so that answer was lost."""
    RESYNCED = "resynced"
    """Authentic and ahead of the row: the database lost commits; the row follows the token."""
    REUSED = "reused"
    """Replaced long ago, or skipped: two holders. The session is to be ended."""
    REVOKED = "revoked"
    """The session was ended early."""
    EXPIRED = "expired"
    """The session is past its idle or absolute limit."""
    USER_INACTIVE = "user_inactive"
    """The session's user may not log in any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The two numbers of the rule. Both at zero give strict rotation."""

    grace: timedelta
    recoveries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a session stands in its chain of refresh tokens: the columns that a refresh moves."""

    generation: int
    parent: int | None
    recoveries: int
    rotated_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """All of a session's row that the rule looks at."""

    position: Position
    revoked: bool
    user_active: bool
    idle_expires_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The outcome, and the new position to write; ``position`` is ``None`` if nothing moves."""

    outcome: Outcome
    position: Position | None = None


START = Position(generation=0, parent=None, recoveries=0, rotated_at=None)
"""Where every session begins. A first token may rotate at once: no rotation came before it."""


def rotate(generation: int, now: datetime) -> Position:
    """Give the position after the current token ``generation`` was used."""
    return Position(generation=generation + 1, parent=generation, recoveries=0, rotated_at=now)


def decide(  # noqa: PLR0911 - one return for each outcome is the rule as one reads it
    state: State, generation: int, now: datetime, policy: Policy
) -> Decision:
    """Decide what an authentic refresh token of ``generation`` comes to.

    The token's signature and its session's secret have been checked before. The order matters: an
    ended session is not "reused", and the window is asked before anything is called a theft.
    """
    if state.revoked:
        return Decision(outcome=Outcome.REVOKED)
    if now >= state.idle_expires_at or now >= state.expires_at:
        return Decision(outcome=Outcome.EXPIRED)
    if not state.user_active:
        return Decision(outcome=Outcome.USER_INACTIVE)
    position = state.position
    if generation > position.generation:
        return Decision(outcome=Outcome.RESYNCED, position=rotate(generation, now))
    is_parent = position.parent is not None and generation == position.parent
    if generation != position.generation and not is_parent:
        return Decision(outcome=Outcome.REUSED)
    if position.rotated_at is not None and now < position.rotated_at + policy.grace:
        return Decision(outcome=Outcome.GRACE)
    if not is_parent:
        return Decision(outcome=Outcome.ROTATED, position=rotate(generation, now))
    if position.recoveries >= policy.recoveries:
        return Decision(outcome=Outcome.REUSED)
    return Decision(outcome=Outcome.RECOVERED, position=_recover(position, now))


def _recover(position: Position, now: datetime) -> Position:
    """Skip the generation whose answer was lost.

    The parent stays the parent. The skipped generation is neither current nor parent any more:
    whoever presents it got it from an answer that its owner never had.
    """
    return Position(
        generation=position.generation + 1,
        parent=position.parent,
        recoveries=position.recoveries + 1,
        rotated_at=now,
    )
