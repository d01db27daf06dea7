"""From a token of another issuer to its claims.

``iss`` is read before anything is verified, only to choose an entry of ``ISSUERS``. From there on the keys,
the name and the rules of that entry decide, so a token that names a wrong issuer fails by its signature.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from django.views.decorators.debug import sensitive_variables

from drf_tessera.conf import (
    TENANT_MARK,
    Issuer,
    Settings,
    current_tenant,
    get_identity,
    name_audiences,
    per_settings,
)
from drf_tessera.exceptions import TokenClaimInvalid
from drf_tessera.issuers.principals import ForeignToken
from drf_tessera.issuers.provider import Given, Provider
from drf_tessera.jose.codec import Verifier, peek_issuer
from drf_tessera.tokens import LRU, VERIFIED_TOKENS, freeze

REMEMBERED: Final = 300.0
"""Seconds until a token is verified again.

Tokens of other issuers may live for a day. Its issuer may withdraw the key of a token before that.
"""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of ``ISSUERS``, and the objects that are made of it."""

    issuer: Issuer
    keys: Given | Provider
    verifier: Verifier


class _Verified(NamedTuple):
    """A verified token, and the times that are checked again each time that the token comes back."""

    token: ForeignToken
    since: float
    until: float
    tenant: str | None
    """The tenant whose audience the token has. ``None`` stands for all tenants."""


@dataclass(frozen=True, slots=True)
class _Register:
    """All entries, by ``iss``, and the tokens that they have verified."""

    skew: float
    entries: Mapping[str, _Entry]
    verified: LRU[_Verified] = field(repr=False)


@per_settings
def _get_register(settings: Settings) -> _Register:
    entries = {
        issuer.issuer: _Entry(
            issuer,
            Given(issuer) if issuer.is_given else Provider(issuer),
            Verifier(types=issuer.types, audience_claim=issuer.audience_claim),
        )
        for issuer in settings.issuers
    }
    size = VERIFIED_TOKENS if entries else 0
    return _Register(settings.clock_skew.total_seconds(), entries, LRU(size))


@sensitive_variables()
def is_foreign(token: str) -> bool:
    """Return whether a text claims to be a token of an entry of ``ISSUERS``. Nothing is verified.

    If the name of an entry is this server's own name for the present tenant, then the token is our own.
    """
    entries = _get_register().entries
    if not entries:
        return False
    name = peek_issuer(token)
    return name in entries and name != get_identity().issuer


@sensitive_variables()
def recall_foreign_token(credentials: str) -> ForeignToken | None:
    """Return the token that was verified before for ``credentials``, if its dates still hold.

    Args:
        credentials: the ``credentials`` of an earlier :func:`verify_foreign_token`.
    """
    found = _get_register().verified.get(credentials)
    if found is None or found.tenant not in (None, current_tenant()):
        return None
    if found.token.issuer == get_identity().issuer:
        return None  # the memory is that of all tenants, and is_foreign says no for this one
    return found.token if found.since <= time.time() < found.until else None


@sensitive_variables()
def verify_foreign_token(token: str, *, credentials: str | None = None) -> ForeignToken:
    """Verify a token for which :func:`is_foreign` is true.

    This may ask the provider for its keys, if they are not known (:class:`Provider`).

    Args:
        token: a stranger's text.
        credentials: as for :func:`drf_tessera.tokens.verify_access_token`.

    Raises:
        TokenError: the token is not valid; each reason has a subclass.
        IssuerUnavailable: the keys are not known, and the provider does not answer.
    """
    register = _get_register()
    entry = register.entries[peek_issuer(token) or ""]
    issuer = entry.issuer
    claims = entry.verifier.decode(
        token,
        entry.keys.find,
        now=time.time(),
        issuer=issuer.issuer,
        audience=name_audiences(issuer.audience),
        skew=register.skew,
    )
    for name, accepted in issuer.claims.items():
        if not matches_claim(claims.get(name), accepted):
            raise TokenClaimInvalid(name)
    found = ForeignToken(
        claims=freeze(claims),
        issuer=issuer.issuer,
        sub=claims["sub"],
        scopes=_read_scopes(claims.get(issuer.scope_claim)),
        expires_at=int(claims["exp"]),
    )
    if credentials is not None:
        since = max(claims.get("iat", 0), claims.get("nbf", 0)) - register.skew
        until = min(claims["exp"], time.time() + REMEMBERED)
        tenant = current_tenant() if any(TENANT_MARK in name for name in issuer.audience) else None
        register.verified.put(credentials, _Verified(found, since, until, tenant))
    return found


def matches_claim(value: Any, accepted: Any) -> bool:
    """Return whether a claim, or an item of its list, is accepted. ``1`` does not stand for ``True``.

    Args:
        value: the claim.
        accepted: one value, or a list, tuple or set of several.
    """
    allowed = accepted if isinstance(accepted, list | tuple | set | frozenset) else [accepted]
    named = value if isinstance(value, list) else [value]
    return any(type(item) is type(one) and item == one for item in named for one in allowed)


def _read_scopes(value: Any) -> frozenset[str]:
    """Return the scopes of a claim: a text with spaces (RFC 6749), or a list, as some providers write it."""
    named = value.split(" ") if isinstance(value, str) else value if isinstance(value, list) else []
    return frozenset(item for item in named if isinstance(item, str) and item)


def find_entry(issuer: str) -> Issuer:
    """Return the entry of ``ISSUERS`` that verified a token."""
    return _get_register().entries[issuer].issuer
