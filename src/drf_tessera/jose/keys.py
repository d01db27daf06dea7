"""A key, and the ring of keys in force: which one signs, which ones verify.

A key fixes its algorithm. Nothing that a token says can choose another one, which is the end of
every "algorithm confusion" attack.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from drf_tessera.exceptions import KeyMaterialError
from drf_tessera.jose.algorithms import Material, load_jwk, load_pem, load_secret
from drf_tessera.jose.encoding import encode_base64url

MAX_KID_LENGTH = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key with its algorithm and its name (``kid``). Its ``repr`` shows no material.

    Make one with :meth:`from_secret`, :meth:`from_pem` or :meth:`from_jwk`.
    """

    kid: str
    alg: str
    can_sign: bool
    public_jwk: Mapping[str, Any] | None = field(repr=False, compare=False)
    _sign: Callable[[bytes], bytes] | None = field(repr=False, compare=False)
    _verify: Callable[[bytes, bytes], bool] = field(repr=False, compare=False)
    thumbprint: str = field(repr=False)

    @classmethod
    def from_secret(cls, secret: bytes, alg: str = "HS256", kid: str | None = None) -> Self:
        """Make an HMAC key.

        Without a ``kid`` the key is named by an HMAC of a fixed label under the secret itself, cut
        to 64 bits: it tells nothing that a signature under the same secret does not tell already.

        Raises:
            KeyMaterialError: too short (RFC 7518, section 3.2), or not an HMAC algorithm.
        """
        material = load_secret(alg, secret)
        return cls._make(alg, kid or _name_secret(secret), material)

    @classmethod
    def from_pem(cls, pem: bytes, alg: str, kid: str | None = None, password: bytes | None = None) -> Self:
        """Make a key from PEM; a public key makes a key that only verifies.

        Without a ``kid`` the key is named by its RFC 7638 thumbprint.

        Raises:
            KeyMaterialError: unreadable, or of another kind or size than ``alg`` takes.
        """
        material = load_pem(alg, pem, password)
        return cls._make(alg, kid or material.thumbprint, material)

    @classmethod
    def from_jwk(cls, value: Mapping[str, Any], alg: str | None = None, kid: str | None = None) -> Self:
        """Make a key from a JWK; its own ``alg`` and ``kid`` count unless given here.

        Raises:
            KeyMaterialError: unreadable, without an algorithm, or of the wrong kind or size.
        """
        chosen = alg or value.get("alg")
        if not isinstance(chosen, str):
            raise KeyMaterialError("The JWK has no 'alg', and none was given beside it.")
        material = load_jwk(chosen, value)
        return cls._make(chosen, kid or value.get("kid") or material.thumbprint, material)

    @classmethod
    def _make(cls, alg: str, kid: object, material: Material) -> Self:
        if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID_LENGTH:
            raise KeyMaterialError(f"A kid must be a text of 1 to {MAX_KID_LENGTH} characters.")
        return cls(
            kid=kid,
            alg=alg,
            can_sign=material.sign is not None,
            public_jwk=material.public_jwk,
            thumbprint=material.thumbprint,
            _sign=material.sign,
            _verify=material.verify,
        )

    def sign(self, message: bytes) -> bytes:
        """Sign ``message``.

        Raises:
            KeyMaterialError: this is a public key.
        """
        if self._sign is None:
            raise KeyMaterialError(f"The key {self.kid!r} can only verify.")
        return self._sign(message)

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Tell whether ``signature`` belongs to ``message`` under this key."""
        return self._verify(message, signature)


@dataclass(frozen=True, slots=True, init=False)
class KeyRing:
    """The keys in force: oldest to newest, the newest that can sign does.

    The rest verify what they signed before, so a new key at the end of the list logs nobody out.

    Raises:
        KeyMaterialError: no key can sign, or two keys share a ``kid``.
    """

    keys: tuple[Key, ...]
    signing: Key

    def __init__(self, keys: Iterable[Key]) -> None:
        ordered = tuple(keys)
        signers = [key for key in ordered if key.can_sign]
        if not signers:
            raise KeyMaterialError("No key can sign: give at least one secret or private key.")
        kids = [key.kid for key in ordered]
        twice = sorted({kid for kid in kids if kids.count(kid) > 1})
        if twice:
            raise KeyMaterialError(f"Two keys share the kid {twice[0]!r}.")
        object.__setattr__(self, "keys", ordered)
        object.__setattr__(self, "signing", signers[-1])

    def find(self, kid: str) -> Key | None:
        """Look a key up by its name."""
        return next((key for key in self.keys if key.kid == kid), None)

    def public_jwks(self) -> dict[str, list[dict[str, Any]]]:
        """Write the public keys as a JWK set (RFC 7517, section 5); shared secrets are left out."""
        return {
            "keys": [
                {**key.public_jwk, "kid": key.kid, "alg": key.alg, "use": "sig"}
                for key in self.keys
                if key.public_jwk is not None
            ]
        }


def _name_secret(secret: bytes) -> str:
    return encode_base64url(hmac.digest(secret, b"drf_tessera kid", "sha256")[:8]).decode()
