"""The keys in force.

Access tokens are signed by the keys of ``TESSERA["KEYS"]``, or without them by an HS256 key derived from
``SECRET_KEY``. Refresh tokens are authenticated under another derived key. Each derivation has its own label
(HKDF, RFC 5869), so a token of one kind is never valid as a token of another kind, nor as anything else that
Django signs. Keys derived from ``SECRET_KEY_FALLBACKS`` still verify, so rotating Django's secret logs nobody
out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from drf_tessera.conf import Settings, current_tenant, per_settings, per_tenant
from drf_tessera.jose.codec import Codec
from drf_tessera.jose.keys import Key, KeyRing
from drf_tessera.tokens.cache import LRU

ACCESS_TYPE: Final = "at+jwt"
"""The ``typ`` of an access token (RFC 9068, section 2.1)."""

DEFAULT_ISSUER: Final = "drf-tessera"
"""The first part of the ``iss`` of access tokens, if ``ISSUER`` is not set."""

VERIFIED_TOKENS: Final = 4096
"""The number of verified access tokens that one process remembers. An entry takes about 2 kB."""

_ACCESS_LABEL: Final = b"drf_tessera access token HS256"
_REFRESH_LABEL: Final = b"drf_tessera refresh token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keystore:
    """All keys, made from one :class:`~drf_tessera.conf.Settings`."""

    settings: Settings = field(repr=False)
    ring: KeyRing
    codec: Codec = field(repr=False)
    refresh_keys: tuple[bytes, ...] = field(repr=False)
    """The first key authenticates new refresh tokens. All keys verify."""
    verified: LRU[Any] = field(repr=False)
    """Tokens that were verified under these settings, by their whole text, for all tenants together.

    Each entry names the keystore that has verified it. One memory has one limit, however many tenants there
    are.
    """
    tenant: str
    """The tenant that the keys belong to. It is empty without ``TENANT``."""


@per_tenant
def get_keystore(settings: Settings) -> Keystore:
    """Return the keys that the settings in force call for, for the present tenant.

    The name of the tenant is part of each derivation, so a token of one tenant is not even authentic at
    another one.
    """
    tenant = current_tenant()
    ring = KeyRing(settings.keys or _derive_access_keys(settings.secrets, tenant))
    return Keystore(
        settings=settings,
        ring=ring,
        codec=Codec(ring, typ=ACCESS_TYPE),
        refresh_keys=tuple(_derive(secret, _REFRESH_LABEL, tenant) for secret in settings.secrets),
        verified=LRU(VERIFIED_TOKENS) if settings.tenant is None else _get_verified(),
        tenant=tenant,
    )


@per_settings
def _get_verified(settings: Settings) -> LRU[Any]:
    return LRU(VERIFIED_TOKENS)


def get_issuer() -> str:
    """Return the ``iss`` of access tokens: ``ISSUER``, or a text with the id of this installation.

    With ``TENANT`` the name of the tenant follows, because all tenants may have one table, or one key pair.

    An access token names a user by a primary key, which is another person in another database. So the default
    binds the token to the database, even if two installations have one ``SECRET_KEY``.

    Raises:
        TemporarilyUnavailable: the id is needed and not known yet, and the database does not answer.
        ProjectError: the table of the id is missing.
    """
    # Imported here, because the module of a user model may import this room before the tables are loaded.
    from drf_tessera.installation import read_installation_id  # noqa: PLC0415

    keystore = get_keystore()
    issuer = keystore.settings.issuer or f"{DEFAULT_ISSUER}:{read_installation_id()}"
    return f"{issuer}:{keystore.tenant}" if keystore.tenant else issuer


def _derive_access_keys(secrets: tuple[bytes, ...], tenant: str) -> list[Key]:
    """Derive one key from each secret, the present one last, because a ring's newest key signs."""
    unique = list(dict.fromkeys(secrets))
    return [Key.from_secret(_derive(secret, _ACCESS_LABEL, tenant)) for secret in reversed(unique)]


def _derive(secret: bytes, label: bytes, tenant: str) -> bytes:
    info = label + b"\0" + tenant.encode() if tenant else label
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret)
