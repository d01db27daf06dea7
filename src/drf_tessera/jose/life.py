"""The life of a key: published, signing, retiring, gone. A pure function of the times of all keys.

A key is published before it signs, for so long that each service that caches the JWK Set has fetched it
again. It stays published after it has signed, until its last token has expired. So nobody ever sees a token
whose key could not have been fetched, and no valid token loses its key. ``docs/explanation/keys.md`` derives
the two times, and a test tries every moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

NEVER = float("inf")


class Stage(StrEnum):
    """The stage of a key at a moment."""

    PUBLISHED = "published"
    """In the JWK Set, so that verifiers can fetch it. It does not sign yet."""
    SIGNING = "signing"
    RETIRING = "retiring"
    """It has signed tokens that may still be valid, so it verifies."""
    GONE = "gone"
    REVOKED = "revoked"
    """It was withdrawn, and no token of it is accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast news of keys travels, and how long tokens live. In seconds."""

    read: float
    """The age of the oldest knowledge with which a server of ours signs or publishes."""
    cached: float
    """For how long a verifier may use a JWK Set that it has fetched."""
    lifetime: float
    """The longest life of a token."""
    skew: float
    """By how much two clocks may differ."""

    @property
    def delay(self) -> float:
        """The seconds for which a key is published before it signs.

        A server may publish the old set for ``read``, a verifier may use that set for ``cached``, and the
        server that signs first may have the fastest clock.
        """
        return self.read + self.cached + self.skew

    @property
    def rest(self) -> float:
        """The seconds for which a key verifies after it has signed for the last time.

        The last token lives for ``lifetime``, by the clock of a verifier that may be late.
        """
        return self.lifetime + self.skew


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """The times of one key that are written down. The others follow from the other keys."""

    signs_at: float
    revoked_at: float = NEVER

    @property
    def has_signed(self) -> bool:
        """Return whether it signs at all: a key that is revoked before its time never does."""
        return self.signs_at < self.revoked_at


def find_retirement(lives: Sequence[Life], index: int) -> float:
    """Return the time at which a key stops to sign, because the next key begins. ``NEVER`` without one.

    Args:
        lives: all keys of a ring, oldest first.
        index: the key.
    """
    own = (lives[index].signs_at, index)
    later = (
        life.signs_at for place, life in enumerate(lives) if life.has_signed and (life.signs_at, place) > own
    )
    return min(later, default=NEVER)


def find_end(lives: Sequence[Life], index: int, pace: Pace) -> float:
    """Return the time from which a key is not needed, or ``NEVER``."""
    return find_retirement(lives, index) + pace.rest


def find_stage(lives: Sequence[Life], index: int, pace: Pace, now: float) -> Stage:
    """Return the stage of a key at ``now``.

    Args:
        lives: all keys of a ring, oldest first.
        index: the key.
        pace: how fast news travels.
        now: the moment.
    """
    life = lives[index]
    if now >= life.revoked_at:
        return Stage.REVOKED
    if now < life.signs_at:
        return Stage.PUBLISHED
    retired = find_retirement(lives, index)
    if now < retired:
        return Stage.SIGNING
    return Stage.RETIRING if now < retired + pace.rest else Stage.GONE


def find_next_change(lives: Sequence[Life], pace: Pace, now: float) -> float:
    """Return the next moment after ``now`` at which a stage changes, or ``NEVER``."""
    moments = [life.signs_at for life in lives] + [life.revoked_at for life in lives]
    moments += [find_end(lives, index, pace) for index in range(len(lives))]
    return min((moment for moment in moments if moment > now), default=NEVER)
