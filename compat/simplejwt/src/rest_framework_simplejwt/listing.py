"""The rows of simplejwt's tables, if the project has them: one for each login, and none for a refresh.

The column ``token`` of such a row holds the handle of the session: code that logs out by the text of a token
finds the session, but a copy of the table lets nobody in.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.apps import apps
from django.contrib.auth.base_user import AbstractBaseUser
from django.views.decorators.debug import sensitive_variables

from drf_tessera import sessions
from drf_tessera.exceptions import Refusal
from drf_tessera.sessions import HANDLE_PREFIX, LegacyToken, adopt_many, read_handle, write_handle
from drf_tessera.tokens import REFRESH_PREFIX, RefreshToken, SessionFacts, read_refresh_token
from drf_tessera.users import parse_sub
from rest_framework_simplejwt.utils import aware_utcnow, datetime_from_epoch, datetime_to_epoch

PACKAGE: Final = "simplejwt"
APP: Final = "rest_framework_simplejwt.token_blacklist"


class Tables(NamedTuple):
    """The models of ``token_blacklist``."""

    outstanding: Any
    blacklisted: Any


def find_tables() -> Tables | None:
    """Return the models of ``token_blacklist``, or ``None`` if the project does not have the app."""
    if not apps.is_installed(APP):
        return None
    return Tables(
        outstanding=apps.get_model("token_blacklist", "OutstandingToken"),
        blacklisted=apps.get_model("token_blacklist", "BlacklistedToken"),
    )


@sensitive_variables()
def hide(text: Any) -> Any:
    """Return the handle of the session for a refresh token. Return every other text unchanged."""
    if not isinstance(text, str) or not text.startswith(REFRESH_PREFIX):
        return text
    try:
        return write_handle(read_refresh_token(text))
    except Refusal:
        return text


def note_session(user: AbstractBaseUser, token: RefreshToken) -> tuple[Any, bool] | None:
    """Write one row for a session. Some projects read these rows to log somebody out everywhere."""
    tables = find_tables()
    return None if tables is None else _outstand(tables, user.pk, token.facts, write_handle(token))


def _outstand(tables: Tables, user_id: Any, login: SessionFacts, handle: str) -> tuple[Any, bool]:
    values = {
        "user_id": user_id,
        "token": handle,
        "created_at": datetime_from_epoch(login.auth_time),
        "expires_at": datetime_from_epoch(login.expires_at),
    }
    found: tuple[Any, bool] = tables.outstanding._default_manager.get_or_create(
        jti=login.session_id.hex, defaults=values
    )
    return found


def note_end(login: SessionFacts, token: RefreshToken | None = None) -> Any:
    """Blacklist the row of a session and return the row of the blacklist, or ``None`` without the tables."""
    tables = find_tables()
    if tables is None:
        return None
    handle = "" if token is None else write_handle(token)
    row, _ = _outstand(tables, parse_sub(login.sub), login, handle)
    return tables.blacklisted._default_manager.get_or_create(token=row)[0]


def note_legacy_end(claims: dict[str, Any], raw: str, jti: str, user: AbstractBaseUser | None) -> Any:
    """Blacklist a token of simplejwt that belongs to no session. Return the row and whether it is new."""
    tables = find_tables()
    if tables is None:
        return None, False
    values = {
        "user": user,
        "token": raw,
        "created_at": aware_utcnow(),
        "expires_at": datetime_from_epoch(int(claims["exp"])),
    }
    row, _ = tables.outstanding._default_manager.get_or_create(jti=jti, defaults=values)
    return tables.blacklisted._default_manager.get_or_create(token=row)


def make_unsaved_end(claims: dict[str, Any], jti: str) -> Any:
    """Return a row of the blacklist for a token that was never handed out. The row is not saved."""
    tables = find_tables()
    if tables is None:
        return None
    until = datetime_from_epoch(int(claims["exp"]))
    row = tables.outstanding(jti=jti, token="", created_at=aware_utcnow(), expires_at=until)
    return tables.blacklisted(token=row, blacklisted_at=aware_utcnow())


def is_blacklisted(jti: str) -> bool:
    """Return whether the table, if the project has it, lists a token of simplejwt as blacklisted.

    A ``jti`` that a database cannot store counts as blacklisted.
    """
    tables = find_tables()
    if tables is None:
        return False
    try:
        return "\0" in jti or bool(tables.blacklisted._default_manager.filter(token__jti=jti).exists())
    except UnicodeEncodeError:
        return True


@sensitive_variables()
def end_session(row: Any) -> None:
    """End the session of a row.

    The row stands for a session, or for a token of simplejwt that started a session or could start one.
    """
    text = hide(row.token)
    if text.startswith(HANDLE_PREFIX):
        with suppress(Refusal):  # the session has already ended
            sessions.revoke(read_handle(text).session_id)
    elif text:
        old = LegacyToken(
            package=PACKAGE,
            jti=row.jti,
            issued_at=datetime_to_epoch(row.created_at) if row.created_at else 0,
            expires_at=datetime_to_epoch(row.expires_at),
        )
        if row.user_id is not None and row.expires_at > aware_utcnow():
            adopt_many([(old, row.user_id, True)])  # ended, so that a simultaneous refresh cannot start it
        sessions.revoke(old.session_id)
    with suppress(ValueError):  # not every jti of simplejwt is a UUID
        sessions.revoke(UUID(row.jti))
