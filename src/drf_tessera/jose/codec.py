"""Compact JWS in and out (RFC 7515, section 7.1), with the claims of RFC 7519 checked strictly.

The order is: size, shape, header, signature, claims. Nothing in the claims is looked at before the
signature holds, and of a header only what our own keys could have written is believed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from drf_tessera.exceptions import (
    TokenBadSignature,
    TokenClaimInvalid,
    TokenExpired,
    TokenKeyUnknown,
    TokenMalformed,
    TokenNotYetValid,
    TokenTooLarge,
    TokenUnsupported,
    TokenWrongAudience,
    TokenWrongIssuer,
    TokenWrongType,
)
from drf_tessera.jose.encoding import (
    EncodingError,
    decode_base64url,
    decode_json_object,
    encode_base64url,
    encode_json,
)
from drf_tessera.jose.keys import Key, KeyRing

MAX_TOKEN_LENGTH: Final = 8192
"""Characters. The usual limit of one header line in servers and proxies."""

MAX_HEADER_LENGTH: Final = 1024

_LATEST_DATE: Final = 253_402_300_799
"""The last second of the year 9999: the last that Python's ``datetime`` can tell."""


class Codec:
    """Signs and verifies the tokens of one type (``typ``) under one key ring."""

    __slots__ = ("_header", "_known_headers", "_ring", "_typ")

    def __init__(self, ring: KeyRing, *, typ: str) -> None:
        self._ring = ring
        self._typ = typ.lower()
        self._known_headers = {_write_header(key, typ): key for key in ring.keys}
        self._header = _write_header(ring.signing, typ)

    def encode(self, claims: Mapping[str, Any]) -> str:
        """Sign ``claims`` with the ring's signing key.

        Raises:
            TypeError, ValueError: a claim has no JSON form.
            TokenTooLarge: the token would be longer than any verifier of ours accepts.
        """
        message = self._header + b"." + encode_base64url(encode_json(claims))
        token = message + b"." + encode_base64url(self._ring.signing.sign(message))
        if len(token) > MAX_TOKEN_LENGTH:
            raise TokenTooLarge(f"The token would have {len(token)} characters, over {MAX_TOKEN_LENGTH}.")
        return token.decode()

    def decode(
        self, token: str, *, now: float, issuer: str, audience: Collection[str], skew: float
    ) -> dict[str, Any]:
        """Verify ``token`` and return its claims.

        Args:
            token: whatever a stranger sent.
            now: the present, in seconds since the epoch.
            issuer: the only ``iss`` that is accepted.
            audience: ``aud`` must name one of these.
            skew: how many seconds ``iat`` and ``nbf`` may lie ahead of ``now``. ``exp`` is exact:
                leeway there would only be a longer lifetime under another name.

        Raises:
            TokenError: in one of its kinds, and never anything else.
        """
        claims = self._open(token)
        _check_dates(claims, now, skew)
        for name in ("sub", "jti"):
            if not isinstance(claims.get(name), str) or not claims[name]:
                raise TokenClaimInvalid(name)
        if _text(claims, "iss") != issuer:
            raise TokenWrongIssuer
        _check_audience(claims, audience)
        return claims

    def _open(self, token: str) -> dict[str, Any]:
        if len(token) > MAX_TOKEN_LENGTH:
            raise TokenTooLarge
        try:
            message, _, signature = token.encode("ascii").rpartition(b".")
            header, dot, payload = message.partition(b".")
            if not dot or b"." in payload:
                raise TokenMalformed
            key = self._known_headers.get(header) or self._read_header(header)
            # Both segments are decoded before the signature is computed: malformed is malformed.
            raw_signature, raw_payload = decode_base64url(signature), decode_base64url(payload)
            if not key.verify(message, raw_signature):
                raise TokenBadSignature
            return decode_json_object(raw_payload)
        except (EncodingError, UnicodeEncodeError):
            raise TokenMalformed from None

    def _read_header(self, segment: bytes) -> Key:
        """Find the key of a header that none of our keys writes in just these bytes.

        Another service that holds one of our keys may order its header differently, so this is no
        refusal yet. What it says of keys (``jwk``, ``jku``, ``x5u`` ...) is never looked at.
        """
        if len(segment) > MAX_HEADER_LENGTH:
            raise TokenTooLarge
        header = decode_json_object(decode_base64url(segment))
        if "crit" in header:
            raise TokenUnsupported  # RFC 7515, section 4.1.11: we understand no extension
        typ, kid = header.get("typ"), header.get("kid")
        # RFC 9068, section 2.1: the type, with or without "application/", in any case.
        if not isinstance(typ, str) or typ.lower().removeprefix("application/") != self._typ:
            raise TokenWrongType
        key = self._ring.find(kid) if isinstance(kid, str) else None
        if key is None:
            raise TokenKeyUnknown
        if header.get("alg") != key.alg:
            raise TokenUnsupported
        return key


def _write_header(key: Key, typ: str) -> bytes:
    return encode_base64url(encode_json({"alg": key.alg, "kid": key.kid, "typ": typ}))


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str):
        raise TokenClaimInvalid(name)
    return value


def _date(claims: Mapping[str, Any], name: str) -> int | float:
    """Read a NumericDate (RFC 7519, section 2); ``True`` is no number here, and 1e400 no date."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LATEST_DATE:
        raise TokenClaimInvalid(name)
    return value


def _check_dates(claims: Mapping[str, Any], now: float, skew: float) -> None:
    if now >= _date(claims, "exp"):
        raise TokenExpired
    not_before = _date(claims, "nbf") if "nbf" in claims else 0
    if max(_date(claims, "iat"), not_before) > now + skew:
        raise TokenNotYetValid


def _check_audience(claims: Mapping[str, Any], accepted: Collection[str]) -> None:
    value = claims.get("aud")
    named = [value] if isinstance(value, str) else value
    if not isinstance(named, list) or not all(isinstance(item, str) for item in named):
        raise TokenClaimInvalid("aud")
    if not any(item in accepted for item in named):
        raise TokenWrongAudience
