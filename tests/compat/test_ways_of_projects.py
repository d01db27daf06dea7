"""Ways in which projects patch, subclass and query the names of simplejwt.

``tests/compat/differential`` compares many more of them with the original. Here each database runs the ways
whose statements differ.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import jwt
import pytest
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import FieldError, ImproperlyConfigured
from rest_framework.test import APIClient
from rest_framework_simplejwt import listing
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.serializers import TokenBlacklistSerializer
from rest_framework_simplejwt.settings import APISettings, api_settings
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken
from rest_framework_simplejwt.utils import aware_utcnow

from drf_tessera import sessions
from drf_tessera.conf import get_settings
from drf_tessera.login import identify
from drf_tessera.models import Session
from tests.compat.originals import simplejwt_token
from tests.conftest import PASSWORD
from tests.settings import USER_MODEL

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.compat.simplejwt_urls"),
    pytest.mark.skipif(USER_MODEL != "auth.User", reason="the user model is not what is tested"),
]


def refresh(api: APIClient, text: str) -> int:
    return int(api.post("/api/token/refresh/", {"refresh": text}).status_code)


def write_row(user: Any, jti: str, **claims: Any) -> str:
    """Write the row of a refresh token of simplejwt, and return the token."""
    raw = simplejwt_token(user, jti=jti, **claims)
    until = aware_utcnow() + timedelta(days=1)
    OutstandingToken.objects.create(
        user=user, jti=jti, token=raw, created_at=aware_utcnow(), expires_at=until
    )
    return raw


# -- The rows of old tokens ------------------------------------------------------------------------


def test_an_old_token_and_its_session_have_one_row(api: APIClient, anna: AbstractBaseUser) -> None:
    raw = write_row(anna, "old")
    assert refresh(api, raw) == 200
    row = OutstandingToken.objects.get()
    assert row.jti == Session.objects.get().pk.hex == RefreshToken(raw)["jti"]
    assert row.token.startswith("tsh_")
    assert row.expires_at == Session.objects.get().expires_at.replace(microsecond=0)
    assert refresh(api, raw) == 200
    assert OutstandingToken.objects.get() == row


def test_the_text_of_an_old_token_finds_its_row_before_and_after_its_first_use(
    api: APIClient, anna: AbstractBaseUser
) -> None:
    raw, other = write_row(anna, "old"), write_row(anna, "other")
    before = OutstandingToken.objects.get(token=raw)
    assert refresh(api, raw) == 200
    assert OutstandingToken.objects.get(token=raw) == before
    RefreshToken(raw).blacklist()
    assert BlacklistedToken.objects.filter(token__token=raw).exists()
    assert not BlacklistedToken.objects.filter(token__token=other).exists()
    assert (refresh(api, raw), refresh(api, other)) == (401, 200)


def test_a_logout_of_all_but_one_spares_this_one_during_the_move(
    api: APIClient, anna: AbstractBaseUser
) -> None:
    keep, other = write_row(anna, "keep"), write_row(anna, "other")
    assert [refresh(api, keep), refresh(api, other)] == [200, 200]
    for row in OutstandingToken.objects.filter(user=anna).exclude(jti=RefreshToken(keep)["jti"]):
        BlacklistedToken.objects.get_or_create(token=row)
    assert [refresh(api, keep), refresh(api, other)] == [200, 401]


def test_a_forged_or_expired_old_token_finds_nothing(api: APIClient, anna: AbstractBaseUser) -> None:
    raw = write_row(anna, "old")
    assert refresh(api, raw) == 200
    for text in (
        simplejwt_token(anna, jti="old", key="another key" * 5),
        simplejwt_token(anna, jti="old", exp=int(time.time()) - 60),
        simplejwt_token(anna, jti="unknown"),
        "nonsense",
        "tsr_nonsense",
        "",
    ):
        assert not OutstandingToken.objects.filter(token=text).exists()


def test_an_old_token_without_a_row_gets_the_row_of_its_session(
    api: APIClient, anna: AbstractBaseUser
) -> None:
    raw = simplejwt_token(anna)
    assert refresh(api, raw) == 200
    assert OutstandingToken.objects.get(token=raw).jti == Session.objects.get().pk.hex


def test_without_the_app_there_is_nothing_to_find(
    api: APIClient, anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "APP", "not_installed")
    assert refresh(api, simplejwt_token(anna)) == 200
    assert listing.find_handle(Session.objects.get().pk) is None
    assert OutstandingToken.objects.count() == 0


# -- Lookups ---------------------------------------------------------------------------------------

LOOKUPS = ["exact", "iexact", "contains", "icontains", "startswith", "istartswith", "endswith", "in"]


@pytest.mark.slow
@pytest.mark.parametrize("lookup", LOOKUPS)
def test_each_lookup_finds_the_row_of_a_token(anna: AbstractBaseUser, lookup: str) -> None:
    raw, other = str(RefreshToken.for_user(anna)), str(RefreshToken.for_user(anna))
    value = [raw] if lookup == "in" else raw
    found = OutstandingToken.objects.get(**{f"token__{lookup}": value})
    assert found == OutstandingToken.objects.get(token=raw) != OutstandingToken.objects.get(token=other)


def test_other_lookups_are_those_of_a_text(anna: AbstractBaseUser) -> None:
    RefreshToken.for_user(anna)
    assert OutstandingToken.objects.filter(token__isnull=False, token__regex="^tsh_").count() == 1
    with pytest.raises(FieldError):
        OutstandingToken.objects.filter(token__nonsense="x").count()


# -- Lifetimes and ids -----------------------------------------------------------------------------


def test_a_patched_lifetime_shortens_a_session(api: APIClient, anna: AbstractBaseUser) -> None:
    with patch.object(RefreshToken, "lifetime", timedelta(seconds=60)):
        token = RefreshToken.for_user(anna)
    assert RefreshToken(str(token))["exp"] - time.time() <= 60
    with patch.object(RefreshToken, "lifetime", timedelta(seconds=-60)):
        assert refresh(api, str(RefreshToken.for_user(anna))) == 401


def test_a_usual_lifetime_shortens_nothing(anna: AbstractBaseUser) -> None:
    token = RefreshToken.for_user(anna)
    lifetime = get_settings().session_lifetime.total_seconds()
    assert abs(token["exp"] - time.time() - lifetime) < 60


def test_a_longer_lifetime_is_refused_before_a_session_begins(anna: AbstractBaseUser) -> None:
    with (
        patch.object(RefreshToken, "lifetime", timedelta(days=900)),
        pytest.raises(ImproperlyConfigured, match="may live longer"),
    ):
        RefreshToken.for_user(anna)
    assert Session.objects.count() == 0


def test_a_patched_clock_counts(anna: AbstractBaseUser, api: APIClient) -> None:
    with patch("rest_framework_simplejwt.tokens.aware_utcnow") as clock:
        clock.return_value = aware_utcnow() - timedelta(days=200)
        token = RefreshToken.for_user(anna)
        access = str(AccessToken.for_user(anna))
    assert refresh(api, str(token)) == 401
    with pytest.raises(TokenError):
        AccessToken(access)
    good = str(AccessToken.for_user(anna))
    with patch("rest_framework_simplejwt.tokens.aware_utcnow") as clock:
        clock.return_value = aware_utcnow() + timedelta(days=2)
        with pytest.raises(TokenError, match="'exp' claim has expired"):
            AccessToken(good)


@pytest.mark.parametrize(("claim", "value"), [("jti", "mine"), ("iat", 5)])
def test_claims_of_the_session_are_refused_before_it_begins(
    anna: AbstractBaseUser, claim: str, value: Any
) -> None:
    token = RefreshToken()
    with pytest.raises(ImproperlyConfigured):
        token[claim] = value


# -- Subclasses and patches ------------------------------------------------------------------------


class Strict(RefreshToken):
    def check_blacklist(self) -> None:
        super().check_blacklist()
        if self.get("stolen"):
            raise TokenError("reported as stolen")


class Noting(RefreshToken):
    ended: list[str]

    def blacklist(self) -> Any:
        type(self).ended = [self["jti"]]
        return super().blacklist()


class NotingSerializer(TokenBlacklistSerializer):
    token_class = Noting


def test_a_check_of_the_project_is_asked_for_each_token(anna: AbstractBaseUser) -> None:
    token = RefreshToken.for_user(anna)
    assert Strict(str(token))["jti"] == token["jti"]
    token["stolen"] = True
    with pytest.raises(TokenError, match="reported as stolen"):
        Strict(str(token))


def test_a_check_exp_of_the_project_is_asked(anna: AbstractBaseUser) -> None:
    class Early(AccessToken):
        def check_exp(self, *args: Any, **kwargs: Any) -> None:
            super().check_exp(*args, **kwargs)
            raise TokenError("too early")

    with pytest.raises(TokenError, match="too early"):
        Early(str(AccessToken.for_user(anna)))


def test_a_blacklist_method_of_the_project_is_called(api: APIClient, anna: AbstractBaseUser) -> None:
    token = RefreshToken.for_user(anna)
    serializer = NotingSerializer(data={"refresh": str(token)})
    assert serializer.is_valid(raise_exception=True)
    assert Noting.ended == [token["jti"]]
    assert refresh(api, str(token)) == 401


@pytest.mark.parametrize("serializer", [TokenBlacklistSerializer, NotingSerializer])
def test_no_serializer_accepts_a_handle(anna: AbstractBaseUser, serializer: Any) -> None:
    RefreshToken.for_user(anna)
    with pytest.raises(TokenError, match="Token is invalid"):
        serializer(data={"refresh": OutstandingToken.objects.get().token}).is_valid(raise_exception=True)
    assert sessions.live_sessions(anna.pk).count() == 1


def test_a_token_keeps_the_form_in_which_it_came(anna: AbstractBaseUser) -> None:
    raw = str(AccessToken.for_user(anna))
    assert (AccessToken(raw).token, AccessToken(raw.encode()).token) == (raw, raw.encode())
    assert str(AccessToken(raw.encode())) == raw


def test_a_function_in_place_of_authenticate_is_asked(anna: AbstractBaseUser, api: APIClient) -> None:
    body = {"username": "anna", "password": "wrong"}
    with patch("rest_framework_simplejwt.serializers.authenticate", return_value=anna):
        assert api.post("/api/token/", body).status_code == 200
    assert identify(None, {"username": "anna", "password": "wrong"}) is None
    assert identify(None, {"username": "anna", "password": PASSWORD}) == anna


def test_user_settings_that_a_test_changes_count(anna: AbstractBaseUser) -> None:
    api_settings.user_settings["USER_ID_CLAIM"] = "uid"
    api_settings.user_settings["ACCESS_TOKEN_LIFETIME"] = timedelta(seconds=70)
    try:
        token = AccessToken.for_user(anna)
        assert (token["uid"], token["exp"] - token["iat"]) == (str(anna.pk), 70)
    finally:
        del api_settings.user_settings["USER_ID_CLAIM"]
        del api_settings.user_settings["ACCESS_TOKEN_LIFETIME"]
    assert "user_id" in AccessToken.for_user(anna)


def test_settings_of_ones_own_are_a_dict_of_ones_own() -> None:
    given = {"USER_ID_CLAIM": "uid"}
    own = APISettings(given)
    own.user_settings["JTI_CLAIM"] = "id"
    assert given == {"USER_ID_CLAIM": "uid", "JTI_CLAIM": "id"}
    assert APISettings(own.user_settings).JTI_CLAIM == "id"


def test_an_old_token_without_a_time_is_refused_as_in_simplejwt(anna: AbstractBaseUser) -> None:
    body = {"token_type": "access", "user_id": str(anna.pk), "jti": "x"}
    with pytest.raises(TokenError, match="Token has no 'exp' claim"):
        AccessToken(jwt.encode(body, settings.SECRET_KEY, "HS256"))


@pytest.mark.parametrize("kind", [AccessToken, RefreshToken])
def test_a_patched_class_counts_at_a_refresh(kind: Any, anna: AbstractBaseUser, api: APIClient) -> None:
    class Short(AccessToken):
        lifetime = timedelta(minutes=1)

    raw = str(RefreshToken.for_user(anna))
    change = {"lifetime": Short.lifetime} if kind is AccessToken else {"access_token_class": Short}
    with patch.multiple(kind, **change):
        access = AccessToken(api.post("/api/token/refresh/", {"refresh": raw}).json()["access"])
    assert access["exp"] - access["iat"] == 60
