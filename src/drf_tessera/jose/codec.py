"""Encode and decode compact JWS (RFC 7515, section 7.1), and check the claims of RFC 7519 strictly.

The order of the checks is: size, shape, header, signature, claims. No claim is read before the
signature is verified. A header is accepted only if it names a key of the ring and the key's algorithm.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from drf_tessera.exceptions import (
    KeysUnavailable,
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

MAX_FOREIGN_HEADER_LENGTH: Final = 4096
"""The header of another issuer may carry a chain of certificates. Nobody reads the chain."""

_LATEST_DATE: Final = 253_402_300_799
"""The last second of the year 9999, the latest second that Python's ``datetime`` can represent."""


class Codec:
    """Signs and verifies the tokens of one type (``typ``) with one key ring."""

    __slots__ = ("_header", "_known_headers", "_ring", "_typ")

    def __init__(self, ring: KeyRing, *, typ: str) -> None:
        self._ring = ring
        self._typ = typ.lower()
        self._known_headers = {_write_header(key, typ): key for key in ring.keys}
        self._header = None if ring.signing is None else _write_header(ring.signing, typ)

    def encode(self, claims: Mapping[str, Any]) -> str:
        """Return a token with ``claims``, signed with the ring's signing key.

        Raises:
            TypeError, ValueError: a claim has no JSON form.
            TokenTooLarge: the token would be longer than the limit of :meth:`decode`.
            KeysUnavailable: no key may sign at the moment, or the signer outside of this process failed.
        """
        signing = self._ring.signing
        if signing is None or self._header is None:
            raise KeysUnavailable
        message = self._header + b"." + encode_base64url(encode_json(claims))
        token = message + b"." + encode_base64url(signing.sign(message))
        if len(token) > MAX_TOKEN_LENGTH:
            raise TokenTooLarge(
                f"The token would have {len(token)} characters, but the limit is {MAX_TOKEN_LENGTH}."
            )
        return token.decode()

    def decode(
        self, token: str, *, now: float, issuer: str, audience: Collection[str], skew: float
    ) -> tuple[dict[str, Any], Key]:
        """Verify ``token`` and return its claims, and the key that has signed it.

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
        claims, key = self._open(token)
        _check_dates(claims, now, skew)
        for name in ("sub", "jti"):
            if not isinstance(claims.get(name), str) or not claims[name]:
                raise TokenClaimInvalid(name)
        if _text(claims, "iss") != issuer:
            raise TokenWrongIssuer
        _check_audience(claims, audience)
        return claims, key

    def _open(self, token: str) -> tuple[dict[str, Any], Key]:
        message, header, payload, signature = _split(token)
        try:
            key = self._known_headers.get(header) or self._read_header(header)
            # Decode both segments before the signature check, so that a malformed token is always reported
            # as malformed.
            raw_signature, raw_payload = decode_base64url(signature), decode_base64url(payload)
            if not key.verify(message, raw_signature):
                raise TokenBadSignature
            return decode_json_object(raw_payload), key
        except EncodingError:
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


class Verifier:
    """Verifies the tokens of one other issuer, whose keys are not a ring of ours.

    An issuer may publish a key without its algorithm, and its tokens may lack claims that ours have. The rest
    is as strict as in :class:`Codec`: a token chooses one of ``keys`` by its ``kid``, and no other key.

    Args:
        types: the accepted values of ``typ``, in lower case. ``None`` among them accepts a token without it.
        audience_claim: the claim that names the audience.
    """

    __slots__ = ("_audience_claim", "_types")

    def __init__(self, *, types: Collection[str | None], audience_claim: str = "aud") -> None:
        self._types = frozenset(types)
        self._audience_claim = audience_claim

    def decode(
        self,
        token: str,
        find: Callable[[str | None, str], Collection[Key]],
        *,
        now: float,
        issuer: str,
        audience: Collection[str],
        skew: float,
    ) -> dict[str, Any]:
        """Verify ``token`` and return its claims.

        Args:
            token: any text that a client sent.
            find: returns the keys with a ``kid`` (or ``None``) for an ``alg``. It may raise a TokenError.
            now: the current time, in seconds since the epoch.
            issuer: the only ``iss`` that is accepted.
            audience: the audience claim must contain one of these.
            skew: as for :meth:`Codec.decode`.

        Raises:
            TokenError: the token is not accepted. The subclass states the reason.
        """
        message, header, payload, signature = _split(token)
        if len(header) > MAX_FOREIGN_HEADER_LENGTH:
            raise TokenTooLarge
        try:
            raw_header, raw_payload = decode_base64url(header), decode_base64url(payload)
            raw_signature = decode_base64url(signature)
        except EncodingError:
            raise TokenMalformed from None
        kid, alg = self._read_header(raw_header)
        if not any(key.verify(message, raw_signature) for key in find(kid, alg)):
            raise TokenBadSignature
        try:
            claims = decode_json_object(raw_payload)
        except EncodingError:
            raise TokenMalformed from None
        _check_dates(claims, now, skew, needs_start=False)
        if not _text(claims, "sub"):
            raise TokenClaimInvalid("sub")
        if _text(claims, "iss") != issuer:
            raise TokenWrongIssuer
        _check_audience(claims, audience, self._audience_claim)
        return claims

    def _read_header(self, raw: bytes) -> tuple[str | None, str]:
        """Return ``kid`` and ``alg``. Keys inside the header (``jwk``, ``jku``, ``x5u``) are never read."""
        try:
            header = decode_json_object(raw)
        except EncodingError:
            raise TokenMalformed from None
        if "crit" in header:
            raise TokenUnsupported  # RFC 7515, section 4.1.11: no extension is supported
        typ, kid, alg = header.get("typ"), header.get("kid"), header.get("alg")
        if isinstance(typ, str):
            typ = typ.lower().removeprefix("application/")
        elif typ is not None:
            raise TokenWrongType
        if typ not in self._types:
            raise TokenWrongType
        if not isinstance(alg, str):
            raise TokenUnsupported
        if kid is not None and not isinstance(kid, str):
            raise TokenKeyUnknown
        return kid, alg


def peek_issuer(token: str) -> str | None:
    """Return the ``iss`` that a token claims, before anything of it is verified.

    The result only chooses who verifies the token, and that issuer's own keys and name decide then. ``None``
    means that the text is not a token, or names no issuer.
    """
    if len(token) > MAX_TOKEN_LENGTH or token.count(".") != 2:
        return None
    try:
        issuer = decode_json_object(decode_base64url(token.split(".")[1].encode("ascii"))).get("iss")
    except (EncodingError, UnicodeEncodeError):
        return None
    return issuer if isinstance(issuer, str) else None


def peek_parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the header and the claims of a token. Nothing is verified, so they are only for show.

    A part that cannot be read is empty.
    """
    found: list[dict[str, Any]] = []
    for part in token[:MAX_TOKEN_LENGTH].split(".", 2)[:2]:
        try:
            found.append(decode_json_object(decode_base64url(part.encode("ascii"))))
        except (EncodingError, UnicodeEncodeError):
            found.append({})
    return found[0], found[1] if len(found) > 1 else {}


def _split(token: str) -> tuple[bytes, bytes, bytes, bytes]:
    """Return the signed part of a token, and the header, the payload and the signature as they were sent."""
    if len(token) > MAX_TOKEN_LENGTH:
        raise TokenTooLarge
    try:
        message, _, signature = token.encode("ascii").rpartition(b".")
    except UnicodeEncodeError:
        raise TokenMalformed from None
    header, dot, payload = message.partition(b".")
    if not dot or b"." in payload:
        raise TokenMalformed
    return message, header, payload, signature


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


def _check_dates(claims: Mapping[str, Any], now: float, skew: float, *, needs_start: bool = True) -> None:
    if now >= _date(claims, "exp"):
        raise TokenExpired
    not_before = _date(claims, "nbf") if "nbf" in claims else 0
    issued = _date(claims, "iat") if needs_start or "iat" in claims else 0
    if max(issued, not_before) > now + skew:
        raise TokenNotYetValid


def _check_audience(claims: Mapping[str, Any], accepted: Collection[str], name: str = "aud") -> None:
    value = claims.get(name)
    named = [value] if isinstance(value, str) else value
    if not isinstance(named, list) or not all(isinstance(item, str) for item in named):
        raise TokenClaimInvalid(name)
    if not any(item in accepted for item in named):
        raise TokenWrongAudience
