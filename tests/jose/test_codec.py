"""The strict parser. PyJWT is the second opinion: PyJWT must accept each token that the codec accepts."""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drf_tessera.exceptions import (
    TokenBadSignature,
    TokenClaimInvalid,
    TokenError,
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
from drf_tessera.jose.codec import Codec
from drf_tessera.jose.encoding import (
    EncodingError,
    decode_base64url,
    decode_json_object,
    encode_base64url,
    encode_json,
)
from drf_tessera.jose.keys import Key, KeyRing
from tests.jose.material import ALL, ASYMMETRIC, RSA, SECRET, make_key, write_private, write_public

pytestmark = pytest.mark.once  # no Django

NOW = 1_800_000_000
CLAIMS = {"iss": "us", "aud": "api", "sub": "1", "jti": "x", "iat": NOW, "exp": NOW + 300}
KEY = make_key("HS256")
CODEC = Codec(KeyRing([KEY]), typ="at+jwt")
HEADER = {"alg": "HS256", "kid": "k", "typ": "at+jwt"}


def decode(token: str, codec: Codec = CODEC, now: float = NOW) -> dict[str, Any]:
    return codec.decode(token, now=now, issuer="us", audience=("api", "other"), skew=5)[0]


def sign(header: Any, payload: Any) -> str:
    """Return a token of any parts, signed with the ring's key. Bytes stay unchanged; others become JSON."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    message = b".".join(encode_base64url(part) for part in parts)
    return (message + b"." + encode_base64url(KEY.sign(message))).decode()


@pytest.mark.slow
@pytest.mark.parametrize("alg", [alg for alg in ALL if alg != "Ed25519"])  # PyJWT does not know RFC 9864 yet
def test_pyjwt_reads_what_we_write_and_we_read_what_it_writes(alg: str) -> None:
    codec = Codec(KeyRing([make_key(alg)]), typ="at+jwt")
    token = codec.encode(CLAIMS)
    private: Any = SECRET if alg.startswith("HS") else write_private(ASYMMETRIC[alg])
    public: Any = SECRET if alg.startswith("HS") else write_public(ASYMMETRIC[alg])
    options: Any = {"verify_exp": False, "verify_iat": False}
    assert jwt.decode(token, public, [alg], options, audience="api", issuer="us") == CLAIMS
    assert decode(token, codec) == CLAIMS
    foreign = jwt.encode(CLAIMS, private, alg, headers={"kid": "k", "typ": "at+jwt"})
    assert decode(foreign, codec) == CLAIMS


def test_ed25519_is_the_name_of_rfc_9864_for_the_signature_of_eddsa() -> None:
    codec = Codec(KeyRing([make_key("Ed25519")]), typ="at+jwt")
    token = codec.encode(CLAIMS)
    message, _, signature = token.encode().rpartition(b".")
    ASYMMETRIC["Ed25519"].public_key().verify(decode_base64url(signature), message)
    assert decode(token, codec) == CLAIMS
    other = Codec(KeyRing([make_key("EdDSA")]), typ="at+jwt")
    with pytest.raises(TokenUnsupported):  # a key fixes its algorithm, so each key has one of the two names
        decode(token, other)


HEADERS: dict[str, tuple[Any, type[TokenError]]] = {
    "none": ({**HEADER, "alg": "none"}, TokenUnsupported),
    "None": ({**HEADER, "alg": "NoNe"}, TokenUnsupported),
    "another algorithm": ({**HEADER, "alg": "HS512"}, TokenUnsupported),
    "no algorithm": ({"kid": "k", "typ": "at+jwt"}, TokenUnsupported),
    "a list for an algorithm": ({**HEADER, "alg": ["HS256"]}, TokenUnsupported),
    "crit": ({**HEADER, "crit": ["b64"], "b64": False}, TokenUnsupported),
    "an empty crit": ({**HEADER, "crit": []}, TokenUnsupported),
    "no type": ({"alg": "HS256", "kid": "k"}, TokenWrongType),
    "JWT": ({**HEADER, "typ": "JWT"}, TokenWrongType),
    "a number for a type": ({**HEADER, "typ": 1}, TokenWrongType),
    "no kid": ({"alg": "HS256", "typ": "at+jwt"}, TokenKeyUnknown),
    "another kid": ({**HEADER, "kid": "x"}, TokenKeyUnknown),
    "a list for a kid": ({**HEADER, "kid": ["k"]}, TokenKeyUnknown),
    "no JSON": (b"{", TokenMalformed),
    "a list": ([HEADER], TokenMalformed),
    "a name twice": (b'{"alg":"HS256","alg":"HS256","kid":"k","typ":"at+jwt"}', TokenMalformed),
    "not UTF-8": (b'{"alg":"\xff"}', TokenMalformed),
    "a huge one": ({**HEADER, "x": "y" * 1000}, TokenTooLarge),
    "deep nesting": (b"[" * 700, TokenMalformed),
}


@pytest.mark.parametrize(("header", "error"), HEADERS.values(), ids=HEADERS)
def test_a_header_against_the_rules_is_refused(header: Any, error: type[TokenError]) -> None:
    with pytest.raises(TokenError) as found:
        decode(sign(header, CLAIMS))
    assert type(found.value) is error


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"])
def test_the_type_is_accepted_in_any_case_with_or_without_application(typ: str) -> None:
    assert decode(sign({**HEADER, "typ": typ}, CLAIMS)) == CLAIMS


def test_keys_in_the_header_are_never_read() -> None:
    own = {"kty": "oct", "k": "A" * 43}
    header = {**HEADER, "jwk": own, "jku": "https://evil.example/", "x5u": "https://evil.example/"}
    assert decode(sign(header, CLAIMS)) == CLAIMS
    message, _, _ = sign(header, CLAIMS).rpartition(".")
    forged = encode_base64url(Key.from_jwk(own, "HS256").sign(message.encode())).decode()
    with pytest.raises(TokenBadSignature):
        decode(f"{message}.{forged}")


def test_a_public_key_is_refused_as_a_secret() -> None:
    """Algorithm confusion: HS256 with the text of the RSA public key as its secret."""
    codec = Codec(KeyRing([make_key("RS256")]), typ="at+jwt")
    message = b".".join(encode_base64url(json.dumps(part).encode()) for part in (HEADER, CLAIMS))
    forged = encode_base64url(hmac.digest(write_public(RSA), message, "sha256"))
    with pytest.raises(TokenUnsupported):
        decode(f"{message.decode()}.{forged.decode()}", codec)


@pytest.mark.slow
@pytest.mark.parametrize("alg", ALL)
def test_any_changed_signature_is_refused(alg: str) -> None:
    codec = Codec(KeyRing([make_key(alg)]), typ="at+jwt")
    message, _, signature = codec.encode(CLAIMS).rpartition(".")
    raw = decode_base64url(signature.encode())
    changed = (b"", raw[:-1], raw + b"\0", raw[::-1], bytes(len(raw)), bytes([raw[0] ^ 128]) + raw[1:])
    for other in changed:
        with pytest.raises(TokenBadSignature):
            decode(f"{message}.{encode_base64url(other).decode()}", codec)


VALID = CODEC.encode(CLAIMS)
TEXTS = {
    "empty": "",
    "one part": "a",
    "two parts": ".".join(VALID.split(".")[:2]),
    "four parts": VALID + ".a",
    "five parts": VALID + ".a.b",
    "only dots": "..",
    "padding": VALID + "=",
    "a space": VALID + " ",
    "a line": VALID + "\n",
    "not ASCII": VALID + "\u00e9",
    "a lone surrogate": "\ud800" + VALID,
    "NUL": VALID + "\0",
    "the other alphabet": VALID[:-1] + "+",
    "a length that cannot be": VALID + "AA",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_malformed_text_is_refused(text: str) -> None:
    with pytest.raises(TokenMalformed):
        decode(text)


def test_trailing_bits_must_be_zero() -> None:
    """Otherwise two texts would be the same token. The last of the 43 letters has two unused bits."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = VALID[:-1] + alphabet[alphabet.index(VALID[-1]) ^ 1]
    assert base64.urlsafe_b64decode(twin.rpartition(".")[2] + "=") == base64.urlsafe_b64decode(
        VALID.rpartition(".")[2] + "="
    )
    with pytest.raises(TokenMalformed):
        decode(twin)


@pytest.mark.parametrize("size", [8193, 100_000, 10_000_000])
def test_a_long_text_is_not_parsed(size: int) -> None:
    with pytest.raises(TokenTooLarge):
        decode("a" * size)


def test_a_token_that_nobody_would_accept_is_not_written() -> None:
    with pytest.raises(TokenTooLarge, match="limit is 8192"):
        CODEC.encode({"x": "y" * 9000})
    with pytest.raises(ValueError, match="JSON compliant"):
        CODEC.encode({"x": float("nan")})
    with pytest.raises(TypeError):
        CODEC.encode({"x": object()})


PAYLOADS: dict[str, tuple[Any, type[TokenError]]] = {
    "no JSON": (b"{", TokenMalformed),
    "a list": ([1], TokenMalformed),
    "a name twice": (json.dumps(CLAIMS).encode()[:-1] + b',"sub":"2"}', TokenMalformed),
    "NaN": (b'{"exp":NaN}', TokenMalformed),
    "Infinity": (b'{"exp":Infinity}', TokenMalformed),
    "a number of 5,000 digits": (b'{"exp":' + b"9" * 5000 + b"}", TokenMalformed),
    "deep nesting": (b'{"a":' + b"[" * 5000, TokenMalformed),
    "UTF-16": (json.dumps(CLAIMS).encode("utf-16"), TokenMalformed),
    "expired now": ({**CLAIMS, "exp": NOW}, TokenExpired),
    "expired a while ago": ({**CLAIMS, "exp": NOW - 0.5}, TokenExpired),
    "a boolean for exp": ({**CLAIMS, "exp": True}, TokenClaimInvalid),
    "a text for exp": ({**CLAIMS, "exp": str(NOW + 1)}, TokenClaimInvalid),
    "exp beyond any date": ({**CLAIMS, "exp": 10**30}, TokenClaimInvalid),
    "exp as 1e400": (json.dumps(CLAIMS).encode().replace(b"1800000300", b"1e400"), TokenMalformed),
    "1e400 in a claim of the project's": (
        json.dumps(CLAIMS).encode()[:-1] + b',"x":[-1e400]}',
        TokenMalformed,
    ),
    "a lone surrogate in a value": (json.dumps({**CLAIMS, "x": ["\ud800"]}).encode(), TokenMalformed),
    "a lone surrogate in a name": (json.dumps({**CLAIMS, "\udfff": 1}).encode(), TokenMalformed),
    "a lone surrogate for a subject": (json.dumps({**CLAIMS, "sub": "\ud800"}).encode(), TokenMalformed),
    "900 levels": (
        json.dumps(CLAIMS).encode()[:-1] + b',"x":' + b"[" * 900 + b"]" * 900 + b"}",
        TokenMalformed,
    ),
    "64 levels below the claims": (
        json.dumps(CLAIMS).encode()[:-1] + b',"x":' + b"[" * 64 + b"]" * 64 + b"}",
        TokenMalformed,
    ),
    "exp below zero": ({**CLAIMS, "exp": -1}, TokenClaimInvalid),
    "iat from the future": ({**CLAIMS, "iat": NOW + 6}, TokenNotYetValid),
    "nbf from the future": ({**CLAIMS, "nbf": NOW + 5.5}, TokenNotYetValid),
    "a text for nbf": ({**CLAIMS, "nbf": "0"}, TokenClaimInvalid),
    "null for nbf": ({**CLAIMS, "nbf": None}, TokenClaimInvalid),
    "another issuer": ({**CLAIMS, "iss": "them"}, TokenWrongIssuer),
    "a list for an issuer": ({**CLAIMS, "iss": ["us"]}, TokenClaimInvalid),
    "another audience": ({**CLAIMS, "aud": "x"}, TokenWrongAudience),
    "no audience in the list": ({**CLAIMS, "aud": []}, TokenWrongAudience),
    "a number for an audience": ({**CLAIMS, "aud": 1}, TokenClaimInvalid),
    "a number in the list": ({**CLAIMS, "aud": ["api", 1]}, TokenClaimInvalid),
    "an empty subject": ({**CLAIMS, "sub": ""}, TokenClaimInvalid),
    "a number for a subject": ({**CLAIMS, "sub": 1}, TokenClaimInvalid),
    "a number for a jti": ({**CLAIMS, "jti": 1}, TokenClaimInvalid),
    **{
        f"no {name}": ({key: CLAIMS[key] for key in CLAIMS if key != name}, TokenClaimInvalid)
        for name in CLAIMS
    },
}


@pytest.mark.parametrize(("payload", "error"), PAYLOADS.values(), ids=PAYLOADS)
def test_a_wrong_claim_is_refused_although_the_signature_is_right(
    payload: Any, error: type[TokenError]
) -> None:
    with pytest.raises(TokenError) as found:
        decode(sign(HEADER, payload))
    assert type(found.value) is error


@pytest.mark.parametrize(
    "change",
    [{"aud": ["x", "other"]}, {"iat": NOW + 5}, {"nbf": NOW + 5}, {"exp": NOW + 0.5}, {"x": {"y": [None]}}],
    ids=str,
)
def test_correct_claims_are_accepted(change: dict[str, Any]) -> None:
    assert decode(sign(HEADER, {**CLAIMS, **change})) == {**CLAIMS, **change}


def test_claims_with_many_brackets_that_are_not_deep_are_accepted() -> None:
    more = {
        "x": "[{" * 200,
        "y": [[1]] * 100,
        "quote": '"[' * 50 + "\\",
        "emoji": "\U0001f600",
        "deep": nest(62),
    }
    token = CODEC.encode({**CLAIMS, **more})
    assert decode(token)["deep"] == more["deep"]


def test_claims_that_would_be_refused_are_not_signed() -> None:
    with pytest.raises(ValueError, match="64 levels"):
        CODEC.encode({**CLAIMS, "x": nest(64)})


def nest(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.mark.slow
@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_no_text_raises_anything_but_a_token_error(text: str) -> None:
    with pytest.raises(TokenError):
        decode(text)


@given(
    header=st.binary(max_size=60) | st.just(json.dumps(HEADER).encode()),
    payload=st.binary(max_size=60),
)
def test_no_bytes_under_our_signature_raise_anything_else(header: bytes, payload: bytes) -> None:
    with pytest.raises(TokenError):
        decode(sign(header, payload))


@given(st.integers(0, len(VALID) - 1), st.characters())
def test_one_changed_character_anywhere_is_refused(place: int, other: str) -> None:
    changed = VALID[:place] + other + VALID[place + 1 :]
    if changed != VALID:
        with pytest.raises(TokenError):
            decode(changed)


@given(st.binary())
def test_base64url_has_one_text_for_each_value(raw: bytes) -> None:
    text = encode_base64url(raw)
    assert decode_base64url(text) == raw
    assert text == base64.urlsafe_b64encode(raw).rstrip(b"=")


@given(st.binary())
def test_base64url_takes_no_other_text(text: bytes) -> None:
    with contextlib.suppress(EncodingError):
        assert encode_base64url(decode_base64url(text)) == text


@pytest.mark.slow
@given(st.dictionaries(st.text(), st.integers() | st.text() | st.none()))
def test_json_comes_back_as_it_was(value: dict[str, Any]) -> None:
    try:
        raw = encode_json(value)
    except UnicodeEncodeError:
        return  # a lone surrogate cannot be encoded in UTF-8
    assert decode_json_object(raw) == value
