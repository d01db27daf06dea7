"""The names and shapes of djangorestframework-jwt, on drf-tessera."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.test import override_settings
from rest_framework.test import APIClient
from rest_framework_jwt.settings import api_settings
from rest_framework_jwt.utils import jwt_decode_handler, jwt_encode_handler, jwt_payload_handler

from drf_tessera import sessions
from drf_tessera.conf import get_settings
from drf_tessera.models import Session
from drf_tessera.revocation import forget_feed
from tests.compat.originals import tutorial_token
from tests.conftest import PASSWORD
from tests.settings import USER_MODEL

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.compat.jwt_urls"),
    pytest.mark.skipif(USER_MODEL != "auth.User", reason="the user model is not what is tested"),
]
ALLOW = {"JWT_ALLOW_REFRESH": True}


def obtain(api: APIClient) -> str:
    answer = api.post("/auth/", {"username": "anna", "password": PASSWORD})
    assert answer.status_code == 200, answer.content
    return answer.json()["token"]


def me(api: APIClient, token: object, scheme: str = "JWT") -> Any:
    return api.get("/me/", HTTP_AUTHORIZATION=f"{scheme} {token}")


def test_log_in_call_verify(api: APIClient, anna: AbstractBaseUser) -> None:
    token = obtain(api)
    assert me(api, token).json() == {"pk": anna.pk, "name": "anna"}
    assert api.post("/verify/", {"token": token}).json() == {"token": token}
    assert jwt_decode_handler(token)["username"] == "anna"
    assert jwt_decode_handler(token.encode())["user_id"] == anna.pk


def test_a_protected_call_costs_no_query(
    api: APIClient, anna: AbstractBaseUser, django_assert_num_queries: Any
) -> None:
    token = obtain(api)
    me(api, token)
    with django_assert_num_queries(1):  # the view looks at the user's name
        me(api, token)


def test_a_logout_is_felt(api: APIClient, anna: AbstractBaseUser) -> None:
    token = obtain(api)
    sessions.revoke_all(anna)
    forget_feed()
    assert me(api, token).json()["code"] == "session_ended"
    assert api.post("/verify/", {"token": token}).status_code == 400


def test_the_handlers_make_a_token_that_can_be_ended(api: APIClient, anna: AbstractBaseUser) -> None:
    payload = api_settings.JWT_PAYLOAD_HANDLER(anna)
    token = api_settings.JWT_ENCODE_HANDLER({**payload, "color": "green"})
    assert jwt_decode_handler(token)["color"] == "green"
    assert me(api, token).status_code == 200
    assert Session.objects.filter(user=anna).count() == 1
    brief = jwt_encode_handler({**payload, "exp": int(time.time()) + 5})
    assert jwt_decode_handler(brief)["exp"] <= time.time() + 5
    assert jwt_encode_handler({"user_id": anna.pk})
    with pytest.raises(ValueError, match="make that longer"):
        jwt_encode_handler({**payload, "exp": int(time.time()) + 86_400})
    with pytest.raises(ValueError, match="invalid literal"):
        jwt_encode_handler({**payload, "exp": "soon"})
    assert Session.objects.count() == 3  # and none for that
    for nobody in ({}, {"user_id": "x"}, {"user_id": 10**30}, {"user_id": 999_999}):
        with pytest.raises(ValueError, match="no active user"):
            jwt_encode_handler(nobody)


@override_settings(TIME_ZONE="Asia/Tokyo")
def test_a_moment_without_a_time_zone_is_in_utc(api: APIClient, anna: AbstractBaseUser) -> None:
    """Handlers that are older than time zones write ``datetime.utcnow()``."""
    naive = datetime.now(tz=UTC).replace(tzinfo=None) + timedelta(seconds=60)
    token = jwt_encode_handler({"user_id": anna.pk, "username": "anna", "exp": naive})
    assert 55 <= jwt_decode_handler(token)["exp"] - time.time() <= 61
    assert me(api, token).status_code == 200


def test_a_token_that_the_project_signed_itself_is_taken(api: APIClient, anna: AbstractBaseUser) -> None:
    payload = jwt_payload_handler(anna)
    assert set(payload) == {"user_id", "username", "email", "exp"}
    token = jwt.encode(payload, settings.SECRET_KEY)
    assert me(api, token).json()["pk"] == anna.pk
    assert jwt_decode_handler(token)["user_id"] == anna.pk


def test_errors_have_the_old_shapes(api: APIClient, anna: AbstractBaseUser) -> None:
    wrong = api.post("/auth/", {"username": "anna", "password": "x"})
    assert wrong.status_code == 400
    assert wrong.json() == {"non_field_errors": ["Unable to log in with provided credentials."]}
    assert me(api, tutorial_token(anna, exp=1)).json()["detail"] == "Signature has expired."
    assert me(api, "nonsense").status_code == 401
    assert api.post("/verify/", {"token": "nonsense"}).status_code == 400
    assert api.post("/verify/", {"token": tutorial_token(anna, exp=1)}).status_code == 400
    for header in ("JWT", "JWT a b"):
        answer = api.get("/me/", HTTP_AUTHORIZATION=header)
        assert (answer.status_code, answer.json()["code"]) == (401, "header_malformed")
    assert api.get("/me/")["WWW-Authenticate"] == 'JWT realm="api"'
    assert api.get("/me/", HTTP_AUTHORIZATION="Basic x").status_code == 401


@pytest.mark.parametrize("name", ["JWT_VERIFY", "JWT_VERIFY_EXPIRATION"])
def test_nothing_switches_verification_off(api: APIClient, anna: AbstractBaseUser, name: str) -> None:
    with override_settings(JWT_AUTH={name: False}):
        assert getattr(api_settings, name) is True
        claims = {"user_id": anna.pk, "username": "anna", "exp": int(time.time()) + 60}
        assert me(api, jwt.encode(claims, "", algorithm="none")).status_code == 401
        assert me(api, jwt.encode(claims, "k" * 40)).status_code == 401
        assert me(api, tutorial_token(anna, exp=1)).status_code == 401


@pytest.mark.parametrize(
    "change", [{"username": "nobody"}, {"username": None}, {"username": 7}, {"key": "k" * 40}, {"exp": None}]
)
def test_what_the_original_would_refuse_is_refused(
    api: APIClient, anna: AbstractBaseUser, change: dict[str, Any]
) -> None:
    token = tutorial_token(anna, **change)
    assert me(api, token).status_code == 401
    assert api.post("/verify/", {"token": token}).status_code == 400


@pytest.mark.parametrize("raw", ["", "a.b.c", "\x00", "é", "a" * 20_000, "e30.e30."])
def test_no_text_is_a_server_error(api: APIClient, db: None, raw: str) -> None:
    assert me(api, raw).status_code == 401
    for path in ("/verify/", "/refresh/"):
        assert api.post(path, {"token": raw}).status_code == 400


def test_inactive_users_are_refused(api: APIClient, anna: Any) -> None:
    old, new = tutorial_token(anna), obtain(api)
    anna.is_active = False
    anna.save()
    forget_feed()
    assert me(api, old).json()["code"] == "user_inactive"
    assert me(api, new).status_code == 401
    assert api.post("/auth/", {"username": "anna", "password": PASSWORD}).status_code == 400
    with pytest.raises(ValueError, match="no active user"):
        jwt_encode_handler(jwt_payload_handler(anna))


# -- Refresh ---------------------------------------------------------------------------------------


@override_settings(JWT_AUTH=ALLOW)
def test_a_token_is_renewed_within_its_session(api: APIClient, anna: AbstractBaseUser) -> None:
    first = obtain(api)
    second = api.post("/refresh/", {"token": first}).json()["token"]
    assert jwt_decode_handler(second)["sid"] == jwt_decode_handler(first)["sid"]
    assert jwt_decode_handler(second)["orig_iat"] == jwt_decode_handler(first)["orig_iat"]
    assert me(api, second).status_code == 200
    sessions.revoke_all(anna)
    forget_feed()
    assert api.post("/refresh/", {"token": second}).status_code == 400


def test_refreshing_has_to_be_allowed(api: APIClient, anna: AbstractBaseUser) -> None:
    answer = api.post("/refresh/", {"token": obtain(api)})
    assert answer.json() == {"non_field_errors": ["orig_iat field is required."]}


@override_settings(JWT_AUTH={**ALLOW, "JWT_REFRESH_EXPIRATION_DELTA": timedelta(days=1)})
def test_an_old_token_goes_on_as_a_session(api: APIClient, anna: AbstractBaseUser) -> None:
    old = tutorial_token(anna)
    fresh = api.post("/refresh/", {"token": old}).json()["token"]
    session = Session.objects.get(user=anna)
    assert jwt_decode_handler(fresh)["sid"] == str(session.pk)
    assert session.expires_at - session.created_at == timedelta(days=1)
    again = api.post("/refresh/", {"token": fresh})
    assert again.status_code == 200
    assert Session.objects.count() == 1


@override_settings(JWT_AUTH=ALLOW)
def test_an_old_token_may_have_claims_of_our_names(api: APIClient, anna: AbstractBaseUser) -> None:
    old = tutorial_token(anna, sid="room 5", auth_time="noon", amr=7)
    fresh = api.post("/refresh/", {"token": old}).json()["token"]
    assert jwt_decode_handler(fresh)["sid"] == str(Session.objects.get().pk)


@override_settings(JWT_AUTH=ALLOW)
def test_an_old_token_is_not_renewed_for_ever(api: APIClient, anna: AbstractBaseUser) -> None:
    late = tutorial_token(anna, orig_iat=int(time.time()) - 8 * 86_400)
    assert api.post("/refresh/", {"token": late}).json() == {"non_field_errors": ["Refresh has expired."]}
    for odd in (True, "x", None):
        assert api.post("/refresh/", {"token": tutorial_token(anna, orig_iat=odd)}).status_code == 400


@override_settings(JWT_AUTH=ALLOW, TESSERA={"REFRESH_GRACE": 0, "REFRESH_RECOVERIES": 0})
def test_a_second_use_of_an_old_token_is_reuse(api: APIClient, anna: AbstractBaseUser) -> None:
    old = tutorial_token(anna)
    assert api.post("/refresh/", {"token": old}).status_code == 200
    assert api.post("/refresh/", {"token": old}).status_code == 400
    forget_feed()
    assert Session.objects.get().revoked_for == "refresh_reused"


# -- Settings --------------------------------------------------------------------------------------


@override_settings(
    JWT_AUTH={
        "JWT_VERIFY": True,
        "JWT_VERIFY_EXPIRATION": True,
        "JWT_EXPIRATION_DELTA": timedelta(seconds=3000),
        "JWT_AUTH_HEADER_PREFIX": "Bearer",
    }
)
def test_the_tutorials_settings(api: APIClient, anna: AbstractBaseUser) -> None:
    token = obtain(api)
    assert jwt_decode_handler(token)["exp"] - jwt_decode_handler(token)["iat"] == 3000
    assert me(api, token, "Bearer").status_code == 200
    assert me(api, token, "bearer").status_code == 200
    assert me(api, token, "JWT").status_code == 401
    assert api.get("/me/")["WWW-Authenticate"] == 'Bearer realm="api"'


def test_other_settings_are_translated() -> None:
    with override_settings(
        JWT_AUTH={
            "JWT_SECRET_KEY": "s" * 40,
            "JWT_LEEWAY": 2,
            "JWT_AUDIENCE": "you",
            "JWT_ISSUER": "me",
            "JWT_ALLOW_REFRESH": True,
            "JWT_REFRESH_EXPIRATION_DELTA": 3600,
        }
    ):
        found = get_settings()
        assert (found.audience, found.issuer) == (("you",), "me")
        assert found.session_lifetime == found.session_idle_lifetime == timedelta(hours=1)
        assert found.keys[0].alg == "HS256"
        assert api_settings.JWT_SECRET_KEY == "s" * 40
    with override_settings(JWT_AUTH={"JWT_EXPIRATION_DELTA": timedelta(days=100)}):
        assert get_settings().session_lifetime == timedelta(days=100)
        assert timedelta(days=100) == api_settings.JWT_EXPIRATION_DELTA
    with pytest.raises(AttributeError, match="NONSENSE"):
        _ = api_settings.NONSENSE


@override_settings(JWT_AUTH={"JWT_AUDIENCE": "you", "JWT_ISSUER": "me"})
def test_audience_and_issuer_hold_for_old_tokens(api: APIClient, anna: AbstractBaseUser) -> None:
    assert me(api, tutorial_token(anna, aud="you", iss="me")).status_code == 200
    assert me(api, jwt.encode(jwt_payload_handler(anna), settings.SECRET_KEY)).status_code == 200
    assert me(api, tutorial_token(anna, aud="they", iss="me")).status_code == 401
    assert me(api, tutorial_token(anna)).status_code == 401


def _respond(token: str, user: Any = None, request: Any = None) -> dict[str, Any]:
    return {"token": token, "name": user.get_username(), "path": request.path}


def _get_key(user: Any) -> str:
    return f"{user.pk}" + "k" * 40


def _decode_nothing(token: str) -> dict[str, Any]:
    raise jwt.InvalidIssuerError


def test_the_projects_own_handlers(api: APIClient, anna: AbstractBaseUser) -> None:
    with override_settings(JWT_AUTH={"JWT_RESPONSE_PAYLOAD_HANDLER": f"{__name__}._respond"}):
        answer = api.post("/auth/", {"username": "anna", "password": PASSWORD}).json()
    assert (answer["name"], answer["path"]) == ("anna", "/auth/")
    with override_settings(JWT_AUTH={"JWT_DECODE_HANDLER": _decode_nothing}):
        assert me(api, answer["token"]).status_code == 401


def test_a_users_own_key_holds_for_old_tokens(api: APIClient, anna: AbstractBaseUser) -> None:
    with override_settings(JWT_AUTH={"JWT_GET_USER_SECRET_KEY": f"{__name__}._get_key"}):
        assert me(api, tutorial_token(anna, key=_get_key(anna))).status_code == 200
        assert me(api, tutorial_token(anna)).status_code == 401
        assert me(api, tutorial_token(anna, user_id=999_999)).status_code == 401
        assert me(api, obtain(api)).status_code == 200


@override_settings(JWT_AUTH={"JWT_AUTH_COOKIE": "jwt"})
def test_the_cookie_is_safe_from_other_sites(anna: AbstractBaseUser) -> None:
    api = APIClient(enforce_csrf_checks=True)
    own = {"HTTP_ORIGIN": "http://testserver"}
    answer = api.post("/auth/", {"username": "anna", "password": PASSWORD}, **own)
    cookie = answer.cookies["jwt"]
    assert cookie["httponly"]
    assert cookie["secure"]
    assert cookie["samesite"] == "Lax"
    assert api.get("/me/").json()["pk"] == anna.pk
    assert api.post("/me/", **own).status_code == 200
    assert api.post("/me/", HTTP_ORIGIN="https://evil.example").json()["code"] == "csrf_origin"
    elsewhere = {"HTTP_ORIGIN": "https://evil.example"}
    assert api.post("/auth/", {"username": "anna", "password": PASSWORD}, **elsewhere).status_code == 403


def test_the_key_may_change_with_django(api: APIClient, anna: AbstractBaseUser) -> None:
    old, former = tutorial_token(anna), settings.SECRET_KEY
    with override_settings(SECRET_KEY="n" * 50, SECRET_KEY_FALLBACKS=[former]):
        assert me(api, old).status_code == 200
    with override_settings(SECRET_KEY="n" * 50, JWT_AUTH={"JWT_SECRET_KEY": former}):
        assert me(api, old).status_code == 200
