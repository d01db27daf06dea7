"""Whether a session has ended: from what this process has learned, or from the session's row.

A notice about many sessions leaves some of them in doubt, and only their rows tell. A thread of the crew
reads these rows (:mod:`drf_tessera.workers`). So a database that hangs holds no request here
either, and the requests that ask at the same time share a query.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Collection
from contextlib import suppress
from enum import Enum, auto
from functools import partial
from typing import Final
from uuid import UUID

from django.db import Error

from drf_tessera.database import explain_mistake, find_database, is_alone, is_in_transaction, read_calmly
from drf_tessera.exceptions import MigrationMissing, RevocationUnavailable
from drf_tessera.models import Session, SessionQuerySet
from drf_tessera.revocation.notices import Ended
from drf_tessera.workers.crews import Turn, Worker

_MOST_ASKED: Final = 500
"""The greatest number of rows in one query. SQLite before 3.32 takes 999 values."""


class Row(Enum):
    """The state of a session, as its row has it."""

    LIVES = auto()
    ENDED = auto()
    """The row is marked. No later transaction removes the mark."""
    MISSING = auto()
    """It was deleted together with its user, or a transaction that is still open has inserted it."""


class Question:
    """A session in doubt, and the answer of its row."""

    __slots__ = ("row", "session_id")

    def __init__(self, session_id: UUID) -> None:
        self.session_id: UUID = session_id
        self.row: Row | None = None
        """``None`` until the row was read."""


class Rulings:
    """Tells which sessions have ended. Several threads may use it.

    Args:
        ended: the notices that this process has learned.
        patience: the number of seconds for which a request waits for a row.
        limit: the number of seconds after which a thread that reads rows is given up.
    """

    def __init__(self, ended: Ended, *, patience: float, limit: float) -> None:
        self._ended = ended
        self._patience = patience
        self._worker = Worker(self._work, lose=lambda: None, limit=limit)
        self._open: deque[Question] = deque()
        """The questions that no turn has taken yet."""

    def has_ended(self, session_id: UUID, sub: str, began: int) -> bool:
        """Return whether a session has ended. If the notices leave it in doubt, its row is read, once.

        Raises:
            RevocationUnavailable: the notices leave it in doubt, and the database does not answer in time.
            MigrationMissing: the notices leave it in doubt, and there is no table of sessions.
        """
        ruling = self._ended.judge(session_id, sub, began)
        if isinstance(ruling, bool):
            return ruling
        is_bound = is_in_transaction()
        # If this thread has ended a session in an open transaction, no other connection sees it.
        is_own = is_alone() or (is_bound and ruling.pending)
        row = None if is_own else self._ask(session_id)
        if row is None or (row is Row.MISSING and is_bound):  # this transaction may have inserted it
            row = _read_here(session_id)
            if is_bound:
                # Not remembered: its snapshot may be older than the notice (MariaDB's REPEATABLE READ).
                return row is not Row.LIVES
        self._ended.settle(session_id, ruling, has_ended=row is not Row.LIVES)
        return row is not Row.LIVES

    def _ask(self, session_id: UUID) -> Row | None:
        """Wait for a thread of the crew to read a row. Return ``None`` if there is no such thread."""
        question = Question(session_id)
        self._open.append(question)
        try:
            turn = self._worker.ask(math.inf)  # one that has not begun, also if a test stops the clock
            if not turn.is_held_up(self._patience):
                turn.over.wait(self._patience)
        except RuntimeError:  # this system starts no thread, or the interpreter is being shut down
            return None
        finally:
            with suppress(ValueError, IndexError):  # a turn has taken it, or takes others at the moment
                self._open.remove(question)
        if question.row is not None:
            return question.row
        if isinstance(turn.error, Error):
            raise _explain(turn.error) from turn.error
        turn.check()
        raise RevocationUnavailable

    def _work(self, turn: Turn) -> None:
        """Read the rows of all open questions."""
        turn.began = time.monotonic()  # a question that is asked from now on gets the next turn
        while not turn.is_lost and (questions := self._take_questions()):
            found = read_calmly(partial(_find_rows, [item.session_id for item in questions]))
            for question in questions:
                question.row = found.get(question.session_id, Row.MISSING)
            turn.show_life()

    def _take_questions(self) -> list[Question]:
        found = list[Question]()
        with suppress(IndexError):
            while len(found) < _MOST_ASKED:
                found.append(self._open.popleft())
        return found


def _read_here(session_id: UUID) -> Row:
    """Return what a row says on the connection of this thread."""
    try:
        return read_calmly(partial(_find_rows, [session_id])).get(session_id, Row.MISSING)
    except Error as error:
        raise _explain(error) from error


def _find_rows(session_ids: Collection[UUID]) -> dict[UUID, Row]:
    """Return what the rows say that exist."""
    rows = SessionQuerySet(Session, using=find_database()).uncached().filter(pk__in=session_ids)
    found = rows.values_list("pk", "revoked_at")
    return {key: Row.LIVES if revoked_at is None else Row.ENDED for key, revoked_at in found}


def _explain(error: Error) -> MigrationMissing | RevocationUnavailable:
    return explain_mistake(error) or RevocationUnavailable()
