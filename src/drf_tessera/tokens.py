"""Both tokens: mint and verify an access token; write and read a refresh token.

There is no token object that has not been verified, and none that remembers its own text.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.conf import settings as django_settings
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from drf_tessera.conf import COOKIE, HEADER, Settings
from drf_tessera.exceptions import (
    ClaimsHookError,
    ProjectError,
    RefreshInvalid,
    TokenClaimInvalid,
    TokenExpired,
    TokenMalformed,
    TokenTooLarge,
)
from drf_tessera.jose.encoding import EncodingError, decode_base64url, encode_base64url
from drf_tessera.keystore import Keystore, get_keystore

REGISTERED_CLAIMS: Final = frozenset(
    {"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "auth_time", "amr", "scope", "client_id", "cnf"}
)
"""Claims that say what a token is and whom it is for (RFC 7519, 9068); no hook may set them."""

LATEST: Final = 253_370_764_800
"""Seconds since the epoch: the year 9999, in which Python's and the databases' calendars end."""

REFRESH_PREFIX: Final = "tsr_"
"""Fixed, so that secret scanners can find a refresh token in a repository or a log."""

MAX_REFRESH_LENGTH: Final = 8192
"""Characters that are read, and written where no browser has to keep them."""

MAX_REFRESH_COOKIE_LENGTH: Final = 2048
MAX_ACCESS_COOKIE_LENGTH: Final = 4069
"""Of an access token that travels by cookie. Browsers drop a cookie without a word if it is larger, with its
name, than 4,096 bytes (RFC 6265bis, section 5.6); ``__Host-tessera_access_token`` has 27."""

SECRET_BYTES: Final = 16
_SCOPE: Final = re.compile(r"[!#-\[\]-~]+( [!#-\[\]-~]+)*")
_CANONICAL_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_VERSION: Final = 1
_HEAD: Final = struct.Struct(f">B16sI{SECRET_BYTES}sqq")
_MAC_BYTES: Final = 32


def to_timestamp(moment: datetime) -> float:
    """Give a moment of the database's in seconds since the epoch, under either ``USE_TZ``."""
    return (moment if timezone.is_aware(moment) else timezone.make_aware(moment)).timestamp()


def from_timestamp(seconds: float) -> datetime:
    """Give a moment as the database takes it, under either ``USE_TZ``; the inverse of the above."""
    moment = datetime.fromtimestamp(seconds, tz=UTC)
    return moment if django_settings.USE_TZ else timezone.make_naive(moment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What stays the same for the whole life of a session: whose it is, since when, and how.

    A refresh token carries it under its MAC, so that a refresh need not read it from the database.
    """

    session_id: UUID
    sub: str
    auth_time: int
    """Seconds since the epoch."""
    expires_at: int
    """The session's absolute limit, in seconds since the epoch."""
    amr: tuple[str, ...]
    scope: str
    transport: str = HEADER
    """How its refresh tokens travel, from the login on; see ``conf.HEADER`` and ``conf.COOKIE``."""
    claims: Mapping[str, Any] = field(default_factory=dict)
    """What all its access tokens say besides; whoever holds the refresh token can read it, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken:
    """An authentic refresh token, taken apart. It says nothing yet about its session's state."""

    login: Login
    generation: int
    secret: bytes = field(repr=False)

    @property
    def secret_hash(self) -> bytes:
        """The digest that the session's row holds.

        Plain SHA-256 is right here: the secret is 128 random bits, and no list of guesses exists.
        """
        return hash_secret(self.secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A verified access token: what ``request.auth`` is. Index it for any claim.

    It is remembered and given to later requests too, so nothing in it can be changed: ``claims`` has
    tuples for lists and read-only mappings, and what indexing gives is a copy.
    """

    claims: Mapping[str, Any] = field(repr=False)
    sub: str
    session_id: UUID
    jti: str
    issued_at: int
    expires_at: int
    auth_time: int
    amr: tuple[str, ...]
    scope: str

    @property
    def login(self) -> Login:
        """What one more token of its session says of the login; as it lives no longer than this one."""
        return Login(
            session_id=self.session_id,
            sub=self.sub,
            auth_time=self.auth_time,
            expires_at=self.expires_at,
            amr=self.amr,
            scope=self.scope,
        )

    def __getitem__(self, claim: str) -> Any:
        return _thaw(self.claims[claim])

    def get(self, claim: str, default: Any = None) -> Any:
        """Give a claim, or ``default`` if the token has none of that name."""
        return _thaw(self.claims[claim]) if claim in self.claims else default


def is_scope(value: object) -> bool:
    """Tell whether a value is written as RFC 6749, section 3.3, writes scopes."""
    return isinstance(value, str) and _SCOPE.fullmatch(value) is not None


def make_secret() -> bytes:
    """Make the random secret of a new session."""
    return secrets.token_bytes(SECRET_BYTES)


def hash_secret(secret: bytes) -> bytes:
    """Give the digest of a session's secret, for its row."""
    return hashlib.sha256(secret).digest()


@sensitive_variables()
def derive_secrets(name: str) -> tuple[bytes, ...]:
    """Give the secrets that stand for another package's refresh token, one for each key in force.

    Always the same for one ``name``, so that the token begins one session however often it comes. It is
    no weaker than the token: both stand on what the server alone knows, and on a random ``jti``.
    """
    message = b"drf_tessera adopted session\0" + name.encode("utf-8", "backslashreplace")
    keys = get_keystore().refresh_keys
    return tuple(hmac.digest(key, message, "sha256")[:SECRET_BYTES] for key in keys)


# -- Access tokens ---------------------------------------------------------------------------------


@sensitive_variables()
def mint_access_token(login: Login, extra: Mapping[str, Any], now: float) -> tuple[str, int]:
    """Sign an access token and tell in how many seconds it expires.

    It never outlives its session: the absolute limit cuts the last one short.

    Raises:
        ClaimsHookError: ``extra`` or the login's ``claims`` name a registered claim, or have no JSON form,
            or are too long.
        ProjectError: ``ACCESS_COOKIE`` is on, and browsers would not keep a cookie of that size.
    """
    keystore = get_keystore()
    settings = keystore.settings
    taken = sorted(REGISTERED_CLAIMS.intersection([*login.claims, *extra]))
    if taken:
        raise ClaimsHookError(f"Neither CLAIMS nor a login may set the registered claim {taken[0]!r}.")
    issued = int(now)
    expires = min(issued + _choose_lifetime(settings), login.expires_at)
    claims: dict[str, Any] = {
        **login.claims,
        **extra,
        "iss": settings.issuer,
        "sub": login.sub,
        "aud": settings.audience[0] if len(settings.audience) == 1 else list(settings.audience),
        "iat": issued,
        "exp": expires,
        "jti": secrets.token_urlsafe(16),
        "sid": str(login.session_id),
        "auth_time": login.auth_time,
        "amr": list(login.amr),
    }
    if login.scope:
        claims["scope"] = login.scope
    try:
        text = keystore.codec.encode(claims)
    except (TypeError, ValueError, RecursionError) as error:
        raise ClaimsHookError(f"CLAIMS or USER_FIELDS gave what has no JSON form: {error}") from error
    except TokenTooLarge as error:
        raise ClaimsHookError(f"CLAIMS and USER_FIELDS gave too much. {error.detail}") from error
    # Here and not where the cookie is set: there the refresh token has been spent.
    if login.transport == COOKIE and settings.access_cookie and len(text) > MAX_ACCESS_COOKIE_LENGTH:
        raise ProjectError(
            f"The access token would have {len(text)} bytes, and browsers keep cookies of"
            f" {MAX_ACCESS_COOKIE_LENGTH}. Give it fewer claims, or turn ACCESS_COOKIE off."
        )
    return text, expires - issued


def _choose_lifetime(settings: Settings) -> int:
    """Give the seconds that a token lives: the lifetime, less a random part of the jitter."""
    jitter = int(settings.access_lifetime_jitter.total_seconds())
    return int(settings.access_lifetime.total_seconds()) - secrets.randbelow(jitter + 1)


class _Verified(NamedTuple):
    """A token that was verified, and the times that are looked at again whenever it comes back."""

    token: AccessToken
    since: float
    """Taken from then on: ``iat`` or ``nbf``, less the skew."""
    until: float


def recall_access_token(credentials: str) -> AccessToken | None:
    """Give the token of ``credentials`` that were verified before, if its dates still hold.

    It was verified under the present keys and settings: what others verified is forgotten with them.
    ``None`` means nothing but that it has to be verified.

    Args:
        credentials: what :func:`verify_access_token` was told to remember it as.
    """
    found = get_keystore().verified.get(credentials)
    return found.token if found is not None and found.since <= time.time() < found.until else None


@sensitive_variables()
def verify_access_token(
    text: str, *, now: float | None = None, remember_as: str | None = None
) -> AccessToken:
    """Verify an access token by itself: signature, type, issuer, audience, dates, claim types.

    Whether its session and its user still stand is the caller's next question.

    It is never taken for longer than the present ``ACCESS_LIFETIME`` after its ``iat``, whatever its
    ``exp``: a revocation is remembered for just that long, so lowering the setting would else bring
    tokens of ended sessions back to life.

    Args:
        text: whatever a stranger sent.
        now: the present in seconds since the epoch, if not the clock's.
        remember_as: what holds the whole token and will come again, such as the header; then
            :func:`recall_access_token` knows it.

    Raises:
        TokenError: in one of its kinds.
    """
    keystore = get_keystore()
    present = time.time() if now is None else now
    found = _verify(text, keystore, present)
    if present >= found.until:
        raise TokenExpired
    if remember_as is not None:
        keystore.verified.put(remember_as, found)
    return found.token


def _verify(text: str, keystore: Keystore, now: float) -> _Verified:
    settings, skew = keystore.settings, keystore.settings.clock_skew.total_seconds()
    if text.startswith(REFRESH_PREFIX):
        raise TokenMalformed("This is a refresh token; send the access token here.")
    claims = keystore.codec.decode(
        text,
        now=now,
        issuer=settings.issuer,
        audience=settings.audience,
        skew=skew,
    )
    token = AccessToken(
        claims=_freeze(claims),
        sub=claims["sub"],
        session_id=_read_session_id(claims.get("sid")),
        jti=claims["jti"],
        issued_at=int(claims["iat"]),
        expires_at=int(claims["exp"]),
        auth_time=_read_auth_time(claims.get("auth_time")),
        amr=_read_amr(claims.get("amr", [])),
        scope=_read_scope(claims.get("scope", "")),
    )
    longest = claims["iat"] + settings.access_lifetime.total_seconds()
    return _Verified(token, max(claims["iat"], claims.get("nbf", 0)) - skew, min(claims["exp"], longest))


def _freeze(value: Any) -> Any:
    """Make JSON that nobody can change."""
    if isinstance(value, dict):
        return MappingProxyType({name: _freeze(item) for name, item in value.items()})
    return tuple(_freeze(item) for item in value) if isinstance(value, list) else value


def _thaw(value: Any) -> Any:
    """Make JSON again of what :func:`_freeze` made: a copy, where it could be changed."""
    if isinstance(value, MappingProxyType):
        return {name: _thaw(item) for name, item in value.items()}
    return [_thaw(item) for item in value] if isinstance(value, tuple) else value


def _read_session_id(value: object) -> UUID:
    # The one text that ``str(UUID)`` writes; UUID() itself would also take braces and capitals.
    if not isinstance(value, str) or not _CANONICAL_UUID.fullmatch(value):
        raise TokenClaimInvalid("sid")
    return UUID(int=int(value.replace("-", ""), 16))


def _read_auth_time(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TokenClaimInvalid("auth_time")
    return value


def _read_amr(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TokenClaimInvalid("amr")
    return tuple(value)


def _read_scope(value: object) -> str:
    if not isinstance(value, str):
        raise TokenClaimInvalid("scope")
    return value


# -- Refresh tokens --------------------------------------------------------------------------------


@sensitive_variables()
def write_refresh_token(login: Login, generation: int, secret: bytes) -> str:
    """Write the refresh token of a session's ``generation``.

    Raises:
        ProjectError: it would be longer than what is read, so nobody should get it.
        ClaimsHookError: the login's ``claims`` have no JSON form.
    """
    head = _HEAD.pack(_VERSION, login.session_id.bytes, generation, secret, login.auth_time, login.expires_at)
    # ASCII JSON: `sub` may be any text, even a lone surrogate that UTF-8 could not carry.
    told: list[Any] = [login.sub, list(login.amr), login.scope]
    if login.transport != HEADER or login.claims:
        told.append(login.transport)
    if login.claims:
        told.append(dict(login.claims))
    try:
        tail = json.dumps(told, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ClaimsHookError(f"The claims of a login have no JSON form: {error}") from error
    mac = hmac.digest(get_keystore().refresh_keys[0], head + tail, "sha256")
    text = REFRESH_PREFIX + encode_base64url(head + tail + mac).decode()
    limit = MAX_REFRESH_COOKIE_LENGTH if login.transport == COOKIE else MAX_REFRESH_LENGTH
    if len(text) > limit:
        raise ProjectError(
            f"The refresh token would have {len(text)} characters, and {limit} is the limit: "
            "its user's key is too long, or the login's claims are."
        )
    return text


@sensitive_variables()
def read_refresh_token(text: str) -> RefreshToken:
    """Read a refresh token of ours. No query, and nothing is believed before its MAC holds.

    Raises:
        RefreshInvalid: anything that :func:`write_refresh_token` did not write under a key in force.
    """
    if len(text) > MAX_REFRESH_LENGTH or not text.startswith(REFRESH_PREFIX):
        raise RefreshInvalid
    try:
        raw = decode_base64url(text.removeprefix(REFRESH_PREFIX).encode("ascii"))
    except (EncodingError, UnicodeEncodeError):
        raise RefreshInvalid from None
    body, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    keys = get_keystore().refresh_keys
    if not any(hmac.compare_digest(hmac.digest(key, body, "sha256"), mac) for key in keys):
        raise RefreshInvalid
    # From here on the bytes are ours, so their shape is known; another version would be a newer us.
    if body[0] != _VERSION:
        raise RefreshInvalid
    _, session_id, generation, secret, auth_time, expires_at = _HEAD.unpack_from(body)
    sub, amr, scope, *rest = json.loads(body[_HEAD.size :])
    return RefreshToken(
        login=Login(
            session_id=UUID(bytes=session_id),
            sub=sub,
            auth_time=auth_time,
            expires_at=expires_at,
            amr=tuple(amr),
            scope=scope,
            transport=rest[0] if rest else HEADER,
            claims=rest[1] if len(rest) > 1 else {},
        ),
        generation=generation,
        secret=secret,
    )
