"""Adopt refresh tokens of other packages: each token starts one session, even if it is sent several times.

A legacy token stands for generation 0 of a session whose key is derived from the token's ``jti``. So the
refresh rule applies to it as to any token of ours, and the primary key of the database makes the session
unique. The first use starts the session and moves it to generation 1. Two tabs or a lost answer are forgiven
as usual. After the successor was used, the legacy token counts as reused. ``docs/explanation/adoption.md``
explains this.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID, uuid5

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError
from django.views.decorators.debug import sensitive_variables

from drf_tessera import rotation
from drf_tessera.conf import HEADER, get_settings
from drf_tessera.database import savepoint
from drf_tessera.exceptions import PasswordChanged, RefreshInvalid, SessionRevoked, UserGone
from drf_tessera.jose.encoding import EncodingError, decode_base64url, decode_json_object
from drf_tessera.models import Session, SessionQuerySet
from drf_tessera.moments import LATEST, from_timestamp, to_timestamp
from drf_tessera.sessions import rows
from drf_tessera.sessions.reasons import Reason
from drf_tessera.sessions.revoking import revoke
from drf_tessera.tokens import (
    ACCESS_TYPE,
    REFRESH_PREFIX,
    SessionFacts,
    derive_secrets,
    hash_secret,
    write_refresh_token,
)
from drf_tessera.users import write_sub

_NAMESPACE: Final = UUID("5c7e2f0c-6d0b-5a51-9c43-0f3a6d1c9b7e")
_AMR: Final = "pwd"
MAX_FOREIGN_LENGTH: Final = 16_384
"""Characters. Twice the length of our own tokens, because other packages set no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyToken:
    """A refresh token of another package, whose signature and dates have been verified."""

    package: str
    """The package that issued the token. Two packages may use the same ``jti``."""
    jti: str
    issued_at: int
    """Seconds since the epoch, used as the time of the login. 0 if the time is unknown."""
    expires_at: int
    """Seconds since the epoch. The token is accepted until then."""
    claims: Mapping[str, Any] = field(default_factory=dict)
    """Further claims of the access tokens of its session."""
    scope: str = ""
    """The scope of its session (RFC 6749, section 3.3)."""

    def __post_init__(self) -> None:
        """Move times that a database cannot hold to the nearest time that it can."""
        for moment in ("issued_at", "expires_at"):
            object.__setattr__(self, moment, min(max(getattr(self, moment), 0), LATEST))

    @property
    def name(self) -> str:
        """The text that distinguishes the token from every other token."""
        return f"{self.package} {self.jti}"

    @property
    def session_id(self) -> UUID:
        """The key of the session that the token starts."""
        return uuid5(_NAMESPACE, self.name)


@sensitive_variables()
def is_foreign(token: str) -> bool:
    """Return whether a text has the header of a JWT that is not ours. Nothing is verified."""
    if token.startswith(REFRESH_PREFIX) or len(token) > MAX_FOREIGN_LENGTH:
        return False
    try:
        typ = decode_json_object(decode_base64url(token.encode("ascii").partition(b".")[0])).get("typ")
    except (EncodingError, UnicodeEncodeError):
        return False
    return not isinstance(typ, str) or typ.lower().removeprefix("application/") != ACCESS_TYPE


@sensitive_variables()
def name_token(token: str) -> str:
    """Return a name for a JWT without a ``jti``: a digest of the signed part, which has only one text."""
    return hashlib.sha256(token.rpartition(".")[0].encode()).hexdigest()


@sensitive_variables()
def adopt(old: LegacyToken, user: AbstractBaseUser, *, transport: str = HEADER) -> str:
    """Return the refresh token of ours that stands for ``old``. Insert its session if it does not exist.

    The caller has verified ``old`` and found its ``user``. The result goes to
    :func:`drf_tessera.sessions.refresh`, which decides whether it is accepted.

    Raises:
        SessionRevoked: all sessions of the user were ended after ``old`` was issued.
        RefreshInvalid: the session was started under a ``SECRET_KEY`` that is no longer in force.
        UserGone, UserInactive, PasswordChanged: the user has changed in that way.
        ProjectError: ``old`` has more claims than a refresh token can carry.
        TemporarilyUnavailable: the database is busy.
    """
    facts, which = _describe(old, user.pk, transport), rows.select_sessions().filter(pk=old.session_id)
    # If the session already exists, its own expiry applies.
    row = which.first() or _begin(old, user, which)
    for secret in derive_secrets(old.name):
        if hmac.compare_digest(hash_secret(secret), bytes(row.secret_hash)):
            return write_refresh_token(facts, rotation.START.generation, secret)
    raise RefreshInvalid


@sensitive_variables()
def _begin(old: LegacyToken, user: AbstractBaseUser, which: SessionQuerySet) -> Session:
    """Start the session of ``old``, unless all sessions of its user were ended after it was issued.

    This is checked before the insert, so that no session starts. It is checked again after the insert,
    because the insert may have waited for a transaction that was ending the sessions.
    """
    if _is_closed(old, user.pk, rows.find_closings([user.pk])):
        raise SessionRevoked
    row = _make_row(old, user.pk)
    row.user = cast("Any", user)
    try:
        with savepoint():
            rows.insert(row)
    except (PasswordChanged, IntegrityError):
        # If another request inserted the same session, the error is the same.
        found = which.first()
        if found is None:
            raise
        return found
    if _is_closed(old, user.pk, rows.find_closings([user.pk])):
        revoke(row.pk, reason=Reason.LOGOUT_ALL)
        raise SessionRevoked
    return row


def is_closed(user_id: Any, issued_at: float) -> bool:
    """Return whether all sessions of a user were ended after a legacy token was issued. One query.

    Args:
        user_id: the primary key of the token's user.
        issued_at: seconds since the epoch. 0 if the time is unknown, which is before every such event.
    """
    return _is_closed_at(issued_at, user_id, rows.find_closings([user_id]))


def _is_closed(old: LegacyToken, user_id: Any, closings: Mapping[str, datetime]) -> bool:
    return _is_closed_at(old.issued_at, user_id, closings)


def _is_closed_at(issued_at: float, user_id: Any, closings: Mapping[str, datetime]) -> bool:
    closed = closings.get(write_sub(user_id))
    return closed is not None and issued_at <= to_timestamp(closed)


def adopt_many(found: Iterable[tuple[LegacyToken, Any, bool]]) -> int:
    """Insert the sessions of many tokens in advance. Return the number of new sessions.

    Tokens of deleted users are left out.

    Args:
        found: each token with its user's primary key, and whether the token was revoked. The session of a
            revoked token is inserted as one that has ended, so the token is refused.

    Raises:
        TemporarilyUnavailable: the database is busy.
    """
    listed = list(found)
    closings = rows.find_closings({pk for _, pk, _ in listed})
    sessions = [
        _make_row(old, pk, revoked=revoked or _is_closed(old, pk, closings)) for old, pk, revoked in listed
    ]
    try:
        return rows.insert_missing(sessions)
    except UserGone:
        # A user was deleted at this moment. Insert the sessions of the other users.
        return sum(map(_insert_one, sessions))


def _insert_one(row: Session) -> int:
    try:
        return rows.insert_missing([row])
    except UserGone:
        return 0


def _find_end(old: LegacyToken) -> int:
    """Return the absolute limit of the session: our own, or the expiry of the legacy token if it is later."""
    ours = old.issued_at + int(get_settings().session_lifetime.total_seconds())
    return min(max(old.expires_at, ours), LATEST)


def _describe(old: LegacyToken, user_id: object, transport: str) -> SessionFacts:
    return SessionFacts(
        session_id=old.session_id,
        sub=write_sub(user_id),
        auth_time=old.issued_at,
        expires_at=_find_end(old),
        amr=(_AMR,),
        scope=old.scope,
        transport=transport,
        claims=old.claims,
    )


@sensitive_variables()
def _make_row(old: LegacyToken, user_id: Any, *, revoked: bool = False) -> Session:
    began, until = from_timestamp(old.issued_at), from_timestamp(old.expires_at)
    ended = began if revoked else None
    return Session(
        id=old.session_id,
        user_id=user_id,
        created_at=began,
        idle_expires_at=until,
        expires_at=from_timestamp(_find_end(old)),
        secret_hash=hash_secret(derive_secrets(old.name)[0]),
        amr=_AMR,
        scope=old.scope,
        label=old.package,
        kept_until=until,
        revoked_at=ended,
        revoked_for=Reason.LOGOUT.value if revoked else "",
    )
