"""End sessions early: one, all of a user, or the one of a refresh token."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple, NoReturn
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.dispatch import Signal
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from drf_tessera import signals
from drf_tessera.conf import expects_legacy_tokens
from drf_tessera.database import after_transaction, is_in_transaction, translated_trouble
from drf_tessera.exceptions import RefreshContended, RefreshLost, RefreshReused, Refusal
from drf_tessera.models import Session, SessionQuerySet
from drf_tessera.rotation import Outcome
from drf_tessera.sessions import rows
from drf_tessera.sessions.reasons import Reason
from drf_tessera.tokens import read_refresh_token
from drf_tessera.users import write_sub

_BATCH: Final = 500
"""Users in one statement. Databases limit the number of its parameters."""


class _End(NamedTuple):
    """The way in which a session is ended because of its refresh token."""

    reason: Reason
    error: type[Refusal]
    signal: Signal


_SUSPECT: Final[Mapping[Outcome, _End]] = {
    Outcome.REUSED: _End(Reason.REUSED, RefreshReused, signals.refresh_reused),
    Outcome.EXHAUSTED: _End(Reason.LOST, RefreshLost, signals.refresh_lost),
}
SUSPECT: Final[Mapping[Outcome, type[Refusal]]] = {outcome: end.error for outcome, end in _SUSPECT.items()}
"""The outcomes that end the session (:func:`end_suspect`), and their errors."""

_spared: ContextVar[frozenset[UUID]] = ContextVar("drf_tessera_spared_sessions", default=frozenset())


@contextmanager
def sparing(session_id: UUID) -> Iterator[None]:
    """Keep one session alive while a password changes inside the block, and at no other event.

    A change of password ends every session of its user. A view in which users change their own password can
    keep the session of the request::

        with sessions.sparing(request.auth.session_id):
            user.save()
    """
    mark = _spared.set(_spared.get() | {session_id})
    try:
        yield
    finally:
        _spared.reset(mark)


def revoke(
    session_id: UUID,
    *,
    owner: AbstractBaseUser | None = None,
    reason: Reason = Reason.LOGOUT,
    now: datetime | None = None,
) -> bool:
    """End one session. Return whether it was live. The end of a live session is reported.

    Args:
        session_id: the id of the session.
        owner: end the session only if it is this user's.
        reason: why, for the row and the signal.
        now: the present. The clock's, by default.

    Raises:
        TemporarilyUnavailable: the database is busy. The session was not ended.
    """
    which = rows.select_sessions().filter(pk=session_id)
    which = which if owner is None else which.filter(user_id=owner.pk)
    return bool(rows.end(which, now or timezone.now(), reason))


def revoke_all(
    user: AbstractBaseUser,
    *,
    keep: UUID | None = None,
    reason: Reason = Reason.LOGOUT_ALL,
    now: datetime | None = None,
) -> int:
    """End all live sessions of ``user`` except ``keep``, and return their number.

    The other processes get one notice, and not one for each session. From then on the user's legacy tokens
    start no session either.

    Raises:
        TemporarilyUnavailable: the database is busy. No session was ended.
    """
    return revoke_all_of([user.pk], keep=keep, reason=reason, now=now)


def revoke_all_of(
    user_ids: Iterable[Any],
    *,
    keep: UUID | None = None,
    reason: Reason = Reason.LOGOUT_ALL,
    now: datetime | None = None,
) -> int:
    """End all live sessions of many users, as :func:`revoke_all` does. Return the number of sessions.

    Each user gets one notice, and the number of statements does not grow with each user or session. Call this
    after ``QuerySet.update()`` or ``bulk_update()`` has changed passwords. To end the sessions of everybody,
    call :func:`revoke_everybody`.

    Args:
        user_ids: the primary keys of the users.
        keep: do not end this session.
        reason: why, for the rows and the signals.
        now: the present. The clock's, by default.

    Raises:
        TemporarilyUnavailable: the database is busy. Outside of a transaction some sessions may have ended.
    """
    moment, keys = now or timezone.now(), list(user_ids)
    spared = set() if keep is None else {keep}
    if reason is Reason.PASSWORD_CHANGED:
        spared |= _spared.get()
    if reason is not Reason.USER_DELETED and expects_legacy_tokens():
        # First, because the second statement then ends a session that starts between the two.
        for start in range(0, len(keys), _BATCH):
            rows.close_legacy(keys[start : start + _BATCH], moment)
    ended = 0
    for start in range(0, len(keys), _BATCH):
        which = rows.select_sessions().filter(user_id__in=keys[start : start + _BATCH])
        ended += len(rows.end(which.exclude(pk__in=spared), moment, reason, kept=spared))
    return ended


@sensitive_variables()
def revoke_by_refresh_token(
    token: str, *, transport: str | None = None, only: UUID | None = None, now: datetime | None = None
) -> bool:
    """End the session of a refresh token. Return whether it was live.

    Every generation of the token can end its session, used or not.

    Args:
        token: a stranger's text.
        transport: how the text came, if that is known.
        only: end this session and no other.
        now: the present. The clock's, by default.

    Raises:
        RefreshInvalid: the text is not a refresh token of ours.
        TransportMismatch: the token was issued for another transport.
        TemporarilyUnavailable: the database is busy. The session was not ended.
    """
    found = read_refresh_token(token, transport=transport)
    if only not in (None, found.facts.session_id):
        return False
    which = rows.select_sessions().filter(pk=found.facts.session_id, secret_hash=found.secret_hash)
    return bool(rows.end(which, now or timezone.now(), Reason.LOGOUT))


def end_suspect(session: Session, outcome: Outcome, now: datetime) -> NoReturn:
    """End a session whose refresh token may have two holders, and refuse both.

    In a transaction of the caller's the session is ended once more after that transaction. The refusal may
    roll the transaction back, but the reason remains a fact.

    Args:
        session: the session as it was read.
        outcome: ``REUSED`` or ``EXHAUSTED``.
        now: the present.

    Raises:
        RefreshReused, RefreshLost: the session has been ended, and the end stays.
        RefreshContended: another writer has moved the row. Read it again.
    """
    end = _SUSPECT[outcome]
    which = rows.select_sessions().filter(pk=session.pk)
    with translated_trouble():
        if not _end_suspect(which.filter(generation=session.generation), session, end, now):
            raise RefreshContended
    if is_in_transaction():
        after_transaction(partial(_end_suspect, which, session, end, now))
    raise end.error


def _end_suspect(which: SessionQuerySet, session: Session, end: _End, now: datetime) -> bool:
    if not rows.end(which, now, end.reason):
        return False
    rows.report(end.signal, session_id=session.pk, sub=write_sub(session.user_id))
    return True
