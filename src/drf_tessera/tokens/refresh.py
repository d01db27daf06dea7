"""Refresh tokens, in and out.

A refresh token is opaque to clients: version, session id, generation, secret and facts, under an HMAC. The
row of the session holds only a digest of the secret, so neither a copy of the database nor ``SECRET_KEY``
alone is enough to make a refresh token.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import struct
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.views.decorators.debug import sensitive_variables

from drf_tessera.conf import HEADER, LIMITS, MAX_REFRESH_LENGTH
from drf_tessera.exceptions import ClaimsHookError, ProjectError, RefreshInvalid, TransportMismatch
from drf_tessera.jose.encoding import EncodingError, decode_base64url, encode_base64url
from drf_tessera.tokens.facts import SessionFacts
from drf_tessera.tokens.keystore import get_keystore

REFRESH_PREFIX: Final = "tsr_"
"""A fixed prefix, so that secret scanners can find a refresh token in a repository or a log."""

SECRET_BYTES: Final = 16
DIGEST_BYTES: Final = 16
_HEAD: Final = struct.Struct(f">B16sI{SECRET_BYTES}sqq")
_BRANCH: Final = struct.Struct(">I")
_PLAIN, _BRANCHED = 1, 2
"""The versions of the format: only the second has a branch after its head."""
_MOST_BRANCHES: Final = 2**31 - 1
"""A branch and a generation together fit into the 63 bits of the column ``Session.parent``."""
_MOST_REFRESHES: Final = 2**31 - 2**16
"""No session is refreshed so often. Some numbers after it still fit into ``Session.generation``."""
_MAC_BYTES: Final = 32

_USUAL: Final[tuple[Any, ...]] = (HEADER, {}, None, True)
"""The usual transport, claims, idle lifetime and persistence. A token leaves them out from its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken:
    """The parts of an authentic refresh token. They do not include the present state of its session."""

    facts: SessionFacts
    generation: int
    secret: bytes = field(repr=False)
    branch: int = 0
    """Tells apart the tokens of one generation (see :class:`drf_tessera.rotation.Spare`)."""

    @property
    def secret_hash(self) -> bytes:
        """The digest that the session's row holds."""
        return hash_secret(self.secret)


def make_secret() -> bytes:
    """Return the random secret of a new session."""
    return secrets.token_bytes(SECRET_BYTES)


def make_branch() -> int:
    """Return a random branch for another token of the current generation. It is never 0."""
    return secrets.randbelow(_MOST_BRANCHES) + 1


def hash_secret(secret: bytes) -> bytes:
    """Return the digest of a session's secret, for its row. It has 16 bytes.

    Plain SHA-256 is enough, because the secret is 128 random bits and cannot be guessed from a list. Half of
    its bits are enough, because no search for a secret is shorter than the 128 bits of the secret itself, and
    nobody can choose two secrets that have one digest. The other half would be 16 MB for a million sessions.
    """
    return hashlib.sha256(secret).digest()[:DIGEST_BYTES]


@sensitive_variables()
def derive_secrets(name: str) -> tuple[bytes, ...]:
    """Return the secrets that stand for a legacy refresh token, one for each key in force.

    The same ``name`` always has the same secrets, so the legacy token starts one session however often it
    comes. The secrets are as strong as the legacy token, because both depend on a key of the server and on a
    random ``jti``.
    """
    message = b"drf_tessera adopted session\0" + name.encode("utf-8", "backslashreplace")
    keystore = get_keystore()
    return tuple(hmac.digest(key, message, "sha256")[:SECRET_BYTES] for key in keystore.refresh_keys)


@sensitive_variables()
def write_refresh_token(facts: SessionFacts, generation: int, secret: bytes, branch: int = 0) -> str:
    """Write the refresh token of a session's ``generation`` and ``branch``.

    Raises:
        ProjectError: the token would be longer than its transport can carry.
        ClaimsHookError: the ``claims`` of the facts have no JSON form.
    """
    version = _BRANCHED if branch else _PLAIN
    credentials = _HEAD.pack(
        version, facts.session_id.bytes, generation, secret, facts.auth_time, facts.expires_at
    )
    if branch:
        credentials += _BRANCH.pack(branch)
    rest = [facts.transport, dict(facts.claims), facts.idle, facts.persistent]
    while rest and rest[-1] == _USUAL[len(rest) - 1]:
        rest.pop()
    parts = [facts.sub, list(facts.amr), facts.scope, *rest]
    try:
        # ASCII JSON, because ``sub`` may be any text, even a lone surrogate that UTF-8 cannot encode.
        tail = json.dumps(parts, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ClaimsHookError(f"The claims of a login have no JSON form: {error}") from error
    mac = hmac.digest(get_keystore().refresh_keys[0], credentials + tail, "sha256")
    token = REFRESH_PREFIX + encode_base64url(credentials + tail + mac).decode()
    limit = LIMITS[facts.transport].refresh_length
    if len(token) > limit:
        raise ProjectError(
            f"The refresh token would have {len(token)} characters. The limit is {limit}. "
            "Either the user's primary key is too long, or the claims of the login are."
        )
    return token


@sensitive_variables()
def read_refresh_token(token: str, *, transport: str | None = None) -> RefreshToken:
    """Read a refresh token of ours. This needs no query, and nothing is used before the MAC is verified.

    Args:
        token: a stranger's text.
        transport: how the text came, if that is known.

    Raises:
        RefreshInvalid: :func:`write_refresh_token` did not write this text under a key in force.
        TransportMismatch: the token was issued for another transport.
    """
    found = _parse(token)
    if transport is not None and found.facts.transport != transport:
        raise TransportMismatch
    return found


@sensitive_variables()
def _parse(token: str) -> RefreshToken:
    if len(token) > MAX_REFRESH_LENGTH or not token.startswith(REFRESH_PREFIX):
        raise RefreshInvalid
    try:
        credentials = decode_base64url(token.removeprefix(REFRESH_PREFIX).encode("ascii"))
    except (EncodingError, UnicodeEncodeError):
        raise RefreshInvalid from None
    credentials, mac = credentials[:-_MAC_BYTES], credentials[-_MAC_BYTES:]
    keystore = get_keystore()
    if not any(
        hmac.compare_digest(hmac.digest(key, credentials, "sha256"), mac) for key in keystore.refresh_keys
    ):
        raise RefreshInvalid
    # The MAC is ours, so the shape is known. Another version can only come from a newer release.
    if credentials[0] not in {_PLAIN, _BRANCHED}:
        raise RefreshInvalid
    _, session_id, generation, secret, auth_time, expires_at = _HEAD.unpack_from(credentials)
    if generation > _MOST_REFRESHES:  # by somebody who has ``SECRET_KEY``, because we never get so far
        raise RefreshInvalid
    auth, branch = credentials[_HEAD.size :], 0
    if credentials[0] == _BRANCHED:
        (branch,), auth = _BRANCH.unpack_from(auth), auth[_BRANCH.size :]
    parts: list[Any] = json.loads(auth)
    sub, amr, scope, transport, claims, idle, persistent = [*parts, *_USUAL[len(parts) - 3 :]]
    if transport not in LIMITS:
        raise RefreshInvalid
    return RefreshToken(
        facts=SessionFacts(
            session_id=UUID(bytes=session_id),
            sub=sub,
            auth_time=auth_time,
            expires_at=expires_at,
            amr=tuple(amr),
            scope=scope,
            transport=transport,
            claims=claims,
            idle=idle,
            persistent=persistent,
        ),
        generation=generation,
        secret=secret,
        branch=branch,
    )
