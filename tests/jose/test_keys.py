from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwk

from drf_tessera.exceptions import KeyMaterialError
from drf_tessera.jose.algorithms import generate_jwk
from drf_tessera.jose.encoding import encode_base64url
from drf_tessera.jose.keys import Key, KeyRing
from tests.jose.material import (
    ALL,
    ASYMMETRIC,
    ED448,
    ED25519,
    P256,
    P384,
    RSA,
    SECRET,
    SMALL_RSA,
    make_key,
    write_private,
    write_public,
)

pytestmark = pytest.mark.once  # no Django


@pytest.mark.slow
@pytest.mark.parametrize("alg", ALL)
def test_signs_and_verifies_only_its_own_messages(alg: str) -> None:
    key = make_key(alg)
    signature = key.sign(b"message")
    assert key.verify(b"message", signature)
    assert not key.verify(b"massage", signature)
    assert not key.verify(b"message", signature[:-1] + bytes([signature[-1] ^ 1]))
    assert not key.verify(b"message", b"")


@pytest.mark.slow
@pytest.mark.parametrize("alg", ASYMMETRIC)
def test_a_public_key_only_verifies(alg: str) -> None:
    public = Key.from_pem(write_public(ASYMMETRIC[alg]), alg)
    assert public.verify(b"m", make_key(alg).sign(b"m"))
    with pytest.raises(KeyMaterialError, match="can only verify"):
        public.sign(b"m")


BAD: dict[str, Any] = {
    "a secret that is too short": lambda: Key.from_secret(b"x" * 31),
    "one too short for HS512": lambda: Key.from_secret(b"x" * 63, "HS512"),
    "an empty secret": lambda: Key.from_secret(b""),
    "a secret for RS256": lambda: Key.from_secret(SECRET, "RS256"),
    "an unknown algorithm": lambda: Key.from_secret(SECRET, "HS257"),
    "no signature at all": lambda: Key.from_secret(SECRET, "none"),
    "an algorithm of another type": lambda: Key.from_secret(SECRET, []),  # type: ignore[arg-type]
    "a PEM for HS256": lambda: Key.from_pem(write_public(RSA), "HS256"),
    "no PEM": lambda: Key.from_pem(b"rubbish", "RS256"),
    "a broken PEM": lambda: Key.from_pem(b"-----BEGIN PRIVATE KEY-----\nAAAA\n", "RS256"),
    "a small RSA key": lambda: Key.from_pem(write_private(SMALL_RSA), "RS256"),
    "an EC key for RSA": lambda: Key.from_pem(write_private(P256), "RS256"),
    "another curve": lambda: Key.from_pem(write_private(P384), "ES256"),
    "Ed448": lambda: Key.from_pem(write_private(ED448), "EdDSA"),
    "an encrypted key without its password": lambda: Key.from_pem(write_private(RSA, b"pw"), "RS256"),
    "a JWK without an algorithm": lambda: Key.from_jwk({"kty": "oct", "k": "AAAA"}),
    "a JWK that is too short": lambda: Key.from_jwk({"kty": "oct", "k": "AAAA"}, "HS256"),
    "a JWK of another type": lambda: Key.from_jwk({"kty": "EC", "crv": "P-256"}, "HS256"),
    "a JWK for encryption": lambda: Key.from_jwk({"kty": "oct", "k": "A" * 43, "use": "enc"}, "HS256"),
    "a kid that is no text": lambda: Key.from_secret(SECRET, "HS256", 7),  # type: ignore[arg-type]
    "a kid that is too long": lambda: Key.from_secret(SECRET, "HS256", "k" * 129),
}


@pytest.mark.parametrize("make", BAD.values(), ids=BAD)
def test_a_key_that_cannot_work_is_refused(make: Any) -> None:
    with pytest.raises(KeyMaterialError) as found:
        make()
    assert found.value.code == "key_invalid"


def write_number(value: int) -> str:
    return encode_base64url(value.to_bytes((value.bit_length() + 7) // 8, "big")).decode()


N = RSA.public_key().public_numbers().n
RSA_JWK = {"kty": "RSA", "n": write_number(N), "e": "AQAB"}
P384_JWK = jwk.ECKey.import_key(write_public(P384)).as_dict()
SMALL_ORDER = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
]
WEAK: dict[str, tuple[str, dict[str, object], str]] = {
    "a secret for RSA": ("RS256", {"kty": "oct", "k": "AAAA" * 20}, "'kty' is 'RSA'"),
    "an RSA key for HMAC": ("HS256", RSA_JWK, "'kty' is 'oct'"),
    "a secret for Ed25519": ("EdDSA", {"kty": "oct", "k": "AAAA" * 20}, "'kty' is 'OKP'"),
    "RSA numbers under another type": ("RS256", {**RSA_JWK, "kty": "EC"}, "'kty' is 'RSA'"),
    "no type": ("RS256", {"n": RSA_JWK["n"], "e": "AQAB"}, "'kty' is 'RSA'"),
    "another curve": ("ES256", P384_JWK, "the curve P-256"),
    "another algorithm": ("RS256", {**RSA_JWK, "alg": "PS256"}, "is for 'PS256'"),
    "an even modulus": ("RS256", {**RSA_JWK, "n": write_number(N + 1)}, "is even"),
    "a huge modulus": ("PS256", {**RSA_JWK, "n": write_number((1 << 20_000) + 1)}, "At most 8192"),
    "a small modulus": ("RS256", {**RSA_JWK, "n": write_number((1 << 1024) + 1)}, "at least 2048"),
    "the exponent 3": ("RS256", {**RSA_JWK, "e": write_number(3)}, "public exponent"),
    "the exponent 17": ("PS512", {**RSA_JWK, "e": write_number(17)}, "public exponent"),
    "an even exponent": ("RS256", {**RSA_JWK, "e": write_number(65_538)}, "cannot be read"),
    "a huge exponent": ("RS256", {**RSA_JWK, "e": write_number((1 << 300) + 1)}, "public exponent"),
    "for encryption": ("RS256", {**RSA_JWK, "use": "enc"}, "its 'use' is not"),
    "a use that is a number": ("RS256", {**RSA_JWK, "use": 5}, "its 'use' is not"),
    "operations of encryption": ("RS256", {**RSA_JWK, "key_ops": ["encrypt"]}, "its 'key_ops'"),
    "no operations": ("RS256", {**RSA_JWK, "key_ops": []}, "its 'key_ops'"),
    "operations as a text": ("RS256", {**RSA_JWK, "key_ops": "verify"}, "its 'key_ops'"),
    "operations that are lists": ("RS256", {**RSA_JWK, "key_ops": [["verify"]]}, "its 'key_ops'"),
    **{
        f"point {point[:4]}...{point[-2:]}": (
            "EdDSA",
            {"kty": "OKP", "crv": "Ed25519", "x": encode_base64url(bytes.fromhex(point)).decode()},
            "small order",
        )
        for point in SMALL_ORDER
    },
}


@pytest.mark.parametrize(("alg", "value", "message"), WEAK.values(), ids=WEAK)
def test_a_weak_or_misused_key_is_refused_with_its_reason(
    alg: str, value: dict[str, object], message: str
) -> None:
    with pytest.raises(KeyMaterialError, match=message):
        Key.from_jwk(value, alg)


@pytest.mark.parametrize("exponent", [3, 17])
def test_a_weak_exponent_is_refused_in_pem_too(exponent: int) -> None:
    public = rsa.RSAPublicNumbers(exponent, N).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(KeyMaterialError, match="public exponent"):
        Key.from_pem(pem, "RS256")


@pytest.mark.parametrize("operations", [["sign"], ["sign", "verify"]])
def test_a_jwk_that_may_sign_verifies_what_it_signed(operations: list[str]) -> None:
    """RFC 7517, section 4.3: some libraries list only "sign" for a private key."""
    key = Key.from_jwk({"kty": "oct", "k": "A" * 43, "key_ops": operations}, "HS256")
    assert key.verify(b"m", key.sign(b"m"))


def test_an_encrypted_key_opens_with_its_password() -> None:
    key = Key.from_pem(write_private(RSA, b"pw"), "RS256", password=b"pw")
    assert Key.from_pem(write_public(RSA), "RS256").verify(b"m", key.sign(b"m"))


def test_the_vector_of_rfc_7638() -> None:
    """Section 3.1: the thumbprint of its RSA key, which is the default ``kid`` of a key."""
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPeb"
        "WKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368Q"
        "QMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2"
        "NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    key = Key.from_jwk({"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256"})
    assert key.kid == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_the_vector_of_rfc_8037() -> None:
    """Appendix A.4 and A.5: Ed25519 signs the example of the RFC."""
    private = {
        "kty": "OKP",
        "crv": "Ed25519",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    }
    signed = Key.from_jwk(private, "EdDSA").sign(b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc")
    expected = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    assert base64.urlsafe_b64encode(signed).rstrip(b"=").decode() == expected


def test_the_vector_of_rfc_7515_appendix_a_1() -> None:
    secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
    message = (
        b"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0"
        b"dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    )
    signed = Key.from_jwk({"kty": "oct", "k": secret}, "HS256").sign(message)
    assert base64.urlsafe_b64encode(signed).rstrip(b"=") == b"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


class TestRing:
    def test_the_newest_that_can_sign_does(self) -> None:
        old, new = make_key("HS256", "old"), make_key("EdDSA", "new")
        public = Key.from_pem(write_public(P256), "ES256", "foreign")
        ring = KeyRing([old, new, public])
        assert ring.signing is new
        assert ring.find("foreign") is public
        assert ring.find("unknown") is None

    def test_one_must_sign(self) -> None:
        with pytest.raises(KeyMaterialError, match="No key can sign"):
            KeyRing([Key.from_pem(write_public(P256), "ES256")])
        with pytest.raises(KeyMaterialError, match="No key can sign"):
            KeyRing([])

    def test_no_two_have_one_name(self) -> None:
        with pytest.raises(KeyMaterialError, match="share the kid 'k'"):
            KeyRing([make_key("HS256"), make_key("ES256")])

    @pytest.mark.slow
    def test_no_secret_is_shown(self) -> None:
        ring = KeyRing([make_key(alg, alg) for alg in ALL])
        shown = repr(ring)
        assert "0123456789abcdef" not in shown
        assert "PRIVATE" not in shown
        assert str(ED25519.private_bytes_raw().hex()) not in shown
        assert "lambda" not in shown


def test_a_secret_is_named_without_telling_it() -> None:
    first, again, other = Key.from_secret(SECRET), Key.from_secret(SECRET), Key.from_secret(SECRET[::-1])
    assert first.kid == again.kid != other.kid
    assert len(first.kid) == 11


def test_the_name_of_a_new_key_can_be_an_argument_of_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = jwk.JWKRegistry
    real = registry.generate_key

    def find(*, hyphen: bool) -> Any:
        while True:
            key = real("OKP", "Ed25519")
            if key.thumbprint().startswith("-") is hyphen:
                return key

    keys = [find(hyphen=True), find(hyphen=False)]
    monkeypatch.setattr(registry, "generate_key", lambda *args: keys.pop(0))
    assert not generate_jwk("Ed25519")["kid"].startswith("-")
    assert keys == []
