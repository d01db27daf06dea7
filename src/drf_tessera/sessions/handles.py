"""Handles: texts that find a session and let nobody in.

A program keeps the handle of a session to end the session later, as it would keep a refresh token. A handle
cannot be guessed without the session's secret or its row, and no endpoint accepts a handle.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from typing import Final

from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from drf_tessera.exceptions import RefreshInvalid, SessionExpired, SessionRevoked, SessionUnknown
from drf_tessera.jose.encoding import EncodingError, decode_id, encode_base64url
from drf_tessera.sessions import rows
from drf_tessera.sessions.grants import describe_row
from drf_tessera.tokens import RefreshToken, SessionFacts

HANDLE_PREFIX: Final = "tsh_"
_MARK_BYTES: Final = 16


def write_handle(token: RefreshToken) -> str:
    """Return the handle of a token's session. It is the same for every refresh token of the session."""
    session_id = token.facts.session_id.bytes
    return HANDLE_PREFIX + encode_base64url(session_id + _mark(session_id, token.secret_hash)).decode()


@sensitive_variables()
def read_handle(text: str, *, now: datetime | None = None) -> SessionFacts:
    """Return the facts of the live session that a handle finds. One query.

    Raises:
        RefreshInvalid: the text is not a handle of ours.
        SessionUnknown, SessionRevoked, SessionExpired: the session has that state.
        TemporarilyUnavailable: the database is busy.
    """
    try:
        session_id, mark = decode_id(text, HANDLE_PREFIX)
    except EncodingError:
        raise RefreshInvalid from None
    session = rows.select_sessions().filter(pk=session_id).first()
    if session is None:
        raise SessionUnknown
    if not hmac.compare_digest(_mark(session_id.bytes, bytes(session.secret_hash)), mark):
        raise RefreshInvalid
    if session.revoked_at is not None:
        raise SessionRevoked
    if (now or timezone.now()) >= min(session.idle_expires_at, session.expires_at):
        raise SessionExpired
    return describe_row(session)


def _mark(session_id: bytes, secret_hash: bytes) -> bytes:
    """Return the part of a handle that cannot be guessed. A handle does not reveal the digest of the row."""
    digest = hashlib.sha256(b"drf_tessera handle\0" + session_id + secret_hash).digest()
    return digest[:_MARK_BYTES]
