"""Both tokens: their content, and the refusal of every other content."""

from __future__ import annotations

import hmac
import string
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.test import override_settings
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from drf_tessera import sessions
from drf_tessera.conf import LIMITS, transports
from drf_tessera.exceptions import (
    ProjectError,
    RefreshInvalid,
    TokenClaimInvalid,
    TokenError,
    TokenExpired,
    TokenMalformed,
)
from drf_tessera.jose.encoding import decode_base64url, encode_base64url
from drf_tessera.moments import from_timestamp as at
from drf_tessera.moments import to_timestamp
from drf_tessera.tokens import (
    SessionFacts,
    keystore,
    make_branch,
    mint_access_token,
    read_refresh_token,
    recall_access_token,
    verify_access_token,
    write_refresh_token,
)
from drf_tessera.tokens.keystore import get_issuer, get_keystore
from tests.conftest import bearer, make_user

NOW = 1_800_000_000
LOGIN = SessionFacts(
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
    token = verify_access_token(text, now=at(NOW))
    return {name: token[name] for name in token.claims}


class TestAccess:
    def test_has_the_claims_of_rfc_9068(self) -> None:
        text, expires_in = mint_access_token(replace(LOGIN, scope="a b"), {"plan": "x"}, at(NOW + 0.9))
        claims = claims_of(text)
        assert len(claims.pop("jti")) == 22
        assert expires_in == 300
        assert claims == {
            "iss": get_issuer(),
            "sub": "42",
            "aud": "drf-tessera",
            "iat": NOW,
            "exp": NOW + 300,
            "sid": str(LOGIN.session_id),
            "auth_time": NOW,
            "amr": ["pwd"],
            "acr": "pwd",
            "scope": "a b",
            "plan": "x",
        }

    def test_no_two_are_equal(self) -> None:
        assert mint_access_token(LOGIN, {}, at(NOW))[0] != mint_access_token(LOGIN, {}, at(NOW))[0]

    def test_has_its_claims_as_attributes(self) -> None:
        token = verify_access_token(mint_access_token(LOGIN, {"plan": "x"}, at(NOW))[0], now=at(NOW))
        assert (token["plan"], token.get("plan"), token.get("x", 5)) == ("x", "x", 5)
        assert (token.sub, token.session_id, token.expires_at) == ("42", LOGIN.session_id, NOW + 300)
        with pytest.raises(TypeError):
            token.claims["sub"] = "43"  # type: ignore[index]

    def test_names_every_audience(self) -> None:
        with override_settings(TESSERA={"AUDIENCE": ["a", "b"]}):
            assert claims_of(mint_access_token(LOGIN, {}, at(NOW))[0])["aud"] == ["a", "b"]

    @pytest.mark.parametrize(
        ("claim", "value"),
        [
            ("sid", None),
            ("sid", "x"),
            ("sid", "849AEBE4-0D65-4111-B93E-565E687BEC99"),
            ("sid", 5),
            ("auth_time", "1"),
            ("auth_time", True),
            ("amr", "pwd"),
            ("amr", [1]),
            ("scope", ["a"]),
        ],
    )
    def test_a_claim_of_ours_with_a_wrong_type_is_refused(self, claim: str, value: Any) -> None:
        claims = claims_of(mint_access_token(LOGIN, {}, at(NOW))[0])
        text = get_keystore().codec.encode({**claims, claim: value})
        with pytest.raises(TokenClaimInvalid) as found:
            verify_access_token(text, now=at(NOW))
        assert found.value.claim == claim

    def test_a_refresh_token_in_its_place_is_named_in_the_message(self) -> None:
        with pytest.raises(TokenMalformed, match="refresh token"):
            verify_access_token(TOKEN)


class TestRefresh:
    @pytest.mark.slow
    @given(
        sub=st.text(min_size=1, max_size=200),
        generation=st.integers(0, 2**31 - 2**16),
        secret=st.binary(min_size=16, max_size=16),
        amr=st.lists(st.text(max_size=5), max_size=3),
    )
    def test_comes_back_as_it_was(self, sub: str, generation: int, secret: bytes, amr: list[str]) -> None:
        login = replace(LOGIN, sub=sub, amr=tuple(amr))
        token = read_refresh_token(write_refresh_token(login, generation, secret))
        assert (token.facts, token.generation, token.secret) == (login, generation, secret)

    def test_can_be_found_by_secret_scanners(self) -> None:
        assert TOKEN.startswith("tsr_")

    @pytest.mark.slow
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
        body = b"\x03" + raw[1:-32]
        mac = hmac.digest(get_keystore().refresh_keys[0], body, "sha256")
        with pytest.raises(RefreshInvalid):
            read_refresh_token("tsr_" + encode_base64url(body + mac).decode())

    @pytest.mark.parametrize("branch", [0, 1, 2**31 - 1])
    def test_a_branch_is_read_as_it_was_written(self, branch: int) -> None:
        token = read_refresh_token(TOKEN)
        text = write_refresh_token(token.facts, token.generation, token.secret, branch)
        assert read_refresh_token(text) == replace(token, branch=branch)
        assert (text == TOKEN) == (branch == 0)

    def test_a_new_branch_fits_into_its_column_and_is_not_the_first(self) -> None:
        assert all(1 <= make_branch() < 2**31 for _ in range(1000))

    def test_its_key_signs_only_refresh_tokens(self) -> None:
        keys = get_keystore()
        message = b"message"
        assert not keys.ring.signing.verify(message, hmac.digest(keys.refresh_keys[0], message, "sha256"))


class TestSecretKey:
    def test_a_rotated_one_still_verifies_and_a_dropped_one_does_not(self, settings: Any) -> None:
        access = mint_access_token(LOGIN, {}, at(NOW))[0]
        old = settings.SECRET_KEY
        settings.SECRET_KEY = "another-secret-key-of-the-tests-and-nothing-else"
        with pytest.raises(RefreshInvalid):
            read_refresh_token(TOKEN)
        settings.SECRET_KEY_FALLBACKS = [old]
        assert read_refresh_token(TOKEN).facts == LOGIN
        assert verify_access_token(access, now=at(NOW)).sub == "42"
        assert write_refresh_token(LOGIN, 7, SECRET) != TOKEN, "the new key signs"


def test_times_of_a_project_without_time_zones() -> None:
    aware = timezone.now()
    naive = timezone.make_naive(aware)
    assert to_timestamp(naive) == to_timestamp(aware) == aware.timestamp()


def test_a_refresh_token_that_could_not_be_read_is_not_written() -> None:
    login = SessionFacts(
        session_id=uuid4(), sub="\U0001f600" * 200, auth_time=1, expires_at=2, amr=(), scope=""
    )
    assert read_refresh_token(write_refresh_token(login, 1, b"s" * 16)).facts == login
    with pytest.raises(ProjectError, match="key is too long"):
        write_refresh_token(replace(login, transport="cookie"), 1, b"s" * 16)  # cookies have a shorter limit
    with pytest.raises(ProjectError, match="The limit is 8192"):
        write_refresh_token(replace(login, sub="\U0001f600" * 1000), 1, b"s" * 16)


# -- Tokens that were verified before --------------------------------------------------------------


@pytest.mark.django_db
class TestRecall:
    NOW = 1_800_000_000

    def remember(self, **login: Any) -> str:
        """Verify a token of the current time, and cache it under a header."""
        whole = {"session_id": uuid4(), "sub": "1", "auth_time": self.NOW, "amr": (), "scope": ""}
        text, _ = mint_access_token(
            SessionFacts(**{"expires_at": self.NOW + 9999, **whole, **login}), {}, at(self.NOW)
        )
        verify_access_token(text, now=at(self.NOW), credentials=f"Bearer {text}")
        return f"Bearer {text}"

    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        class Clock:
            now = float(TestRecall.NOW)

            def time(self) -> float:
                return self.now

        found = Clock()
        monkeypatch.setattr("drf_tessera.tokens.access.time", found)
        return found

    def test_it_is_the_token_that_was_verified(self, clock: Any) -> None:
        header = self.remember()
        assert recall_access_token(header) is recall_access_token(header)
        assert recall_access_token(header) == verify_access_token(header.partition(" ")[2])

    def test_only_the_whole_token_recalls_it(self, clock: Any) -> None:
        header = self.remember()
        for other in (header[:-1], header + "=", header + "A", header.lower(), header[7:], ""):
            assert recall_access_token(other) is None

    def test_its_dates_are_looked_at_every_time(self, clock: Any) -> None:
        header = self.remember()
        for moment, good in ((-6, False), (-5, True), (0, True), (299.9, True), (300, False), (9999, False)):
            clock.now = self.NOW + moment
            assert (recall_access_token(header) is not None) == good

    def test_an_expired_one_is_verified_and_refused(self, clock: Any) -> None:
        header = self.remember()
        clock.now += 300
        with pytest.raises(TokenExpired):
            verify_access_token(header[7:])

    def test_its_own_end_counts_where_it_is_nearer(self, clock: Any) -> None:
        header = self.remember(expires_at=self.NOW + 10)
        clock.now += 10
        assert recall_access_token(header) is None

    @pytest.mark.parametrize(
        "changed",
        [
            {"TESSERA": {"KEYS": [{"alg": "HS256", "secret": "k" * 32}]}},
            {"TESSERA": {"ISSUER": "https://another.example"}},
            {"TESSERA": {"AUDIENCE": "another"}},
            {"SECRET_KEY": "another secret key of the tests and of nothing else"},
        ],
        ids=str,
    )
    def test_other_keys_or_settings_remember_nothing_of_it(self, clock: Any, changed: Any) -> None:
        header = self.remember()
        with override_settings(**changed):
            assert recall_access_token(header) is None
            with pytest.raises(TokenError):
                verify_access_token(header[7:], now=at(self.NOW))

    def test_a_refused_token_is_not_remembered(self, clock: Any) -> None:
        header = self.remember()
        with override_settings(TESSERA={"ISSUER": "https://another.example"}):
            with pytest.raises(TokenError):
                verify_access_token(header[7:], now=at(self.NOW), credentials=header)
            assert len(get_keystore().verified) == 0

    def test_it_is_bounded(self, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(keystore, "VERIFIED_TOKENS", 10)
        with override_settings(TESSERA={"CLOCK_SKEW": 4}):  # another keystore
            headers = [self.remember() for _ in range(50)]
            assert len(get_keystore().verified) <= 10
            assert recall_access_token(headers[-1]) is not None
            assert recall_access_token(headers[0]) is None


def test_a_token_is_never_taken_for_longer_than_the_present_lifetime() -> None:
    """The revocation of a session is kept for exactly this time."""
    now = 1_800_000_000
    login = SessionFacts(session_id=uuid4(), sub="1", auth_time=now, expires_at=now + 9999, amr=(), scope="")
    with override_settings(TESSERA={"ACCESS_LIFETIME": 3600}):
        text, seconds = mint_access_token(login, {}, at(now))
        assert seconds == 3600
        verify_access_token(text, now=at(now + 3599))
    verify_access_token(text, now=at(now + 299))
    with pytest.raises(TokenExpired):
        verify_access_token(text, now=at(now + 300))


def test_with_the_row_read_by_the_view_a_call_is_one_query(
    db: None, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.TESSERA = {"REVOCATION_POLL": 600, "REVOCATION_MAX_STALENESS": 600}
    header = bearer(sessions.start(make_user("anna")).access)
    client = APIClient()
    client.get("/me/", **header)
    with django_assert_num_queries(1):
        assert client.get("/name/", **header).json() == {"name": "anna"}


def test_nothing_that_a_view_does_to_a_token_is_there_in_the_next_request() -> None:
    """The token is cached, so a change would give permissions that nobody has granted."""
    login = SessionFacts(session_id=uuid4(), sub="1", auth_time=NOW, expires_at=NOW + 9, amr=(), scope="")
    text, _ = mint_access_token(login, {"roles": ["user"], "plan": {"seats": [1]}}, at(NOW))
    token = verify_access_token(text, now=at(NOW))
    token["roles"].append("admin")
    token.get("plan")["seats"].append(2)
    assert (token["roles"], token.get("plan"), token.get("none", 5)) == (["user"], {"seats": [1]}, 5)
    assert token.claims["roles"] == ("user",)
    with pytest.raises(TypeError):
        token.claims["plan"]["seats"] = ()


def test_a_refresh_token_of_a_transport_that_is_gone_is_refused(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    limits = transports.TransportLimits(profile="pigeon", refresh_length=4096)
    monkeypatch.setitem(transports.PROFILES, "pigeon", "pigeon")  # type: ignore[arg-type]  # the same
    settings.TESSERA = {"PROFILE": "pigeon"}
    monkeypatch.setitem(LIMITS, "pigeon", limits)  # type: ignore[arg-type]  # a mapping that code does not change
    token = str(sessions.start(anna, transport="pigeon").refresh)
    monkeypatch.undo()
    with pytest.raises(RefreshInvalid):
        read_refresh_token(token)
