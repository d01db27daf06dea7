"""Start a session for a user who has logged in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import uuid4

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from drf_tessera import rotation, signals
from drf_tessera.conf import HEADER, get_settings
from drf_tessera.exceptions import ProjectError, UserInactive
from drf_tessera.models import LABEL_LENGTH, USER_AGENT_LENGTH, Session
from drf_tessera.sessions import places, rows
from drf_tessera.sessions.grants import Grant, count_seconds, describe_row
from drf_tessera.sessions.reasons import Reason
from drf_tessera.tokens import (
    hash_secret,
    make_secret,
    mint_access_token,
    write_refresh_token,
)
from drf_tessera.users import describe_session, is_active, write_sub


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
    transport: str = HEADER,
    claims: Mapping[str, Any] | None = None,
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
        transport: how the refresh tokens of the session travel: ``"header"`` or ``"cookie"``.
        claims: further claims of all access tokens of the session. The refresh token carries them
            unencrypted, so keep them short. For claims that change, use the ``CLAIMS`` hook, which is
            called at each refresh.
        now: the present. By default the time of the clock.

    Raises:
        UserGone, UserInactive: the user may not log in.
        PasswordChanged: the row has another password than ``user``. Load the user and authenticate again.
        TemporarilyUnavailable: the database is busy.
        ProjectError: ``user`` was never saved, or is not an instance of the user model.
        ClaimsHookError: the hook or ``claims`` contains a value that cannot go into a token. No row was
            written.
    """
    if not is_active(user):
        raise UserInactive
    _check_saved(user)
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
        user_agent=clean_text(where.user_agent, USER_AGENT_LENGTH),
        label=clean_text(where.label, LABEL_LENGTH),
    )
    facts = describe_row(session, transport, claims)
    token, expires_in = mint_access_token(facts, describe_session(user, session), moment)
    grant = Grant(
        session_id=session.pk,
        sub=facts.sub,
        access=token,
        expires_in=expires_in,
        refresh=write_refresh_token(facts, rotation.START.generation, secret),
        refresh_expires_in=count_seconds(session.idle_expires_at, facts, moment),
        outcome=None,
        transport=transport,
    )
    _write(session, settings.max_sessions_per_user, moment)
    _report(session)
    return grant


def _check_saved(user: Any) -> None:
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


def _report(session: Session) -> None:
    """Send ``session_started``, and ``new_device`` if the session comes from a new place."""
    rows.report(signals.session_started, session_id=session.pk, sub=write_sub(session.user_id))
    if not signals.new_device.has_listeners(Session):
        return
    new_network, new_user_agent = places.find_news(session)
    if new_network or new_user_agent:
        rows.report(
            signals.new_device,
            session_id=session.pk,
            sub=write_sub(session.user_id),
            address=session.ip,
            user_agent=session.user_agent,
            new_network=new_network,
            new_user_agent=new_user_agent,
        )


def _write(session: Session, limit: int | None, now: datetime) -> None:
    """Write the row, and end the oldest sessions of its user above ``limit``."""
    rows.insert(session)
    if limit is None:
        return
    # The new session is ranked with the others. If each login excluded its own session, two simultaneous
    # logins would evict each other.
    extra = list(rows.live_sessions(session.user_id, now=now).values_list("pk", flat=True)[limit:])
    if extra:
        rows.end(rows.select_sessions().filter(pk__in=extra), now, Reason.EVICTED)
