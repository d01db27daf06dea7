"""The rows of simplejwt's tables, if the project has them: one for each login, and none for a refresh.

The column ``token`` of such a row holds the handle of the session: code that logs out by the text of a token
finds the session, but a copy of the table lets nobody in.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.apps import apps
from django.contrib.auth.base_user import AbstractBaseUser

from drf_tessera.sessions import LegacyToken, write_handle
from drf_tessera.tokens import RefreshToken, SessionFacts
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


def describe_row(jti: str, created: datetime | None, expires: datetime) -> LegacyToken:
    """Return drf-tessera's description of a token of simplejwt, from the columns of its row.

    Without ``USE_TZ`` these datetimes are in UTC and not in ``TIME_ZONE``, because simplejwt wrote UTC.
    """
    issued = datetime_to_epoch(created) if created else 0
    return LegacyToken(package=PACKAGE, jti=jti, issued_at=issued, expires_at=datetime_to_epoch(expires))


def note_session(user: AbstractBaseUser, token: RefreshToken) -> tuple[Any, bool] | None:
    """Write one row for a session. Some projects read these rows to log somebody out everywhere."""
    tables = find_tables()
    return None if tables is None else _outstand(tables, user.pk, token.facts, write_handle(token))


def note_adoption(user: AbstractBaseUser, token: RefreshToken, jti: str) -> None:
    """Make the row of a token of simplejwt the row of the session that the token has started.

    So a session has one row, and code that lists the logins of a user, or ends all but one, counts right.
    """
    tables = find_tables()
    if tables is None:
        return
    rows, name, handle = tables.outstanding._default_manager, token.facts.session_id.hex, write_handle(token)
    until = datetime_from_epoch(token.facts.expires_at)  # flushexpiredtokens must not delete the row earlier
    if rows.filter(jti=name).exists():
        return
    if not rows.filter(jti=jti).update(jti=name, token=handle, expires_at=until):
        _outstand(tables, user.pk, token.facts, handle)


def find_handle(session_id: UUID) -> str | None:
    """Return the handle in the row of a session, or ``None`` if there is no such row."""
    tables = find_tables()
    if tables is None:
        return None
    rows: Any = tables.outstanding._default_manager.filter(jti=session_id.hex)
    found: str | None = rows.values_list("token", flat=True).first()
    return found


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


def note_legacy_end(claims: dict[str, Any], token: str, jti: str, user: AbstractBaseUser | None) -> Any:
    """Blacklist a token of simplejwt that belongs to no session. Return the row and whether it is new."""
    tables = find_tables()
    if tables is None:
        return None, False
    values = {
        "user": user,
        "token": token,
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
