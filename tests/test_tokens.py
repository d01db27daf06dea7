"""Both tokens: what is written, and that nothing else is read."""

from __future__ import annotations

import hmac
import string
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import override_settings
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from drf_tessera.exceptions import ProjectError, RefreshInvalid, TokenClaimInvalid, TokenMalformed
from drf_tessera.jose.encoding import decode_base64url, encode_base64url
from drf_tessera.keystore import get_keystore
from drf_tessera.tokens import (
    Login,
    mint_access_token,
    read_refresh_token,
    to_timestamp,
    verify_access_token,
    write_refresh_token,
)

NOW = 1_800_000_000
LOGIN = Login(
    session_id=UUID("6f9619ff-8b86-4d01-b42d-00cf4fc964ff"),
    sub="42",
    auth_time=NOW,
    expires_at=NOW + 9999,
    amr=("pwd",),
    scope="",
)
SECRET = b"0123456789abcdef"
TOKEN = write_refresh_token(LOGIN, 7, SECRET)


def claims_of(text: str) -> dict[str, Any]:
    return dict(verify_access_token(text, now=NOW).claims)


class TestAccess:
    def test_has_the_claims_of_rfc_9068(self) -> None:
        text, expires_in = mint_access_token(replace(LOGIN, scope="a b"), {"plan": "x"}, NOW + 0.9)
        claims = claims_of(text)
        assert len(claims.pop("jti")) == 22
        assert expires_in == 300
        assert claims == {
            "iss": "drf-tessera",
            "sub": "42",
            "aud": "drf-tessera",
            "iat": NOW,
            "exp": NOW + 300,
            "sid": str(LOGIN.session_id),
            "auth_time": NOW,
            "amr": ["pwd"],
            "scope": "a b",
            "plan": "x",
        }

    def test_no_two_are_alike(self) -> None:
        assert mint_access_token(LOGIN, {}, NOW)[0] != mint_access_token(LOGIN, {}, NOW)[0]

    def test_tells_its_claims(self) -> None:
        token = verify_access_token(mint_access_token(LOGIN, {"plan": "x"}, NOW)[0], now=NOW)
        assert (token["plan"], token.get("plan"), token.get("x", 5)) == ("x", "x", 5)
        assert (token.sub, token.session_id, token.expires_at) == ("42", LOGIN.session_id, NOW + 300)
        with pytest.raises(TypeError):
            token.claims["sub"] = "43"  # type: ignore[index]

    def test_names_every_audience(self) -> None:
        with override_settings(TESSERA={"AUDIENCE": ["a", "b"]}):
            assert claims_of(mint_access_token(LOGIN, {}, NOW)[0])["aud"] == ["a", "b"]

    @pytest.mark.parametrize(
        ("claim", "value"),
        [
            ("sid", None),
            ("sid", "x"),
            ("sid", str(uuid4()).upper()),
            ("sid", 5),
            ("auth_time", "1"),
            ("auth_time", True),
            ("amr", "pwd"),
            ("amr", [1]),
            ("scope", ["a"]),
        ],
    )
    def test_a_claim_of_ours_with_a_wrong_type_is_refused(self, claim: str, value: Any) -> None:
        claims = claims_of(mint_access_token(LOGIN, {}, NOW)[0])
        text = get_keystore().codec.encode({**claims, claim: value})
        with pytest.raises(TokenClaimInvalid) as found:
            verify_access_token(text, now=NOW)
        assert found.value.claim == claim

    def test_a_refresh_token_in_its_place_is_told(self) -> None:
        with pytest.raises(TokenMalformed, match="refresh token"):
            verify_access_token(TOKEN)


class TestRefresh:
    @given(
        sub=st.text(min_size=1, max_size=200),
        generation=st.integers(0, 2**32 - 1),
        secret=st.binary(min_size=16, max_size=16),
        amr=st.lists(st.text(max_size=5), max_size=3),
    )
    def test_comes_back_as_it_was(self, sub: str, generation: int, secret: bytes, amr: list[str]) -> None:
        login = replace(LOGIN, sub=sub, amr=tuple(amr))
        token = read_refresh_token(write_refresh_token(login, generation, secret))
        assert (token.login, token.generation, token.secret) == (login, generation, secret)

    def test_can_be_found_by_secret_scanners(self) -> None:
        assert TOKEN.startswith("tsr_")

    @given(st.text() | st.text(string.ascii_letters + string.digits + "-_", min_size=90).map("tsr_".__add__))
    def test_no_other_text_is_one(self, text: str) -> None:
        with pytest.raises(RefreshInvalid):
            read_refresh_token(text)

    @given(st.integers(0, len(TOKEN) - 1), st.characters())
    def test_no_changed_text_is_one(self, place: int, other: str) -> None:
        changed = TOKEN[:place] + other + TOKEN[place + 1 :]
        if changed != TOKEN:
            with pytest.raises(RefreshInvalid):
                read_refresh_token(changed)

    @pytest.mark.parametrize(
        "text",
        [TOKEN + "=", TOKEN + " ", " " + TOKEN, TOKEN.upper(), TOKEN[:-1], TOKEN + "A", "tsr_", TOKEN * 20],
    )
    def test_one_token_has_one_text(self, text: str) -> None:
        with pytest.raises(RefreshInvalid):
            read_refresh_token(text)

    def test_another_version_is_another_program_s(self) -> None:
        raw = decode_base64url(TOKEN.removeprefix("tsr_").encode())
        body = b"\x02" + raw[1:-32]
        mac = hmac.digest(get_keystore().refresh_keys[0], body, "sha256")
        with pytest.raises(RefreshInvalid):
            read_refresh_token("tsr_" + encode_base64url(body + mac).decode())

    def test_its_key_signs_nothing_else(self) -> None:
        keys = get_keystore()
        message = b"message"
        assert not keys.ring.signing.verify(message, hmac.digest(keys.refresh_keys[0], message, "sha256"))


class TestSecretKey:
    def test_a_rotated_one_still_verifies_and_a_dropped_one_does_not(self, settings: Any) -> None:
        access = mint_access_token(LOGIN, {}, NOW)[0]
        old = settings.SECRET_KEY
        settings.SECRET_KEY = "another-secret-key-of-the-tests-and-nothing-else"
        with pytest.raises(RefreshInvalid):
            read_refresh_token(TOKEN)
        settings.SECRET_KEY_FALLBACKS = [old]
        assert read_refresh_token(TOKEN).login == LOGIN
        assert verify_access_token(access, now=NOW).sub == "42"
        assert write_refresh_token(LOGIN, 7, SECRET) != TOKEN, "the new key signs"


def test_times_of_a_project_without_time_zones() -> None:
    aware = timezone.now()
    naive = timezone.make_naive(aware)
    assert to_timestamp(naive) == to_timestamp(aware) == aware.timestamp()


def test_a_refresh_token_that_could_not_be_read_is_not_written() -> None:
    login = Login(session_id=uuid4(), sub="\U0001f600" * 200, auth_time=1, expires_at=2, amr=(), scope="")
    with pytest.raises(ProjectError, match="key is too long"):
        write_refresh_token(login, 1, b"s" * 16)
