"""The names and formats of djangorestframework-jwt, on drf-tessera."""

from __future__ import annotations

import base64
import hmac
import time
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.core.cache import cache
from django.test import RequestFactory, override_settings
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed, ValidationError
from rest_framework.request import Request
from rest_framework.serializers import CharField
from rest_framework.test import APIClient
from rest_framework_jwt.authentication import JSONWebTokenAuthentication
from rest_framework_jwt.checks import check_settings
from rest_framework_jwt.serializers import (
    JSONWebTokenSerializer,
    RefreshJSONWebTokenSerializer,
    VerifyJSONWebTokenSerializer,
)
from rest_framework_jwt.settings import api_settings
from rest_framework_jwt.utils import (
    encoding_for,
    jwt_decode_handler,
    jwt_encode_handler,
    jwt_payload_handler,
)
from rest_framework_jwt.views import ObtainJSONWebToken

from drf_tessera import sessions
from drf_tessera.conf import get_settings, read_settings
from drf_tessera.exceptions import ProjectError
from drf_tessera.models import Session
from drf_tessera.revocation.feed import get_feed
from tests.compat.originals import simplejwt_token, tutorial_token
from tests.conftest import PASSWORD, make_user
from tests.jose.material import RSA
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


@pytest.mark.usefixtures("still_feed")
def test_a_protected_call_costs_no_query(
    api: APIClient, anna: AbstractBaseUser, django_assert_num_queries: Any
) -> None:
    token = obtain(api)
    me(api, token)
    with django_assert_num_queries(1):  # the view reads the user's name
        me(api, token)


def test_a_logout_is_felt(api: APIClient, anna: AbstractBaseUser) -> None:
    token = obtain(api)
    sessions.revoke_all(anna)
    get_feed.forget()
    assert me(api, token).json()["code"] == "session_ended"
    assert api.post("/verify/", {"token": token}).status_code == 400


@pytest.mark.slow
def test_the_handlers_make_a_token_that_can_be_ended(api: APIClient, anna: AbstractBaseUser) -> None:
    payload = api_settings.JWT_PAYLOAD_HANDLER(anna)
    token = api_settings.JWT_ENCODE_HANDLER({**payload, "color": "green"})
    assert jwt_decode_handler(token)["color"] == "green"
    assert me(api, token).status_code == 200
    assert Session.objects.filter(user=anna).count() == 1
    end = int(time.time()) + 200  # earlier than the end of the other tokens, after 300 s
    brief = jwt_encode_handler({**payload, "exp": end})
    assert jwt_decode_handler(brief)["exp"] <= end
    assert jwt_encode_handler({"user_id": anna.pk})
    for moment in (int(time.time()) + 86_400, "soon", float("nan"), True, timedelta(1), 10**400):
        with pytest.raises(ProjectError, match="Increase JWT_EXPIRATION_DELTA"):
            jwt_encode_handler({**payload, "exp": moment})
    assert sessions.live_sessions(anna.pk).count() == 3  # and no session for a refused payload
    for nobody in ({}, {"user_id": "x"}, {"user_id": 10**30}, {"user_id": 999_999}):
        with pytest.raises(ValueError, match="no active user"):
            jwt_encode_handler(nobody)


def test_a_payload_that_cannot_be_signed_leaves_no_session(anna: AbstractBaseUser) -> None:
    with pytest.raises(ProjectError):
        jwt_encode_handler({**jwt_payload_handler(anna), "much": "x" * 20_000})
    assert not sessions.live_sessions(anna.pk).exists()


@override_settings(TIME_ZONE="Asia/Tokyo")
def test_a_moment_without_a_time_zone_is_in_utc(api: APIClient, anna: AbstractBaseUser) -> None:
    """Handlers of projects before ``USE_TZ`` write ``datetime.utcnow()``."""
    moment = datetime.now(tz=UTC) + timedelta(seconds=200)
    naive = moment.replace(tzinfo=None)
    token = jwt_encode_handler({"user_id": anna.pk, "username": "anna", "exp": naive})
    assert abs(jwt_decode_handler(token)["exp"] - moment.timestamp()) <= 5
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
def test_a_token_that_the_original_would_refuse_is_refused(
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
    get_feed.forget()
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
    get_feed.forget()
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
    get_feed.forget()
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
    claims = jwt_decode_handler(token)
    assert claims["exp"] - claims["iat"] in {2999, 3000}  # a second may begin between the two
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


# -- Faults that a hostile review found -------------------------------------------------------------


def _name_a_profile(user: Any) -> dict[str, Any]:
    return {**jwt_payload_handler(user), "user_id": 1 + user.pk}


def _name_nobody(user: Any) -> dict[str, Any]:
    return {"username": user.get_username()}


@pytest.mark.parametrize("handler", [_name_a_profile, _name_nobody])
def test_the_user_name_says_whose_a_payload_is(api: APIClient, anna: AbstractBaseUser, handler: Any) -> None:
    """``user_id`` may be the key of another table, if no user's own signing key depends on it."""
    make_user("bob", pk=anna.pk + 1)
    with override_settings(JWT_AUTH={"JWT_PAYLOAD_HANDLER": handler}):
        assert me(api, obtain(api)).json()["pk"] == anna.pk
        assert me(api, jwt_encode_handler(handler(anna))).json()["pk"] == anna.pk
        old = jwt.encode({**handler(anna), "exp": time.time() + 60}, settings.SECRET_KEY)
        assert me(api, old).json()["pk"] == anna.pk


def test_a_name_that_is_somebody_elses_by_now_lets_nobody_in(api: APIClient, anna: AbstractBaseUser) -> None:
    token, bob = tutorial_token(anna), make_user("bob")
    anna.delete()
    bob.username = "anna"
    bob.save()
    assert me(api, token).json()["code"] == "user_gone"


class Banning(JSONWebTokenAuthentication):
    def authenticate_credentials(self, payload: dict[str, Any]) -> Any:
        user = super().authenticate_credentials(payload)
        assert payload["username"] == user.get_username()
        raise AuthenticationFailed({"detail": "banned", "code": "banned"})


def test_the_check_of_a_subclass_applies_to_every_token(api: APIClient, anna: AbstractBaseUser) -> None:
    for token in (tutorial_token(anna), obtain(api)):
        request = Request(RequestFactory().get("/", HTTP_AUTHORIZATION=f"JWT {token}"))
        with pytest.raises(AuthenticationFailed, match="banned"):
            Banning().authenticate(request)


class Choosy(VerifyJSONWebTokenSerializer):
    def _check_payload(self, token: str) -> dict[str, Any]:
        return {**super()._check_payload(token)}

    def _check_user(self, payload: dict[str, Any]) -> Any:
        super()._check_user(payload)
        raise ValidationError("not today")


def test_the_check_of_a_serializers_subclass_applies(api: APIClient, anna: AbstractBaseUser) -> None:
    for token in (tutorial_token(anna), obtain(api)):
        serializer = Choosy(data={"token": token})
        assert not serializer.is_valid()
        assert "not today" in str(serializer.errors)


def test_no_secret_is_not_a_secret(api: APIClient, anna: AbstractBaseUser) -> None:
    for nothing in (None, ""):
        with override_settings(JWT_AUTH={"JWT_GET_USER_SECRET_KEY": lambda user, found=nothing: found}):
            for key in ("None", ""):
                signed = tutorial_token(anna).rpartition(".")[0]  # PyJWT warns about such a key
                mac = hmac.digest(key.encode(), signed.encode(), "sha256")
                token = f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
                assert me(api, token).status_code == 401


def test_a_users_own_key_is_for_no_other_user(api: APIClient, anna: AbstractBaseUser) -> None:
    make_user("bob")
    forged = tutorial_token(anna, key=_get_key(anna), username="bob")
    for more in ({}, {"JWT_PAYLOAD_HANDLER": _name_a_profile}):
        with override_settings(JWT_AUTH={"JWT_GET_USER_SECRET_KEY": _get_key, **more}):
            assert me(api, forged).status_code == 401


def _change_the_password(user: Any) -> dict[str, Any]:
    other = type(user).objects.get(pk=user.pk)
    other.set_password("another one")
    other.save()
    return jwt_payload_handler(user)


@override_settings(JWT_AUTH={"JWT_PAYLOAD_HANDLER": _change_the_password})
def test_a_login_that_races_a_new_password_starts_no_session(api: APIClient, anna: AbstractBaseUser) -> None:
    assert api.post("/auth/", {"username": "anna", "password": PASSWORD}).status_code == 400
    assert not sessions.live_sessions(anna.pk).exists()


def test_a_login_notes_where_it_came_from(api: APIClient, anna: AbstractBaseUser) -> None:
    api.post("/auth/", {"username": "anna", "password": PASSWORD}, HTTP_USER_AGENT="A phone")
    session = Session.objects.get()
    assert (session.device, session.ip) == ("A phone", "127.0.0.1")


def test_a_refresh_token_of_simplejwt_is_refused_as_an_access_token(
    api: APIClient, anna: AbstractBaseUser
) -> None:
    assert me(api, simplejwt_token(anna, username="anna")).status_code == 401


@override_settings(TESSERA={"LOGIN_RATE_PER_ACCOUNT": "2/min"})
def test_logins_by_a_field_of_another_name_are_counted(anna: AbstractBaseUser) -> None:
    cache.clear()

    class Serializer(JSONWebTokenSerializer):
        username_field = "login"

    view = ObtainJSONWebToken.as_view(serializer_class=Serializer)
    answers = [view(RequestFactory().post("/", {"login": "anna", "password": "x"})) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [400, 400, 429, 429]


@pytest.mark.parametrize("body", ["[" * 1500, '{"a":' * 1500, '{"token": ' + "[" * 1500])
@pytest.mark.parametrize("path", ["/auth/", "/refresh/", "/verify/"])
def test_a_body_that_is_too_deep_is_a_bad_request(api: APIClient, db: None, path: str, body: str) -> None:
    assert api.generic("POST", path, body, content_type="application/json").status_code == 400


DEEP = "[" * 5000 + "]" * 5000
ODD = [
    {"username": "\ud800"},
    {"user_id": "\ud800"},
    {"orig_iat": 10**400},
    {"orig_iat": float("nan")},
    {"orig_iat": float("inf")},
    {"orig_iat": -5},
    {"nan": float("nan")},
    {"text": "\ud800"},
    {"number": 10**4000},
    {"exp": 10**400},
    {"exp": str(10**10)},
    {"many": ["a permission of some length"] * 200},
]


@pytest.mark.slow
@override_settings(JWT_AUTH=ALLOW)
@pytest.mark.parametrize("claims", ODD, ids=lambda claims: next(iter(claims)))
def test_no_odd_claim_is_a_server_error(
    api: APIClient, anna: AbstractBaseUser, claims: dict[str, Any]
) -> None:
    """Only the server itself can sign such a claim, but a project's handler may do so."""
    token = tutorial_token(anna, **claims)
    assert me(api, token).status_code in {200, 401}
    for path in ("/verify/", "/refresh/"):
        assert api.post(path, {"token": token}).status_code in {200, 400}


@pytest.mark.parametrize("more", [{}, {"JWT_GET_USER_SECRET_KEY": _get_key}])
def test_a_token_that_is_too_deep_is_refused(api: APIClient, anna: AbstractBaseUser, more: Any) -> None:
    head, _, tail = tutorial_token(anna).split(".")
    raw = f"{head}.{base64.urlsafe_b64encode(DEEP.encode()).decode().rstrip('=')}.{tail}"
    with override_settings(JWT_AUTH=more):
        assert me(api, raw).status_code == 401


def test_claims_that_older_libraries_accepted_are_accepted(api: APIClient, anna: AbstractBaseUser) -> None:
    token = tutorial_token(anna, sub=anna.pk, jti=7, iat=int(time.time()) + 3)
    assert me(api, token).status_code == 200


def _encode(payload: dict[str, Any]) -> str:
    return jwt.encode(payload, settings.SECRET_KEY)


def _decode(token: str) -> dict[str, Any]:
    return jwt.decode(token, settings.SECRET_KEY, algorithms=["HS256"])


@override_settings(JWT_AUTH={**ALLOW, "JWT_ENCODE_HANDLER": _encode, "JWT_DECODE_HANDLER": _decode})
def test_both_handlers_of_the_projects_own_go_through_everything(
    api: APIClient, anna: AbstractBaseUser
) -> None:
    token = obtain(api)
    fresh = api.post("/refresh/", {"token": token}).json()["token"]
    assert me(api, token).status_code == me(api, fresh).status_code == 200
    assert _decode(fresh)["orig_iat"] == _decode(token)["orig_iat"]


def _encode_more(payload: dict[str, Any]) -> str:
    return jwt_encode_handler({**payload, "color": "green"})


def _copy(token: str) -> dict[str, Any]:
    return dict(jwt_decode_handler(token))


WRAPPED = [{"JWT_ENCODE_HANDLER": _encode_more}, {"JWT_DECODE_HANDLER": _copy}]


@pytest.mark.slow
@pytest.mark.parametrize("handlers", WRAPPED, ids=["encode", "decode"])
def test_handlers_around_ours_keep_to_one_session(
    api: APIClient, anna: AbstractBaseUser, handlers: dict[str, Any]
) -> None:
    with override_settings(JWT_AUTH={**ALLOW, **handlers}):
        token = obtain(api)
        fresh = api.post("/refresh/", {"token": token}).json()["token"]
        old = tutorial_token(anna)
        assert Session.objects.count() == 1
        assert me(api, fresh).status_code == 200
        sessions.revoke_all(anna)
        get_feed.forget()
        assert me(api, fresh).status_code == 401
        for text in (token, fresh, old):
            assert api.post("/refresh/", {"token": text}).status_code == 400
        assert not sessions.live_sessions(anna.pk).exists()


@pytest.mark.parametrize("handler", [jwt_encode_handler, _encode_more, _encode])
def test_inactive_users_get_nothing_even_if_the_backend_allows_them(
    api: APIClient, anna: Any, handler: Any
) -> None:
    anna.is_active = False
    anna.save()
    backend = "django.contrib.auth.backends.AllowAllUsersModelBackend"
    with override_settings(JWT_AUTH={"JWT_ENCODE_HANDLER": handler}, AUTHENTICATION_BACKENDS=[backend]):
        assert api.post("/auth/", {"username": "anna", "password": PASSWORD}).status_code == 400


@override_settings(JWT_AUTH={"JWT_PAYLOAD_HANDLER": _change_the_password, "JWT_ENCODE_HANDLER": _encode_more})
def test_a_race_with_a_new_password_is_lost_with_a_handler_around_ours_too(
    api: APIClient, anna: AbstractBaseUser
) -> None:
    assert api.post("/auth/", {"username": "anna", "password": PASSWORD}).status_code == 400
    assert not sessions.live_sessions(anna.pk).exists()


def _read_anything(token: str) -> dict[str, Any]:
    return {"username": "anna", "orig_iat": 1_700_000_000}


@override_settings(
    JWT_AUTH={
        **ALLOW,
        "JWT_DECODE_HANDLER": _read_anything,
        "JWT_REFRESH_EXPIRATION_DELTA": timedelta(days=9999),
    }
)
def test_tokens_of_a_kind_that_the_project_alone_knows(api: APIClient, anna: AbstractBaseUser) -> None:
    assert me(api, "opaque").json()["pk"] == anna.pk
    assert api.post("/refresh/", {"token": "opaque"}).status_code == 200


def _make_brief(user: Any) -> dict[str, Any]:
    return {**jwt_payload_handler(user), "exp": int(time.time()) + 200}


class ChoosyRefresh(RefreshJSONWebTokenSerializer):
    def _check_payload(self, token: str) -> dict[str, Any]:
        return dict(super()._check_payload(token))


@override_settings(JWT_AUTH={**ALLOW, "JWT_PAYLOAD_HANDLER": _make_brief})
def test_a_refresh_keeps_to_the_session_and_to_the_payloads_end(anna: AbstractBaseUser) -> None:
    serializer = ChoosyRefresh(data={"token": jwt_encode_handler(_make_brief(anna))})
    assert serializer.is_valid(), serializer.errors
    fresh = jwt_decode_handler(serializer.object["token"])
    assert fresh["exp"] <= time.time() + 201
    assert fresh["sid"] == str(Session.objects.get().pk)


def test_a_name_that_nobody_has_is_nobody(anna: AbstractBaseUser) -> None:
    """Without a user name ``user_id`` names the user. With a user name ``user_id`` must agree."""
    bob = make_user("bob")
    for payload in ({"username": "gone", "user_id": bob.pk}, {"username": "anna", "user_id": bob.pk}):
        with pytest.raises(ValueError, match="no active user"):
            jwt_encode_handler(payload)


@override_settings(JWT_AUTH={"JWT_AUTH_COOKIE": "jwt"})
@pytest.mark.parametrize("header", [{}, {"HTTP_ORIGIN": "https://app.example"}])
def test_a_client_without_the_cookie_gets_the_token_only_in_the_body(
    anna: AbstractBaseUser, header: dict[str, str]
) -> None:
    """These are phones, services, and pages of other origins, also with the cookie of a load balancer."""
    api = APIClient(enforce_csrf_checks=True)
    for _ in range(2):
        answer = api.post("/auth/", {"username": "anna", "password": PASSWORD}, **header)
        assert (answer.status_code, dict(answer.cookies)) == (200, {})
        assert me(api, answer.json()["token"]).status_code == 200
        api.cookies["balancer"] = "one"
    api.cookies["jwt"] = "whatever"
    assert api.post("/auth/", {"username": "anna", "password": PASSWORD}, **header).status_code == 403


@override_settings(JWT_AUTH={"JWT_AUTH_COOKIE": "jwt"}, TESSERA={"COOKIE_SAMESITE": "Strict"})
def test_the_cookie_is_as_the_settings_say(anna: AbstractBaseUser) -> None:
    api = APIClient()
    api.post("/auth/", {"username": "anna", "password": PASSWORD}, HTTP_ORIGIN="http://testserver")
    assert api.cookies["jwt"]["samesite"] == "Strict"


class WithDevice(JSONWebTokenSerializer):
    device = CharField()


def test_an_additional_field_is_not_a_credential(anna: AbstractBaseUser) -> None:
    serializer = WithDevice(data={"username": "anna", "password": PASSWORD, "device": "phone"})
    assert serializer.is_valid(), serializer.errors
    assert serializer.object["user"] == anna


@pytest.mark.slow
def test_an_expired_token_is_told_in_the_old_words(api: APIClient, anna: AbstractBaseUser) -> None:
    token = jwt_encode_handler({**jwt_payload_handler(anna), "exp": int(time.time()) - 5})
    for late in (token, tutorial_token(anna, exp=1)):
        assert me(api, late).json() == {"detail": "Signature has expired.", "code": "token_expired"}
        for path in ("/verify/", "/refresh/"):
            answer = api.post(path, {"token": late})
            assert answer.json() == {"non_field_errors": ["Signature has expired."]}


@override_settings(JWT_AUTH=ALLOW)
def test_a_login_may_be_noted_to_the_millisecond(api: APIClient, anna: AbstractBaseUser) -> None:
    assert (
        api.post("/refresh/", {"token": tutorial_token(anna, orig_iat=time.time() - 0.5)}).status_code == 200
    )


@override_settings(JWT_AUTH={**ALLOW, "JWT_LEEWAY": 3600})
def test_leeway_holds_for_a_refresh_too(api: APIClient, anna: AbstractBaseUser) -> None:
    late = tutorial_token(anna, exp=int(time.time()) - 100)
    assert me(api, late).status_code == api.post("/refresh/", {"token": late}).status_code == 200


@pytest.mark.parametrize("delta", [timedelta(minutes=2), timedelta(seconds=1)])
def test_a_short_time_for_refreshing_contradicts_nothing(
    api: APIClient, anna: AbstractBaseUser, delta: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = datetime.now(tz=UTC)  # one time for the whole test, because a busy machine may need a second
    monkeypatch.setattr(time, "time", moment.timestamp)
    monkeypatch.setattr(timezone, "now", lambda: moment)
    with override_settings(JWT_AUTH={**ALLOW, "JWT_REFRESH_EXPIRATION_DELTA": delta}):
        assert read_settings()[1] == []
        late = tutorial_token(anna, orig_iat=int(time.time() - delta.total_seconds() - 2))
        assert api.post("/refresh/", {"token": late}).status_code == 400
        assert api.post("/refresh/", {"token": obtain(api)}).status_code == 200


@pytest.mark.slow
def test_keys_may_be_objects_of_cryptography(api: APIClient, anna: AbstractBaseUser) -> None:
    keys = {"JWT_ALGORITHM": "RS256", "JWT_PRIVATE_KEY": RSA, "JWT_PUBLIC_KEY": RSA.public_key()}
    with override_settings(JWT_AUTH=keys):
        assert read_settings()[1] == check_settings(None) == []
        old = jwt.encode({**jwt_payload_handler(anna)}, RSA, algorithm="RS256")
        assert me(api, old).status_code == me(api, obtain(api)).status_code == 200


def _empty(token: str) -> dict[str, Any]:
    jwt_decode_handler(token)
    return {}


def _as_bob(token: str) -> dict[str, Any]:
    return {**jwt_decode_handler(token), "username": "bob", "user_id": None}


def test_the_result_of_a_decode_handler_counts(api: APIClient, anna: AbstractBaseUser) -> None:
    bob, token = make_user("bob"), obtain(api)
    with override_settings(JWT_AUTH={**ALLOW, "JWT_DECODE_HANDLER": _empty}):
        assert me(api, token).status_code == 401
        assert api.post("/verify/", {"token": token}).status_code == 400
        assert api.post("/refresh/", {"token": token}).status_code == 400
    with override_settings(JWT_AUTH={**ALLOW, "JWT_DECODE_HANDLER": _as_bob}):
        assert me(api, token).json()["pk"] == bob.pk


def _make_another(user: Any) -> dict[str, Any]:
    other = type(user).objects.get(username="bob")
    if other.pk == user.pk:
        return jwt_payload_handler(user)
    return {**jwt_payload_handler(user), "kiosk": jwt_encode_handler(jwt_payload_handler(other))}


def _encode_another(payload: dict[str, Any]) -> str:
    bob = get_user_model().objects.get(username="bob")
    return jwt_encode_handler({**payload, "kiosk": jwt_encode_handler(jwt_payload_handler(bob))})


@pytest.mark.parametrize(
    "handlers", [{"JWT_PAYLOAD_HANDLER": _make_another}, {"JWT_ENCODE_HANDLER": _encode_another}]
)
def test_a_token_for_somebody_else_in_a_login_is_somebody_elses(
    api: APIClient, anna: AbstractBaseUser, handlers: dict[str, Any]
) -> None:
    bob = make_user("bob")
    with override_settings(JWT_AUTH={**ALLOW, **handlers}):
        token = obtain(api)
        fresh = api.post("/refresh/", {"token": token}).json()["token"]
        for text in (token, fresh):
            assert me(api, text).json()["pk"] == anna.pk
            assert me(api, jwt_decode_handler(text)["kiosk"]).json()["pk"] == bob.pk


def test_an_occasion_is_over_for_copies_of_its_context_too(anna: AbstractBaseUser) -> None:
    bob = make_user("bob")
    with encoding_for(bob):
        context = copy_context()
    token = context.run(jwt_encode_handler, jwt_payload_handler(anna))
    assert jwt_decode_handler(token)["sub"] == str(anna.pk)
    with pytest.raises(ValueError, match="no active user"):
        context.run(jwt_encode_handler, {})
