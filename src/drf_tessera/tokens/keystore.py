"""The keys in force.

Access tokens are signed by the keys of ``TESSERA["KEYS"]``, or without them by an HS256 key derived from
``SECRET_KEY``. The room ``keys`` knows which of them are in force at the moment.

Refresh tokens are authenticated under another derived key. Each derivation has its own label
(HKDF, RFC 5869), so a token of one kind is never valid as a token of another kind, nor as anything else that
Django signs. Keys derived from ``SECRET_KEY_FALLBACKS`` still verify, so rotating Django's secret logs nobody
out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from drf_tessera.conf import Identity, Settings, current_tenant, get_identity, per_settings, per_tenant
from drf_tessera.exceptions import TokenKeyUnknown
from drf_tessera.jose.codec import Codec
from drf_tessera.jose.keys import KeyRing
from drf_tessera.tokens.cache import LRU

if TYPE_CHECKING:
    from drf_tessera.keys import Book

ACCESS_TYPE: Final = "at+jwt"
"""The ``typ`` of an access token (RFC 9068, section 2.1)."""

DEFAULT_ISSUER: Final = "drf-tessera"
"""The first part of the ``iss`` of access tokens, if ``ISSUER`` is not set."""

VERIFIED_TOKENS: Final = 4096
"""The number of verified access tokens that one process remembers. An entry takes about 2 kB."""

AGE_FOR_UNKNOWN: Final = 0.2
"""Seconds between two readings of the keys because of unknown ones. A stranger can name any key."""

_REFRESH_LABEL: Final = b"drf_tessera refresh token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keystore:
    """All keys of one moment, made from one :class:`~drf_tessera.conf.Settings`."""

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
    identity: Identity
    """The issuer and the audiences of the tenant."""
    tenant: str
    """The tenant that the keys belong to. It is empty without ``TENANT``."""


class _Holder:
    """The keystore of one tenant. Another one replaces it when the keys change."""

    def __init__(self, settings: Settings) -> None:
        # Imported here, because the module of a user model may import this room before the tables are loaded.
        from drf_tessera.keys import derive, find_book  # noqa: PLC0415

        self._settings, self._tenant, self._identity = settings, current_tenant(), get_identity()
        self._refresh_keys = tuple(
            derive(secret, _REFRESH_LABEL, self._tenant) for secret in settings.secrets
        )
        self.find_book: Callable[[], Book] = find_book
        """Returns the book that the feed keeps up to date. The holder could keep one that was replaced."""
        self._found: Keystore | None = None

    def find(self) -> Keystore:
        """Return the keystore of this moment."""
        ring, found = self.find_book().find(), self._found
        if found is None or found.ring is not ring:
            found = self._found = self._make(ring)
        return found

    def _make(self, ring: KeyRing) -> Keystore:
        return Keystore(
            settings=self._settings,
            ring=ring,
            codec=Codec(ring, typ=ACCESS_TYPE),
            refresh_keys=self._refresh_keys,
            verified=LRU(VERIFIED_TOKENS) if self._settings.tenant is None else _get_verified(),
            identity=self._identity,
            tenant=self._tenant,
        )


@per_tenant
def _get_holder(settings: Settings) -> _Holder:
    return _Holder(settings)


def get_keystore() -> Keystore:
    """Return the keys that are in force at this moment, for the present tenant.

    The name of the tenant is part of each derivation, so a token of one tenant is not even authentic at
    another one. A change of keys makes another keystore, so the tokens verified before are forgotten.

    Raises:
        KeysUnavailable: the keys cannot be read.
    """
    return _get_holder().find()


def get_fresh_keystore(age: float | None = None) -> Keystore:
    """Return the keys like :func:`get_keystore`, read again if the knowledge is older than ``age`` seconds.

    By default this is one poll. It is for tasks that need the news: a signature, and an unknown key.

    Raises:
        TemporarilyUnavailable: the keys cannot be read, and the knowledge is too old.
    """
    holder = _get_holder()
    holder.find_book().refresh(age)
    return holder.find()


def check_key(kid: str, *, fresh: bool = False) -> None:
    """Return if a key is in force.

    Args:
        kid: the key of a verified token. It is empty for a token that no key has signed.
        fresh: whether to read the keys again, if they were not read for one poll.

    Raises:
        TokenKeyUnknown: the key was withdrawn since the token was verified.
        TemporarilyUnavailable: the keys cannot be read.
    """
    keystore = get_fresh_keystore() if fresh else get_keystore()
    if kid and kid not in keystore.ring.by_kid:
        raise TokenKeyUnknown


def list_public_keys() -> list[dict[str, Any]]:
    """Return the public JWK of each key that others may need, for the JWK Set.

    Raises:
        TemporarilyUnavailable: the keys cannot be read.
    """
    return get_fresh_keystore().ring.list_public()


@per_settings
def _get_verified(settings: Settings) -> LRU[Any]:
    return LRU(VERIFIED_TOKENS)


def get_issuer() -> str:
    """Return the ``iss`` of access tokens: ``ISSUER``, or a text with the id of this installation.

    With ``TENANT`` the name of the tenant is part of it, because all tenants may have one table, or one key
    pair.

    An access token names a user by a primary key, which is another person in another database. So the default
    binds the token to the database, even if two installations have one ``SECRET_KEY``.

    Raises:
        TemporarilyUnavailable: the id is needed and not known yet, and the database does not answer.
        ProjectError: the table of the id is missing.
    """
    # Imported here, because the module of a user model may import this room before the tables are loaded.
    from drf_tessera.installation import read_installation_id  # noqa: PLC0415

    keystore = get_keystore()
    if keystore.identity.issuer is not None:
        return keystore.identity.issuer
    issuer = f"{DEFAULT_ISSUER}:{read_installation_id()}"
    return f"{issuer}:{keystore.tenant}" if keystore.tenant else issuer
