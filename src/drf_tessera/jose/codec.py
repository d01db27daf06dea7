"""Encode and decode compact JWS (RFC 7515, section 7.1), and check the claims of RFC 7519 strictly.

The order of the checks is: size, shape, header, signature, claims. No claim is read before the
signature is verified. A header is accepted only if it names a key of the ring and the key's algorithm.
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
"""In characters. Servers and proxies usually limit one header line to this length."""

MAX_HEADER_LENGTH: Final = 1024

_LATEST_DATE: Final = 253_402_300_799
"""The last second of the year 9999, the latest second that Python's ``datetime`` can represent."""


class Codec:
    """Signs and verifies the tokens of one type (``typ``) with one key ring."""

    __slots__ = ("_header", "_known_headers", "_ring", "_typ")

    def __init__(self, ring: KeyRing, *, typ: str) -> None:
        self._ring = ring
        self._typ = typ.lower()
        self._known_headers = {_write_header(key, typ): key for key in ring.keys}
        self._header = _write_header(ring.signing, typ)

    def encode(self, claims: Mapping[str, Any]) -> str:
        """Return a token with ``claims``, signed with the ring's signing key.

        Raises:
            TypeError, ValueError: a claim has no JSON form.
            TokenTooLarge: the token would be longer than the limit of :meth:`decode`.
        """
        message = self._header + b"." + encode_base64url(encode_json(claims))
        token = message + b"." + encode_base64url(self._ring.signing.sign(message))
        if len(token) > MAX_TOKEN_LENGTH:
            raise TokenTooLarge(
                f"The token would have {len(token)} characters, but the limit is {MAX_TOKEN_LENGTH}."
            )
        return token.decode()

    def decode(
        self, token: str, *, now: float, issuer: str, audience: Collection[str], skew: float
    ) -> dict[str, Any]:
        """Verify ``token`` and return its claims.

        Args:
            token: any text that a client sent.
            now: the current time, in seconds since the epoch.
            issuer: the only ``iss`` that is accepted.
            audience: ``aud`` must contain one of these audiences.
            skew: ``iat`` and ``nbf`` may be at most this many seconds after ``now``. ``exp`` has no skew,
                because a skew of ``exp`` would only be a longer lifetime.

        Raises:
            TokenError: the token is not accepted. The subclass states the reason. No other error is raised.
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
            # Decode both segments before the signature check, so that a malformed token is always reported
            # as malformed.
            raw_signature, raw_payload = decode_base64url(signature), decode_base64url(payload)
            if not key.verify(message, raw_signature):
                raise TokenBadSignature
            return decode_json_object(raw_payload)
        except (EncodingError, UnicodeEncodeError):
            raise TokenMalformed from None

    def _read_header(self, segment: bytes) -> Key:
        """Return the key of a header whose bytes differ from every header that the ring's keys write.

        Such a header may still be valid, because another service that holds one of the keys may order the
        header differently. Keys inside the header (``jwk``, ``jku``, ``x5u`` and others) are never read.
        """
        if len(segment) > MAX_HEADER_LENGTH:
            raise TokenTooLarge
        header = decode_json_object(decode_base64url(segment))
        if "crit" in header:
            raise TokenUnsupported  # RFC 7515, section 4.1.11: this codec supports no extension
        typ, kid = header.get("typ"), header.get("kid")
        # RFC 9068, section 2.1: "application/" may precede the type, and letter case does not matter.
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
    """Return a NumericDate claim (RFC 7519, section 2). ``True`` is refused, and so is 1e400."""
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
