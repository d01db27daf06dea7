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
from drf_tessera.texts import Text

MIN_SECRET_BYTES: Final[Mapping[str, int]] = MappingProxyType({"HS256": 32, "HS384": 48, "HS512": 64})
"""In bytes. A key must be at least as long as the hash output (RFC 7518, section 3.2)."""

MIN_RSA_BITS: Final = 2048
"""RFC 7518, sections 3.3 and 3.5."""

MAX_RSA_BITS: Final = 8192
"""A larger modulus makes each verification slow, so a key could slow the whole server down."""

RSA_EXPONENTS: Final = range(2**16 + 1, 2**32)
"""FIPS 186-5 requires at least 65,537. A very large exponent makes each verification slow."""

_SMALL_ORDER_POINTS: Final = frozenset(
    bytes.fromhex(text)
    for point in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    )
    for text in (point, f"{point[:-2]}{int(point[-2:], 16) ^ 0x80:02x}")
)
"""The points of Ed25519 whose order divides 8, in all their encodings.

With such a public key, one signature can be valid for many messages (RFC 8032, section 8.4).
"""

_RSA_BITS: Final = 3072
"""The size of new RSA keys: 128 bits of security (NIST SP 800-57)."""

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
        "Ed25519": "OKP",  # the name of RFC 9864 for the same signature
    }
)

ALGORITHMS: Final = frozenset(_KEY_TYPES)

_CURVES: Final[Mapping[str, str]] = MappingProxyType({"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"})
"""RFC 7518, section 3.4: each algorithm has one curve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A loaded key: its operations and its thumbprint. ``sign`` is ``None`` for a public key."""

    sign: Callable[[bytes], bytes] | None
    verify: Callable[[bytes, bytes], bool]
    thumbprint: str
    public: Mapping[str, Any] | None
    """The public part as a JWK. ``None`` for a shared secret, which has no public part."""


def load_secret(alg: str, secret: bytes) -> Material:
    """Load a shared secret for HS256, HS384 or HS512.

    Raises:
        KeyMaterialError: ``alg`` is not an HMAC algorithm, or the secret is shorter than the hash output.
    """
    if _key_type(alg) != "oct":
        raise KeyMaterialError(Text("%(alg)s needs a private or public key, not a secret.", alg=alg))
    return _import(alg, secret)


def load_pem(alg: str, pem: bytes, password: bytes | None = None) -> Material:
    """Load a private or public key in PEM form.

    Raises:
        KeyMaterialError: the key is unreadable, too small, or of the wrong kind for ``alg``.
    """
    if _key_type(alg) == "oct":
        raise KeyMaterialError(Text("%(alg)s needs a secret, not a PEM key.", alg=alg))
    if b"-----BEGIN " not in pem:
        raise KeyMaterialError(Text("This is not a PEM key: it has no '-----BEGIN ...-----' line."))
    return _import(alg, pem, password)


def load_jwk(alg: str, value: Mapping[str, Any]) -> Material:
    """Load a JWK (RFC 7517), private or public.

    Raises:
        KeyMaterialError: the key is unreadable, too small, or not meant for ``alg``.
    """
    kind, found = _key_type(alg), dict(value)
    if found.get("kty") != kind:
        raise KeyMaterialError(Text("%(alg)s needs a JWK whose 'kty' is %(kind)r.", alg=alg, kind=kind))
    if found.get("alg", alg) != alg:
        raise KeyMaterialError(
            Text("The JWK is for %(other)r, not for %(alg)s.", other=found["alg"], alg=alg)
        )
    if kind == "EC" and found.get("crv") != _CURVES[alg]:
        raise KeyMaterialError(
            Text("%(alg)s needs a key on the curve %(curve)s.", alg=alg, curve=_CURVES[alg])
        )
    if found.get("use", "sig") != "sig":
        raise KeyMaterialError(Text("The JWK is not for signatures: its 'use' is not 'sig'."))
    operations = found.pop("key_ops", ["sign"])
    # An issuer may write only "sign", because the public half of a signing key can also verify.
    if not isinstance(operations, list) or not {"sign", "verify"}.intersection(map(str, operations)):
        raise KeyMaterialError(
            Text("The JWK is not for signatures: its 'key_ops' has no 'sign' or 'verify'.")
        )
    return _import(alg, found)


def generate_jwk(alg: str) -> dict[str, Any]:
    """Return a new private JWK for ``alg``, named by its thumbprint (RFC 7638).

    The name never begins with a hyphen, because a command would take such a name for an option.

    Raises:
        KeyMaterialError: ``alg`` is not an algorithm.
    """
    kind = _key_type(alg)
    size = {"oct": 8 * MIN_SECRET_BYTES.get(alg, 0), "RSA": _RSA_BITS, "OKP": "Ed25519"}.get(kind)
    while True:
        # The registry types the size for all kinds of keys together.
        key = jwk.JWKRegistry.generate_key(kind, size or _CURVES[alg])  # type: ignore[arg-type]
        if not key.thumbprint().startswith("-"):
            break
    return {**key.as_dict(private=True), "kid": key.thumbprint(), "alg": alg, "use": "sig"}


def _key_type(alg: str) -> str:
    try:
        return _KEY_TYPES[alg]
    except (KeyError, TypeError):
        raise KeyMaterialError(
            Text(
                "%(alg)r is not an algorithm. Choose one of %(choices)s.",
                alg=alg,
                choices=", ".join(sorted(ALGORITHMS)),
            )
        ) from None


def _import(alg: str, value: Any, password: bytes | None = None) -> Material:
    model = JWSRegistry.algorithms[alg]
    try:
        with warnings.catch_warnings():
            # The library only warns about keys that are too small. _check_strength refuses such keys.
            warnings.simplefilter("ignore", SecurityWarning)
            key = jwk.JWKRegistry.key_types[_KEY_TYPES[alg]].import_key(value, password=password)
            model.check_key(key)
    except Exception as error:  # noqa: BLE001 - the library and its backend raise a dozen unrelated types
        # Report only the type of the cause, and drop the exception chain: its message may quote the key.
        raise KeyMaterialError(
            Text("The key for %(alg)s cannot be read (%(error)s).", alg=alg, error=type(error).__name__)
        ) from None
    _check_strength(alg, key)
    can_sign = bool(key.is_private)
    return Material(
        sign=(lambda message: model.sign(message, key)) if can_sign else None,
        verify=lambda message, signature: model.verify(message, signature, key),
        thumbprint=key.thumbprint(),
        public=None if isinstance(key, jwk.OctKey) else _write_public(key),
    )


def _write_public(key: Any) -> dict[str, Any]:
    """Return the members of RFC 7518 and RFC 8037 that describe the public key, and nothing else."""
    members = key.as_dict(private=False)
    return {name: members[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in members}


def _check_strength(alg: str, key: Any) -> None:
    if isinstance(key, jwk.OctKey) and len(key.raw_value) < MIN_SECRET_BYTES[alg]:
        raise KeyMaterialError(
            Text(
                "The secret for %(alg)s has %(size)s bytes, but %(alg)s needs at least %(least)s.",
                alg=alg,
                size=len(key.raw_value),
                least=MIN_SECRET_BYTES[alg],
            )
        )
    if isinstance(key, jwk.RSAKey):
        _check_rsa(alg, key.public_key.public_numbers())
    if isinstance(key, jwk.OKPKey):
        if key.curve_name != "Ed25519":
            raise KeyMaterialError(
                Text("%(alg)s needs an Ed25519 key, not %(curve)s.", alg=alg, curve=key.curve_name)
            )
        if key.public_key.public_bytes_raw() in _SMALL_ORDER_POINTS:
            raise KeyMaterialError(Text("The Ed25519 key is a point of small order, so it proves nothing."))


def _check_rsa(alg: str, numbers: Any) -> None:
    bits = numbers.n.bit_length()
    if bits < MIN_RSA_BITS:
        raise KeyMaterialError(
            Text(
                "The RSA key has %(bits)s bits, but %(alg)s needs at least %(least)s.",
                bits=bits,
                alg=alg,
                least=MIN_RSA_BITS,
            )
        )
    if bits > MAX_RSA_BITS:
        raise KeyMaterialError(
            Text(
                "The RSA key has %(bits)s bits. At most %(most)s are accepted.", bits=bits, most=MAX_RSA_BITS
            )
        )
    if numbers.n % 2 == 0:
        raise KeyMaterialError(Text("The modulus of the RSA key is even, so everybody can find its factors."))
    if numbers.e not in RSA_EXPONENTS or numbers.e % 2 == 0:
        raise KeyMaterialError(
            Text(
                "The public exponent of the RSA key must be odd, and from %(least)s to 2**32.",
                least=RSA_EXPONENTS.start,
            )
        )
