"""Strict base64url and JSON. Each byte string has exactly one accepted base64url text."""

from __future__ import annotations

import binascii
import json
from typing import Any, Final, Never

from drf_tessera.exceptions import TesseraError

_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_TO_URLSAFE = bytes.maketrans(b"+/", b"-_")


class EncodingError(TesseraError):
    """The bytes are not strict base64url or JSON. Callers translate this error into their own error."""

    code = "encoding_invalid"
    default_detail = "Not well-formed."


def encode_base64url(raw: bytes) -> bytes:
    """Return the base64url text of ``raw``, without padding (RFC 7515, section 2)."""
    return binascii.b2a_base64(raw, newline=False).translate(_TO_URLSAFE).rstrip(b"=")


def decode_base64url(text: bytes) -> bytes:
    """Return the bytes of a canonical base64url text.

    Padding, white space, the standard alphabet and non-zero trailing bits are refused, because with any
    of them two different texts could mean the same token. The check encodes the result again and
    compares the texts, so the check cannot miss a case.

    Raises:
        EncodingError: ``text`` is not the text that :func:`encode_base64url` writes.
    """
    try:
        raw = binascii.a2b_base64(text.translate(_TO_STANDARD) + b"=" * (-len(text) % 4))
    except binascii.Error:
        raise EncodingError from None
    if encode_base64url(raw) != text:
        raise EncodingError
    return raw


def encode_json(value: Any) -> bytes:
    """Return ``value`` as compact JSON in UTF-8.

    Raises:
        TypeError, ValueError: a part of ``value`` has no JSON form, for example a date or NaN.
    """
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def decode_json_object(raw: bytes) -> dict[str, Any]:
    """Return the JSON object that ``raw`` encodes in UTF-8.

    An object with a repeated name is refused, because parsers disagree about which value counts, so two
    services could read two different users from one token. Other JSON values, NaN, Infinity, numbers
    with thousands of digits and too deep nesting are also refused.

    Raises:
        EncodingError: ``raw`` is not JSON, or is one of these cases.
    """
    try:
        value = _DECODER.decode(raw.decode())
    except (ValueError, RecursionError):
        raise EncodingError from None
    if not isinstance(value, dict):
        raise EncodingError
    return value


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate name")
    return found


def _refuse_constant(name: str) -> Never:
    raise ValueError(name)


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_refuse_duplicates, parse_constant=_refuse_constant)
