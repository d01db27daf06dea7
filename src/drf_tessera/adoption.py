"""Refresh tokens of other packages, taken over: each begins one session, however often it comes.

A token of another package stands for generation 0 of a session whose key is made of the token's own
name (``jti``). So the refresh rule judges it like any token of ours, with the database's primary key
as the witness: the first use begins the session and goes on to generation 1, two tabs or a lost answer
are forgiven as they always are, and once its successor has been used the old token is a reuse.
``docs/explanation/adoption.md`` tells more.
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

from drf_tessera import ledger, rotation
from drf_tessera.conf import HEADER, get_settings
from drf_tessera.exceptions import PasswordChanged, RefreshInvalid, SessionRevoked, UserGone
from drf_tessera.jose.encoding import EncodingError, decode_base64url, decode_json_object
from drf_tessera.keystore import ACCESS_TYPE
from drf_tessera.models import Session, SessionQuerySet
from drf_tessera.sessions import Reason, revoke
from drf_tessera.tokens import (
    LATEST,
    REFRESH_PREFIX,
    Login,
    derive_secrets,
    from_timestamp,
    hash_secret,
    to_timestamp,
    write_refresh_token,
)

_NAMESPACE: Final = UUID("5c7e2f0c-6d0b-5a51-9c43-0f3a6d1c9b7e")
_AMR: Final = "pwd"
MAX_FOREIGN_LENGTH: Final = 16_384
"""Characters. Twice what we write: other packages set no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predecessor:
    """A refresh token of another package, whose signature and dates have been verified."""

    package: str
    """The package that it comes from; two of them may use one ``jti``."""
    jti: str
    issued_at: int
    """Seconds since the epoch; taken for the time of the login. 0 if it is not known: it may be long ago."""
    expires_at: int
    """Seconds since the epoch. It is accepted until then and no longer."""
    claims: Mapping[str, Any] = field(default_factory=dict)
    """What the access tokens of its session say besides."""
    scope: str = ""
    """The scope of its session (RFC 6749, section 3.3)."""

    def __post_init__(self) -> None:
        """Bring moments that no database can hold to the edge of what one can."""
        for moment in ("issued_at", "expires_at"):
            object.__setattr__(self, moment, min(max(getattr(self, moment), 0), LATEST))

    @property
    def name(self) -> str:
        """What tells it from every other token."""
        return f"{self.package} {self.jti}"

    @property
    def session_id(self) -> UUID:
        """The key of the session that it begins."""
        return uuid5(_NAMESPACE, self.name)


@sensitive_variables()
def is_foreign(text: str) -> bool:
    """Tell a JWT of another package from a token of ours by what its header says; nothing is verified."""
    if text.startswith(REFRESH_PREFIX) or len(text) > MAX_FOREIGN_LENGTH:
        return False
    try:
        typ = decode_json_object(decode_base64url(text.encode("ascii").partition(b".")[0])).get("typ")
    except (EncodingError, UnicodeEncodeError):
        return False
    return not isinstance(typ, str) or typ.lower().removeprefix("application/") != ACCESS_TYPE


@sensitive_variables()
def name_token(text: str) -> str:
    """Give a JWT without a ``jti`` a name: of what was signed, since a signature may be written otherwise."""
    return hashlib.sha256(text.rpartition(".")[0].encode()).hexdigest()


@sensitive_variables()
def adopt(old: Predecessor, user: AbstractBaseUser, *, transport: str = HEADER) -> str:
    """Give the refresh token of ours that stands for ``old``; its session is written if it is not there.

    The caller has verified ``old``, and found ``user`` in it. What is given goes to
    :func:`drf_tessera.sessions.refresh`, which says whether it is taken.

    Raises:
        SessionRevoked: all sessions of the user were ended since ``old`` was issued.
        RefreshInvalid: its session was begun under a ``SECRET_KEY`` that is not in force any more.
        UserGone, UserInactive, PasswordChanged: that happened to the user just now.
        ProjectError: ``old`` has more claims than a refresh token can carry.
        TemporarilyUnavailable: the database is busy.
    """
    login, rows = _describe(old, user.pk, transport), ledger.select_sessions().filter(pk=old.session_id)
    # Of a session that is there the end is its own.
    row = rows.first() or _begin(old, user, rows)
    for secret in derive_secrets(old.name):
        if hmac.compare_digest(hash_secret(secret), bytes(row.secret_hash)):
            return write_refresh_token(login, rotation.START.generation, secret)
    raise RefreshInvalid


@sensitive_variables()
def _begin(old: Predecessor, user: AbstractBaseUser, rows: SessionQuerySet) -> Session:
    """Begin the session of ``old``, unless all sessions of its user were ended since it was issued.

    That is asked before, so that none is begun, and once more behind the insert, which has waited for
    whoever was ending them just then.
    """
    if _is_closed(old, user.pk, ledger.find_closings([user.pk])):
        raise SessionRevoked
    row = _make_row(old, user.pk)
    row.user = cast("Any", user)
    try:
        with ledger.savepoint():
            ledger.insert(row)
    except (PasswordChanged, IntegrityError):
        # Or somebody else was faster, which looks the same.
        found = rows.first()
        if found is None:
            raise
        return found
    if _is_closed(old, user.pk, ledger.find_closings([user.pk])):
        revoke(row.pk, reason=Reason.LOGOUT_ALL)
        raise SessionRevoked
    return row


def _is_closed(old: Predecessor, user_id: Any, closings: Mapping[Any, datetime]) -> bool:
    return user_id in closings and old.issued_at <= to_timestamp(closings[user_id])


def adopt_many(found: Iterable[tuple[Predecessor, Any, bool]]) -> int:
    """Write the sessions of many tokens ahead of time; tell how many were not there yet.

    Whose user does not exist any more is left out.

    Args:
        found: each token with its user's primary key, and whether it has been revoked: then its session
            is written as an ended one, and it lets nobody in.

    Raises:
        TemporarilyUnavailable: the database is busy.
    """
    listed = list(found)
    closings = ledger.find_closings({pk for _, pk, _ in listed})
    rows = [
        _make_row(old, pk, revoked=revoked or _is_closed(old, pk, closings)) for old, pk, revoked in listed
    ]
    try:
        return ledger.insert_missing(rows)
    except UserGone:
        # Somebody deleted a user just now: all but that one's.
        return sum(map(_insert_one, rows))


def _insert_one(row: Session) -> int:
    try:
        return ledger.insert_missing([row])
    except UserGone:
        return 0


def _find_end(old: Predecessor) -> int:
    """Give the session's absolute limit: our own from the login on, or what the old token was promised."""
    ours = old.issued_at + int(get_settings().session_lifetime.total_seconds())
    return min(max(old.expires_at, ours), LATEST)


def _describe(old: Predecessor, user_id: object, transport: str) -> Login:
    return Login(
        session_id=old.session_id,
        sub=str(user_id),
        auth_time=old.issued_at,
        expires_at=_find_end(old),
        amr=(_AMR,),
        scope=old.scope,
        transport=transport,
        claims=old.claims,
    )


@sensitive_variables()
def _make_row(old: Predecessor, user_id: Any, *, revoked: bool = False) -> Session:
    began, until = from_timestamp(old.issued_at), from_timestamp(old.expires_at)
    ended = began if revoked else None
    return Session(
        id=old.session_id,
        user_id=user_id,
        created_at=began,
        auth_time=began,
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
