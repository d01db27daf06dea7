"""Start a session for a user who has logged in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID, uuid4

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from drf_tessera import rotation, signals
from drf_tessera.conf import Lifetimes, get_settings
from drf_tessera.exceptions import ProjectError, TransportUnavailable, UserInactive
from drf_tessera.models import LABEL_LENGTH, USER_AGENT_LENGTH, Session
from drf_tessera.sessions import places, rows
from drf_tessera.sessions.devices import name_device
from drf_tessera.sessions.grants import Grant, count_seconds, describe_row
from drf_tessera.sessions.reasons import Reason
from drf_tessera.tokens import (
    hash_secret,
    make_secret,
    mint_access_token,
    write_refresh_token,
)
from drf_tessera.users import describe_session, is_active, write_sub

_SHORTEST: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The origin of a login, as far as it is known."""

    ip: str | None = None
    user_agent: str = ""
    label: str = ""
    """The client's own name for its device."""


@sensitive_variables()
def start(
    user: AbstractBaseUser,
    *,
    client: Client | None = None,
    amr: tuple[str, ...] = ("pwd",),
    scope: str = "",
    transport: str | None = None,
    claims: Mapping[str, Any] | None = None,
    lifetimes: Lifetimes | None = None,
    persistent: bool = True,
    key: UUID | None = None,
    now: datetime | None = None,
) -> Grant:
    """Start a session for ``user``, who has been authenticated. One ``INSERT``.

    With ``MAX_SESSIONS_PER_USER`` the oldest sessions above the limit are ended. If several logins happen at
    the same moment, the last one stays.

    Args:
        user: a saved, active user.
        client: where the login comes from.
        amr: how the user was authenticated (RFC 8176).
        scope: the scope of all access tokens of the session (RFC 6749, section 3.3).
        transport: how the refresh tokens of the session travel: ``"header"`` or ``"cookie"``. By default the
            first one that ``PROFILE`` offers.
        claims: further claims of all access tokens of the session. The refresh token carries them
            unencrypted, so keep them short. For claims that change, use the ``CLAIMS`` hook, which is
            called at each refresh.
        lifetimes: how long the session lasts. By default ``SESSION_IDLE_LIFETIME`` and ``SESSION_LIFETIME``.
        persistent: whether a cookie of the session outlives the browser. Without cookies it changes nothing.
        key: the id of the session. By default a random one. A second session with the same id is refused.
        now: the present. By default the time of the clock.

    Raises:
        TransportUnavailable: ``PROFILE`` does not offer the transport.
        UserGone, UserInactive: the user may not log in.
        PasswordChanged: the row has another password than ``user``. Load the user and authenticate again.
        TemporarilyUnavailable: the database is busy.
        ProjectError: ``user`` was never saved, or is not an instance of the user model, or a lifetime is
            shorter than a second.
        ClaimsHookError: the hook or ``claims`` contains a value that cannot go into a token. No row was
            written.
    """
    if not is_active(user):
        raise UserInactive
    check_saved(user)
    moment, secret, way = now or timezone.now(), make_secret(), choose_transport(transport)
    session = _describe_login(client or Client(), lifetimes or get_settings().lifetimes, moment)
    session.id, session.user = key or uuid4(), cast("Any", user)
    session.secret_hash, session.amr, session.scope = hash_secret(secret), " ".join(amr), scope
    session.actor = (claims or {}).get("act", {}).get("sub", "")
    facts = replace(
        describe_row(session, way, claims),
        idle=None if lifetimes is None else int(lifetimes.idle.total_seconds()),
        persistent=persistent,
    )
    token, expires_in = mint_access_token(facts, describe_session(user, session), moment)
    grant = Grant(
        session_id=session.pk,
        sub=facts.sub,
        access=token,
        expires_in=expires_in,
        refresh=write_refresh_token(facts, rotation.START.generation, secret),
        refresh_expires_in=count_seconds(session.idle_expires_at, facts, moment),
        outcome=None,
        transport=way,
        persistent=persistent,
    )
    _write(session, get_settings().max_sessions_per_user, moment)
    _report(session)
    return grant


def _describe_login(client: Client, lifetimes: Lifetimes, now: datetime) -> Session:
    """Return a new row with the times and the origin of a login.

    Raises:
        ProjectError: a lifetime is shorter than a second.
    """
    if min(lifetimes.idle, lifetimes.absolute) < _SHORTEST:
        raise ProjectError("A session lasts at least a second: lifetimes.idle and lifetimes.absolute.")
    return Session(
        created_at=now,
        idle_expires_at=now + lifetimes.idle,
        expires_at=now + lifetimes.absolute,
        ip=client.ip,
        device=name_device(clean_text(client.user_agent, USER_AGENT_LENGTH)),
        label=clean_text(client.label, LABEL_LENGTH),
    )


def choose_transport(asked: str | None) -> str:
    """Return the transport of a new session: the one that is asked for, or the first of ``PROFILE``.

    Raises:
        TransportUnavailable: ``PROFILE`` does not offer the transport.
    """
    offered = get_settings().transports
    if asked is not None and asked not in offered:
        raise TransportUnavailable(offered)
    return asked or offered[0]


def check_saved(user: Any) -> None:
    """Raise ``ProjectError`` with the reason if a session cannot belong to this object."""
    model: Any = get_user_model()
    if not isinstance(user, model._meta.concrete_model):
        raise ProjectError(
            f"A session belongs to a saved instance of {model._meta.label}, and not to an instance of "
            f"{type(user).__qualname__}."
        )
    if user.pk is None or user._state.adding:
        raise ProjectError(
            f"This {model._meta.object_name} is not in the database yet, so no session can belong to it. "
            "Call user.save() before sessions.start(user)."
        )


def clean_text(text: str, width: int) -> str:
    """Return the printable part of a stranger's text, at most ``width`` characters."""
    return "".join(char if char.isprintable() else " " for char in text[:width]).strip()


def describe_origin(client: Client) -> dict[str, str | None]:
    """Return the arguments of signals that say where a request comes from."""
    return {"address": client.ip, "user_agent": clean_text(client.user_agent, USER_AGENT_LENGTH)}


def _report(session: Session) -> None:
    """Send ``session_started``, and the signals about the place of the login if there is news."""
    who = {"session_id": session.pk, "sub": write_sub(session.user_id)}
    where = {"address": session.ip, "device": session.device}
    rows.report(signals.session_started, **who, **where, amr=session.amr)
    if not any(found.has_listeners(Session) for found in (signals.new_device, signals.network_changed)):
        return
    news = places.find_news(session)
    if news.network or news.device:
        flags = {"new_network": news.network, "new_device": news.device}
        rows.report(signals.new_device, **who, **where, **flags)
    if news.previous is not None:
        rows.report(
            signals.network_changed,
            **who,
            **where,
            previous_address=news.previous.ip,
            previous_device=news.previous.device,
            elapsed=(session.created_at - news.previous.last_used_at).total_seconds(),
        )


def _write(session: Session, limit: int | None, now: datetime) -> None:
    """Write the row, and end the oldest sessions of its user above ``limit``."""
    rows.insert(session)
    if limit is None or session.actor:  # a person is not logged out because somebody acts as them
        return
    # The new session is ranked with the others. If each login excluded its own session, two simultaneous
    # logins would evict each other.
    # Personal tokens do not count, because a login must not end a token that a script needs.
    logins = rows.live_sessions(session.user_id, now=now).filter(personal=False)
    extra = list(logins.values_list("pk", flat=True)[limit:])
    if extra:
        rows.end(rows.select_sessions().filter(pk__in=extra), now, Reason.EVICTED)
