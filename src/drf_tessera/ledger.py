"""The statements on :class:`Session` rows; ``sessions`` and ``adoption`` alone call those that write.

Every refresh is compare-and-swap: a write names the generation that was seen, and changes nothing if
the row has moved on. No lock is held and no transaction is open, so there is no stale snapshot to
read (MariaDB's REPEATABLE READ) and nothing to upgrade (SQLite's "database is locked").
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import Any, Final, TypeVar
from uuid import UUID, uuid5

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import IntegrityError, OperationalError, transaction
from django.db.models import Exists, Manager, OuterRef, Q, QuerySet, Subquery
from django.dispatch import Signal
from django.utils.functional import LazyObject
from django.views.decorators.debug import sensitive_variables

from drf_tessera import rotation
from drf_tessera.database import find_database, is_in_transaction
from drf_tessera.exceptions import (
    PasswordChanged,
    RefreshContended,
    RefreshInvalid,
    Refusal,
    SessionUnknown,
    TemporarilyUnavailable,
    UserGone,
    UserInactive,
)
from drf_tessera.models import Session, SessionQuerySet, active_users
from drf_tessera.statements import Mark, Statement, compile_update
from drf_tessera.tokens import LATEST, Login, RefreshToken, from_timestamp, hash_secret, make_secret

T = TypeVar("T")

MAX_ATTEMPTS: Final = 10
"""How often a write is tried again after another writer was faster."""

_INSERTS: Final = 3
"""How often sessions are written whose keys somebody else may write, too."""

_CLOSINGS: Final = UUID("0b7c5a3e-8f0e-5d52-9a55-6f3d0c3f7b11")

_MOVED: Final = frozenset({"40001", "40P01", 1020, 1213})
"""PostgreSQL's serialization failure and deadlock; MariaDB's changed record and deadlock."""

_WAITED: Final = frozenset({"55P03", 1205})
"""The same servers' lock timeouts. SQLite has no number, only "locked"."""


def select_sessions() -> SessionQuerySet:
    """Select all sessions, in the database that they are written to."""
    return SessionQuerySet(Session, using=find_database())


def publish(signal: Signal, **arguments: object) -> None:
    """Send ``signal`` after the commit, or at once where no transaction is open.

    Robustly: Django logs what a receiver raises, and the next one hears the signal all the same.
    """
    if signal.has_listeners(Session):
        transaction.on_commit(partial(signal.send_robust, Session, **arguments), using=find_database())


def refuse_transaction() -> None:
    """Make sure that what is written now is committed now.

    A test case's own transaction is let pass, as ``atomic(durable=True)`` does.

    Raises:
        RuntimeError: a transaction is open.
    """
    if is_in_transaction():
        raise RuntimeError(
            "sessions.refresh() was called inside transaction.atomic() or a view under ATOMIC_REQUESTS. "
            "When it ends a stolen session, that transaction would roll the end back. Call it outside, "
            "and decorate the view with django.db.transaction.non_atomic_requests."
        )


@sensitive_variables()
def select_rotatable(token: RefreshToken, now: datetime, grace: timedelta) -> SessionQuerySet:
    """Select the token's session if :func:`rotation.decide` would say ``ROTATED`` for it.

    Together with the conditions of :func:`move`. They all stand on the row itself: a row that another
    writer moves while the statement waits for its lock is judged again as it is then, which
    PostgreSQL does not do for a sub-select on the same table.
    """
    return select_sessions().filter(
        Q(rotated_at__isnull=True) | Q(rotated_at__lte=now - grace),
        pk=token.login.session_id,
        secret_hash=token.secret_hash,
        idle_expires_at__gt=now,
        expires_at__gt=now,
    )


@sensitive_variables()
def swap(
    token: RefreshToken,
    position: rotation.Position,
    idle_expires_at: datetime,
    now: datetime,
    grace: timedelta,
) -> bool:
    """Move the token's session to ``position`` if the rule says ``ROTATED``; tell whether it did.

    The one statement of the normal refresh: :func:`move` of :func:`select_rotatable`, compiled once.

    Raises:
        RefreshContended, TemporarilyUnavailable: see :func:`translated_contention`.
    """
    statement = _find_swap(find_database(), get_user_model())
    if statement is None:
        return move(select_rotatable(token, now, grace), token.generation, position, idle_expires_at)
    values = {
        "id": token.login.session_id,
        "secret_hash": token.secret_hash,
        "now": now,
        "window": now - grace,
        "seen": token.generation,
        "generation": position.generation,
        "parent": position.parent,
        "rotated_at": position.rotated_at,
        "idle_expires_at": idle_expires_at,
    }
    with translated_contention():
        return statement.execute(values) == 1


def _find_swap(using: str, user_model: Any) -> Statement | None:
    """Give the compiled swap, or ``None`` where it cannot be compiled once and for all.

    So it is if the project's own manager selects the users: it may select others tomorrow, or in
    another thread.
    """
    if type(user_model._default_manager).get_queryset is not Manager.get_queryset:
        return None
    return _compile_swap(using, user_model)


@lru_cache
def _compile_swap(using: str, user_model: Any) -> Statement | None:
    field: Any = Session._meta.get_field
    epoch = datetime(2000, 1, 1, tzinfo=UTC if settings.USE_TZ else None)
    now, window, rotated, idle = (epoch + timedelta(days=days) for days in range(4))
    seen, generation, parent = 2**40 + 1, 2**40 + 2, 2**40 + 3
    secret = b"a secret that stands for another"
    login = Login(session_id=UUID(int=1), sub="", auth_time=0, expires_at=0, amr=(), scope="")
    rows = select_rotatable(
        RefreshToken(login=login, generation=seen, secret=secret), now, grace=now - window
    )
    position = rotation.Position(generation=generation, parent=parent, recoveries=0, rotated_at=rotated)
    return compile_update(
        _stand(rows, seen),
        _write(position, idle),
        {
            "id": Mark(field=field("id"), value=login.session_id),
            "secret_hash": Mark(field=field("secret_hash"), value=hash_secret(secret)),
            "now": Mark(field=field("expires_at"), value=now),
            "window": Mark(field=field("rotated_at"), value=window),
            "seen": Mark(field=field("generation"), value=seen),
            "generation": Mark(field=field("generation"), value=generation),
            "parent": Mark(field=field("parent"), value=parent),
            "rotated_at": Mark(field=field("rotated_at"), value=rotated),
            "idle_expires_at": Mark(field=field("idle_expires_at"), value=idle),
        },
    )


def move(
    rows: SessionQuerySet, seen_generation: int, position: rotation.Position, idle_expires_at: datetime
) -> bool:
    """Write a new position if the row still stands where it was seen, and tell whether it did.

    Every move raises ``generation``, so comparing it alone is comparing the whole position. The
    values are constants and never ``generation + 1``: MariaDB evaluates assignments from left to
    right.

    Raises:
        RefreshContended, TemporarilyUnavailable: see :func:`translated_contention`.
    """
    with translated_contention():
        return _stand(rows, seen_generation).update(**_write(position, idle_expires_at)) == 1


def _stand(rows: SessionQuerySet, generation: int) -> SessionQuerySet:
    return rows.filter(generation=generation, revoked_at__isnull=True).of_active_user()


def _write(position: rotation.Position, idle_expires_at: datetime) -> dict[str, Any]:
    return {
        "generation": position.generation,
        "parent": position.parent,
        "recoveries": position.recoveries,
        "rotated_at": position.rotated_at,
        "idle_expires_at": idle_expires_at,
    }


@sensitive_variables()
def read(token: RefreshToken, *, with_user: bool) -> tuple[Session, rotation.State]:
    """Read the token's session, in autocommit: never a stale snapshot.

    Raises:
        SessionUnknown: there is no such row (any more).
        RefreshInvalid: the row has another secret.
        RefreshContended, TemporarilyUnavailable: see :func:`translated_contention`.
    """
    active = Exists(active_users().filter(pk=OuterRef("user_id")))
    rows = select_sessions().filter(pk=token.login.session_id).annotate(user_active=active)
    with translated_contention():
        # Any: the stubs do not know annotations
        session: Any = (rows.select_related("user") if with_user else rows).first()
    if session is None:
        raise SessionUnknown
    if not hmac.compare_digest(bytes(session.secret_hash), token.secret_hash):
        # A good MAC over a wrong secret: whoever wrote it holds SECRET_KEY, and still gets nowhere.
        raise RefreshInvalid
    return session, rotation.State(
        position=session.position,
        revoked=session.revoked_at is not None,
        user_active=session.user_active,
        idle_expires_at=session.idle_expires_at,
        expires_at=session.expires_at,
    )


def insert_missing(found: Sequence[Session]) -> int:
    """Write the sessions whose keys are free, all or none; tell how many those were.

    Raises:
        UserGone: some user does not exist any more.
        TemporarilyUnavailable: see :func:`translated_contention`.
    """
    # Not by "ignore conflicts": on MariaDB that would ignore a user who is gone, and write nothing.
    for _ in range(_INSERTS):
        try:
            return persist(partial(_insert_missing, select_sessions(), found))
        except IntegrityError:
            continue  # perhaps another writer took a key between the two statements: look again
    raise UserGone


def _insert_missing(rows: SessionQuerySet, found: Sequence[Session]) -> int:
    taken = set(rows.filter(pk__in=[session.pk for session in found]).values_list("pk", flat=True))
    missing = [session for session in found if session.pk not in taken]
    with transaction.atomic(using=rows.db):
        rows.bulk_create(missing)
    return len(missing)


def close_former(user: Any, now: datetime) -> None:
    """Note that what other packages gave a user before ``now`` begins no session any more.

    As a session that has ended: of all that came before, under a key of its own. The row is kept for good,
    one for each such user: how long those tokens live their package knew alone.
    """
    there = select_sessions().filter(pk=_name_closing(user.pk), revoked_at__lt=now)
    if persist(
        partial(there.update, revoked_at=now)
    ):  # written first: SQLite lets nobody read and then write
        return
    row = Session(
        id=_name_closing(user.pk),
        user_id=user.pk,
        created_at=now,
        auth_time=now,
        idle_expires_at=now,
        expires_at=now,
        secret_hash=hash_secret(make_secret()),
        label="tokens of another package",
        kept_until=from_timestamp(LATEST),
        revoked_at=now,
        revoked_for="former_tokens",
    )
    with suppress(UserGone):  # who has nothing to close
        insert_missing([row])


def find_closings(user_ids: Iterable[Any]) -> dict[Any, datetime]:
    """Give, by user, until when what other packages gave them had been closed; most have no such moment."""
    rows = select_sessions().filter(pk__in=[_name_closing(pk) for pk in user_ids])
    # Any: to the stubs the column may be empty, and here it is not
    found: Any = rows.values_list("user_id", "revoked_at")
    return dict(found)


def _name_closing(user_id: object) -> UUID:
    return uuid5(_CLOSINGS, str(user_id))


def insert(session: Session) -> None:
    """Write a new session, if its user still is as it was when it was authenticated: one statement.

    Hashing a password takes a good part of a second, in which the account may be deleted, deactivated,
    or given another password, which ends all sessions that there are then. A session under the old
    password must not slip in after that. So the user's key is not written but selected, with these
    conditions and with a lock, which waits for whoever is changing the user just now; where nothing is
    selected, the column refuses the row.

    Raises:
        UserGone, UserInactive, PasswordChanged: that is what happened.
        TemporarilyUnavailable: see :func:`translated_contention`.
    """
    same = _select_unchanged(session.user)
    if transaction.get_connection(find_database()).in_atomic_block:
        # A row that is refused would spoil the transaction, so it is asked for before.
        if not same.select_for_update().values_list("pk").first():
            raise _explain_user(session.user)
        persist(partial(session.save, force_insert=True, using=find_database()))
        return
    row = copy(session)
    row.user_id = _LockingSubquery(same.values("pk")[:1])
    try:
        persist(partial(row.save, force_insert=True, using=find_database()))
    except IntegrityError:
        raise _explain_user(session.user) from None


@contextmanager
def savepoint() -> Iterator[None]:
    """Let an error of the block leave a transaction of the caller's usable; without one do nothing."""
    using = find_database()
    if transaction.get_connection(using).in_atomic_block:
        with transaction.atomic(using=using):
            yield
    else:
        yield


class _LockingSubquery(Subquery):
    """Selects with a lock, in a statement that is a transaction by itself.

    ``select_for_update`` wants a transaction around it, which would be two statements more. SQLite has
    one writer at a time, and needs none.
    """

    def as_sql(self, compiler: Any, connection: Any, template: str | None = None, **extra: Any) -> Any:
        """Write the lock behind the query."""
        locks = connection.features.has_select_for_update
        locking = "(%(subquery)s FOR UPDATE)" if locks else template
        return super().as_sql(compiler, connection, template=locking, **extra)


def _select_unchanged(user: Any) -> QuerySet[Any]:
    """Select the user's row if it is active and has the password that was read with ``user``."""
    rows = active_users().using(find_database()).filter(pk=user.pk)
    known = vars(unwrap(user)).get("password")
    return rows if known is None else rows.filter(password=known)


def unwrap(user: Any) -> Any:
    """Give the user itself in the place of ``request.user``, which Django wraps until it is looked at."""
    if isinstance(user, LazyObject):
        bool(user)
        return user._wrapped
    return user


def _explain_user(user: Any) -> Refusal:
    if not get_user_model()._default_manager.using(find_database()).filter(pk=user.pk).exists():
        return UserGone()
    if not active_users().using(find_database()).filter(pk=user.pk).exists():
        return UserInactive()
    return PasswordChanged()


def persist(action: Callable[[], T]) -> T:
    """Carry out a write that can be repeated, again and again if other writers are in its way.

    In a transaction of the caller's it is tried once, and what the database says goes on as it is: only
    the transaction as a whole can be begun again.

    Raises:
        TemporarilyUnavailable: the others were always faster, or did not let go.
    """
    if is_in_transaction():
        return action()
    for _ in range(MAX_ATTEMPTS):
        try:
            with translated_contention():
                return action()
        except RefreshContended:
            continue
    raise TemporarilyUnavailable


def end_if_standing(session: Session, reason: str, now: datetime) -> bool:
    """End a session if it still stands where it was seen, and tell whether it did.

    Raises:
        RefreshContended, TemporarilyUnavailable: see :func:`translated_contention`.
    """
    standing = select_sessions().filter(pk=session.pk, generation=session.generation, revoked_at__isnull=True)
    with translated_contention():
        return standing.update(revoked_at=now, revoked_for=reason) == 1


@contextmanager
def translated_contention() -> Iterator[None]:
    """Name what a database says when others write too; every other error goes on as it is.

    Raises:
        RefreshContended: somebody was faster; look again at once.
        TemporarilyUnavailable: somebody held the row for longer than the database waits.
    """
    try:
        yield
    except OperationalError as error:
        code = getattr(error.__cause__, "sqlstate", None) or (error.args[0] if error.args else None)
        if code in _MOVED:
            raise RefreshContended from error
        if code in _WAITED or "database is locked" in str(error):
            raise TemporarilyUnavailable from error
        raise
