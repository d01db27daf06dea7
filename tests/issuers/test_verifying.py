"""Which tokens of other issuers are accepted, with keys that the settings have."""

from __future__ import annotations

import copy
import hmac
import json
import pickle
import time
from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey

from drf_tessera import exceptions
from drf_tessera.issuers import ForeignToken, is_foreign, recall_foreign_token, verify_foreign_token
from drf_tessera.issuers.verifying import REMEMBERED
from drf_tessera.jose.encoding import encode_base64url
from drf_tessera.jose.keys import Key
from tests.issuers.material import NAME, issuer, make_jwk, publish, write_claims, write_token

pytestmark = pytest.mark.once  # no database is asked

ONE, TWO = make_jwk("one"), make_jwk("two")


@pytest.fixture(autouse=True)
def _issuers(settings: Any) -> None:
    settings.TESSERA = {"ISSUERS": [issuer(ONE)]}


def refuse(token: str, code: str) -> None:
    assert is_foreign(token)
    with pytest.raises(exceptions.TokenError) as caught:
        verify_foreign_token(token)
    assert caught.value.code == code, caught.value


def test_a_token_of_the_issuer_is_accepted() -> None:
    token = write_token(ONE, write_claims(roles=["a"], extra={"b": [1]}))
    assert is_foreign(token)
    found = verify_foreign_token(token)
    assert (found.issuer, found.sub, found.scopes) == (NAME, "u1", {"read", "write"})
    assert found["extra"] == {"b": [1]}
    assert found.get("roles") == ["a"]
    assert found.get("nothing", 5) == 5
    with pytest.raises(TypeError):
        found.claims["extra"]["b"] = 2


def test_a_token_can_be_pickled_and_is_its_own_copy() -> None:
    found = verify_foreign_token(write_token(ONE, write_claims(extra={"b": [1]})))
    again = pickle.loads(pickle.dumps(found))  # noqa: S301 - our own pickle
    assert again == found
    assert again["extra"] == {"b": [1]}
    assert copy.copy(found) is found
    assert copy.deepcopy(found) is found
    assert "u1" in repr(found)
    assert "extra" not in repr(found)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"aud": "other"}, "token_wrong_audience"),
        ({"aud": ["other", "more"]}, "token_wrong_audience"),
        ({"aud": None}, "token_claim_invalid"),
        ({"aud": []}, "token_wrong_audience"),
        ({"exp": 1}, "token_expired"),
        ({"exp": None}, "token_claim_invalid"),
        ({"exp": True}, "token_claim_invalid"),
        ({"iat": time.time() + 1000}, "token_not_yet_valid"),
        ({"nbf": time.time() + 1000}, "token_not_yet_valid"),
        ({"iat": "soon"}, "token_claim_invalid"),
        ({"sub": ""}, "token_claim_invalid"),
        ({"sub": None}, "token_claim_invalid"),
        ({"sub": 5}, "token_claim_invalid"),
    ],
)
def test_a_claim_that_is_wrong_refuses_the_token(changes: dict[str, Any], code: str) -> None:
    refuse(write_token(ONE, write_claims(**changes)), code)


def test_claims_that_only_ours_have_may_be_missing() -> None:
    assert verify_foreign_token(write_token(ONE, write_claims(iat=None, scope=None))).scopes == frozenset()


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"typ": "JWT"}, "token_wrong_type"),
        ({"typ": None}, "token_wrong_type"),
        ({"typ": 5}, "token_wrong_type"),
        ({"alg": "none"}, "token_unsupported"),
        ({"alg": "None"}, "token_unsupported"),
        ({"alg": "HS256"}, "token_unsupported"),
        ({"alg": "RS256"}, "token_unsupported"),
        ({"alg": None}, "token_unsupported"),
        ({"kid": "other"}, "token_key_unknown"),
        ({"kid": ["one"]}, "token_key_unknown"),
        ({"kid": "../../one"}, "token_key_unknown"),
        ({"kid": "one' OR '1'='1"}, "token_key_unknown"),
        ({"crit": ["exp"]}, "token_unsupported"),
        ({"x5c": ["A" * 5000]}, "token_too_large"),
    ],
)
def test_a_header_that_is_wrong_refuses_the_token(header: dict[str, Any], code: str) -> None:
    refuse(write_token(ONE, write_claims(), **header), code)


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt"])
def test_a_type_has_several_spellings(typ: str) -> None:
    assert verify_foreign_token(write_token(ONE, write_claims(), typ=typ))


def test_keys_in_the_header_are_never_read() -> None:
    """The thief signs with a key of their own, and sends the key along."""
    sign = Key.from_jwk(TWO).sign
    for header in (
        {"jwk": publish(TWO)},
        {"jku": "http://127.0.0.1:1/keys"},
        {"x5u": "http://127.0.0.1:1/chain"},
        {"x5c": ["AAAA"]},
    ):
        refuse(write_token(ONE, write_claims(), sign, **header), "token_bad_signature")


def test_a_public_key_is_never_the_secret_of_a_mac(settings: Any) -> None:
    """The classic confusion: HS256, and the PEM of the public key as its secret."""
    rsa = make_jwk("rsa", "RS256")
    settings.TESSERA = {"ISSUERS": [issuer(ONE, rsa)]}
    for jwk, kind in ((ONE, ECKey), (rsa, RSAKey)):
        pem = kind.import_key(publish(jwk)).as_pem(private=False)
        for secret in (pem, pem.strip(), json.dumps(publish(jwk)).encode()):
            token = write_token(
                jwk, write_claims(), lambda raw, key=secret: hmac.digest(key, raw, "sha256"), alg="HS256"
            )
            refuse(token, "token_unsupported")


def test_a_secret_that_is_given_may_sign(settings: Any) -> None:
    secret = "a secret of the provider and of this server"
    settings.TESSERA = {"ISSUERS": [issuer(keys=[{"alg": "HS256", "secret": secret, "kid": "s"}])]}
    sign = Key.from_secret(secret.encode(), "HS256", "s").sign
    token = write_token({"alg": "HS256", "kid": "s"}, write_claims(), sign)
    assert verify_foreign_token(token).sub == "u1"
    refuse(
        write_token({"alg": "HS256", "kid": "s"}, write_claims(), lambda raw: b"0" * 32),
        "token_bad_signature",
    )


def test_one_of_several_keys_is_chosen_by_name_only(settings: Any) -> None:
    settings.TESSERA = {"ISSUERS": [issuer(ONE, TWO)]}
    assert verify_foreign_token(write_token(TWO, write_claims()))
    refuse(write_token(TWO, write_claims(), kid="one"), "token_bad_signature")
    refuse(write_token(TWO, write_claims(), kid=None), "token_key_unknown")


def test_a_token_without_a_key_name_needs_a_single_key() -> None:
    assert verify_foreign_token(write_token(ONE, write_claims(), kid=None))


def test_the_key_of_one_issuer_signs_for_no_other(settings: Any) -> None:
    settings.TESSERA = {"ISSUERS": [issuer(ONE), issuer(TWO, issuer="https://second.example")]}
    assert verify_foreign_token(write_token(TWO, write_claims(iss="https://second.example")))
    refuse(write_token(TWO, write_claims()), "token_key_unknown")
    refuse(write_token(TWO, write_claims(), kid="one"), "token_bad_signature")


def test_the_audience_may_stand_in_another_claim(settings: Any) -> None:
    settings.TESSERA = {"ISSUERS": [issuer(ONE, audience_claim="client_id", audience=["app", "web"])]}
    assert verify_foreign_token(write_token(ONE, write_claims(client_id="web", aud=None)))
    refuse(write_token(ONE, write_claims(client_id="other", aud="web")), "token_wrong_audience")
    refuse(write_token(ONE, write_claims(aud="web")), "token_claim_invalid")


@pytest.mark.parametrize(
    ("value", "accepted", "good"),
    [
        ("access", "access", True),
        ("id", "access", False),
        (None, "access", False),
        (True, True, True),
        (1, True, False),
        ("b", ["a", "b"], True),
        ("c", ["a", "b"], False),
        (["x", "b"], ["a", "b"], True),
        (["x"], ["a", "b"], False),
        ([], "access", False),
    ],
)
def test_a_further_claim_can_be_required(settings: Any, value: object, accepted: object, good: bool) -> None:
    settings.TESSERA = {"ISSUERS": [issuer(ONE, claims={"use": accepted})]}
    token = write_token(ONE, write_claims(use=value))
    if good:
        assert verify_foreign_token(token)
    else:
        refuse(token, "token_claim_invalid")


@pytest.mark.parametrize(
    ("value", "scopes"),
    [
        ("a b", {"a", "b"}),
        (" a  b ", {"a", "b"}),
        (["a", "b c", 5, ""], {"a", "b c"}),
        ({"a": 1}, set()),
        (5, set()),
        (None, set()),
    ],
)
def test_scopes_are_a_text_or_a_list(settings: Any, value: object, scopes: set[str]) -> None:
    settings.TESSERA = {"ISSUERS": [issuer(ONE, scope_claim="scp")]}
    assert verify_foreign_token(write_token(ONE, write_claims(scp=value))).scopes == scopes


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b",
        "a.b.c.d",
        "a.!.c",
        "a.é.c",
        "a.bnVsbA.c",
        f"a.{encode_base64url(b'{}').decode()}.c",
        f"a.{encode_base64url(json.dumps({'iss': 5}).encode()).decode()}.c",
        f"a.{encode_base64url(json.dumps({'iss': 'https://unknown.example'}).encode()).decode()}.c",
        f"a.{encode_base64url(json.dumps({'iss': NAME, 'pad': 'x' * 9000}).encode()).decode()}.c",
    ],
)
def test_a_text_that_names_no_issuer_is_left_to_our_own_rules(text: str) -> None:
    assert not is_foreign(text)


def test_without_issuers_no_token_is_foreign(settings: Any) -> None:
    settings.TESSERA = {}
    assert not is_foreign(write_token(ONE, write_claims()))


@pytest.mark.parametrize(
    ("place", "part"),
    [(0, "!"), (0, "bm8"), (2, "!"), (1, encode_base64url(b'{"iss":"%s"}' % NAME.encode()).decode())],
)
def test_a_broken_token_is_refused(place: int, part: str) -> None:
    parts = write_token(ONE, write_claims()).split(".")
    parts[place] = part
    refuse(".".join(parts), "token_bad_signature" if place == 1 else "token_malformed")


def test_a_signature_over_no_json_is_malformed() -> None:
    head, _, _ = write_token(ONE, write_claims()).split(".")
    # The peek and the verifier read the payload with one parser, so only the verifier itself is asked here.
    from drf_tessera.jose.codec import Verifier

    message = f"{head}.{encode_base64url(b'nothing').decode()}"
    signature = encode_base64url(Key.from_jwk(ONE).sign(message.encode())).decode()
    verifier = Verifier(types=("at+jwt",))
    rest: dict[str, Any] = {"now": time.time(), "issuer": NAME, "audience": ("api",), "skew": 0}
    keys = (Key.from_jwk(publish(ONE)),)
    for token, kind in (
        (f"{message}.{signature}", exceptions.TokenMalformed),
        ("a.b", exceptions.TokenMalformed),
        ("a.b.c.d", exceptions.TokenMalformed),
        ("é.b.c", exceptions.TokenMalformed),
        ("a" * 9000, exceptions.TokenTooLarge),
        (write_token(ONE, write_claims(iss="https://x.example")), exceptions.TokenWrongIssuer),
    ):
        with pytest.raises(kind):
            verifier.decode(token, lambda kid, alg: keys, **rest)


def test_a_verified_token_is_remembered_until_it_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    token = write_token(ONE, write_claims())
    assert recall_foreign_token("text") is None
    found = verify_foreign_token(token, credentials="text")
    assert recall_foreign_token("text") is found
    present = time.time()
    for moved in (REMEMBERED + 1, -100):
        monkeypatch.setattr(time, "time", lambda later=moved: present + later)
        assert recall_foreign_token("text") is None


def test_a_remembered_token_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    found = verify_foreign_token(
        write_token(ONE, write_claims(exp=int(time.time()) + 60)), credentials="text"
    )
    present = time.time()
    for moved, expected in ((50, found), (61, None)):
        monkeypatch.setattr(time, "time", lambda later=moved: present + later)
        assert recall_foreign_token("text") is expected


def test_a_change_of_settings_forgets_what_was_verified(settings: Any) -> None:
    verify_foreign_token(write_token(ONE, write_claims()), credentials="text")
    settings.TESSERA = {"ISSUERS": [issuer(TWO)]}
    assert recall_foreign_token("text") is None


def test_a_foreign_token_has_no_session() -> None:
    found = verify_foreign_token(write_token(ONE, write_claims(sid="6f3c2d50-0000-4000-8000-000000000000")))
    assert isinstance(found, ForeignToken)
    assert not hasattr(found, "session_id")
