"""Personal access tokens: rows in the table of sessions, so they are listed and ended like sessions.

A token has a name, scopes, an end and a coarse time of its last use. It ends with everything that ends the
sessions of its user: a logout everywhere, a new password, a deactivation. A thief who was in the account may
have made a token.
"""

from __future__ import annotations

import hmac
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from drf_tessera import signals
from drf_tessera.conf import get_settings
from drf_tessera.database import outlive_restart, translated_trouble
from drf_tessera.exceptions import (
    PersonalTokenInvalid,
    PersonalTokensFull,
    ProjectError,
    SessionExpired,
    SessionRevoked,
    TemporarilyUnavailable,
    UserInactive,
)
from drf_tessera.models import LABEL_LENGTH, SCOPE_LENGTH, USER_AGENT_LENGTH, Session
from drf_tessera.moments import to_timestamp
from drf_tessera.sessions import rows
from drf_tessera.sessions.devices import name_device
from drf_tessera.sessions.grants import describe_row
from drf_tessera.sessions.starting import Client, check_saved, clean_text
from drf_tessera.tokens import (
    PersonalToken,
    hash_personal_secret,
    is_scope,
    make_personal_token,
    make_secret,
    read_personal_token,
    remember_personal_token,
    write_personal_token,
)
from drf_tessera.users import describe_session, is_active, load_row, write_sub

MOST_PERSONAL_TOKENS: Final = 100
"""How many live personal tokens a user may have."""

_USE: Final = timedelta(hours=1)
"""How exact the time of the last use is. A use writes the row at most once in this time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """A new personal token. Its text is shown once, because the row has only a digest."""

    session: Session
    text: str = field(repr=False)


@sensitive_variables()
def issue_personal_token(
    user: AbstractBaseUser,
    *,
    name: str,
    scope: str = "",
    lifetime: timedelta | None = None,
    client: Client | None = None,
    now: datetime | None = None,
) -> IssuedToken:
    """Make a personal access token for ``user``, who has been authenticated.

    Args:
        user: a saved, active user.
        name: the user's own name for the token.
        scope: the scopes of the token, separated by spaces (RFC 6749, section 3.3).
        lifetime: at most ``PERSONAL_TOKEN_LIFETIME``, which is also the default.
        client: where the request comes from.
        now: the present. By default the time of the clock.

    Raises:
        PersonalTokensFull: the user has too many tokens.
        UserGone, UserInactive, PasswordChanged, TemporarilyUnavailable: as in :func:`sessions.start`.
        ProjectError: the name is empty, ``scope`` is not in the syntax of scopes or too long, or the lifetime
            is out of range.
    """
    if not is_active(user):
        raise UserInactive
    check_saved(user)
    longest = get_settings().personal_token_lifetime
    lasts = longest if lifetime is None else lifetime
    label = clean_text(name, LABEL_LENGTH)
    if not label or not timedelta(seconds=1) <= lasts <= longest:
        raise ProjectError(f"A personal token needs a name, and lasts from one second to {longest}.")
    if (scope and not is_scope(scope)) or len(scope) > SCOPE_LENGTH:
        raise ProjectError(f"These are not scopes of at most {SCOPE_LENGTH} characters: {scope!r}.")
    moment, secret, origin = now or timezone.now(), make_secret(), client or Client()
    if rows.live_sessions(user.pk, now=moment).filter(personal=True).count() >= MOST_PERSONAL_TOKENS:
        raise PersonalTokensFull
    session = Session(
        user=cast("Any", user),
        personal=True,
        created_at=moment,
        idle_expires_at=moment + lasts,
        expires_at=moment + lasts,
        secret_hash=hash_personal_secret(secret),
        scope=scope,
        ip=origin.ip,
        device=name_device(clean_text(origin.user_agent, USER_AGENT_LENGTH)),
        label=label,
    )
    rows.insert(session)
    rows.report(signals.session_started, session_id=session.pk, sub=write_sub(session.user_id))
    return IssuedToken(session=session, text=write_personal_token(session.pk, secret))


@sensitive_variables()
def verify_personal_token(
    text: str, *, credentials: str | None = None, now: datetime | None = None
) -> PersonalToken:
    """Verify a personal access token. Two queries, and the use of the token is recorded about once an hour.

    Args:
        text: a stranger's text.
        credentials: a text that contains the whole token and will come again, after ``PERSONAL_MARK``. With
            it, :func:`~drf_tessera.tokens.recall_access_token` finds the token for ``ACCESS_LIFETIME``.
        now: the present. By default the time of the clock.

    Raises:
        PersonalTokenInvalid: there is no such token.
        SessionRevoked, SessionExpired: the token was ended, or has expired.
        UserGone, UserInactive: its user may no longer log in.
        TemporarilyUnavailable: the database cannot be used.
    """
    asked_at, moment = time.time(), now or timezone.now()
    session, token = _judge(text, moment)
    if session.rotated_at is None or session.rotated_at < moment - _USE:
        with suppress(TemporarilyUnavailable):  # a database that is read-only must not stop the request
            rows.note_use(session.pk, moment, moment - _USE)
    if credentials is not None:
        remember_personal_token(credentials, token, asked_at)
    return token


@sensitive_variables()
def preview_personal_token(text: str, *, now: datetime | None = None) -> PersonalToken:
    """Verify a personal access token, and change nothing: no use is recorded. Two queries.

    Raises:
        PersonalTokenInvalid, SessionRevoked, SessionExpired, UserGone, UserInactive, TemporarilyUnavailable:
            as :func:`verify_personal_token`.
    """
    return _judge(text, now or timezone.now())[1]


@sensitive_variables()
def _judge(text: str, moment: datetime) -> tuple[Session, PersonalToken]:
    session_id, digest = read_personal_token(text)
    with translated_trouble():
        session = outlive_restart(rows.select_sessions().filter(pk=session_id, personal=True).first)
    if session is None or not hmac.compare_digest(bytes(session.secret_hash), digest):
        raise PersonalTokenInvalid
    if session.revoked_at is not None:
        raise SessionRevoked
    if moment >= session.expires_at:
        raise SessionExpired
    facts = describe_row(session)
    extra = describe_session(load_row(facts.sub), session)
    return session, make_personal_token(
        facts, extra, name=session.label, issued_at=int(to_timestamp(session.created_at))
    )
