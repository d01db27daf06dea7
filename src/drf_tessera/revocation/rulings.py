"""Whether a session has ended: from what this process has learned, or from the session's row.

A notice about many sessions leaves some of them in doubt, and only their rows tell. A thread of the crew
reads these rows (:mod:`drf_tessera.revocation.workers`). So a database that hangs holds no request here
either, and the requests that ask at the same time share a query.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Collection
from contextlib import suppress
from functools import partial
from typing import Final
from uuid import UUID

from django.db import Error

from drf_tessera.database import explain_mistake, find_database, is_alone, is_in_transaction, read_calmly
from drf_tessera.exceptions import RevocationUnavailable
from drf_tessera.models import Session, SessionQuerySet
from drf_tessera.revocation.notices import Ended
from drf_tessera.revocation.workers import Turn, Worker

_MOST_ASKED: Final = 500
"""The greatest number of rows in one query. SQLite before 3.32 takes 999 values."""


class Question:
    """A session in doubt, and the answer of its row."""

    __slots__ = ("has_ended", "session_id")

    def __init__(self, session_id: UUID) -> None:
        self.session_id: UUID = session_id
        self.has_ended: bool | None = None
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
        found = None if is_own else self._ask(session_id)
        if found is None or (found and is_bound):  # the session may have begun in the open transaction
            found = _read_here(session_id)
            if is_bound:
                return found  # its snapshot may be older than the notice (MariaDB's REPEATABLE READ)
        self._ended.settle(session_id, ruling, has_ended=found)
        return found

    def _ask(self, session_id: UUID) -> bool | None:
        """Wait for a thread of the crew to read a row. Return ``None`` if there is no such thread."""
        question = Question(session_id)
        self._open.append(question)
        try:
            turn = self._worker.ask(math.inf)  # one that has not begun, whatever a test does to the clock
            turn.wait(self._patience)
        except RuntimeError:  # this system starts no thread, or the interpreter is being shut down
            return None
        finally:
            with suppress(ValueError, IndexError):  # a turn has taken it, or takes others at the moment
                self._open.remove(question)
        if question.has_ended is None:
            raise RevocationUnavailable if turn.error is None else _explain(turn.error)
        return question.has_ended

    def _work(self, turn: Turn) -> None:
        """Read the rows of all open questions."""
        turn.began = time.monotonic()  # a question that is asked from now on gets the next turn
        while not turn.is_lost and (questions := self._take_questions()):
            living = read_calmly(partial(_find_living, [item.session_id for item in questions]))
            for question in questions:
                question.has_ended = question.session_id not in living
            turn.show_life()

    def _take_questions(self) -> list[Question]:
        found = list[Question]()
        with suppress(IndexError):
            while len(found) < _MOST_ASKED:
                found.append(self._open.popleft())
        return found


def _read_here(session_id: UUID) -> bool:
    """Return what a row says on the connection of this thread."""
    try:
        return not read_calmly(partial(_find_living, [session_id]))
    except Error as error:
        raise _explain(error) from error


def _find_living(session_ids: Collection[UUID]) -> set[UUID]:
    """Return the sessions whose rows exist and are not marked as ended. Rows go together with their user."""
    rows = SessionQuerySet(Session, using=find_database()).uncached()
    return set(rows.filter(pk__in=session_ids, revoked_at__isnull=True).values_list("pk", flat=True))


def _explain(error: Exception) -> Exception:
    """Return the error to raise for an error of a read."""
    return (explain_mistake(error) or RevocationUnavailable()) if isinstance(error, Error) else error
