"""The signature algorithms, and the keys that each algorithm accepts.

Only this file imports the JOSE library. No code path can select ``none``, because the table does not
contain ``none``. Ed448, secp256k1 and RSA keys below 2,048 bits are left out on purpose, because
nobody needs them here and each of them adds a risk.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from joserfc import jwk
from joserfc.errors import SecurityWarning
from joserfc.jws import JWSRegistry

from drf_tessera.exceptions import KeyMaterialError

MIN_SECRET_BYTES: Final[Mapping[str, int]] = MappingProxyType({"HS256": 32, "HS384": 48, "HS512": 64})
"""In bytes. A key must be at least as long as the hash output (RFC 7518, section 3.2)."""

MIN_RSA_BITS: Final = 2048
"""RFC 7518, sections 3.3 and 3.5."""

_KEY_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "HS256": "oct",
        "HS384": "oct",
        "HS512": "oct",
        "RS256": "RSA",
        "RS384": "RSA",
        "RS512": "RSA",
        "PS256": "RSA",
        "PS384": "RSA",
        "PS512": "RSA",
        "ES256": "EC",
        "ES384": "EC",
        "ES512": "EC",
        "EdDSA": "OKP",
    }
)

ALGORITHMS: Final = frozenset(_KEY_TYPES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A loaded key: its operations and its public data.

    ``sign`` is ``None`` for a public key. ``public_jwk`` is ``None`` for a shared secret.
    """

    sign: Callable[[bytes], bytes] | None
    verify: Callable[[bytes, bytes], bool]
    public_jwk: Mapping[str, Any] | None
    thumbprint: str


def load_secret(alg: str, secret: bytes) -> Material:
    """Load a shared secret for HS256, HS384 or HS512.

    Raises:
        KeyMaterialError: ``alg`` is not an HMAC algorithm, or the secret is shorter than the hash output.
    """
    if _key_type(alg) != "oct":
        raise KeyMaterialError(f"{alg} needs a private or public key, not a secret.")
    return _import(alg, secret)


def load_pem(alg: str, pem: bytes, password: bytes | None = None) -> Material:
    """Load a private or public key in PEM form.

    Raises:
        KeyMaterialError: the key is unreadable, too small, or of the wrong kind for ``alg``.
    """
    if _key_type(alg) == "oct":
        raise KeyMaterialError(f"{alg} needs a secret, not a PEM key.")
    if b"-----BEGIN " not in pem:
        raise KeyMaterialError("This is not a PEM key: it has no '-----BEGIN ...-----' line.")
    return _import(alg, pem, password)


def load_jwk(alg: str, value: Mapping[str, Any]) -> Material:
    """Load a JWK (RFC 7517), private or public.

    Raises:
        KeyMaterialError: the key is unreadable, too small, or not meant for ``alg``.
    """
    _key_type(alg)
    found = dict(value)
    operations = found.get("key_ops")
    if isinstance(operations, list) and "sign" in operations:
        # Some issuers write only "sign", but the public half of a signing key can also verify.
        del found["key_ops"]
    return _import(alg, found)


def _key_type(alg: str) -> str:
    try:
        return _KEY_TYPES[alg]
    except (KeyError, TypeError):
        raise KeyMaterialError(
            f"{alg!r} is not an algorithm. Choose one of {', '.join(sorted(ALGORITHMS))}."
        ) from None


def _import(alg: str, value: Any, password: bytes | None = None) -> Material:
    model = JWSRegistry.algorithms[alg]
    try:
        with warnings.catch_warnings():
            # The library only warns about keys that are too small. _check_size refuses such keys.
            warnings.simplefilter("ignore", SecurityWarning)
            key = jwk.JWKRegistry.key_types[_KEY_TYPES[alg]].import_key(value, password=password)
            model.check_key(key)
    except Exception as error:  # noqa: BLE001 - the library and its backend raise a dozen unrelated types
        # Report only the type of the cause, and drop the exception chain: its message may quote the key.
        raise KeyMaterialError(f"The key for {alg} cannot be read ({type(error).__name__}).") from None
    _check_size(alg, key)
    can_sign = bool(key.is_private)
    return Material(
        sign=(lambda message: model.sign(message, key)) if can_sign else None,
        verify=lambda message, signature: model.verify(message, signature, key),
        public_jwk=None if alg in MIN_SECRET_BYTES else MappingProxyType(dict(key.as_dict(private=False))),
        thumbprint=key.thumbprint(),
    )


def _check_size(alg: str, key: Any) -> None:
    if isinstance(key, jwk.OctKey) and len(key.raw_value) < MIN_SECRET_BYTES[alg]:
        raise KeyMaterialError(
            f"The secret for {alg} has {len(key.raw_value)} bytes, but {alg} needs at least "
            f"{MIN_SECRET_BYTES[alg]}."
        )
    if isinstance(key, jwk.RSAKey) and key.public_key.key_size < MIN_RSA_BITS:
        raise KeyMaterialError(
            f"The RSA key has {key.public_key.key_size} bits, but {alg} needs at least {MIN_RSA_BITS}."
        )
    if isinstance(key, jwk.OKPKey) and key.curve_name != "Ed25519":
        raise KeyMaterialError(f"{alg} needs an Ed25519 key, not {key.curve_name}.")
