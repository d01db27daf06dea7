"""Access tokens, in and out: mint and verify.

No token object exists that has not been verified, and none remembers its own text.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.views.decorators.debug import sensitive_variables

from drf_tessera.conf import LIMITS
from drf_tessera.exceptions import (
    ClaimsHookError,
    PersonalTokenRefused,
    ProjectError,
    TokenClaimInvalid,
    TokenExpired,
    TokenKeyUnknown,
    TokenMalformed,
    TokenTooLarge,
)
from drf_tessera.moments import to_timestamp
from drf_tessera.tokens.facts import REGISTERED_CLAIMS, SessionFacts
from drf_tessera.tokens.frozen import FrozenToken, freeze
from drf_tessera.tokens.keystore import (
    AGE_FOR_UNKNOWN,
    Keystore,
    get_fresh_keystore,
    get_issuer,
    get_keystore,
)
from drf_tessera.tokens.refresh import REFRESH_PREFIX

PERSONAL_PREFIX: Final = "tsk_"
"""The beginning of a personal access token, so that secret scanners can find one."""

_CANONICAL_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken(FrozenToken):
    """A verified access token: the value of ``request.auth``. Index it to read any claim.

    The token is remembered and given to later requests too, so nothing in it can be changed. ``claims`` has
    tuples for lists and read-only mappings for objects; indexing returns a plain copy.

    The token can be pickled and put into a cache. A copy is the token itself, because nothing can change it.
    """

    sub: str
    session_id: UUID
    jti: str
    issued_at: int
    expires_at: int
    auth_time: int
    amr: tuple[str, ...]
    scope: str
    kid: str
    """The key that has signed the token."""

    @property
    def scopes(self) -> frozenset[str]:
        """The scopes of ``scope``."""
        return frozenset(self.scope.split())

    @property
    def facts(self) -> SessionFacts:
        """The facts for another token of the session. That token expires no later than this one."""
        return SessionFacts(
            session_id=self.session_id,
            sub=self.sub,
            auth_time=self.auth_time,
            expires_at=self.expires_at,
            amr=self.amr,
            scope=self.scope,
        )


@sensitive_variables()
def mint_access_token(
    facts: SessionFacts, extra: Mapping[str, Any], now: datetime, *, jti: str | None = None
) -> tuple[str, int]:
    """Sign an access token, and return it with the number of seconds until it expires.

    The token never outlives its session, because the limits of the session also limit ``exp``. Its id is
    ``jti``, or random. ``acr`` is the last way of ``amr``, unless ``extra`` or the ``claims`` of the facts
    have another one.

    Raises:
        ClaimsHookError: ``extra`` or the ``claims`` of the facts contain a registered claim, have no JSON
            form, or are too long.
        ProjectError: ``ACCESS_COOKIE`` is on, and browsers would not keep a cookie of that size.
    """
    keystore = get_fresh_keystore()  # another key may sign by now
    settings, audience = keystore.settings, keystore.identity.audience
    taken = sorted(REGISTERED_CLAIMS.intersection([*facts.claims, *extra]) | {"act"}.intersection(extra))
    if taken:
        raise ClaimsHookError(f"Neither CLAIMS nor a login may set the registered claim {taken[0]!r}.")
    issued = int(to_timestamp(now))
    lifetime = int(settings.access_lifetime.total_seconds())
    expires = min(issued + min(lifetime, facts.idle or lifetime), facts.expires_at)
    claims: dict[str, Any] = {
        **({"acr": facts.amr[-1]} if facts.amr else {}),
        **facts.claims,
        **extra,
        "iss": get_issuer(),
        "sub": facts.sub,
        "aud": audience[0] if len(audience) == 1 else list(audience),
        "iat": issued,
        "exp": expires,
        "jti": jti or secrets.token_urlsafe(16),
        "sid": str(facts.session_id),
        "auth_time": facts.auth_time,
        "amr": list(facts.amr),
    }
    if facts.scope:
        claims["scope"] = facts.scope
    try:
        token = keystore.codec.encode(claims)
    except (TypeError, ValueError, RecursionError) as error:
        raise ClaimsHookError(f"CLAIMS or USER_FIELDS returned what has no JSON form: {error}") from error
    except TokenTooLarge as error:
        raise ClaimsHookError(f"CLAIMS and USER_FIELDS returned too much. {error}") from error
    if settings.access_cookie:
        # Checked here and not where the cookie is set, because there the refresh token has been spent.
        _check_cookie_length(token, LIMITS[facts.transport].access_cookie_length)
    return token, expires - issued


@sensitive_variables()
def _check_cookie_length(token: str, limit: int | None) -> None:
    if limit is not None and len(token) > limit:
        raise ProjectError(
            f"The access token would have {len(token)} bytes. Browsers keep cookies of at most {limit}. "
            "Give the token fewer claims, or turn ACCESS_COOKIE off."
        )


class Verified(NamedTuple):
    """A verified token, and the times that are checked again each time that the token comes back."""

    token: AccessToken
    since: float
    """The token is valid from this time on: the later of ``iat`` and ``nbf``, less the clock skew."""
    until: float
    keystore: Keystore
    """The keys that the token was verified under. Other keys do not accept it."""


@sensitive_variables()
def recall_access_token(credentials: str) -> AccessToken | None:
    """Return the token that was verified before for ``credentials``, if its dates still hold.

    The token was verified under the present keys and settings, because other keys have other memories.
    ``None`` means that the token has to be verified.

    Args:
        credentials: the ``credentials`` of an earlier :func:`verify_access_token`.
    """
    keystore = get_keystore()
    found = keystore.verified.get(credentials)
    if found is None or found.keystore is not keystore:  # another tenant has verified the token
        return None
    return found.token if found.since <= time.time() < found.until else None


@sensitive_variables()
def verify_access_token(
    token: str, *, now: datetime | None = None, credentials: str | None = None
) -> AccessToken:
    """Verify an access token: signature, type, issuer, audience, dates, claim types.

    The caller checks next whether the session and the user are still valid.

    A token is valid for at most the present ``ACCESS_LIFETIME`` after its ``iat``, even if its ``exp`` is
    later. A revocation is remembered for that long, so otherwise a lower setting would make tokens of ended
    sessions valid again.

    Args:
        token: a stranger's text.
        now: the present. The clock's, by default.
        credentials: a text that contains the whole token and will come again, such as the header. With it,
            :func:`recall_access_token` finds the token.

    Raises:
        TokenError: the token is not valid; each reason has a subclass.
    """
    keystore = get_keystore()
    present = time.time() if now is None else to_timestamp(now)
    try:
        found = _verify(token, keystore, present)
    except TokenKeyUnknown:
        fresh = get_fresh_keystore(AGE_FOR_UNKNOWN)
        if fresh is keystore:
            raise
        keystore = fresh
        found = _verify(token, keystore, present)
    if present >= found.until:
        raise TokenExpired
    if credentials is not None:
        keystore.verified.put(credentials, found)
    return found.token


@sensitive_variables()
def _verify(token: str, keystore: Keystore, now: float) -> Verified:
    settings, skew = keystore.settings, keystore.settings.clock_skew.total_seconds()
    if token.startswith(REFRESH_PREFIX):
        raise TokenMalformed("This is a refresh token. Send the access token here.")
    if token.startswith(PERSONAL_PREFIX):
        raise PersonalTokenRefused
    claims, key = keystore.codec.decode(
        token,
        now=now,
        issuer=get_issuer(),
        audience=keystore.identity.audience,
        skew=skew,
    )
    found = build_access_token(claims, kid=key.kid)
    longest = claims["iat"] + settings.access_lifetime.total_seconds()
    since = max(claims["iat"], claims.get("nbf", 0)) - skew
    return Verified(found, since, min(claims["exp"], longest), keystore)


def build_access_token(claims: dict[str, Any], *, kid: str) -> AccessToken:
    """Return the access token with these claims, which the caller has verified.

    Raises:
        TokenClaimInvalid: the type of a claim is wrong.
    """
    return AccessToken(
        claims=freeze(claims),
        sub=claims["sub"],
        session_id=_read_session_id(claims.get("sid")),
        jti=claims["jti"],
        issued_at=int(claims["iat"]),
        expires_at=int(claims["exp"]),
        auth_time=_read_auth_time(claims.get("auth_time")),
        amr=_read_amr(claims.get("amr", [])),
        scope=_read_scope(claims.get("scope", "")),
        kid=kid,
    )


def _read_session_id(value: object) -> UUID:
    # Only the text that ``str(UUID)`` writes. UUID() would also accept braces and capitals.
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
