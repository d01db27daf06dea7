"""The names and formats of simplejwt, on drf-tessera."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
import time_machine
from django.apps import AppConfig
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import transaction
from django.test import RequestFactory, override_settings
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from rest_framework.fields import CharField
from rest_framework.test import APIClient
from rest_framework_simplejwt import authentication, legacy, logins, models, serializers, tokens
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import (
    ExpiredTokenError,
    TokenBackendError,
    TokenBackendExpiredToken,
    TokenError,
)
from rest_framework_simplejwt.models import TokenUser
from rest_framework_simplejwt.serializers import (
    TokenBlacklistSerializer,
    TokenObtainPairSerializer,
    TokenRefreshSerializer,
)
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.state import token_backend
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import (
    AccessToken,
    BlacklistMixin,
    RefreshToken,
    SlidingToken,
    Token,
    UntypedToken,
)
from rest_framework_simplejwt.views import TokenObtainPairView

from drf_tessera import sessions
from drf_tessera.conf import get_settings
from drf_tessera.exceptions import ProjectError, TemporarilyUnavailable
from drf_tessera.models import Session
from drf_tessera.revocation.feed import get_feed
from drf_tessera.tokens import get_issuer
from tests.compat.originals import simplejwt_token
from tests.conftest import PASSWORD, bearer
from tests.jose.material import RSA
from tests.servers import PATIENCE
from tests.settings import USER_MODEL

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.compat.simplejwt_urls"),
    pytest.mark.skipif(USER_MODEL != "auth.User", reason="the user model is not what is tested"),
]


def obtain(api: APIClient, user: AbstractBaseUser) -> dict[str, str]:
    answer = api.post("/api/token/", {"username": user.get_username(), "password": PASSWORD})
    assert answer.status_code == 200, answer.content
    return answer.json()


def refresh(api: APIClient, text: str) -> Any:
    return api.post("/api/token/refresh/", {"refresh": text})


def me(api: APIClient, token: object) -> Any:
    return api.get("/me/", **bearer(token))


def pass_grace() -> None:
    """Move the last rotation of each session into the past, beyond the longest window."""
    Session.objects.update(rotated_at=timezone.now() - timedelta(days=7))


def make_custom_token(user: Any) -> Any:
    token = RefreshToken.for_user(user)
    token["name"] = user.first_name
    return token


class NamedSerializer(TokenObtainPairSerializer):
    @classmethod
    def get_token(cls, user: Any) -> Any:
        token = super().get_token(user)
        token["name"] = user.first_name
        return token


# -- The views -------------------------------------------------------------------------------------


def test_log_in_call_refresh_log_out(api: APIClient, anna: AbstractBaseUser) -> None:
    pair = obtain(api, anna)
    assert pair.keys() == {"access", "refresh"}
    answer = me(api, pair["access"])
    assert answer.json()["pk"] == anna.pk
    assert answer.json()["claims"]["user_id"] == str(anna.pk)
    assert answer.json()["claims"]["token_type"] == "access"
    again = refresh(api, pair["refresh"]).json()
    assert again.keys() == {"access", "refresh"}
    assert again["refresh"] != pair["refresh"]
    assert me(api, again["access"]).status_code == 200
    assert api.post("/api/token/blacklist/", {"refresh": again["refresh"]}).json() == {}
    get_feed.forget()
    ended = me(api, again["access"])
    assert (ended.status_code, ended.json()["code"]) == (401, "token_not_valid")
    refused = refresh(api, again["refresh"])
    assert (refused.status_code, refused.json()["code"]) == (401, "token_not_valid")
    assert refused.json()["reason"] == "session_revoked"
    assert refused["WWW-Authenticate"] == 'Bearer realm="api"'


def test_a_replaced_refresh_token_ends_its_session(api: APIClient, anna: AbstractBaseUser) -> None:
    first = obtain(api, anna)["refresh"]
    second = refresh(api, first).json()["refresh"]
    pass_grace()
    third = refresh(api, second).json()["refresh"]
    pass_grace()
    assert refresh(api, first).json()["reason"] == "refresh_reused"
    assert refresh(api, third).json()["reason"] == "session_revoked"


@pytest.mark.slow
@pytest.mark.parametrize("stored", range(4))
@pytest.mark.parametrize("said", [{}, {"ROTATE_REFRESH_TOKENS": True}])
def test_a_client_may_store_the_refresh_token_of_any_answer(
    api: APIClient, anna: AbstractBaseUser, said: dict[str, Any], stored: int
) -> None:
    """Four requests at once get four answers in any order, and the client keeps the last one."""
    with override_settings(SIMPLE_JWT=said):
        text = obtain(api, anna)["refresh"]
        for _ in range(8):
            answers = [refresh(api, text) for _ in range(4)]
            assert {answer.status_code for answer in answers} == {200}
            text = answers[stored].json()["refresh"]
            pass_grace()


@pytest.mark.usefixtures("still_feed")
def test_a_protected_call_costs_no_query(
    api: APIClient, anna: AbstractBaseUser, django_assert_num_queries: Any
) -> None:
    access = obtain(api, anna)["access"]
    me(api, access)
    with django_assert_num_queries(0):
        assert me(api, access).status_code == 200


def test_shapes_of_errors(api: APIClient, anna: AbstractBaseUser) -> None:
    wrong = api.post("/api/token/", {"username": "anna", "password": "wrong"})
    assert wrong.status_code == 401
    assert wrong.json() == {"detail": "No active account found with the given credentials"}
    assert wrong.data["detail"].code == "no_active_account"
    assert api.post("/api/token/", {}).json() == {
        "username": ["This field is required."],
        "password": ["This field is required."],
    }
    assert refresh(api, "nonsense").json()["code"] == "token_not_valid"
    assert api.post("/api/token/blacklist/", {"refresh": "nonsense"}).status_code == 401
    header = api.get("/me/", HTTP_AUTHORIZATION="Bearer a b")
    assert (header.status_code, header.json()["code"]) == (401, "bad_authorization_header")
    assert api.get("/me/", HTTP_AUTHORIZATION="Basic a").status_code == 401


@pytest.mark.parametrize("raw", ["", "a.b.c", "tsr_", "tsr_xx", "\x00", "é", "a" * 100_000, "e30.e30."])
def test_no_text_is_a_server_error(api: APIClient, db: None, raw: str) -> None:
    for path, field in (("refresh", "refresh"), ("verify", "token"), ("blacklist", "refresh")):
        assert api.post(f"/api/token/{path}/", {field: raw}).status_code in {400, 401, 413}
    assert me(api, raw.encode("latin-1", "replace").decode("latin-1")).status_code == 401


def test_verify_takes_every_kind(api: APIClient, anna: AbstractBaseUser) -> None:
    pair = obtain(api, anna)
    for token in (*pair.values(), simplejwt_token(anna), simplejwt_token(anna, "access")):
        assert api.post("/api/token/verify/", {"token": token}).json() == {}
    assert api.post("/api/token/verify/", {"token": pair["access"] + "x"}).status_code == 401


def test_logins_are_throttled(api: APIClient, anna: AbstractBaseUser) -> None:
    wrong = {"username": "anna", "password": "wrong"}
    statuses = [api.post("/api/token/", wrong).status_code for _ in range(12)]
    assert statuses[-1] == 429


class ByAddress(TokenObtainPairSerializer):
    """A serializer of a project: it reads the address, although ``username_field`` has another name."""

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        del fields[self.username_field]
        return {"email": CharField(), **fields}

    def validate(self, auth: dict[str, Any]) -> dict[str, Any]:
        user = get_user_model()._default_manager.get(email=auth["email"])
        return super().validate({**auth, self.username_field: user.get_username()})


@override_settings(AUTHENTICATION_BACKENDS=["django.contrib.auth.backends.ModelBackend"])
def test_a_name_that_the_serializer_does_not_read_is_not_counted_in_place_of_the_one_it_reads(
    anna: AbstractBaseUser, rf: Any
) -> None:
    view = TokenObtainPairView.as_view(serializer_class=ByAddress)
    wrong = {"email": "anna@example.com", "password": "wrong"}
    found = [view(rf.post("/", {**wrong, "username": f"decoy {index}"})).status_code for index in range(12)]
    assert found == [401] * 10 + [429] * 2


def test_a_second_logout_is_refused_as_simplejwt_does(api: APIClient, anna: AbstractBaseUser) -> None:
    pair = obtain(api, anna)
    statuses = [api.post("/api/token/blacklist/", {"refresh": pair["refresh"]}).status_code for _ in range(2)]
    assert statuses == [200, 401]
    assert BlacklistedToken.objects.get().token.jti == Session.objects.get().pk.hex  # projects read it


@override_settings(SIMPLE_JWT={"UPDATE_LAST_LOGIN": True})
def test_last_login_is_written_if_asked_for(api: APIClient, anna: Any) -> None:
    obtain(api, anna)
    anna.refresh_from_db()
    assert anna.last_login is not None


def test_last_login_is_left_alone_by_default(api: APIClient, anna: Any) -> None:
    obtain(api, anna)
    anna.refresh_from_db()
    assert anna.last_login is None


def test_a_serializer_adds_claims_for_the_whole_session(api: APIClient, anna: Any) -> None:
    with override_settings(SIMPLE_JWT={"TOKEN_OBTAIN_SERIALIZER": f"{__name__}.NamedSerializer"}):
        pair = obtain(api, anna)
    assert me(api, pair["access"]).json()["claims"]["name"] == "Anna"
    again = refresh(api, pair["refresh"]).json()
    assert me(api, again["access"]).json()["claims"]["name"] == "Anna"


@override_settings(SIMPLE_JWT={"ROTATE_REFRESH_TOKENS": False})
def test_without_rotation_the_refresh_token_stays(api: APIClient, anna: AbstractBaseUser) -> None:
    text = obtain(api, anna)["refresh"]
    for _ in range(3):
        answer = refresh(api, text)
        assert answer.json().keys() == {"access"}
        assert me(api, answer.json()["access"]).status_code == 200
        pass_grace()


def _refuse_everybody(user: object) -> bool:
    return False


def test_the_projects_rule_is_asked_at_login_and_refresh(api: APIClient, anna: AbstractBaseUser) -> None:
    text = obtain(api, anna)["refresh"]
    with override_settings(SIMPLE_JWT={"USER_AUTHENTICATION_RULE": f"{__name__}._refuse_everybody"}):
        answers = refresh(api, text), api.post("/api/token/", {"username": "anna", "password": PASSWORD})
        assert [answer.status_code for answer in answers] == [401, 401]
        assert {answer.data["detail"].code for answer in answers} == {"no_active_account"}


def test_inactive_users_get_nothing(api: APIClient, anna: Any) -> None:
    text = obtain(api, anna)["refresh"]
    anna.is_active = False
    anna.save()
    assert refresh(api, text).status_code == 401
    assert api.post("/api/token/", {"username": "anna", "password": PASSWORD}).status_code == 401
    with pytest.raises(TokenError, match="not active"):
        RefreshToken.for_user(anna)


# -- Token objects ---------------------------------------------------------------------------------


def test_claims_of_both_tokens(api: APIClient, anna: Any) -> None:
    token = make_custom_token(anna)
    access = token.access_token
    access["only"] = "here"
    claims = me(api, access).json()["claims"]
    assert (claims["name"], claims["only"]) == ("Anna", "here")
    again = refresh(api, str(token)).json()["access"]
    assert me(api, again).json()["claims"]["name"] == "Anna"
    assert "only" not in me(api, again).json()["claims"]


def test_a_token_reads_as_a_dict(anna: AbstractBaseUser) -> None:
    token = RefreshToken.for_user(anna)
    assert token["token_type"] == "refresh"
    assert token["user_id"] == str(anna.pk)
    assert token.get("nothing", 1) == 1
    assert "exp" in token
    assert set(token) == set(token.payload)
    assert repr(token) == repr(token.payload)
    del token["user_id"]
    assert "user_id" not in token


def test_raw_tokens_are_read_again(anna: AbstractBaseUser) -> None:
    token = RefreshToken.for_user(anna)
    assert RefreshToken(str(token))["user_id"] == str(anna.pk)
    access = AccessToken(str(token.access_token))
    assert access["user_id"] == str(anna.pk)
    assert str(AccessToken(str(access).encode())) == str(access)
    assert access.session_id == token.current.facts.session_id
    assert UntypedToken(str(token))["token_type"] == "refresh"
    assert token_backend.decode(str(access))["user_id"] == str(anna.pk)


def test_an_access_token_can_be_signed_again_with_more(api: APIClient, anna: AbstractBaseUser) -> None:
    access = AccessToken(str(AccessToken.for_user(anna)))
    access["more"] = 1
    assert me(api, access).json()["claims"]["more"] == 1


def test_a_token_that_ends_its_session(api: APIClient, anna: AbstractBaseUser) -> None:
    token = RefreshToken.for_user(anna)
    text, access = str(token), str(token.access_token)
    token.check_blacklist()
    row, created = token.outstand()
    assert (row.jti, created) == (token["jti"], False)
    assert RefreshToken(text).blacklist()[1]
    with pytest.raises(TokenError, match="blacklisted"):
        token.check_blacklist()
    assert BlacklistedToken.objects.filter(token__jti=token["jti"]).count() == 1
    with pytest.raises(TokenError) as caught:
        RefreshToken(text)
    assert caught.value.code == "session_revoked"
    get_feed.forget()
    with pytest.raises(TokenError):
        AccessToken(access)


def test_a_life_can_be_shortened_and_not_lengthened(anna: AbstractBaseUser) -> None:
    access = RefreshToken.for_user(anna).access_token
    access.set_exp(lifetime=timedelta(seconds=200))
    assert AccessToken(str(access))["exp"] <= time.time() + 201
    access.set_exp(lifetime=timedelta(days=20))
    with pytest.raises(ImproperlyConfigured, match="ACCESS_TOKEN_LIFETIME at most"):
        str(access)
    with pytest.raises(ImproperlyConfigured, match="REFRESH_TOKEN_LIFETIME"):
        RefreshToken.for_user(anna).set_exp(lifetime=timedelta(days=20))
    token = RefreshToken.for_user(anna)
    until = token["exp"]
    token.set_exp(
        "another_time", lifetime=timedelta(hours=1)
    )  # a claim of the project, for its own check_exp()
    assert (RefreshToken(str(token))["exp"], token["exp"]) == (until, until)
    assert RefreshToken(str(token)).check_exp("another_time") is None  # type: ignore[func-returns-value]
    end = time.time() + 7200
    token.set_exp(lifetime=timedelta(hours=2))
    assert AccessToken(str(token.access_token))
    assert abs(RefreshToken(str(token))["exp"] - end) < PATIENCE
    assert abs(sessions.live_sessions(anna.pk)[0].expires_at.timestamp() - end) < PATIENCE
    token.set_exp(lifetime=timedelta(hours=1))
    with pytest.raises(ImproperlyConfigured, match="already signed"):
        token.set_exp(lifetime=timedelta(minutes=1))
    with pytest.raises(ImproperlyConfigured, match="just made"):
        RefreshToken(str(token)).set_exp(lifetime=timedelta(minutes=30))
    access.set_exp(lifetime=timedelta(0))
    with pytest.raises(TokenError):
        AccessToken(str(access))
    with pytest.raises(ImproperlyConfigured, match="REFRESH_TOKEN_LIFETIME"):
        RefreshToken.for_user(anna)["exp"] = 2**31


def test_lifetimes_are_those_in_force(anna: AbstractBaseUser) -> None:
    assert AccessToken.lifetime == RefreshToken.for_user(anna).access_token.lifetime == timedelta(minutes=5)
    with override_settings(SIMPLE_JWT={"ACCESS_TOKEN_LIFETIME": timedelta(minutes=7)}):
        assert AccessToken.lifetime == timedelta(minutes=7)
    with override_settings(SIMPLE_JWT={"REFRESH_TOKEN_LIFETIME": timedelta(days=3)}):
        assert RefreshToken.lifetime == RefreshToken.for_user(anna).lifetime == timedelta(days=3)


def test_a_refresh_token_of_another_life_is_refused_at_once() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"REFRESH_TOKEN_LIFETIME\. Increase .*, for all tokens"):
        type("RememberMe", (RefreshToken,), {"lifetime": timedelta(days=300)})


@pytest.mark.parametrize("parent", [AccessToken, RefreshToken, Token])
def test_a_token_for_another_purpose_is_refused_at_once(parent: type[Token]) -> None:
    """Otherwise the token would be valid as an access token for everything."""
    with pytest.raises(ImproperlyConfigured, match=r"django\.core\.signing"):
        type("PasswordReset", (parent,), {"token_type": "reset"})
    assert type("Mine", (parent,), {"token_type": parent.token_type})


def test_a_subclass_chooses_a_shorter_life(anna: AbstractBaseUser) -> None:
    class Brief(AccessToken):
        lifetime = timedelta(seconds=200)

    assert AccessToken(str(Brief.for_user(anna)))["exp"] <= time.time() + 201


def test_a_refused_use_raises_an_error_that_names_it(anna: AbstractBaseUser) -> None:
    with pytest.raises(TokenError, match="Sliding tokens"):
        SlidingToken.for_user(anna)
    with pytest.raises(TokenError, match="without verification"):
        AccessToken("x", verify=False)
    with pytest.raises(TokenError, match="for_user"):
        str(AccessToken())
    with pytest.raises(TokenError, match="for_user"):
        str(RefreshToken())
    token = RefreshToken(str(RefreshToken.for_user(anna)))
    with pytest.raises(ImproperlyConfigured, match="rotate"):
        token.set_jti()
    with pytest.raises(Exception, match="for_user"):
        token_backend.encode({})
    with pytest.raises(Exception, match="Token is invalid"):
        token_backend.decode("x")


def test_check_exp(anna: AbstractBaseUser) -> None:
    access = AccessToken.for_user(anna)
    access.check_exp()
    with pytest.raises(TokenError, match="no 'other' claim"):
        access.check_exp("other")
    access.set_exp(lifetime=timedelta(seconds=-1))
    with pytest.raises(TokenError, match="has expired"):
        access.check_exp()


def test_the_stateless_user(api: APIClient, anna: AbstractBaseUser) -> None:
    token = RefreshToken.for_user(anna)
    token["color"] = "green"
    answer = api.get("/stateless/", **bearer(token.access_token))
    assert answer.json() == {"pk": str(anna.pk), "kind": "TokenUser"}
    user = TokenUser(AccessToken(str(token.access_token)))
    assert (user.color, user.nothing, user.username, str(user)) == ("green", None, "", f"TokenUser {anna.pk}")
    assert user == TokenUser(AccessToken.for_user(anna))
    assert len({user, TokenUser(AccessToken.for_user(anna))}) == 1
    assert user != object()
    assert not (user.is_staff)
    assert not (user.is_superuser)
    assert not (user.has_perm("x"))
    assert not (user.has_perms(["x"]))
    assert not (user.has_module_perms("x"))
    assert not (user.get_all_permissions())
    assert not (user.get_group_permissions())
    assert not (user.groups.exists())
    assert not (user.user_permissions.exists())
    assert user.get_username() == ""
    with pytest.raises(NotImplementedError):
        user.save()


# -- Tokens that simplejwt issued before ------------------------------------------------------------


def test_an_old_access_token_is_taken_until_it_expires(api: APIClient, anna: AbstractBaseUser) -> None:
    assert me(api, simplejwt_token(anna, "access")).json()["pk"] == anna.pk
    assert me(api, simplejwt_token(anna, "access", exp=int(time.time()) - 1)).status_code == 401
    with pytest.raises(ExpiredTokenError):
        AccessToken(simplejwt_token(anna, "access", exp=1))


def test_an_old_refresh_token_starts_one_session(api: APIClient, anna: AbstractBaseUser) -> None:
    old = simplejwt_token(anna, name="Anna")
    first = refresh(api, old).json()
    assert first.keys() == {"access", "refresh"}
    assert first["refresh"].startswith("tsr_")
    assert me(api, first["access"]).json()["claims"]["name"] == "Anna"
    assert Session.objects.filter(user=anna).count() == 1
    pass_grace()
    second = refresh(api, first["refresh"])
    assert second.status_code == 200
    assert Session.objects.filter(user=anna).count() == 1


def test_a_second_use_of_an_old_refresh_token_is_reuse(api: APIClient, anna: AbstractBaseUser) -> None:
    old = simplejwt_token(anna)
    first = refresh(api, old).json()["refresh"]
    pass_grace()
    second = refresh(api, first).json()["refresh"]
    pass_grace()
    again = refresh(api, old)
    assert (again.status_code, again.json()["reason"]) == (401, "refresh_reused")
    assert refresh(api, second).json()["reason"] == "session_revoked"


@override_settings(TESSERA={"REFRESH_GRACE": 0, "REFRESH_RECOVERIES": 0})
def test_it_is_reuse_at_once_under_strict_rotation(api: APIClient, anna: AbstractBaseUser) -> None:
    old = simplejwt_token(anna)
    assert refresh(api, old).status_code == 200
    assert refresh(api, old).json()["reason"] == "refresh_reused"


@pytest.mark.slow
@pytest.mark.parametrize("legacy", [True, False])
def test_a_client_that_keeps_no_new_token_goes_on(
    api: APIClient, anna: AbstractBaseUser, legacy: bool
) -> None:
    """simplejwt issued no new token, unless the project set ``ROTATE_REFRESH_TOKENS``."""
    text = simplejwt_token(anna) if legacy else obtain(api, anna)["refresh"]
    ends = set()
    for count in range(12):
        answer = refresh(api, text)
        assert answer.status_code == 200
        if count >= 6:
            ends.add(Session.objects.get().idle_expires_at)
            assert RefreshToken(text).payload["user_id"] == str(anna.pk)
        pass_grace()
    assert len(ends) == 1  # and the session does not last longer
    assert refresh(api, answer.json()["refresh"]).status_code == 200
    pass_grace()
    assert refresh(api, text).json()["reason"] == "refresh_reused"


@pytest.mark.slow
@pytest.mark.parametrize(
    "said", [{"SIMPLE_JWT": {"ROTATE_REFRESH_TOKENS": True}}, {"TESSERA": {"REFRESH_RECOVERIES": 5}}]
)
def test_a_setting_without_rotation_keeps_the_tokens(
    api: APIClient, anna: AbstractBaseUser, said: dict[str, Any]
) -> None:
    with override_settings(**said):
        old = simplejwt_token(anna)
        for _ in range(6):
            assert refresh(api, old).status_code == 200
            pass_grace()
        assert refresh(api, old).json()["reason"] == "refresh_lost"


def verify(api: APIClient, text: str) -> Any:
    return api.post("/api/token/verify/", {"token": text})


@pytest.mark.slow
def test_verify_knows_what_became_of_an_old_refresh_token(api: APIClient, anna: AbstractBaseUser) -> None:
    old = simplejwt_token(anna)
    assert verify(api, old).status_code == 200
    assert refresh(api, old).status_code == 200
    sessions.revoke_all(anna)
    assert verify(api, old).json()["reason"] == "session_revoked"
    other = simplejwt_token(anna, jti="abc")
    row = OutstandingToken.objects.create(user=anna, jti="abc", token=other, expires_at=timezone.now())
    BlacklistedToken.objects.create(token=row)
    assert verify(api, other).status_code == 401


def test_verify_takes_an_old_token_by_what_was_signed(api: APIClient, anna: AbstractBaseUser) -> None:
    old = simplejwt_token(anna)
    header, _, signature = old.split(".")
    broken = ".".join((header, "bm9uc2Vuc2U", signature))
    assert verify(api, broken).status_code == 401
    assert verify(api, simplejwt_token(anna, "access")).status_code == 200
    with override_settings(SIMPLE_JWT={"TOKEN_TYPE_CLAIM": None}):
        assert verify(api, old).status_code == 200


@override_settings(SIMPLE_JWT={"USER_ID_FIELD": "date_joined"})
def test_a_malformed_user_id_is_refused_without_a_server_error(
    api: APIClient, anna: AbstractBaseUser
) -> None:
    assert refresh(api, simplejwt_token(anna)).status_code == 401
    assert me(api, simplejwt_token(anna, "access")).json()["code"] == "user_not_found"


# -- simplejwt's tables ----------------------------------------------------------------------------


def test_a_login_writes_one_row_and_a_refresh_none(api: APIClient, anna: AbstractBaseUser) -> None:
    text = obtain(api, anna)["refresh"]
    row = OutstandingToken.objects.get()
    assert (row.user, row.jti) == (anna, RefreshToken(text)["jti"])
    assert row.token.startswith("tsh_")
    assert row.expires_at > row.created_at
    pass_grace()
    assert refresh(api, text).status_code == 200
    assert OutstandingToken.objects.count() == 1


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [True, False])
def test_rows_log_out_everywhere(api: APIClient, anna: AbstractBaseUser, at_once: bool) -> None:
    """Many projects blacklist each row of a user, including rows of simplejwt and rows of sessions."""
    ours, old = obtain(api, anna)["refresh"], simplejwt_token(anna, jti="abc")
    OutstandingToken.objects.create(user=anna, jti="abc", token=old, expires_at=timezone.now())
    begun = refresh(api, old).json()["refresh"]
    rows = OutstandingToken.objects.filter(user=anna)
    if at_once:
        BlacklistedToken.objects.bulk_create(BlacklistedToken(token=row) for row in rows)
    else:
        for row in rows:
            BlacklistedToken.objects.get_or_create(token=row)
    for text in (ours, old, begun):
        assert refresh(api, text).status_code == 401
    assert not Session.objects.filter(revoked_at=None).exists()


@pytest.mark.slow
def test_the_admin_shows_no_token_and_ends_sessions(client: Any, anna: Any, api: APIClient) -> None:
    anna.is_staff = anna.is_superuser = True
    anna.save()
    client.force_login(anna)
    text = obtain(api, anna)["refresh"]
    secret = simplejwt_token(anna)
    old = OutstandingToken.objects.create(
        user=anna, jti="the-old-one", token=secret, expires_at=timezone.now()
    )
    with override_settings(ROOT_URLCONF="tests.urls"):
        there = "/admin/token_blacklist/outstandingtoken/"
        assert "the-old-one" in client.get(there, {"q": "the-old-one"}).content.decode()
        page = client.get(f"{there}{old.pk}/change/")
        assert page.status_code == 200
        assert secret not in page.content.decode()
        assert client.post(f"{there}{old.pk}/change/", {}).status_code == 403
        row = OutstandingToken.objects.exclude(pk=old.pk).get()
        added = client.post("/admin/token_blacklist/blacklistedtoken/add/", {"token": row.pk})
        assert added.status_code == 302
        assert "the-old-one" not in client.get("/admin/token_blacklist/blacklistedtoken/").content.decode()
    assert refresh(api, text).json()["reason"] == "session_revoked"


def test_two_tabs_and_a_lost_answer_survive_the_move(api: APIClient, anna: AbstractBaseUser) -> None:
    old = simplejwt_token(anna)
    assert refresh(api, old).status_code == 200  # its answer is lost
    assert refresh(api, old).status_code == 200  # the second tab
    pass_grace()
    recovered = refresh(api, old).json()["refresh"]
    pass_grace()
    assert refresh(api, recovered).status_code == 200


def test_a_blacklisted_old_token_is_refused(api: APIClient, anna: Any) -> None:
    old = simplejwt_token(anna, jti="abc")
    row = OutstandingToken.objects.create(user=anna, jti="abc", token=old, expires_at=timezone.now())
    BlacklistedToken.objects.create(token=row)
    assert refresh(api, old).status_code == 401
    assert not Session.objects.exists()
    assert str(row)
    assert str(BlacklistedToken.objects.get())


def test_an_old_token_can_be_logged_out(api: APIClient, anna: AbstractBaseUser) -> None:
    old = simplejwt_token(anna)
    assert api.post("/api/token/blacklist/", {"refresh": old}).status_code == 200
    assert refresh(api, old).json()["reason"] == "session_revoked"


def test_an_ended_old_token_stays_ended_after_pruning(api: APIClient, anna: AbstractBaseUser) -> None:
    old = simplejwt_token(anna, exp=int(time.time()) + 30 * 86_400)
    api.post("/api/token/blacklist/", {"refresh": old})
    later = timezone.now() + timedelta(days=10)
    assert sessions.prune(now=later) == 0
    assert refresh(api, old).json()["reason"] == "session_revoked"
    assert sessions.prune(now=timezone.now() + timedelta(days=32)) == 1


def test_a_logout_everywhere_ends_what_an_old_token_began(api: APIClient, anna: AbstractBaseUser) -> None:
    old = simplejwt_token(anna)
    text = refresh(api, old).json()["refresh"]
    sessions.revoke_all(anna)
    assert refresh(api, text).status_code == refresh(api, old).status_code == 401


@pytest.mark.parametrize(
    "change",
    [
        {"key": "x" * 40},
        {"token_type": "access"},
        {"user_id": "999999"},
        {"user_id": "01"},
        {"user_id": None},
        {"jti": None},
        {"jti": 7},
        {"exp": 1},
        {"token_type": None},
    ],
)
def test_a_token_that_simplejwt_would_refuse_is_refused(
    api: APIClient, anna: AbstractBaseUser, change: dict[str, Any]
) -> None:
    assert refresh(api, simplejwt_token(anna, **change)).status_code == 401
    assert not Session.objects.exists()


@pytest.mark.parametrize("algorithm", ["none", "HS512"])
def test_no_other_algorithm_is_taken(api: APIClient, anna: AbstractBaseUser, algorithm: str) -> None:
    claims = jwt.decode(simplejwt_token(anna, "access"), options={"verify_signature": False})
    forged = jwt.encode(claims, "" if algorithm == "none" else settings.SECRET_KEY * 2, algorithm=algorithm)
    assert me(api, forged).status_code == 401


def test_an_old_access_token_is_refused_as_a_refresh_token(api: APIClient, anna: AbstractBaseUser) -> None:
    assert refresh(api, simplejwt_token(anna, "access")).status_code == 401
    assert me(api, simplejwt_token(anna)).status_code == 401


def test_old_tokens_of_users_who_are_gone_or_inactive(api: APIClient, anna: Any, bob: Any) -> None:
    gone, idle = simplejwt_token(anna, "access"), simplejwt_token(bob, "access")
    anna.delete()
    bob.is_active = False
    bob.save()
    assert me(api, gone).json()["code"] == "user_not_found"
    assert me(api, idle).json()["code"] == "user_inactive"
    nobody = simplejwt_token(bob, "access", user_id=None)
    assert me(api, nobody).status_code == 401


@override_settings(SIMPLE_JWT={"CHECK_REVOKE_TOKEN": True})
def test_the_note_of_the_password_is_compared(api: APIClient, anna: Any) -> None:
    assert me(api, simplejwt_token(anna, "access")).json()["code"] == "password_changed"
    assert refresh(api, simplejwt_token(anna)).status_code == 401
    assert "hash_password" not in RefreshToken.for_user(
        anna
    )  # a new password ends sessions, and no token contains a hash of it


def test_an_old_token_outlives_a_change_of_secret_key(api: APIClient, anna: AbstractBaseUser) -> None:
    old, former = simplejwt_token(anna), settings.SECRET_KEY
    with override_settings(SECRET_KEY="n" * 50, SECRET_KEY_FALLBACKS=[former]):
        assert refresh(api, old).status_code == 200


def test_a_session_begun_by_an_old_token_outlives_it_too(api: APIClient, anna: AbstractBaseUser) -> None:
    old, former = simplejwt_token(anna), settings.SECRET_KEY
    assert refresh(api, old).status_code == 200
    with override_settings(SECRET_KEY="n" * 50, SECRET_KEY_FALLBACKS=[former]):
        assert refresh(api, old).status_code == 200
    with override_settings(SECRET_KEY="n" * 50, SIMPLE_JWT={"SIGNING_KEY": former}):
        assert refresh(api, old).json()["reason"] == "refresh_invalid"


# -- Settings --------------------------------------------------------------------------------------


def test_settings_are_translated_live() -> None:
    with override_settings(
        SIMPLE_JWT={
            "ACCESS_TOKEN_LIFETIME": timedelta(minutes=7),
            "REFRESH_TOKEN_LIFETIME": timedelta(days=100),
            "ISSUER": "me",
            "AUDIENCE": "you",
            "LEEWAY": 3,
            "AUTH_HEADER_TYPES": ("JWT", "Bearer"),
            "SIGNING_KEY": "s" * 40,
        }
    ):
        found = get_settings()
        assert found.access_lifetime == timedelta(minutes=7) == api_settings.ACCESS_TOKEN_LIFETIME
        assert found.session_idle_lifetime == found.session_lifetime == api_settings.REFRESH_TOKEN_LIFETIME
        assert (found.issuer, found.audience, found.header_prefix) == ("me", ("you",), "JWT")
        assert found.clock_skew == timedelta(seconds=3)
        assert found.keys[0].alg == "HS256"
    assert get_settings().access_lifetime == timedelta(minutes=5)
    with pytest.raises(AttributeError, match="NONSENSE"):
        _ = api_settings.NONSENSE


def test_an_access_token_may_outlive_the_default_session() -> None:
    with override_settings(SIMPLE_JWT={"ACCESS_TOKEN_LIFETIME": timedelta(days=30)}):
        assert get_settings().session_idle_lifetime == timedelta(days=30)


def test_tessera_goes_before_the_former_setting() -> None:
    former = {"ACCESS_TOKEN_LIFETIME": timedelta(minutes=7)}
    with override_settings(SIMPLE_JWT=former, TESSERA={"ACCESS_LIFETIME": 60}):
        assert get_settings().access_lifetime == timedelta(minutes=1)


@override_settings(SIMPLE_JWT={"AUTH_HEADER_TYPES": ("JWT", "Bearer"), "AUTH_HEADER_NAME": "HTTP_X_TOKEN"})
def test_header_settings(api: APIClient, anna: AbstractBaseUser) -> None:
    access = str(AccessToken.for_user(anna))
    for scheme in ("JWT", "Bearer"):
        assert api.get("/me/", HTTP_X_TOKEN=f"{scheme} {access}").status_code == 200
    assert me(api, access).status_code == 401


@pytest.mark.slow
def test_asymmetric_keys_go_on(api: APIClient, anna: AbstractBaseUser) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    chosen = {"ALGORITHM": "RS256", "SIGNING_KEY": private, "VERIFYING_KEY": public.decode()}
    with override_settings(SIMPLE_JWT=chosen):
        claims = jwt.decode(simplejwt_token(anna), options={"verify_signature": False})
        old = jwt.encode(claims, private, algorithm="RS256")
        fresh = refresh(api, old).json()["access"]
        assert jwt.decode(fresh, public, algorithms=["RS256"], audience="drf-tessera")["user_id"]
        assert me(api, fresh).status_code == 200
        # The public key must not work as an HMAC secret.
        assert refresh(api, simplejwt_token(anna, key="k" * 64)).status_code == 401


# -- Faults that a hostile review found -------------------------------------------------------------


class Choosy(RefreshToken):
    """A refresh token class of a project with more checks and its own access token class."""

    class Brief(AccessToken):
        lifetime = timedelta(seconds=200)

    access_token_class = Brief
    refusing = False

    def verify(self) -> None:
        super().verify()
        if Choosy.refusing:
            raise TokenError("not today")

    @property
    def access_token(self) -> Any:
        token = super().access_token
        token["fresh"] = "yes"
        return token


class ChoosyRefreshSerializer(TokenRefreshSerializer):
    token_class = Choosy


class ChoosyBlacklistSerializer(TokenBlacklistSerializer):
    token_class = Choosy


CHOOSY = {
    "TOKEN_REFRESH_SERIALIZER": f"{__name__}.ChoosyRefreshSerializer",
    "TOKEN_BLACKLIST_SERIALIZER": f"{__name__}.ChoosyBlacklistSerializer",
}


@pytest.mark.parametrize("rotate", [True, False])
def test_a_token_class_of_the_projects_own_is_asked_at_each_refresh(
    api: APIClient, anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch, rotate: bool
) -> None:
    text = str(Choosy.for_user(anna))
    with override_settings(SIMPLE_JWT={**CHOOSY, "ROTATE_REFRESH_TOKENS": rotate}):
        claims = me(api, refresh(api, text).json()["access"]).json()["claims"]
        assert (claims["fresh"], claims["exp"] <= time.time() + 201) == ("yes", True)
        monkeypatch.setattr(Choosy, "refusing", True)
        assert refresh(api, text).json()["detail"] == "not today"
        assert api.post("/api/token/blacklist/", {"refresh": text}).status_code == 401
        monkeypatch.setattr(Choosy, "refusing", False)
        assert api.post("/api/token/blacklist/", {"refresh": text}).status_code == 200


class WrongType(AccessToken):
    def _read(self, raw: str) -> None:
        super()._read(raw)
        self.payload["token_type"] = "other"


def test_the_claim_of_the_kind_is_checked(anna: AbstractBaseUser) -> None:
    with pytest.raises(TokenError, match="wrong type"):
        WrongType(str(AccessToken.for_user(anna)))


PERMISSIONS = [f"a permission, number {number}" for number in range(150)]


def test_many_claims_are_carried_on(api: APIClient, anna: AbstractBaseUser) -> None:
    old = simplejwt_token(anna, permissions=PERMISSIONS)
    for _ in range(2):
        body = refresh(api, old).json()
        assert me(api, body["access"]).json()["claims"]["permissions"] == PERMISSIONS
        old = body["refresh"]
        pass_grace()


@pytest.mark.parametrize(
    "claims", [{"permissions": PERMISSIONS * 5}, {"x": float("nan")}, {"x": "\ud800"}, {"x": float("inf")}]
)
def test_claims_that_cannot_be_carried_are_refused_without_a_server_error(
    api: APIClient, anna: AbstractBaseUser, claims: dict[str, Any]
) -> None:
    old = simplejwt_token(anna, **claims)
    assert refresh(api, old).status_code == 401
    assert verify(api, old).status_code == 401
    assert api.post("/api/token/blacklist/", {"refresh": old}).status_code == 401


@pytest.mark.parametrize(
    "change", [{"token_type": ["refresh"]}, {"token_type": {}}, {"jti": "\ud800"}, {"jti": "\0"}]
)
def test_odd_claims_of_simplejwts_own_are_refused(
    api: APIClient, anna: AbstractBaseUser, change: dict[str, Any]
) -> None:
    for kind in ("refresh", "access"):
        old = simplejwt_token(anna, kind, **change)
        assert refresh(api, old).status_code == 401
        assert verify(api, old).status_code in {200, 401}
        assert api.post("/api/token/blacklist/", {"refresh": old}).status_code == 401
        assert api.get("/stateless/", **bearer(old)).status_code in {200, 401}


@pytest.mark.slow
def test_a_scope_is_a_scope(api: APIClient, anna: AbstractBaseUser) -> None:
    token = RefreshToken.for_user(anna)
    token["scope"] = "read write"
    for text in (str(token), simplejwt_token(anna, scope="read write")):
        fresh = refresh(api, text).json()
        assert me(api, fresh["access"]).json()["claims"]["scope"] == "read write"
        assert RefreshToken(fresh["refresh"])["scope"] == "read write"
    with pytest.raises(ImproperlyConfigured, match="one string"):
        token["scope"] = ["read"]
    nothing = RefreshToken.for_user(anna)
    nothing["scope"] = " ".join([])
    assert "scope" not in me(api, nothing.access_token).json()["claims"]
    access = token.access_token
    access["scope"] = "read"
    assert me(api, access).json()["claims"]["scope"] == "read"
    assert refresh(api, simplejwt_token(anna, scope=["read"])).status_code == 200
    assert refresh(api, simplejwt_token(anna, scope="x" * 300)).status_code == 200


def test_a_registered_claim_may_be_set_to_its_own_value(api: APIClient, anna: AbstractBaseUser) -> None:
    token = RefreshToken.for_user(anna)
    token["sub"], token["iss"], token["aud"] = str(anna.pk), get_issuer(), "drf-tessera"
    claims = me(api, token.access_token).json()["claims"]
    assert (claims["sub"], claims["iss"], claims["aud"]) == (str(anna.pk), get_issuer(), "drf-tessera")
    assert refresh(api, str(token)).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize("scope", ["\0", 'a"b', " a", "a  b", ""])
def test_a_malformed_scope_is_left_out(api: APIClient, anna: AbstractBaseUser, scope: str) -> None:
    body = refresh(api, simplejwt_token(anna, scope=scope)).json()
    assert "scope" not in me(api, body["access"]).json()["claims"]


@pytest.mark.parametrize("claim", ["scope", "email"])
def test_a_token_with_half_a_character_is_refused(api: APIClient, anna: AbstractBaseUser, claim: str) -> None:
    answer = refresh(api, simplejwt_token(anna, **{claim: "\ud800"}))
    assert (answer.status_code, answer.json()["code"]) == (401, "token_not_valid")


def test_a_cookie_that_is_not_there_is_no_server_error(anna: AbstractBaseUser) -> None:
    for raw in (None, 5):
        with pytest.raises(TokenError):
            RefreshToken.rotate(raw)
        with pytest.raises(TokenError):
            legacy.exchange(raw)


class Both(BlacklistMixin, AccessToken):
    """A class that many projects define."""


def test_an_access_token_may_end_its_session_too(api: APIClient, anna: AbstractBaseUser) -> None:
    refresh_token = RefreshToken.for_user(anna)
    token = Both(str(refresh_token.access_token))
    token.check_blacklist()
    assert token.blacklist()[1]
    with pytest.raises(TokenError, match="blacklisted"):
        token.check_blacklist()
    assert refresh(api, str(refresh_token)).status_code == 401


def test_an_access_token_of_simplejwt_can_be_blacklisted(anna: AbstractBaseUser) -> None:
    """It belongs to no session, so the table is asked, as in simplejwt."""
    raw = simplejwt_token(anna, "access")
    row, ended = Both(raw).blacklist()
    assert (row.token.user, row.token.token, ended) == (anna, raw, True)
    with pytest.raises(TokenError, match="blacklisted"):
        Both(raw)
    assert AccessToken(raw)  # as in simplejwt: a class without the mixin does not ask the table


class LookingSerializer(TokenObtainPairSerializer):
    """A serializer that reads another token, and then fails."""

    other = ""

    @classmethod
    def get_token(cls, user: Any) -> Any:
        super().get_token(user)
        RefreshToken(cls.other)
        raise KeyError("x")


@pytest.mark.parametrize("busy", [False, True])
def test_a_login_that_fails_ends_what_it_began_and_nothing_else(
    api: APIClient, anna: AbstractBaseUser, bob: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch, busy: bool
) -> None:
    def fail(*args: object, **kwargs: object) -> bool:
        raise TemporarilyUnavailable

    monkeypatch.setattr(LookingSerializer, "other", simplejwt_token(bob))
    if busy:
        monkeypatch.setattr(logins.sessions, "revoke", fail)
    with (
        override_settings(SIMPLE_JWT={"TOKEN_OBTAIN_SERIALIZER": f"{__name__}.LookingSerializer"}),
        pytest.raises(KeyError),
    ):
        api.post("/api/token/", {"username": "anna", "password": PASSWORD})
    assert sessions.live_sessions(bob.pk).count() == 1
    assert sessions.live_sessions(anna.pk).count() == (1 if busy else 0)


@pytest.mark.parametrize("kind", [RefreshToken, UntypedToken, SlidingToken, dict])
def test_no_other_class_lets_refresh_tokens_in(api: APIClient, anna: AbstractBaseUser, kind: type) -> None:
    old, mine = simplejwt_token(anna), RefreshToken.for_user(anna)
    with override_settings(SIMPLE_JWT={"AUTH_TOKEN_CLASSES": (Both, kind)}):
        assert me(api, mine.access_token).status_code == 200
        assert me(api, old).status_code == me(api, mine).status_code == 401
    with override_settings(SIMPLE_JWT={"AUTH_TOKEN_CLASSES": (kind,)}):
        assert me(api, mine.access_token).status_code == 401
    with pytest.raises(ImproperlyConfigured):
        type("Neither", (AccessToken, RefreshToken), {"token_type": "access"})


@pytest.mark.slow
@pytest.mark.parametrize("claim", ["sid", "amr", "cnf", "client_id", "iss", "aud", "sub", "nbf", "auth_time"])
def test_a_claim_that_says_something_else_here_is_refused_at_once(anna: AbstractBaseUser, claim: str) -> None:
    for token in (RefreshToken.for_user(anna), AccessToken.for_user(anna)):
        with pytest.raises(ImproperlyConfigured, match=claim):
            token[claim] = "mine"


@override_settings(SIMPLE_JWT={"USER_ID_CLAIM": "sub", "ROTATE_REFRESH_TOKENS": False})
def test_users_may_be_named_by_sub(api: APIClient, anna: AbstractBaseUser) -> None:
    pair = obtain(api, anna)
    assert RefreshToken(pair["refresh"])["sub"] == str(anna.pk)
    assert me(api, refresh(api, pair["refresh"]).json()["access"]).json()["pk"] == anna.pk
    assert api.get("/stateless/", **bearer(pair["access"])).json()["pk"] == str(anna.pk)


@pytest.mark.parametrize("rotate", [True, False])
def test_tokens_of_drf_tesseras_own_login_are_taken(
    api: APIClient, anna: AbstractBaseUser, rotate: bool
) -> None:
    grant = sessions.start(anna)
    with override_settings(SIMPLE_JWT={"ROTATE_REFRESH_TOKENS": rotate}):
        assert refresh(api, grant.refresh or "").status_code == 200
    assert RefreshToken(grant.refresh)["user_id"] == str(anna.pk)
    assert api.get("/stateless/", **bearer(grant.access)).json()["pk"] == str(anna.pk)
    assert verify(api, grant.access).status_code == 200
    with override_settings(SIMPLE_JWT={"USER_ID_FIELD": "username"}):
        assert "user_id" not in RefreshToken(grant.refresh)  # the primary key is not the user name


def _end_everything(user: Any) -> None:
    for row in OutstandingToken.objects.filter(user=user):
        BlacklistedToken.objects.get_or_create(token=row)


def make_row(user: Any, token: str, jti: str) -> Any:
    until = timezone.now() + timedelta(days=1)
    return OutstandingToken.objects.create(user=user, jti=jti, token=token, expires_at=until)


def test_rows_end_an_adopted_session_that_has_outlived_its_old_token(
    api: APIClient, anna: AbstractBaseUser
) -> None:
    old = simplejwt_token(anna, jti="abc")
    row = make_row(anna, old, "abc")
    text = refresh(api, old).json()["refresh"]
    with time_machine.travel(row.expires_at + timedelta(hours=1), tick=False):
        call_command("flushexpiredtokens")
        _end_everything(anna)
        assert refresh(api, text).json()["reason"] == "session_revoked"


def test_a_row_written_by_hand_ends_its_session(api: APIClient, anna: AbstractBaseUser) -> None:
    """The row is written like in simplejwt's own ``blacklist()``, which projects have copied."""
    token = RefreshToken(obtain(api, anna)["refresh"])
    OutstandingToken.objects.all().delete()
    row, _ = OutstandingToken.objects.get_or_create(
        jti=token["jti"],
        defaults={"user": anna, "token": str(token), "expires_at": timezone.now() + timedelta(days=1)},
    )
    BlacklistedToken.objects.create(token=row)
    assert refresh(api, str(token)).json()["reason"] == "session_revoked"
    other = OutstandingToken.objects.create(user=anna, jti="no uuid", token="", expires_at=timezone.now())
    assert BlacklistedToken.objects.create(token=other)


def test_an_adoption_that_races_a_logout_everywhere_begins_nothing(
    api: APIClient, anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token is blacklisted after the check of the table and before the write of the session."""
    old = simplejwt_token(anna, jti="abc")
    make_row(anna, old, "abc")

    def ask(jti: str) -> bool:
        _end_everything(anna)
        return False

    monkeypatch.setattr(legacy, "is_blacklisted", ask)
    assert refresh(api, old).json()["reason"] == "session_revoked"
    assert not sessions.live_sessions(anna.pk).exists()


def test_logging_out_works_inside_a_transaction(api: APIClient, anna: AbstractBaseUser) -> None:
    """The view belongs to the project and runs under ``ATOMIC_REQUESTS``."""
    for text in (obtain(api, anna)["refresh"], simplejwt_token(anna)):
        with transaction.atomic():
            RefreshToken(text).blacklist()
        assert refresh(api, text).json()["reason"] == "session_revoked"


def test_a_user_that_django_has_wrapped_is_found(anna: Any) -> None:
    """``request.user`` is such a wrapped object. Its password is compared like every other password."""
    assert RefreshToken.for_user(SimpleLazyObject(lambda: anna))["user_id"] == str(anna.pk)
    stale = type(anna).objects.get(pk=anna.pk)
    anna.set_password("another one")
    anna.save()
    with pytest.raises(TokenError):
        RefreshToken.for_user(SimpleLazyObject(lambda: stale))
    type(anna).objects.update(is_active=False)
    with pytest.raises(TokenError):
        RefreshToken.for_user(SimpleLazyObject(lambda: anna))


class ForeverSerializer(TokenObtainPairSerializer):
    @classmethod
    def get_token(cls, user: Any) -> Any:
        token = super().get_token(user)
        token.set_exp(lifetime=timedelta(days=300))
        return token


class MuchSerializer(TokenObtainPairSerializer):
    @classmethod
    def get_token(cls, user: Any) -> Any:
        token = super().get_token(user)
        token["permissions"] = PERMISSIONS * 5
        return token


class QuotaSerializer(TokenObtainPairSerializer):
    @classmethod
    def get_token(cls, user: Any) -> Any:
        raise TokenError("too many devices")


def test_a_mistake_in_get_token_is_not_told_as_a_wrong_password(
    api: APIClient, anna: AbstractBaseUser
) -> None:
    credentials = {"username": "anna", "password": PASSWORD}
    with (
        override_settings(SIMPLE_JWT={"TOKEN_OBTAIN_SERIALIZER": f"{__name__}.ForeverSerializer"}),
        pytest.raises(ImproperlyConfigured, match="REFRESH_TOKEN_LIFETIME"),
    ):
        api.post("/api/token/", credentials)
    with (
        override_settings(SIMPLE_JWT={"TOKEN_OBTAIN_SERIALIZER": f"{__name__}.MuchSerializer"}),
        pytest.raises(ProjectError, match="The limit is 8192"),
    ):
        api.post("/api/token/", credentials)
    assert not sessions.live_sessions(anna.pk).exists()  # no client has their tokens
    with override_settings(SIMPLE_JWT={"TOKEN_OBTAIN_SERIALIZER": f"{__name__}.QuotaSerializer"}):
        assert api.post("/api/token/", credentials).json()["detail"] == "too many devices"


@override_settings(SIMPLE_JWT={"JTI_CLAIM": None, "LEEWAY": None})
def test_tokens_without_an_id_begin_one_session_each(api: APIClient, anna: AbstractBaseUser) -> None:
    old = simplejwt_token(anna)
    assert refresh(api, old).status_code == refresh(api, old).status_code == 200
    assert Session.objects.count() == 1


@pytest.mark.parametrize("leeway", [3600, timedelta(hours=1)])
def test_leeway_holds_for_a_refresh_too(api: APIClient, anna: AbstractBaseUser, leeway: Any) -> None:
    with override_settings(SIMPLE_JWT={"LEEWAY": leeway}):
        assert refresh(api, simplejwt_token(anna, exp=int(time.time()) - 100)).status_code == 200


def test_a_hard_end_stays_one() -> None:
    """A client without new tokens had to log in again after ``REFRESH_TOKEN_LIFETIME``."""
    life = {"REFRESH_TOKEN_LIFETIME": timedelta(hours=12)}
    for more in ({}, {"ROTATE_REFRESH_TOKENS": False}):
        with override_settings(SIMPLE_JWT={**life, **more}):
            assert get_settings().session_lifetime == timedelta(hours=12)
    with override_settings(SIMPLE_JWT={**life, "ROTATE_REFRESH_TOKENS": True}):
        assert get_settings().session_lifetime == timedelta(days=90)
        assert get_settings().session_idle_lifetime == timedelta(hours=12)


def test_keys_that_are_not_set_have_the_values_of_simplejwt() -> None:
    """Serializers that were copied from simplejwt read these values, and rotate by hand if they are true."""
    assert (api_settings.ROTATE_REFRESH_TOKENS, api_settings.BLACKLIST_AFTER_ROTATION) == (False, False)


@pytest.mark.parametrize("path", ["", "refresh/", "verify/", "blacklist/"])
def test_a_body_that_is_too_deep_is_a_bad_request(api: APIClient, db: None, path: str) -> None:
    body = '{"refresh": ' + "[" * 1500
    answer = api.generic("POST", f"/api/token/{path}", body, content_type="application/json")
    assert answer.status_code == 400


def test_tokens_of_the_old_package_end_when_the_project_says_so(
    api: APIClient, anna: AbstractBaseUser
) -> None:
    old, access = simplejwt_token(anna), simplejwt_token(anna, "access")
    with override_settings(TESSERA={"LEGACY_TOKENS_UNTIL": datetime.now(tz=UTC) - timedelta(seconds=1)}):
        assert refresh(api, old).status_code == me(api, access).status_code == 401
        assert me(api, obtain(api, anna)["access"]).status_code == 200
    with override_settings(TESSERA={"LEGACY_TOKENS_UNTIL": datetime.now(tz=UTC) + timedelta(days=1)}):
        assert refresh(api, old).status_code == me(api, access).status_code == 200


def test_a_new_password_ends_old_tokens_that_were_never_used(api: APIClient, anna: Any) -> None:
    old = simplejwt_token(anna)
    anna.set_password("another one")
    anna.save()
    assert refresh(api, old).json()["reason"] == "session_revoked"


class NamedView(TokenObtainPairView):
    _serializer_class = f"{__name__}.NamedSerializer"


def test_a_view_names_its_serializer_as_in_simplejwt(anna: AbstractBaseUser) -> None:
    request = RequestFactory().post("/", {"username": "anna", "password": PASSWORD})
    answer = NamedView.as_view()(request)
    assert AccessToken(answer.data["access"])["name"] == "Anna"


def test_names_that_projects_import(anna: AbstractBaseUser) -> None:
    with override_settings(SIMPLE_JWT={"AUTH_HEADER_TYPES": ("JWT",)}):
        assert (("JWT",), {b"JWT"}) == (
            authentication.AUTH_HEADER_TYPES,
            authentication.AUTH_HEADER_TYPE_BYTES,
        )
    token = RefreshToken.for_user(anna)
    assert token.token_backend is token.get_token_backend() is token_backend
    assert TokenBackend(algorithm="HS256").decode(str(token.access_token))["user_id"] == str(anna.pk)
    assert TokenBackend("HS256", settings.SECRET_KEY, settings.SECRET_KEY).decode(str(token.access_token))
    keys = {"ALGORITHM": "RS256", "SIGNING_KEY": RSA, "VERIFYING_KEY": RSA.public_key()}
    with override_settings(SIMPLE_JWT=keys):
        assert TokenBackend("RS256", RSA, RSA.public_key()).decode(
            str(RefreshToken.for_user(anna).access_token)
        )
    with pytest.raises(ImproperlyConfigured, match="signing_key"):
        TokenBackend("HS256", "another key")
    assert TokenBackend(algorithm="HS256").decode(str(token.access_token), verify=False)
    with pytest.raises(TokenBackendError):
        TokenBackend(algorithm="HS256").decode(simplejwt_token(anna, "access", key="k" * 40), verify=False)
    with pytest.raises(TokenBackendExpiredToken):
        TokenBackend().decode(simplejwt_token(anna, "access", exp=1))
    assert issubclass(RefreshToken, BlacklistMixin)
    for module in (tokens, models, authentication, serializers):
        assert module.AuthUser.__constraints__ == (AbstractBaseUser, TokenUser)


@pytest.mark.parametrize(
    ("module", "name", "way"),
    [
        ("rest_framework_jwt.blacklist", "models", "sessions.revoke"),
        ("rest_framework_jwt.utils", "jwt_create_payload", "drf-jwt"),
        ("rest_framework_jwt.views", "ImpersonateJSONWebTokenView", "drf-jwt"),
        ("rest_framework_jwt.permissions", "IsNotBlacklisted", "drf-jwt"),
    ],
)
def test_a_name_that_is_not_here_says_what_to_take_instead(module: str, name: str, way: str) -> None:
    with pytest.raises(ImportError, match=way):
        exec(f"from {module} import {name}")  # noqa: S102 - this statement is the test
    with pytest.raises(ImportError, match="cannot import name"):
        exec(f"from {module} import nothing_like_it")  # noqa: S102 - this too


def test_an_app_that_is_not_here_says_so_in_installed_apps() -> None:
    with pytest.raises(ImportError, match=r"sessions\.revoke"):
        AppConfig.create("rest_framework_jwt.blacklist")
