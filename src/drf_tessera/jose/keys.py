"""A key, and the ring of the keys in force: one key signs, and all keys verify.

A key fixes its algorithm. A token cannot choose another algorithm, so "algorithm confusion" attacks
are not possible.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import EllipsisType, MappingProxyType
from typing import Any, Protocol, Self

from drf_tessera.exceptions import KeyMaterialError, KeysUnavailable
from drf_tessera.jose.algorithms import Material, load_jwk, load_pem, load_secret
from drf_tessera.jose.encoding import encode_base64url
from drf_tessera.texts import Text

MAX_KID_LENGTH = 128


class Signer(Protocol):
    """A private key that never leaves its device: a KMS, an HSM or another process.

    Several threads may call :meth:`sign` at once. Each process makes its own signer.
    """

    @property
    def public_jwk(self) -> Mapping[str, Any]:
        """The public key as a JWK with its ``alg``. ``kid`` is optional."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature of ``message`` as JWS has it (RFC 7518, section 3). ECDSA: R and S in a row.

        An error becomes a 503, and a client tries again.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key with its algorithm and its name (``kid``). The ``repr`` does not show the secret.

    Create a key with :meth:`from_secret`, :meth:`from_pem` or :meth:`from_jwk`.
    """

    kid: str
    alg: str
    can_sign: bool
    _sign: Callable[[bytes], bytes] | None = field(repr=False, compare=False)
    _verify: Callable[[bytes, bytes], bool] = field(repr=False, compare=False)
    thumbprint: str = field(repr=False)
    public: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)
    """The public part as a JWK. ``None`` for a shared secret, which has no public part."""

    @classmethod
    def from_secret(cls, secret: bytes, alg: str = "HS256", kid: str | None = None) -> Self:
        """Return an HMAC key.

        The default ``kid`` is an HMAC of a fixed label under the secret, cut to 64 bits. This ``kid``
        reveals no more about the secret than any signature under the secret reveals.

        Raises:
            KeyMaterialError: the secret is too short (RFC 7518, section 3.2), or ``alg`` is not an HMAC
                algorithm.
        """
        material = load_secret(alg, secret)
        return cls._make(alg, kid or _name_secret(secret), material)

    @classmethod
    def from_pem(cls, pem: bytes, alg: str, kid: str | None = None, password: bytes | None = None) -> Self:
        """Return a key from PEM. A key from a public PEM can only verify.

        The default ``kid`` is the thumbprint of the key (RFC 7638).

        Raises:
            KeyMaterialError: the PEM is unreadable, or its kind or size is wrong for ``alg``.
        """
        material = load_pem(alg, pem, password)
        return cls._make(alg, kid or material.thumbprint, material)

    @classmethod
    def from_jwk(cls, value: Mapping[str, Any], alg: str | None = None, kid: str | None = None) -> Self:
        """Return a key from a JWK. The arguments ``alg`` and ``kid`` take precedence over the JWK's own.

        Raises:
            KeyMaterialError: the JWK is unreadable, has no algorithm, or is of the wrong kind or size.
        """
        chosen = alg or value.get("alg")
        if not isinstance(chosen, str):
            raise KeyMaterialError(
                Text("The JWK has no 'alg', and no 'alg' was given in addition to the JWK.")
            )
        material = load_jwk(chosen, value)
        return cls._make(chosen, kid or value.get("kid") or material.thumbprint, material)

    @classmethod
    def from_signer(cls, signer: Signer) -> Self:
        """Return a key whose private part stays with ``signer``.

        Raises:
            KeyMaterialError: the public JWK of the signer cannot be used.
        """
        key = cls.from_jwk(signer.public_jwk)
        if key.can_sign or key.public is None:
            raise KeyMaterialError(Text("The public JWK of a signer must not have a private part."))
        return replace(key, can_sign=True, _sign=partial(_sign_outside, signer))

    @classmethod
    def _make(cls, alg: str, kid: object, material: Material) -> Self:
        if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID_LENGTH:
            raise KeyMaterialError(
                Text("A kid must be a string of 1 to %(most)s characters.", most=MAX_KID_LENGTH)
            )
        return cls(
            kid=kid,
            alg=alg,
            can_sign=material.sign is not None,
            thumbprint=material.thumbprint,
            public=material.public,
            _sign=material.sign,
            _verify=material.verify,
        )

    def sign(self, message: bytes) -> bytes:
        """Sign ``message``.

        Raises:
            KeyMaterialError: the key is a public key.
        """
        if self._sign is None:
            raise KeyMaterialError(Text("The key %(kid)r can only verify.", kid=self.kid))
        return self._sign(message)

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Return whether ``signature`` is a valid signature of ``message`` under this key."""
        return self._verify(message, signature)


@dataclass(frozen=True, slots=True, init=False)
class KeyRing:
    """The keys in force, from oldest to newest.

    The older keys still verify the tokens that they signed. Therefore a new key at the end of the list
    logs nobody out.

    Args:
        keys: the keys.
        signing: the key that signs, or ``None`` if no key may sign at the moment. By default the newest key
            that can sign.

    Raises:
        KeyMaterialError: no key can sign, or two keys have the same ``kid``.
    """

    keys: tuple[Key, ...]
    signing: Key | None
    by_kid: Mapping[str, Key] = field(repr=False, compare=False)

    def __init__(self, keys: Iterable[Key], signing: Key | EllipsisType | None = ...) -> None:
        ordered = tuple(keys)
        if isinstance(signing, EllipsisType):
            signing = _find_newest_signer(ordered)
        kids = [key.kid for key in ordered]
        twice = sorted({kid for kid in kids if kids.count(kid) > 1})
        if twice:
            raise KeyMaterialError(Text("Two keys share the kid %(kid)r.", kid=twice[0]))
        object.__setattr__(self, "keys", ordered)
        object.__setattr__(self, "signing", signing)
        object.__setattr__(self, "by_kid", MappingProxyType({key.kid: key for key in ordered}))

    def find(self, kid: str) -> Key | None:
        """Return the key with this ``kid``, or ``None``."""
        return self.by_kid.get(kid)

    def list_public(self) -> list[dict[str, Any]]:
        """Return the public JWK of each key that has one, newest first. No private member is among them."""
        return [
            {**key.public, "kid": key.kid, "alg": key.alg, "use": "sig"}
            for key in reversed(self.keys)
            if key.public is not None
        ]


def _sign_outside(signer: Signer, message: bytes) -> bytes:
    try:
        return signer.sign(message)
    except Exception as error:
        raise KeysUnavailable from error


def _find_newest_signer(keys: tuple[Key, ...]) -> Key:
    signers = [key for key in keys if key.can_sign]
    if not signers:
        raise KeyMaterialError(Text("No key can sign. Add at least one secret or private key."))
    return signers[-1]


def _name_secret(secret: bytes) -> str:
    return encode_base64url(hmac.digest(secret, b"drf_tessera kid", "sha256")[:8]).decode()
