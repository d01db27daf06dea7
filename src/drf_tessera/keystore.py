"""The keys in force now.

Access tokens are signed by the keys of ``TESSERA["KEYS"]``; without them, by an HS256 key derived
from ``SECRET_KEY``. Refresh tokens are authenticated under another derived key. Each derivation has
its own label (HKDF, RFC 5869), so a token of one kind can never pass for another, nor for anything
else that Django signs. What ``SECRET_KEY_FALLBACKS`` derive verifies too: rotating Django's secret
logs nobody out.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from drf_tessera.conf import Settings, get_settings
from drf_tessera.jose.codec import Codec
from drf_tessera.jose.keys import Key, KeyRing
from drf_tessera.lru import LRU

ACCESS_TYPE: Final = "at+jwt"
"""The ``typ`` of an access token (RFC 9068, section 2.1)."""

_ACCESS_LABEL: Final = b"drf_tessera access token HS256"
_REFRESH_LABEL: Final = b"drf_tessera refresh token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keystore:
    """All keys, made from one :class:`~drf_tessera.conf.Settings`."""

    settings: Settings = field(repr=False)
    ring: KeyRing
    codec: Codec = field(repr=False)
    refresh_keys: tuple[bytes, ...] = field(repr=False)
    """The first authenticates new refresh tokens; all verify."""
    verified: LRU[Any] = field(repr=False)
    """What these keys have verified under these settings, by the whole token: it ends with them."""


_cached: Keystore | None = None


def get_keystore() -> Keystore:
    """Give the keys in force now; made anew when the settings are another object."""
    global _cached  # noqa: PLW0603 - one slot, valid as long as its settings are
    settings = get_settings()
    found = _cached
    if found is None or found.settings is not settings:
        found = _cached = make_keystore(settings)
    return found


def forget_keystore() -> None:
    """Begin anew: a forked child has its parent's lock, perhaps held, by a thread that it has not."""
    global _cached  # noqa: PLW0603 - see get_keystore
    _cached = None


os.register_at_fork(after_in_child=forget_keystore)


def make_keystore(settings: Settings) -> Keystore:
    """Derive and collect the keys that ``settings`` call for."""
    ring = KeyRing(settings.keys or _derive_access_keys(settings.secrets))
    return Keystore(
        settings=settings,
        ring=ring,
        codec=Codec(ring, typ=ACCESS_TYPE),
        refresh_keys=tuple(_derive(secret, _REFRESH_LABEL) for secret in settings.secrets),
        verified=LRU(settings.token_cache_size),
    )


def _derive_access_keys(secrets: tuple[bytes, ...]) -> list[Key]:
    """Make one key of each secret, the present one last: a ring's newest key signs."""
    unique = list(dict.fromkeys(secrets))
    return [Key.from_secret(_derive(secret, _ACCESS_LABEL)) for secret in reversed(unique)]


def _derive(secret: bytes, label: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=label).derive(secret)
