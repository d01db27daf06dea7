"""The table that carries notices of ended sessions between processes, and the protocol of every such store.

A store numbers the notices, and a reader asks for the notices after the last number that it saw. A notice
gets its number before readers can see it, because a transaction commits later and a cache is written after
its counter. So a reader notes each number that it has passed without a notice, and asks for it again for
:data:`OVERLAP`. A poll therefore costs what is new, and the few numbers that are missing.

Only the reader measures time, with its own monotonic clock. The clocks of two machines are compared only to
find the notices that still matter, with :data:`TOLERANCE`, and to warn if they differ too much.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final, NamedTuple, Protocol
from uuid import UUID

from django.db import Error, models
from django.db.models import Func, Q, Value
from django.db.models.functions import Cast, Least

from drf_tessera.database import explain_mistake, explain_trouble, find_database, read_calmly
from drf_tessera.exceptions import RevocationUnavailable, TemporarilyUnavailable
from drf_tessera.models import Revocation
from drf_tessera.revocation.notices import Heard, Notice, read_scope, write_scope

logger: Final = logging.getLogger(__name__)

OVERLAP: Final = 10.0
"""The number of seconds after which readers can see a notice, at the latest, once it has its number."""

TOLERANCE: Final = 300
"""The number of seconds by which the clock of a server may differ from other servers and the database."""

BATCH: Final = 500

MOST_ROWS: Final = 5_000
"""The greatest number of notices that one pull returns. The next pull continues."""

_MOST_GAPS: Final = 100
"""The greatest number of gaps in one statement. If there are more, neighbours are joined."""

_IN_FLIGHT: Final = 20_000
"""How many of the newest numbers a new reader searches for gaps.

An open transaction has one of the newest numbers. At 2,000 ended sessions a second this many numbers are
given out within :data:`OVERLAP`.
"""

Row = tuple[Any, ...]
"""The number, the columns of the notice, and the clock of the database."""


class Store(Protocol):
    """One reader's view of a store. Only one thread at a time may use it."""

    joins_transaction: bool
    """Whether :meth:`record` alone makes notices known, because all readers read the table."""
    is_behind: bool
    """Whether the last pull has left notices for the next one."""

    @property
    def skew(self) -> float | None:
        """The seconds by which this server's clock is ahead of the database's. ``None``: not measured yet."""

    def record(self, notices: Sequence[Notice]) -> list[Notice]:
        """Write the notices into the table, in the transaction that is open. Return them with their rows.

        Raises:
            RefreshContended: another writer was in the way. The whole transaction has to be repeated.
            TemporarilyUnavailable, DatabaseUnavailable, RevocationUnavailable: the table did not take them.
            MigrationMissing: there is no table.
        """

    def publish(self, notices: Sequence[Notice]) -> None:
        """Make the notices of :meth:`record` known to all readers, after the commit.

        Raises:
            RevocationUnavailable: some notices may reach the readers late.
        """

    def pull(self) -> list[Notice]:
        """Return notices that this reader may not have seen yet, and perhaps some that it has seen.

        Raises:
            RevocationUnavailable: the store could not be read.
            MigrationMissing: there is no table.
        """

    def rewind(self) -> None:
        """Return all notices again at the next pulls."""

    def copy(self) -> Store:
        """Return another reader that continues where this one has arrived."""


class Epoch(Func):
    """The clock of the database, in seconds since 1970. For a database that is not listed, this server's.

    It stands still during a statement, so that PostgreSQL can compare a column with it by an index.
    """

    output_field: ClassVar[Any] = models.FloatField()
    _EXPRESSIONS: ClassVar[dict[str, str]] = {
        "postgresql": "CAST(EXTRACT(EPOCH FROM STATEMENT_TIMESTAMP()) AS double precision)",
        "mysql": "(UNIX_TIMESTAMP(NOW(6)) + 0e0)",
        "sqlite": "((JULIANDAY('now') - 2440587.5) * 86400.0)",
    }

    def as_sql(self, compiler: Any, connection: Any, **extra: Any) -> Any:  # type: ignore[override]
        """Return the expression for the clock."""
        known = self._EXPRESSIONS.get(connection.vendor)
        return (known, []) if known else ("%s", [time.time()])


class Gap(NamedTuple):
    """Numbers without a notice, from ``first`` to ``last``, and the time at which they were first missed."""

    first: int
    last: int
    missed: float


class DatabaseStore:
    """The table :class:`~drf_tessera.models.Revocation`, in the database of the sessions.

    A notice is written in the transaction that ends the session, so both are committed or neither.
    """

    joins_transaction = True

    _COLUMNS: Final = ("session_id", "until", "scope")
    """The columns of a notice."""

    def __init__(self) -> None:
        self.is_behind: bool = False
        self.skew: float | None = None
        self._is_new = True
        """Whether this reader has not read all rows yet."""
        self._anchor: Row = (0,)
        """The newest row that is known."""
        self._proofs: list[Row] = []
        """Rows that prove that their numbers still mean the same."""
        self._gaps: list[Gap] = []

    def record(self, notices: Sequence[Notice]) -> list[Notice]:
        """Insert a row for each notice. Return the notices with their rows."""
        rows = [make_row(notice) for notice in notices]
        try:
            self._rows().bulk_create(rows, batch_size=BATCH)
        except Error as error:
            raise (explain_mistake(error) or explain_trouble(error) or RevocationUnavailable()) from error
        # A database that does not return the numbers (MySQL) leaves `None`.
        return [
            Notice(notice.session_id, notice.until, notice.scope, row.pk)
            for notice, row in zip(notices, rows, strict=True)
        ]

    def publish(self, notices: Sequence[Notice]) -> None:
        """Insert the rows again, because their transaction took longer than readers look back."""
        try:
            self.record(notices)
        except TemporarilyUnavailable as error:
            raise RevocationUnavailable from error.__cause__

    def pull(self) -> list[Notice]:
        """Read the new rows, and the rows of gaps. This is one statement, which usually returns one row.

        That row is the newest one of the last pull. If it no longer exists, or another row has its number,
        then the table was pruned or restored from a backup, and its numbers prove nothing. After :meth:`skip`
        the newest row of ``known`` is a second proof.
        """
        now = time.monotonic()
        if not self._is_new:
            found = self._fetch(self._select_news())
            if self._proves_order(found):
                known = self._proofs
                self._advance(found, now)
                return self._read_notices(row for row in found if row[:-1] not in known)
            self.rewind()
        found = self._fetch(Q(pk__gt=self._anchor[0]) & _select_living())
        self._begin(found, now)
        return self._read_notices(found)

    def rewind(self) -> None:
        """Begin with the first row at the next pull."""
        self._is_new, self._anchor, self._proofs, self._gaps = True, (0,), [], []

    def skip(self, known: Heard) -> None:
        """Do not return rows at the next pull whose notices came by another way.

        So the next pull returns the rows that are missing between them, and the rows after the last of them.
        """
        latest = known.latest
        if self._is_new or latest is None:
            return
        self._gaps = split_gaps(self._gaps, known)
        self._pass(known, time.monotonic())
        self._gaps = join_gaps(self._gaps)
        if (latest.row or 0) > self._anchor[0]:
            self._anchor = (latest.row, *write_columns(latest))
            self._proofs.append(self._anchor)

    def copy(self) -> DatabaseStore:
        """Return another reader that continues where this one has arrived."""
        other = DatabaseStore()
        other._is_new, other._anchor, other.skew = self._is_new, self._anchor, self.skew
        other._proofs, other._gaps = list(self._proofs), list(self._gaps)
        return other

    def _begin(self, found: list[Row], now: float) -> None:
        """Record the gaps among the newest rows of a first read, because they may be open transactions."""
        self._note(found, now)
        self.is_behind = len(found) >= MOST_ROWS
        oldest = self._anchor[0] - _IN_FLIGHT
        self._gaps = [Gap(max(gap.first, oldest), *gap[1:]) for gap in self._gaps if gap.last > oldest]
        self._gaps = join_gaps(self._gaps)
        self._proofs = [self._anchor]
        self._is_new = self.is_behind or not self._anchor[0]

    def _advance(self, found: list[Row], now: float) -> None:
        """Record the gaps among new rows, and drop gaps that were filled or asked for long enough."""
        # A process may rest for longer than the overlap. So a gap is asked for before it is dropped.
        end = found[-1][0]
        kept = [gap for gap in self._gaps if gap.last > end or now - gap.missed < OVERLAP]
        self._gaps = split_gaps(kept, [row[0] for row in found])
        self._note([row for row in found if row[0] > self._anchor[0]], now)
        self._gaps = join_gaps(self._gaps)
        self._proofs = [self._anchor]
        self.is_behind = len(found) >= MOST_ROWS

    def _note(self, news: list[Row], now: float) -> None:
        self._pass((row[0] for row in news), now)
        if news:
            self._anchor = news[-1][:-1]

    def _pass(self, numbers: Iterable[int], now: float) -> None:
        """Record the gaps between numbers in ascending order, beyond the newest row that is known."""
        end = self._anchor[0]
        for number in numbers:
            if number > end + 1:
                self._gaps.append(Gap(end + 1, number - 1, now))
            end = max(end, number)

    def _proves_order(self, found: list[Row]) -> bool:
        """Return whether each proof is among ``found``, or later than all of them."""
        end = found[-1][0] if len(found) >= MOST_ROWS else float("inf")
        return all(proof[0] > end or any(row[:-1] == proof for row in found) for proof in self._proofs)

    def _select_news(self) -> Q:
        missing, news = Q(), Q(pk__gte=self._anchor[0])
        for gap in self._gaps:
            missing |= Q(pk__range=(gap.first, gap.last))
        for proof in self._proofs[:-1]:
            news |= Q(pk=proof[0])
        return news | (missing & _select_living()) if missing else news

    def _fetch(self, wanted: Q) -> list[Row]:
        rows = self._rows().filter(wanted).order_by("pk")
        query = rows.values_list("pk", *self._COLUMNS, Epoch())[:MOST_ROWS]
        before = time.time()
        try:
            found = read_calmly(lambda: list(query.all()))
        except Error as error:
            raise (explain_mistake(error) or RevocationUnavailable()) from error
        if found:
            self._measure(before, found[-1][-1], time.time())
        return found

    def _measure(self, before: float, clock: float, after: float) -> None:
        """Compare the clocks. The statement took some time, and the database read its clock in between."""
        self.skew = min(0.0, after - clock) + max(0.0, before - clock)

    def _read_notices(self, found: Iterable[Row]) -> list[Notice]:
        """Read the notices of rows. One that cannot be read, perhaps of a later release, is left out."""
        notices = []
        for row in found:
            try:
                notices.append(read_row(*row[1:-1]))
            except ValueError:
                logger.exception("The table of revocations has an unreadable row, number %s.", row[0])
        return notices

    def _rows(self) -> models.QuerySet[Revocation]:
        return Revocation._default_manager.using(find_database())


def make_row(notice: Notice) -> Revocation:
    """Return the row of a notice. It is not saved."""
    session_id, until, scope = write_columns(notice)
    return Revocation(session_id=session_id, until=until, scope=scope)


def write_columns(notice: Notice) -> tuple[UUID, int, str]:
    """Return the columns of a notice."""
    return notice.session_id, notice.until, write_scope(notice.scope)


def read_row(session_id: UUID, until: int, scope: str) -> Notice:
    """Return the notice of the columns of a row.

    Raises:
        ValueError: the scope cannot be read.
    """
    return Notice(session_id, until, read_scope(scope))


def _select_living() -> Q:
    """Select the rows that matter by the clock of the database or by the clock of this server.

    If one of the clocks is far ahead, the other one still finds the rows.
    """
    present = Least(Epoch(), Value(time.time(), output_field=models.FloatField()))
    return Q(until__gt=Cast(present, models.BigIntegerField()) - TOLERANCE)


def split_gaps(gaps: list[Gap], numbers: Iterable[int]) -> list[Gap]:
    """Return what is left of the gaps without the numbers, both in ascending order."""
    rest, found = [], iter(numbers)
    number = next(found, None)
    for gap in gaps:
        first = gap.first
        while number is not None and number <= gap.last:
            if number > first:
                rest.append(Gap(first, number - 1, gap.missed))
            first = max(first, number + 1)
            number = next(found, None)
        if first <= gap.last:
            rest.append(Gap(first, gap.last, gap.missed))
    return rest


def join_gaps(gaps: list[Gap]) -> list[Gap]:
    """Join neighbours until there are at most :data:`_MOST_GAPS`. Rows between them are read again, then."""
    while len(gaps) > _MOST_GAPS:
        pairs = [gaps[index : index + 2] for index in range(0, len(gaps), 2)]
        gaps = [Gap(pair[0].first, pair[-1].last, max(gap.missed for gap in pair)) for pair in pairs]
    return gaps
