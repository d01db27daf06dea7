"""The rows of :class:`Session`: every statement that writes them, and the reads that these statements need.

No other module writes a session. A refresh is compare-and-swap: the write names the generation that was read,
and changes nothing if the row has moved since. No lock is held and no transaction is open. So there is no
stale snapshot to read (MariaDB's REPEATABLE READ) and no lock to upgrade (SQLite's "database is locked").
"""

from __future__ import annotations

import hmac
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from copy import copy
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import Any, Final
from uuid import UUID, uuid5

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import DataError, IntegrityError, OperationalError, connections, transaction
from django.db.models import DurationField, Exists, OuterRef, Q, Subquery
from django.db.models.signals import post_save, pre_save
from django.db.models.sql import InsertQuery
from django.dispatch import Signal
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from drf_tessera import rotation, signals
from drf_tessera.database import (
    find_database,
    foreign_savepoint,
    is_in_transaction,
    is_unreadable,
    persist,
    savepoint,
    translated_trouble,
)
from drf_tessera.exceptions import RefreshInvalid, SessionUnknown, UserGone
from drf_tessera.models import (
    Session,
    SessionQuerySet,
    active_users,
    columns_tell_who_is_active,
    pack_parent,
)
from drf_tessera.moments import LATEST, from_timestamp
from drf_tessera.revocation import publishing
from drf_tessera.sessions.clock import Times, find_times, measure_zone
from drf_tessera.sessions.compiled import Mark, Statement, compile_update
from drf_tessera.sessions.expressions import DatabaseTime, LockingSubquery
from drf_tessera.sessions.owners import attach_active_user, explain_user, select_unchanged
from drf_tessera.sessions.reasons import Reason
from drf_tessera.tokens import RefreshToken, SessionFacts, hash_secret, make_secret
from drf_tessera.users import write_sub

_INSERTS: Final = 3
"""The number of attempts to insert sessions. Another writer may take a key between two statements."""

_CLOSINGS: Final = UUID("0b7c5a3e-8f0e-5d52-9a55-6f3d0c3f7b11")


def select_sessions() -> SessionQuerySet:
    """Select all sessions, in the database that they are written to."""
    return SessionQuerySet(Session, using=find_database()).uncached()


def live_sessions(user_id: Any, *, now: datetime | None = None) -> SessionQuerySet:
    """Select the live sessions of a user, the latest login first."""
    return (
        select_sessions().filter(user_id=user_id).live(now or timezone.now()).order_by("-created_at", "-pk")
    )


def has_begun(session_id: UUID) -> bool:
    """Return whether there is a session with this id, whether it has ended or not."""
    return select_sessions().filter(pk=session_id).exists()


def report(signal: Signal, **arguments: object) -> None:
    """Send ``signal`` after the commit, or at once if no transaction is open.

    Django logs an error that a receiver raises, and the other receivers are still called.
    """
    if signal.has_listeners(Session):
        transaction.on_commit(partial(signal.send_robust, Session, **arguments), using=find_database())


# -- Refresh ---------------------------------------------------------------------------------------


@sensitive_variables()
def select_rotatable(token: RefreshToken, times: Times) -> SessionQuerySet:
    """Select the token's session if :func:`rotation.decide` would decide ``ROTATED``, and no answer was lost.

    :func:`move` adds further conditions. All conditions are on the row itself. If another writer moves the
    row while the statement waits for its lock, PostgreSQL checks such conditions again on the new row. It
    does not check a sub-select on the same table again.

    After a recovery the window has another length, so such sessions are read first.
    """
    return select_sessions().filter(
        Q(rotated_at__isnull=True) | Q(rotated_at__lte=times.window),
        pk=token.facts.session_id,
        secret_hash=token.secret_hash,
        recoveries=0,
        idle_expires_at__gt=times.now,
        expires_at__gt=times.now,
    )


@sensitive_variables()
def swap(
    token: RefreshToken, position: rotation.Position, now: datetime | None, window: timedelta, idle: timedelta
) -> bool:
    """Move the token's session to ``position`` if the rule decides ``ROTATED``. Return whether it moved.

    This is the one statement of the normal refresh: :func:`move` of :func:`select_rotatable`, compiled once.
    So the columns of the user must tell who is active, because a manager of the project's own may select
    other users later or in another thread (:func:`~drf_tessera.models.columns_tell_who_is_active`).

    Args:
        token: the refresh token.
        position: the new position. Its time is not written.
        now: the time that is written and compared. ``None`` means the database's clock.
        window: the length of a window without recoveries.
        idle: the time until the new idle limit.

    Raises:
        RefreshContended, TemporarilyUnavailable: see :func:`translated_trouble`.
    """
    times = find_times(now, window, idle)
    statement = _compile_swap(find_database(), get_user_model(), now is None)
    if statement is None:
        at = times if now else Times(*map(DatabaseTime, times))
        return _move(select_rotatable(token, at), token.generation, _write(position, at.now, at.idle))
    values = {
        "id": token.facts.session_id,
        "secret_hash": token.secret_hash,
        "seen": token.generation,
        "generation": position.generation,
        "parent": pack_parent(position),
        "now": times.now,
        "window": times.window,
        "idle": times.idle,
    }
    with translated_trouble(), foreign_savepoint():
        return statement.execute(values) == 1


@lru_cache
def _compile_swap(using: str, user_model: Any, by_database: bool) -> Statement | None:
    """Return the compiled swap, or ``None`` if the statement has to be built each time."""
    field: Any = Session._meta.get_field
    epoch: Any = (
        timedelta(0) if by_database else datetime(2000, 1, 1, tzinfo=UTC if settings.USE_TZ else None)
    )
    moments = Times(*(epoch + timedelta(days=days) for days in range(1, 4)))
    at = Times(*map(DatabaseTime, moments)) if by_database else moments
    kind = DurationField() if by_database else field("rotated_at")
    seen, generation, parent = 2**30 + 1, 2**30 + 2, 2**40 + 3
    secret = b"a secret that stands for another"
    facts = SessionFacts(session_id=UUID(int=1), sub="", auth_time=0, expires_at=0, amr=(), scope="")
    rows = select_rotatable(RefreshToken(facts=facts, generation=seen, secret=secret), at)
    position = rotation.Position(generation=generation, parent=parent, recoveries=0, rotated_at=None)
    return compile_update(
        _stand(rows, seen),
        _write(position, at.now, at.idle),
        {
            "id": Mark(field=field("id"), value=facts.session_id),
            "secret_hash": Mark(field=field("secret_hash"), value=hash_secret(secret)),
            "seen": Mark(field=field("generation"), value=seen),
            "generation": Mark(field=field("generation"), value=generation),
            "parent": Mark(field=field("parent"), value=parent),
            **{name: Mark(field=kind, value=getattr(moments, name)) for name in ("now", "window", "idle")},
        },
    )


def move(
    rows: SessionQuerySet, seen_generation: int, position: rotation.Position, idle_expires_at: datetime
) -> bool:
    """Write a new position if the row still has the generation that was read. Return whether it was written.

    Every move raises ``generation``, so comparing ``generation`` compares the whole position. The values are
    constants and never ``generation + 1``, because MariaDB evaluates assignments from left to right.

    Raises:
        RefreshContended, TemporarilyUnavailable: see :func:`translated_trouble`.
    """
    return _move(rows, seen_generation, _write(position, position.rotated_at, idle_expires_at))


def _move(rows: SessionQuerySet, seen_generation: int, changes: dict[str, Any]) -> bool:
    with translated_trouble(), foreign_savepoint():
        return _stand(rows, seen_generation).update(**changes) == 1


def _stand(rows: SessionQuerySet, generation: int) -> SessionQuerySet:
    return rows.filter(generation=generation, revoked_at__isnull=True).of_active_user()


def _write(position: rotation.Position, rotated_at: Any, idle_expires_at: Any) -> dict[str, Any]:
    return {
        "generation": position.generation,
        "parent": pack_parent(position),
        "recoveries": position.recoveries,
        "rotated_at": rotated_at,
        "idle_expires_at": idle_expires_at,
    }


@sensitive_variables()
def read(
    token: RefreshToken, *, with_user: bool, now: datetime | None
) -> tuple[Session, rotation.State, datetime]:
    """Read the token's session without a stale snapshot: in autocommit, or in a transaction with a lock.

    The last value is ``now``, or the time of the database's clock if ``now`` is ``None``.

    Raises:
        SessionUnknown: the row does not exist. It may have been deleted.
        RefreshInvalid: the row has another secret.
        RefreshContended, TemporarilyUnavailable: see :func:`translated_trouble`.
    """
    rows: Any = select_sessions().filter(pk=token.facts.session_id)
    told = columns_tell_who_is_active()
    if now is None:
        rows = rows.annotate(clock=DatabaseTime(measure_zone(rows.db)))
    if told:
        rows = rows.annotate(user_active=Exists(active_users().filter(pk=OuterRef("user_id"))))
        rows = rows.select_related("user") if with_user else rows
    with translated_trouble(), foreign_savepoint():
        session: Any = (_lock(rows) if is_in_transaction() else rows).first()
    if session is None:
        raise SessionUnknown
    if not hmac.compare_digest(bytes(session.secret_hash), token.secret_hash):
        # The MAC is right and the secret is wrong, so the author of this token knows only SECRET_KEY.
        raise RefreshInvalid
    state = rotation.State(
        position=session.position,
        revoked=session.revoked_at is not None,
        user_active=session.user_active if told else attach_active_user(session),
        idle_expires_at=session.idle_expires_at,
        expires_at=session.expires_at,
    )
    return session, state, session.clock if now is None else now


def _lock(rows: SessionQuerySet) -> SessionQuerySet:
    """Lock the sessions themselves, and not their users where the database can tell them apart."""
    narrow = connections[rows.db].features.has_select_for_update_of
    return rows.select_for_update(of=("self",) if narrow else ())


# -- Start -----------------------------------------------------------------------------------------


def insert(session: Session) -> None:
    """Insert a new session if its user has not changed since the password was checked.

    This is one statement. If the columns cannot tell who is active, the user is loaded after it.

    Raises:
        UserGone, UserInactive, PasswordChanged: the user has changed in that way.
        TemporarilyUnavailable: see :func:`translated_trouble`.
    """
    user = session.user
    _insert_readable(session)
    if not columns_tell_who_is_active() and not attach_active_user(session):
        delete([session.pk])
        raise explain_user(user)


def _insert_readable(session: Session) -> None:
    """Insert a new session. Describe its device in ASCII if the table cannot hold other letters.

    A table of MariaDB in latin1 or utf8mb3 cannot hold an emoji, and a login must not fail because of the
    name of a device.
    """
    if (session.device + session.label).isascii():
        _insert_unchanged(session)
        return
    try:
        with savepoint():
            _insert_unchanged(session)
    except (DataError, OperationalError) as error:
        if not is_unreadable(error):
            raise
        session.device, session.label = _to_ascii(session.device), _to_ascii(session.label)
        _insert_unchanged(session)


def _to_ascii(text: str) -> str:
    """Return a text without accents, and with question marks for other letters. It does not get longer."""
    letters = (char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    return "".join(letters).encode("ascii", "replace").decode()[: len(text)]


def _insert_unchanged(session: Session) -> None:
    """Insert a new session if the columns of its user have not changed.

    Hashing a password takes a good part of a second. Meanwhile the account may be deleted or deactivated, or
    its password may change, and that ends all sessions of the user. A session under the old password must not
    be inserted after that. Therefore the statement selects the user's key under these conditions and with a
    lock, which waits for a transaction that is changing the user. If no user is selected, the column refuses
    the row.

    Raises:
        UserGone, UserInactive, PasswordChanged: the user has changed in that way.
        TemporarilyUnavailable: see :func:`translated_trouble`.
    """
    same = select_unchanged(session.user)
    if transaction.get_connection(find_database()).in_atomic_block:
        # A refused row would break the caller's transaction, so the conditions are checked first.
        if not same.select_for_update().values_list("pk").first():
            raise explain_user(session.user)
        persist(partial(session.save, force_insert=True, using=find_database()), repeatable=False)
        return
    _insert_alone(session, LockingSubquery(same.values("pk")[:1]))


def _insert_alone(session: Session, user_id: Subquery) -> None:
    """Insert a new session whose user the statement itself selects.

    ``save()`` would show the sub-select to the receivers of Django's signals, in place of the user's key.
    Some packages listen to all models (audit logs, caches). They get the session as everybody else sees it.
    """
    using = find_database()
    told: dict[str, Any] = {"instance": session, "raw": False, "using": using, "update_fields": None}
    pre_save.send(Session, **told)
    row = copy(session)
    row.user_id = user_id
    query = InsertQuery(Session)
    query.insert_values(Session._meta.concrete_fields, [row])
    try:
        # A repetition would find the key taken, and nobody could say by whom.
        persist(query.get_compiler(using=using).execute_sql, repeatable=False)
    except IntegrityError:
        raise explain_user(session.user) from None
    session._state.adding, session._state.db = False, using
    post_save.send(Session, created=True, **told)


def insert_missing(found: Sequence[Session]) -> int:
    """Insert the sessions whose keys are free, all or none of them. Return their number.

    Raises:
        UserGone: the user of a session no longer exists.
        TemporarilyUnavailable: see :func:`translated_trouble`.
    """
    # The insert does not use ignore_conflicts, because on MariaDB that ignores a missing user too.
    for _ in range(_INSERTS):
        try:
            return persist(partial(_insert_missing, select_sessions(), found))
        except IntegrityError:
            continue  # another writer may have taken a key between the two statements
    raise UserGone


def _insert_missing(rows: SessionQuerySet, found: Sequence[Session]) -> int:
    taken = set(rows.filter(pk__in=[session.pk for session in found]).values_list("pk", flat=True))
    missing = [session for session in found if session.pk not in taken]
    with transaction.atomic(using=rows.db):
        rows.bulk_create(missing)
    return len(missing)


# -- Legacy tokens ---------------------------------------------------------------------------------


def close_legacy(user_ids: Collection[Any], now: datetime) -> None:
    """Record that legacy tokens issued to these users before ``now`` start no session.

    The record is one session that has already ended, with a fixed id per user. It stands for every legacy
    token issued before ``now``. The row is kept for good, because only the other package knows how long its
    tokens live.
    """
    closings = [_make_closing(user_id, now) for user_id in user_ids]
    there = select_sessions().filter(pk__in=[row.pk for row in closings], revoked_at__lt=now)
    # The update comes before the insert, because SQLite cannot read first and then write.
    if persist(partial(there.update, revoked_at=now)) == len(closings):
        return
    try:
        insert_missing(closings)
    except UserGone:
        for row in closings:
            with suppress(UserGone):  # a deleted user has no tokens to close
                insert_missing([row])


def _make_closing(user_id: Any, now: datetime) -> Session:
    return Session(
        id=_name_closing(user_id),
        user_id=user_id,
        created_at=now,
        idle_expires_at=now,
        expires_at=now,
        secret_hash=hash_secret(make_secret()),
        label="tokens of another package",
        kept_until=from_timestamp(LATEST),
        revoked_at=now,
        revoked_for="legacy_tokens",
    )


def find_closings(user_ids: Iterable[Any]) -> dict[str, datetime]:
    """Return the moments of :func:`close_legacy` by the ``sub`` of the user. Most users have none."""
    rows = select_sessions().filter(pk__in=[_name_closing(pk) for pk in user_ids])
    # Any: for the stubs the column may be empty, but these rows always have a value
    found: Any = rows.values_list("user_id", "revoked_at")
    return {write_sub(user_id): moment for user_id, moment in found}


def _name_closing(user_id: object) -> UUID:
    return uuid5(_CLOSINGS, write_sub(user_id))


def note_use(session_id: UUID, moment: datetime, before: datetime) -> None:
    """Record a use of a personal token at ``moment``, if the last recorded use is older than ``before``."""
    stale = Q(rotated_at__isnull=True) | Q(rotated_at__lt=before)
    which = select_sessions().filter(stale, pk=session_id, personal=True, revoked_at__isnull=True)
    persist(partial(which.update, rotated_at=moment))


# -- End -------------------------------------------------------------------------------------------


def end(
    which: SessionQuerySet,
    moment: datetime,
    reason: Reason,
    *,
    kept: Collection[UUID] | None = None,
    reports: bool = True,
) -> list[UUID]:
    """End the live sessions among ``which``, publish and report that, and return their ids.

    The rows are marked first and then read back by their mark. So each session is reported by the one call
    that ended it, without a lock and without a read before the write (SQLite: "database is locked").

    Args:
        which: the sessions.
        moment: the present.
        reason: why.
        kept: ``which`` contains all sessions of each of its users, except these. Each user then gets one
            notice. ``None``: it may be any sessions.
        reports: whether a signal is sent for each session.

    Raises:
        TemporarilyUnavailable: another writer was in the way each time. No session was ended.
    """

    def write() -> dict[Any, list[UUID]]:
        found: dict[Any, list[UUID]] = {}
        with publishing(moment) as endings:
            if which.live(moment).update(revoked_at=moment, revoked_for=reason.value):
                marked = which.filter(revoked_at=moment, revoked_for=reason.value)
                for pk, user_id in marked.values_list("pk", "user_id"):
                    found.setdefault(user_id, []).append(pk)
            for user_id, keys in found.items():
                if kept is None:
                    endings.add(keys)
                else:
                    endings.add_user(write_sub(user_id), keys, kept=kept)
        return found

    ended = persist(write)
    for user_id, keys in ended.items() if reports else ():
        for key in keys:
            report(signals.session_revoked, session_id=key, sub=write_sub(user_id), reason=reason.value)
    return [key for keys in ended.values() for key in keys]


def end_silently(which: SessionQuerySet, moment: datetime, reason: Reason) -> int:
    """End the live sessions among ``which``, and return their number. The caller publishes and reports.

    Raises:
        TemporarilyUnavailable: another writer was in the way each time. No session was ended.
    """
    return persist(partial(which.live(moment).update, revoked_at=moment, revoked_for=reason.value))


def shorten(session_id: UUID, until: datetime) -> bool:
    """Shorten a session that was never refreshed to ``until``. Return whether it would have lasted longer."""
    longer = select_sessions().filter(pk=session_id, expires_at__gt=until, rotated_at__isnull=True)
    return bool(persist(partial(longer.update, expires_at=until)))


def prove(session_id: UUID, auth_time: datetime, amr: str) -> None:
    """Write a new proof of identity, unless the session was ended early."""
    which = select_sessions().filter(pk=session_id, revoked_at__isnull=True)
    persist(partial(which.update, proved_at=auth_time, amr=amr))


def delete(keys: Collection[UUID]) -> int:
    """Delete sessions by their keys, and return how many there were."""
    return select_sessions().filter(pk__in=keys).delete()[0]
