"""Personal access tokens, in and out: opaque texts for scripts, which a user makes and ends by hand.

A token contains the id of its row and a random secret. The row holds only a digest, which contains the tenant
too, because all tenants may have one table. A token does not depend on ``SECRET_KEY``, because it may live
longer than a key.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.views.decorators.debug import sensitive_variables

from drf_tessera.conf import current_tenant
from drf_tessera.exceptions import PersonalTokenInvalid
from drf_tessera.jose.encoding import EncodingError, decode_id, encode_base64url
from drf_tessera.tokens.access import PERSONAL_PREFIX, AccessToken, Verified
from drf_tessera.tokens.facts import SessionFacts
from drf_tessera.tokens.frozen import freeze
from drf_tessera.tokens.keystore import get_keystore
from drf_tessera.tokens.refresh import DIGEST_BYTES

PERSONAL_MARK: Final = "\n\n"
"""Prefix of the cache keys of personal tokens, which no header can contain.

So code that does not accept personal tokens never finds one among the tokens that were verified before.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalToken(AccessToken):
    """A verified personal access token: the value of ``request.auth`` where such tokens are accepted."""

    name: str
    """The name that the user gave the token."""


@sensitive_variables()
def write_personal_token(session_id: UUID, secret: bytes) -> str:
    """Write the token of a row and a secret."""
    return PERSONAL_PREFIX + encode_base64url(session_id.bytes + secret).decode()


@sensitive_variables()
def read_personal_token(text: str) -> tuple[UUID, bytes]:
    """Return the id of the row, and the digest that the row has to hold. Nothing is verified yet.

    Raises:
        PersonalTokenInvalid: the text does not have the form of a personal token.
    """
    try:
        session_id, secret = decode_id(text, PERSONAL_PREFIX)
    except EncodingError:
        raise PersonalTokenInvalid from None
    return session_id, hash_personal_secret(secret)


@sensitive_variables()
def hash_personal_secret(secret: bytes) -> bytes:
    """Return the digest for the row, at the present tenant. It is as long as that of a session."""
    message = b"drf_tessera personal token\0" + current_tenant().encode() + b"\0" + secret
    return hashlib.sha256(message).digest()[:DIGEST_BYTES]


def make_personal_token(
    facts: SessionFacts, extra: Mapping[str, Any], *, name: str, issued_at: int
) -> PersonalToken:
    """Return the verified token of a row, with the further claims that an access token would have."""
    claims = {
        **extra,
        "sub": facts.sub,
        "sid": str(facts.session_id),
        "iat": issued_at,
        "exp": facts.expires_at,
        "auth_time": facts.auth_time,
        "amr": list(facts.amr),
        "jti": str(facts.session_id),
        "scope": facts.scope,
    }
    return PersonalToken(
        claims=freeze(claims),
        sub=facts.sub,
        session_id=facts.session_id,
        jti=str(facts.session_id),
        issued_at=issued_at,
        expires_at=facts.expires_at,
        auth_time=facts.auth_time,
        amr=facts.amr,
        scope=facts.scope,
        kid="",
        name=name,
    )


@sensitive_variables()
def remember_personal_token(credentials: str, token: PersonalToken, asked_at: float) -> None:
    """Keep a token, for :func:`~drf_tessera.tokens.recall_access_token` with the same ``credentials``.

    The row is asked again after ``ACCESS_LIFETIME``, because the notice of an ended session is not kept for
    longer.

    Args:
        credentials: begins with ``PERSONAL_MARK``.
        token: verified.
        asked_at: the time before the row was read, in seconds since the epoch.
    """
    keystore = get_keystore()
    until = min(asked_at + keystore.settings.access_lifetime.total_seconds(), token.expires_at)
    since = min(asked_at, time.time()) - keystore.settings.clock_skew.total_seconds()
    keystore.verified.put(credentials, Verified(token, since, until, keystore))
