"""Tokens that PyJWT wrote: each case is verified, and each refusal is an error of PyJWT."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from django.test import override_settings

from drf_tessera.legacy.pyjwt import decode, describe_key, load_key, peek
from tests.jose.material import RSA, write_private

KEY = "k" * 40


def write(key: str = KEY, **claims: Any) -> str:
    return jwt.encode({"exp": int(time.time()) + 60, **claims}, key, algorithm="HS256")


def test_one_of_the_keys_has_to_fit() -> None:
    assert decode(write(a=1), ["x" * 40, KEY], algorithm="HS256")["a"] == 1
    with pytest.raises(jwt.InvalidSignatureError):
        decode(write(), ["x" * 40], algorithm="HS256")
    with pytest.raises(jwt.InvalidSignatureError):
        decode(write(), [], algorithm="HS256")


def test_the_caller_chooses_the_algorithm() -> None:
    for forged in (
        jwt.encode({"exp": 2**31}, "", algorithm="none"),
        jwt.encode({"exp": 2**31}, KEY * 2, "HS512"),
    ):
        with pytest.raises(jwt.InvalidTokenError):
            decode(forged, [KEY, KEY * 2], algorithm="HS256")


def test_a_token_has_to_expire() -> None:
    with pytest.raises(jwt.MissingRequiredClaimError):
        decode(jwt.encode({"a": 1}, KEY), [KEY], algorithm="HS256")
    with pytest.raises(jwt.ExpiredSignatureError):
        decode(write(exp=1), [KEY], algorithm="HS256")


def test_the_audience_is_checked_unless_the_caller_switches_the_check_off() -> None:
    token = write(aud="you")
    assert decode(token, [KEY], algorithm="HS256", audience="you")
    assert decode(token, [KEY], algorithm="HS256", any_audience=True)
    for audience in (None, "they"):
        with pytest.raises(jwt.InvalidAudienceError):
            decode(token, [KEY], algorithm="HS256", audience=audience)


def test_tokens_are_refused_from_the_moment_that_the_project_has_chosen() -> None:
    now = datetime.now(tz=UTC)
    with override_settings(TESSERA={"LEGACY_TOKENS_UNTIL": now + timedelta(minutes=1)}):
        assert decode(write(), [KEY], algorithm="HS256")
    with override_settings(TESSERA={"LEGACY_TOKENS_UNTIL": now}), pytest.raises(jwt.ExpiredSignatureError):
        decode(write(), [KEY], algorithm="HS256")
    with override_settings(TESSERA={"LEGACY_TOKENS_UNTIL": None}):
        assert decode(write(), [KEY], algorithm="HS256")


def test_a_recursion_error_of_pyjwt_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before 2.15, PyJWT did not catch the RecursionError."""

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise RecursionError

    monkeypatch.setattr(jwt, "decode", fail)
    for read in (peek, lambda raw: decode(raw, [KEY], algorithm="HS256")):
        with pytest.raises(jwt.DecodeError):
            read(write())


def test_a_key_is_described_in_the_form_of_the_setting() -> None:
    pem = write_private(RSA)
    assert describe_key("RS256", pem) == {"alg": "RS256", "pem": pem}
    assert describe_key("RS256", RSA)["jwk"]["kty"] == "RSA"
    assert load_key("RS256", pem)
    with pytest.raises((ValueError, jwt.InvalidKeyError)):
        load_key("RS256", "not a key")
