"""Strict base64url and JSON. Each byte string has exactly one accepted base64url text."""

from __future__ import annotations

import binascii
import json
import math
from typing import Any, Final, Never
from uuid import UUID

from drf_tessera.exceptions import TesseraError

_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_TO_URLSAFE = bytes.maketrans(b"+/", b"-_")


_ID_BYTES: Final = 16
_ID_TEXT: Final = 43
"""The number of characters of base64url for 32 bytes."""

MAX_DEPTH: Final = 64
"""Levels of lists and objects in JSON. A token needs a few."""


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


def decode_id(text: str, prefix: str) -> tuple[UUID, bytes]:
    """Return the id and the 16 further bytes of an opaque text: ``prefix``, and base64url of both.

    Raises:
        EncodingError: the text does not have this form.
    """
    if not text.startswith(prefix) or len(text) != len(prefix) + _ID_TEXT:
        raise EncodingError
    try:
        raw = decode_base64url(text.removeprefix(prefix).encode("ascii"))
    except UnicodeEncodeError:
        raise EncodingError from None
    return UUID(bytes=raw[:_ID_BYTES]), raw[_ID_BYTES:]


def encode_json(value: Any) -> bytes:
    """Return ``value`` as compact JSON in UTF-8.

    Raises:
        TypeError, ValueError: a part of ``value`` has no JSON form, for example a date or NaN, or
            :func:`decode_json_object` would refuse the text.
    """
    raw = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    if _is_deep(raw):
        raise ValueError(f"The value is nested more than {MAX_DEPTH} levels deep.")
    return raw


def decode_json_object(raw: bytes) -> dict[str, Any]:
    """Return the JSON object that ``raw`` encodes in UTF-8.

    An object with a repeated name is refused, because parsers disagree about which value counts, so two
    services could read two different users from one token. Values that break code after the signature was
    verified are refused too. NaN, Infinity and 1e400 have no JSON form again, and a lone surrogate has no
    UTF-8. More than :data:`MAX_DEPTH` levels can exhaust the stack of recursive code.

    Raises:
        EncodingError: ``raw`` is not JSON, or is one of these cases.
    """
    if _is_deep(raw):
        raise EncodingError
    try:
        value = _DECODER.decode(raw.decode())
        if b"\\u" in raw:
            # An escape is the only way in which a lone surrogate can come, because UTF-8 cannot encode it.
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise EncodingError from None
    if not isinstance(value, dict):
        raise EncodingError
    return value


def _is_deep(raw: bytes) -> bool:
    """Return whether JSON text is nested more than :data:`MAX_DEPTH` levels deep.

    Most text has fewer brackets than that, so the exact depth is rarely computed.
    """
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return False
    depth, quoted, escaped = 0, False, False
    for byte in raw:
        if quoted:
            quoted, escaped = escaped or byte != 0x22, byte == 0x5C and not escaped
        elif byte == 0x22:
            quoted = True
        elif byte in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif byte in b"]}":
            depth -= 1
    return False


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate name")
    return found


def _refuse_constant(name: str) -> Never:
    raise ValueError(name)


def _read_float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(text)
    return value


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_refuse_duplicates, parse_constant=_refuse_constant, parse_float=_read_float
)
