"""The notices of sessions that ended early, and what a process has learned from them."""

from __future__ import annotations

import secrets
import time
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from hashlib import sha256
from threading import Lock
from typing import Any, Final, NamedTuple
from uuid import UUID

from drf_tessera.revocation.compact import CompactIds, find_place

EVERYBODY: Final = ""
"""The ``sub`` of a notice about everybody. The key of a user is never an empty text in such a notice."""

NOBODY: Final = UUID(int=0)
"""Stands for no session. No session has this id, because the ids are random or digests."""

SUB_LENGTH: Final = 255
"""A longer ``sub`` does not fit into the column ``scope``."""


class Scope(NamedTuple):
    """The sessions of a notice that is not about one session: those of a user, or of everybody.

    A scope tells sessions apart by the time at which they began. Each access token carries that time
    (``auth_time``), and a refresh does not change it. The time of the token's issue would not do, because an
    operation on a million sessions takes minutes, and meanwhile old sessions get new access tokens.
    A new proof of identity changes that time. So who publishes a notice about everybody also publishes one
    about each such session.
    """

    sub: str
    """The user, as in the tokens. Empty for everybody."""
    certain: int
    """Sessions that began before this second have ended."""
    doubtful: int
    """Sessions that began between ``certain`` and this second may have ended. Their rows tell."""
    mark: int
    """A random number that distinguishes the notice from every other notice."""


class Notice(NamedTuple):
    """The news that sessions have ended. None of their access tokens lives past ``until``."""

    session_id: UUID
    """The session that has ended. If the notice has a scope: the one session that was kept, or ``NOBODY``."""
    until: int
    """Seconds since the epoch."""
    scope: Scope | None = None
    row: int | None = None
    """The number of its row. Only the notices of :meth:`Store.record` and of a cache have one."""


_KEYS: Final = 64
"""An id whose upper 64 bits are zero is not the id of a session. It stands for a change of the keys."""


_HALF: Final = 32
"""The upper half of the lower 64 bits is a digest of the tenant. The lower half is a random number."""


def make_notice_of_keys(until: int, tenant: str) -> Notice:
    """Return the news that the signing keys of a tenant have changed. Each such notice is another one."""
    return Notice(UUID(int=_digest(tenant) << _HALF | secrets.randbelow(2**_HALF - 1) + 1), until)


def is_about_keys(notice: Notice) -> bool:
    """Return whether a notice is of :func:`make_notice_of_keys`."""
    return notice.scope is None and notice.session_id.int < 2**_KEYS


def names_tenant(notice: Notice, tenant: str) -> bool:
    """Return whether a notice of :func:`make_notice_of_keys` is about this tenant, or about a rare other one.

    If two tenants have the same digest, the keys of both are read. That costs a query and does no harm.
    """
    return notice.session_id.int >> _HALF == _digest(tenant)


def _digest(tenant: str) -> int:
    return int.from_bytes(sha256(tenant.encode()).digest()[: _HALF // 8])


def write_scope(scope: Scope | None) -> str:
    """Return a scope as a text, for a column or an entry. The notice of one session has an empty text."""
    return f"{scope.certain} {scope.doubtful} {scope.mark} {scope.sub}" if scope else ""


def read_scope(text: str) -> Scope | None:
    """Return the scope of :func:`write_scope`.

    Raises:
        ValueError: the text does not come from there.
    """
    if not text:
        return None
    certain, doubtful, mark, sub = text.split(" ", 3)
    return Scope(sub, int(certain), int(doubtful), int(mark))


_MOST_ROWS_EVER: Final = 2**63
"""The number of a row is below this, because a column of the database holds it."""


def write_entry(notice: Notice) -> tuple[str, int, str, int | None]:
    """Return a notice as plain values, for a cache."""
    return notice.session_id.hex, notice.until, write_scope(notice.scope), notice.row


def read_entry(entry: Any) -> Notice:
    """Return the notice of :func:`write_entry`.

    Raises:
        ValueError: the entry does not come from there.
    """
    try:
        raw, until, scope, row = entry
        if row is not None and not (isinstance(row, int) and 0 < row < _MOST_ROWS_EVER):
            raise ValueError("No row has this number.")
        return Notice(UUID(hex=raw), int(until), read_scope(scope), row)
    except (TypeError, AttributeError, OverflowError) as error:
        raise ValueError("This entry of the cache is not a notice.") from error


def make_mark() -> int:
    """Return a random number for :attr:`Scope.mark`."""
    return secrets.randbits(63)


class Heard:
    """The rows whose notices came by another way than their table, with 16 bytes for each.

    The notices themselves are not kept here, because :class:`Ended` has them. A digest of each is enough to
    notice that two notices have one row. Rows are heard almost in their order, so an insert usually appends.
    """

    __slots__ = ("_digests", "_rows", "latest")

    def __init__(self) -> None:
        self._rows: array[int] = array("q")
        self._digests: array[int] = array("Q")
        self.latest: Notice | None = None
        """The notice with the greatest row."""

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[int]:
        """Iterate over the rows in ascending order."""
        return iter(self._rows)

    def add(self, notice: Notice) -> bool:
        """Record the row of a notice. Return ``False`` if another notice has the same row.

        Args:
            notice: has the number of its row.
        """
        row, digest = notice.row or 0, hash(notice) % 2**64
        if not self._rows or row > self._rows[-1]:
            self._digests.append(digest)
            self._rows.append(row)
            self.latest = notice
            return True
        place = bisect_left(self._rows, row)
        if self._rows[place] == row:
            return self._digests[place] == digest
        self._digests.insert(place, digest)
        self._rows.insert(place, row)
        return True

    def copy(self) -> Heard:
        """Return another record of the same rows. The thread of a pull that hung may add a row meanwhile."""
        other = Heard()
        # The order is the reverse of that in `add`. If the copy had the latest notice without its row, then
        # the numbers before that row would not be read.
        other.latest = self.latest
        other._rows = self._rows[:]
        other._digests = self._digests[: len(other._rows)]
        return other


class Wide(NamedTuple):
    """A notice with a scope."""

    scope: Scope
    kept: UUID
    until: int


class _Generation:
    """The notices whose time is over at about the same moment, so that they can be dropped together."""

    __slots__ = ("confirmed", "end", "ids", "start", "wide")

    def __init__(self, start: int, end: int) -> None:
        self.start, self.end = start, end
        self.ids = CompactIds()
        self.wide: dict[str, tuple[Wide, ...]] = {}
        """The notices with a scope, by its ``sub``."""
        self.confirmed: set[tuple[UUID, int]] = set()
        """Sessions whose rows were asked because of a notice, by its mark, and had not ended."""

    def __len__(self) -> int:
        return len(self.ids) + sum(map(len, self.wide.values()))

    def learn(self, notice: Notice) -> None:
        """Record a notice."""
        if notice.scope is None:
            self.ids.add(notice.session_id)
            return
        known = self.wide.get(notice.scope.sub, ())
        if notice.scope not in [wide.scope for wide in known]:
            self.wide[notice.scope.sub] = (*known, Wide(notice.scope, notice.session_id, notice.until))

    def forget(self, notices: Iterable[Notice]) -> None:
        """Drop notices, if they are here."""
        for notice in notices:
            if notice.scope is None:
                self.ids.discard(notice.session_id)
            elif notice.scope.sub in self.wide:
                known = self.wide[notice.scope.sub]
                self.wide[notice.scope.sub] = tuple(wide for wide in known if wide.scope != notice.scope)

    def find(self, session_id: UUID, sub: str, began: int) -> list[Wide]:
        """Return the notices with a scope that have ended a session, or may have ended it."""
        return [
            wide
            for name in {sub, EVERYBODY}
            for wide in self.wide.get(name, ())
            if wide.kept != session_id
            and (
                began < wide.scope.certain
                or (began <= wide.scope.doubtful and (session_id, wide.scope.mark) not in self.confirmed)
            )
        ]


class Doubt(NamedTuple):
    """The notices that may have ended a session. Only the session's row can tell."""

    notices: tuple[Wide, ...]
    pending: bool
    """Whether a notice may still be rolled back, so that the answer of the row must not be remembered."""


class Ended:
    """The sessions that ended early, as far as one process knows. Several threads may use it.

    The notices are kept in generations by the end of their time. A generation is as wide as a quarter to a
    half of the time that its notices have left when they come. So there are about four generations, a lookup
    asks each of them, and old notices are dropped without a search.
    """

    _NARROWEST: Final = 8
    """Seconds."""

    def __init__(self) -> None:
        self._generations: tuple[_Generation, ...] = ()
        self._pending: dict[UUID | int, int] = {}
        """The sessions and marks whose notices may be rolled back, and the end of their time."""
        self._present: float | None = None
        self._lock = Lock()

    def __len__(self) -> int:
        return sum(map(len, self._generations))

    def __bool__(self) -> bool:
        return bool(self._generations)

    def __contains__(self, session_id: UUID) -> bool:
        return any(session_id in generation.ids for generation in self._generations)

    def judge(self, session_id: UUID, sub: str, began: int) -> bool | Doubt:
        """Return whether a session has ended, or a :class:`Doubt` if only its row can tell.

        Args:
            session_id: the session of an access token.
            sub: its user.
            began: its ``auth_time``.
        """
        place, pending = find_place(session_id), False
        doubts = list[Wide]()
        for generation in self._generations:
            if generation.ids.holds(place):
                if session_id not in self._pending:
                    return True
                pending = True
            for wide in generation.find(session_id, sub, began) if generation.wide else ():
                certain = began < wide.scope.certain
                if wide.scope.mark in self._pending:
                    pending = True
                elif certain:
                    return True
                else:
                    doubts.append(wide)
        return Doubt(tuple(doubts), pending) if doubts or pending else False

    def settle(self, session_id: UUID, doubt: Doubt, *, has_ended: bool) -> None:
        """Record the answer of a session's row, so that the row is asked once.

        While a notice is pending, nothing is recorded: only the thread of its transaction sees the row as it
        will be.
        """
        if doubt.pending:
            return
        if has_ended:
            self.learn([Notice(session_id, max(wide.until for wide in doubt.notices))])
            return
        with self._lock:
            for wide in doubt.notices:
                self._find_generation(wide.until).confirmed.add((session_id, wide.scope.mark))

    def forget_pending(self, notices: Iterable[Notice]) -> None:
        """Drop those of the notices that are still pending, because their transaction was rolled back.

        A commit has made the others certain before: this transaction, or another one that ended the session.
        """
        with self._lock:
            lost = [notice for notice in notices if self._pending.pop(_find_key(notice), None) is not None]
            for generation in self._generations:
                generation.forget(lost)

    def learn(self, notices: Iterable[Notice]) -> None:
        """Record notices."""
        with self._lock:
            for notice in notices:
                self._find_generation(notice.until).learn(notice)

    def _find_generation(self, until: int) -> _Generation:
        """Return the generation of the notices that matter until then. The same time finds the same one."""
        for generation in self._generations:
            if generation.start <= until < generation.end:
                return generation
        left = int(until - (time.time() if self._present is None else self._present))
        width = 1 << max(left, 2 * self._NARROWEST).bit_length() - 2
        start = until // width * width
        generation = _Generation(start, start + width)
        self._generations = (*self._generations, generation)
        return generation

    def drop_old(self, present: float) -> None:
        """Drop the notices that no access token needs at ``present``, in seconds since the epoch."""
        with self._lock:
            self._present = present
            self._generations = tuple(kept for kept in self._generations if kept.end > present)
            self._pending = {key: until for key, until in self._pending.items() if until > present}

    def doubt(self, notices: Iterable[Notice]) -> None:
        """Record that notices may be rolled back, because their transaction is open.

        A check within the transaction pulls the notices. Without this record, the feed would still know them
        after a rollback.
        """
        with self._lock:
            self._pending.update((_find_key(notice), notice.until) for notice in notices)

    def trust(self, notices: Iterable[Notice]) -> None:
        """Record that notices are committed."""
        with self._lock:
            for notice in notices:
                self._pending.pop(_find_key(notice), None)


def _find_key(notice: Notice) -> UUID | int:
    return notice.session_id if notice.scope is None else notice.scope.mark
