"""Base64url and JSON, read strictly: one byte string has one text."""

from __future__ import annotations

import binascii
import json
from typing import Any, Final, Never

from drf_tessera.exceptions import TesseraError

_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_TO_URLSAFE = bytes.maketrans(b"+/", b"-_")


class EncodingError(TesseraError):
    """These bytes are not base64url or JSON as we accept them; callers say what that means."""

    code = "encoding_invalid"
    default_detail = "Not well-formed."


def encode_base64url(raw: bytes) -> bytes:
    """Encode without padding (RFC 7515, section 2)."""
    return binascii.b2a_base64(raw, newline=False).translate(_TO_URLSAFE).rstrip(b"=")


def decode_base64url(text: bytes) -> bytes:
    """Decode the one canonical text of some bytes.

    Padding, white space, the other alphabet and non-zero trailing bits are refused: all of them
    would let two different texts mean the same token. Re-encoding the result and comparing is the
    whole check, and it cannot miss a case.

    Raises:
        EncodingError: this is not the text that :func:`encode_base64url` writes.
    """
    try:
        raw = binascii.a2b_base64(text.translate(_TO_STANDARD) + b"=" * (-len(text) % 4))
    except binascii.Error:
        raise EncodingError from None
    if encode_base64url(raw) != text:
        raise EncodingError
    return raw


def encode_json(value: Any) -> bytes:
    """Write compact JSON.

    Raises:
        TypeError, ValueError: something in ``value`` has no JSON form (a date, NaN ...).
    """
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def decode_json_object(raw: bytes) -> dict[str, Any]:
    """Read one JSON object in UTF-8.

    Refused: any other JSON value, a name that stands twice in an object (readers disagree which one
    counts, which is how two services come to see two different users in one token), NaN and
    Infinity, numbers of thousands of digits, nesting beyond the interpreter's stack.

    Raises:
        EncodingError: for each of these, and for anything that is not JSON.
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
