"""The life of a session: start, refresh, revoke, prune. The only writer of :class:`Session`.

Whoever uses no REST framework calls these functions directly; the views do nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any, Final, NoReturn, cast
from uuid import UUID, uuid4

from django.contrib.auth.base_user import AbstractBaseUser
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from drf_tessera import ledger, revocation, rotation, signals
from drf_tessera.conf import HEADER, Settings, expects_former_tokens, get_settings
from drf_tessera.exceptions import (
    RefreshContended,
    RefreshReused,
    Refusal,
    SessionExpired,
    SessionRevoked,
    TransportMismatch,
    UserInactive,
)
from drf_tessera.models import LABEL_LENGTH, USER_AGENT_LENGTH, Session, SessionQuerySet
from drf_tessera.rotation import Outcome
from drf_tessera.tokens import (
    Login,
    RefreshToken,
    hash_secret,
    make_secret,
    mint_access_token,
    read_refresh_token,
    to_timestamp,
    write_refresh_token,
)
from drf_tessera.users import describe_session

_REFUSALS: Final[Mapping[Outcome, type[Refusal]]] = {
    Outcome.REVOKED: SessionRevoked,
    Outcome.EXPIRED: SessionExpired,
    Outcome.USER_INACTIVE: UserInactive,
}


class Reason(StrEnum):
    """Why a session was ended early; ``Session.revoked_for`` and the signal carry it."""

    LOGOUT = "logout"
    LOGOUT_ALL = "logout_all"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a reason, not a password
    USER_INACTIVE = "user_inactive"
    USER_DELETED = "user_deleted"
    EVICTED = "evicted"
    REUSED = "refresh_reused"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Where a login comes from, as far as anybody can tell."""

    ip: str | None = None
    user_agent: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a login or a refresh hands out.

    ``refresh`` is ``None`` within the grace window: the client keeps the refresh token that it has.
    """

    session_id: UUID
    sub: str
    access: str = field(repr=False)
    expires_in: int
    """Seconds until the access token expires."""
    refresh: str | None = field(repr=False)
    refresh_expires_in: int
    """Seconds until the session ends if it is not refreshed."""
    outcome: Outcome | None
    """``None`` for a login."""


# -- Start -----------------------------------------------------------------------------------------


@sensitive_variables()
def start(
    user: AbstractBaseUser,
    *,
    client: Client | None = None,
    amr: tuple[str, ...] = ("pwd",),
    scope: str = "",
    transport: str = HEADER,
    claims: Mapping[str, Any] | None = None,
    now: datetime | None = None,
) -> Grant:
    """Start a session for ``user``, who has proved who they are. One ``INSERT``.

    With ``MAX_SESSIONS_PER_USER`` the oldest sessions beyond it are ended: of logins at the same moment
    the last one stays.

    Args:
        user: a saved, active user.
        client: where the login comes from.
        amr: how the user proved it (RFC 8176).
        scope: the scope of all the session's access tokens (RFC 6749, section 3.3).
        transport: how its refresh tokens travel, for good: ``conf.HEADER`` or ``conf.COOKIE``.
        claims: what all the session's access tokens say besides. The refresh token carries it, unencrypted:
            keep it short. What changes belongs into the ``CLAIMS`` hook, which is asked at each refresh.
        now: the present, if not the clock's.

    Raises:
        UserGone, UserInactive: the user may not log in (any more).
        PasswordChanged: the row has another password by now than ``user``; load and prove it again.
        TemporarilyUnavailable: the database is busy.
        ClaimsHookError: the project's hook or ``claims`` has what cannot go into a token; nothing is
            written.
    """
    if not user.is_active:
        raise UserInactive
    settings, moment, secret = get_settings(), now or timezone.now(), make_secret()
    where = client or Client()
    session = Session(
        id=uuid4(),
        user=cast("Any", user),
        created_at=moment,
        auth_time=moment,
        idle_expires_at=moment + settings.session_idle_lifetime,
        expires_at=moment + settings.session_lifetime,
        secret_hash=hash_secret(secret),
        amr=" ".join(amr),
        scope=scope,
        ip=where.ip,
        user_agent=clean(where.user_agent, USER_AGENT_LENGTH),
        label=clean(where.label, LABEL_LENGTH),
    )
    login = _describe(session, transport, claims or {})
    access, expires_in = mint_access_token(login, describe_session(user, session), to_timestamp(moment))
    refresh_token = write_refresh_token(login, rotation.START.generation, secret)
    ledger.insert(session)
    if settings.max_sessions_per_user is not None:
        _evict(user.pk, settings.max_sessions_per_user, moment)
    ledger.publish(signals.session_started, session_id=session.pk, sub=login.sub)
    return Grant(
        session_id=session.pk,
        sub=login.sub,
        access=access,
        expires_in=expires_in,
        refresh=refresh_token,
        refresh_expires_in=_seconds_left(session.idle_expires_at, login, moment),
        outcome=None,
    )


def clean(text: str, width: int) -> str:
    """Fit a stranger's text into a column: printable, and no longer than it is wide."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return printable[:width].strip()


def _describe(session: Session, transport: str, claims: Mapping[str, Any]) -> Login:
    return Login(
        session_id=session.pk,
        sub=str(session.user_id),
        auth_time=int(to_timestamp(session.auth_time)),
        expires_at=int(to_timestamp(session.expires_at)),
        amr=tuple(session.amr.split()),
        scope=session.scope,
        transport=transport,
        claims=claims,
    )


def _evict(user_id: object, limit: int, now: datetime) -> None:
    # All are ranked alike, the new one too: of two logins at once, each would else end the other.
    for session_id in list(live_sessions(user_id, now=now).values_list("pk", flat=True)[limit:]):
        revoke(session_id, reason=Reason.EVICTED, now=now)


# -- Refresh ---------------------------------------------------------------------------------------


@sensitive_variables()
def refresh(
    text: str, *, transport: str | None = None, now: datetime | None = None, recoveries: int | None = None
) -> Grant:
    """Exchange a refresh token for an access token and, outside the grace window, its successor.

    The normal case is one ``UPDATE`` and no other statement. With a ``CLAIMS`` hook the session and
    its user are read first, so that a hook that fails has spent nothing.

    Call it outside of ``transaction.atomic``: ending a session at a reuse must be committed although
    the refresh is refused, and an enclosing transaction would roll it back.

    Args:
        text: whatever a stranger sent.
        transport: how it came, if that is known: it must be how it was given out.
        now: the present, if not the clock's.
        recoveries: how many lost answers in a row are forgiven, if not ``REFRESH_RECOVERIES``. Those
            beyond the setting lengthen nothing: the session's idle limit stays where it was.

    Raises:
        RefreshInvalid: no token of ours; no query was made unless the MAC held.
        TransportMismatch: it came another way; nothing was looked up and nothing changed.
        RefreshReused: a replaced token; the session has been ended, and that is committed.
        SessionUnknown, SessionRevoked, SessionExpired, UserInactive: as they say.
        RefreshContended: other writers were always faster; nothing is lost, try again.
        RuntimeError: called inside a transaction.
    """
    token = _read(text, transport)
    ledger.refuse_transaction()
    settings, moment = get_settings(), now or timezone.now()
    grant = None
    if not settings.reads_user:
        grant = _swap(token, moment, settings)
    if grant is None:
        grant = _settle(token, moment, settings, recoveries)
    ledger.publish(
        signals.session_refreshed,
        session_id=grant.session_id,
        sub=grant.sub,
        outcome=grant.outcome.value if grant.outcome else "",
    )
    return grant


@sensitive_variables()
def _read(text: str, transport: str | None) -> RefreshToken:
    token = read_refresh_token(text)
    if transport is not None and token.login.transport != transport:
        raise TransportMismatch
    return token


@sensitive_variables()
def _swap(token: RefreshToken, now: datetime, settings: Settings) -> Grant | None:
    """Move to the next generation in one statement; ``None`` means "look closer"."""
    position = rotation.rotate(token.generation, now)
    idle = now + settings.session_idle_lifetime
    grant = _make_grant(token, Outcome.ROTATED, position, idle_expires_at=idle, extra={}, now=now)
    try:
        return grant if ledger.swap(token, position, idle, now, settings.refresh_grace) else None
    except RefreshContended:
        return None


@sensitive_variables()
def _settle(token: RefreshToken, now: datetime, settings: Settings, recoveries: int | None) -> Grant:
    """Read the row, decide, and write if it still stands there; look again if it does not."""
    for _ in range(ledger.MAX_ATTEMPTS):
        try:
            return _attempt(token, now, settings, recoveries)
        except RefreshContended:
            continue
    raise RefreshContended


@sensitive_variables()
def _attempt(token: RefreshToken, now: datetime, settings: Settings, recoveries: int | None) -> Grant:
    session, state = ledger.read(token, with_user=settings.reads_user)
    decision = rotation.decide(state, token.generation, now, settings.choose_policy(recoveries))
    if decision.outcome is Outcome.REUSED:
        end_stolen(session, now)
    if decision.outcome in _REFUSALS:
        raise _REFUSALS[decision.outcome]
    # The hook runs before anything is written: if it fails, the token has not been spent.
    extra = describe_session(session.user, session) if settings.reads_user else {}
    position = decision.position
    stays = position is None or position.recoveries > settings.refresh_recoveries
    idle = session.idle_expires_at if stays else now + settings.session_idle_lifetime
    grant = _make_grant(token, decision.outcome, position, idle_expires_at=idle, extra=extra, now=now)
    row = ledger.select_sessions().filter(pk=session.pk)
    if position is not None and not ledger.move(row, session.generation, position, idle):
        raise RefreshContended
    return grant


def end_stolen(session: Session, now: datetime) -> NoReturn:
    """End a session two of whose holders were seen, and refuse them both.

    Raises:
        RefreshReused: it has been ended, and that is committed.
        RefreshContended: somebody moved it meanwhile; look again.
    """
    with ledger.translated_contention(), revocation.announcing(to_timestamp(now)) as ended:
        if not ledger.end_if_standing(session, Reason.REUSED.value, now):
            raise RefreshContended
        ended.append(session.pk)
    sub = str(session.user_id)
    ledger.publish(signals.session_revoked, session_id=session.pk, sub=sub, reason=Reason.REUSED.value)
    ledger.publish(signals.refresh_reused, session_id=session.pk, sub=sub)
    raise RefreshReused


@sensitive_variables()
def _make_grant(
    token: RefreshToken,
    outcome: Outcome,
    position: rotation.Position | None,
    *,
    idle_expires_at: datetime,
    extra: Mapping[str, Any],
    now: datetime,
) -> Grant:
    login = token.login
    access, expires_in = mint_access_token(login, extra, to_timestamp(now))
    successor = None if position is None else write_refresh_token(login, position.generation, token.secret)
    return Grant(
        session_id=login.session_id,
        sub=login.sub,
        access=access,
        expires_in=expires_in,
        refresh=successor,
        refresh_expires_in=_seconds_left(idle_expires_at, login, now),
        outcome=outcome,
    )


# -- Revoke ----------------------------------------------------------------------------------------

_kept: ContextVar[frozenset[UUID]] = ContextVar("drf_tessera_kept_sessions", default=frozenset())


@contextmanager
def keeping(session_id: UUID) -> Iterator[None]:
    """Spare one session while a password is changed inside the block, and at nothing else.

    A change of password ends every session of its user; a view in which users change their own
    wants to keep the one that they are sitting at::

        with sessions.keeping(request.auth.session_id):
            user.save()
    """
    mark = _kept.set(_kept.get() | {session_id})
    try:
        yield
    finally:
        _kept.reset(mark)


def revoke(
    session_id: UUID,
    *,
    owner: AbstractBaseUser | None = None,
    reason: Reason = Reason.LOGOUT,
    now: datetime | None = None,
) -> bool:
    """End one session. Tell whether that changed anything; only then is it reported.

    Args:
        session_id: which one.
        owner: end it only if it is this user's.
        reason: why, for the row and the signal.
        now: the present, if not the clock's.

    Raises:
        TemporarilyUnavailable: the database is busy; nothing was ended.
    """
    moment = now or timezone.now()
    rows = ledger.select_sessions().filter(pk=session_id)
    rows = rows if owner is None else rows.filter(user_id=owner.pk)

    def end() -> list[UUID]:
        with revocation.announcing(to_timestamp(moment)) as ended:
            if rows.live(moment).update(revoked_at=moment, revoked_for=reason.value):
                ended.append(session_id)
        return ended

    if not ledger.persist(end):
        return False
    for user_id in rows.values_list("user_id", flat=True):
        ledger.publish(signals.session_revoked, session_id=session_id, sub=str(user_id), reason=reason.value)
    return True


def shorten(session_id: UUID, until: datetime) -> bool:
    """Let a session that has just begun end at ``until``, for good; tell whether it would have lasted longer.

    Before its tokens are given out: an access token that outlives its session could not be ended. So not
    once it has been refreshed.
    """
    rows = ledger.select_sessions().filter(pk=session_id, expires_at__gt=until, rotated_at__isnull=True)
    return bool(ledger.persist(partial(rows.update, expires_at=until)))


def revoke_all(
    user: AbstractBaseUser,
    *,
    keep: UUID | None = None,
    reason: Reason = Reason.LOGOUT_ALL,
    now: datetime | None = None,
) -> int:
    """End all live sessions of ``user`` but ``keep``, and tell how many that were.

    The rows are marked first and read back by their mark: each is reported by the one call that ended it,
    without a lock or a read before (SQLite: "locked"). Their tokens of former packages begin none any more.
    """
    moment = now or timezone.now()
    kept = (_kept.get() if reason is Reason.PASSWORD_CHANGED else frozenset()) | ({keep} if keep else set())
    rows = ledger.select_sessions().filter(user_id=user.pk).exclude(pk__in=kept)

    def end() -> list[UUID]:
        with revocation.announcing(to_timestamp(moment)) as ended:
            if rows.live(moment).update(revoked_at=moment, revoked_for=reason.value):
                marked = rows.filter(revoked_at=moment, revoked_for=reason.value)
                ended.extend(marked.values_list("pk", flat=True))
        return ended

    if reason is not Reason.USER_DELETED and expects_former_tokens():
        # First: whoever comes in between is in the table by then, and ended below.
        ledger.close_former(user, moment)
    ended = ledger.persist(end)
    for session_id in ended:
        ledger.publish(signals.session_revoked, session_id=session_id, sub=str(user.pk), reason=reason.value)
    return len(ended)


def revoke_by_refresh_token(
    text: str, *, transport: str | None = None, only: UUID | None = None, now: datetime | None = None
) -> bool:
    """End the session of a refresh token: any generation of it, used or not, may end its session.

    With ``only`` the token of any other session ends nothing.

    Raises:
        RefreshInvalid: no token of ours.
        TransportMismatch: it came another way than ``transport``.
    """
    token = _read(text, transport)
    if only not in (None, token.login.session_id):
        return False
    if not ledger.select_sessions().filter(pk=token.login.session_id, secret_hash=token.secret_hash).exists():
        return False
    return revoke(token.login.session_id, now=now)


# -- List and prune --------------------------------------------------------------------------------


def live_sessions(user_id: Any, *, now: datetime | None = None) -> SessionQuerySet:
    """Select a user's live sessions, the latest login first."""
    return (
        ledger.select_sessions()
        .filter(user_id=user_id)
        .live(now or timezone.now())
        .order_by("-created_at", "-pk")
    )


def prune(
    *,
    keep: timedelta = timedelta(days=1),
    batch_size: int = 1000,
    now: datetime | None = None,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Delete the sessions that ended longer than ``keep`` ago, in batches, and tell how many.

    The news of revocations that does not matter any more goes with them.

    Each batch is a transaction of its own: refreshes wait for one at most, and a run that is cut off
    has lost nothing. ``progress`` hears the number deleted so far after each batch.
    """
    ended = ledger.select_sessions().ended_before((now or timezone.now()) - keep).order_by("pk")
    deleted, last = 0, UUID(int=0)
    # Onward from the last key, so that a table of mostly live sessions is walked once.
    while batch := list(ended.filter(pk__gt=last).values_list("pk", flat=True)[:batch_size]):
        last = batch[-1]
        deleted += ledger.select_sessions().filter(pk__in=batch).delete()[0]
        if progress is not None:
            progress(deleted)
    revocation.prune(now=to_timestamp(now or timezone.now()), batch_size=batch_size)
    return deleted


# -- Common to all ---------------------------------------------------------------------------------


def _seconds_left(idle_expires_at: datetime, login: Login, now: datetime) -> int:
    present = to_timestamp(now)
    return max(0, int(min(to_timestamp(idle_expires_at), login.expires_at) - present))
