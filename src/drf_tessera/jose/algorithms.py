"""Which signature algorithms there are, and the keys that each takes.

The only file that imports the JOSE library. ``none`` is not in the table, so no code path can
select it. Ed448, secp256k1 and RSA below 2,048 bits are left out on purpose: nobody needs them
here, and each is one more thing to get wrong.
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
"""RFC 7518, section 3.2: a key of the size of the hash output, or larger."""

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
    """A loaded key, reduced to what can be done with it.

    ``sign`` is ``None`` for a public key. ``public_jwk`` is ``None`` for a shared secret.
    """

    sign: Callable[[bytes], bytes] | None
    verify: Callable[[bytes, bytes], bool]
    public_jwk: Mapping[str, Any] | None
    thumbprint: str


def load_secret(alg: str, secret: bytes) -> Material:
    """Load a shared secret for HS256, HS384 or HS512.

    Raises:
        KeyMaterialError: not an HMAC algorithm, or the secret is shorter than its hash.
    """
    if _key_type(alg) != "oct":
        raise KeyMaterialError(f"{alg} needs a private or public key, not a secret.")
    return _import(alg, secret)


def load_pem(alg: str, pem: bytes, password: bytes | None = None) -> Material:
    """Load a private or public key in PEM form.

    Raises:
        KeyMaterialError: unreadable, of another kind than ``alg`` takes, or too small.
    """
    if _key_type(alg) == "oct":
        raise KeyMaterialError(f"{alg} needs a secret, not a PEM key.")
    if b"-----BEGIN " not in pem:
        raise KeyMaterialError("This is not a PEM key: it has no '-----BEGIN ...-----' line.")
    return _import(alg, pem, password)


def load_jwk(alg: str, value: Mapping[str, Any]) -> Material:
    """Load a JWK (RFC 7517), private or public.

    Raises:
        KeyMaterialError: unreadable, meant for something else than ``alg``, or too small.
    """
    _key_type(alg)
    found = dict(value)
    operations = found.get("key_ops")
    if isinstance(operations, list) and "sign" in operations:
        del found["key_ops"]  # what signs verifies too, by its public half, and some write "sign" alone
    return _import(alg, found)


def _key_type(alg: str) -> str:
    try:
        return _KEY_TYPES[alg]
    except (KeyError, TypeError):
        raise KeyMaterialError(
            f"{alg!r} is not an algorithm; choose one of {', '.join(sorted(ALGORITHMS))}."
        ) from None


def _import(alg: str, value: Any, password: bytes | None = None) -> Material:
    model = JWSRegistry.algorithms[alg]
    try:
        with warnings.catch_warnings():
            # It warns of keys that are too small; we refuse them below.
            warnings.simplefilter("ignore", SecurityWarning)
            key = jwk.JWKRegistry.key_types[_KEY_TYPES[alg]].import_key(value, password=password)
            model.check_key(key)
    except Exception as error:  # noqa: BLE001 - the library and its backend raise a dozen unrelated types
        # The message of the cause may quote the key, so only its kind is told, and no chain is kept.
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
            f"The secret for {alg} has {len(key.raw_value)} bytes; it needs at least {MIN_SECRET_BYTES[alg]}."
        )
    if isinstance(key, jwk.RSAKey) and key.public_key.key_size < MIN_RSA_BITS:
        raise KeyMaterialError(f"The RSA key has {key.public_key.key_size} bits; {alg} needs {MIN_RSA_BITS}.")
    if isinstance(key, jwk.OKPKey) and key.curve_name != "Ed25519":
        raise KeyMaterialError(f"{alg} takes an Ed25519 key here, not {key.curve_name}.")
