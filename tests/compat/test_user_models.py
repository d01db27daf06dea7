"""Both packages with each user model: an integer, UUID or text key, a user name or an e-mail address."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
from django.conf import settings
from django.test import override_settings
from rest_framework.test import APIClient
from rest_framework_jwt.utils import jwt_payload_handler
from rest_framework_simplejwt import checks

from drf_tessera.models import Session
from tests.compat.originals import simplejwt_token
from tests.conftest import PASSWORD, bearer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.users]
PK = {"USER_ID_FIELD": "pk"}


def credentials(user: Any) -> dict[str, str]:
    return {user.USERNAME_FIELD: user.get_username(), "password": PASSWORD}


@pytest.mark.slow
@pytest.mark.urls("tests.compat.simplejwt_urls")
@override_settings(SIMPLE_JWT=PK)
def test_simplejwt(api: APIClient, anna: Any) -> None:
    tokens = api.post("/api/token/", credentials(anna)).json()
    fresh = api.post("/api/token/refresh/", {"refresh": tokens["refresh"]}).json()
    for access in (tokens["access"], fresh["access"], simplejwt_token(anna, "access")):
        assert api.get("/me/", **bearer(access)).json()["claims"]["user_id"] == str(anna.pk)
        assert api.get("/stateless/", **bearer(access)).json()["pk"] == str(anna.pk)


@pytest.mark.slow
@pytest.mark.urls("tests.compat.simplejwt_urls")
@override_settings(SIMPLE_JWT=PK)
def test_an_old_refresh_token_of_simplejwt(api: APIClient, anna: Any) -> None:
    assert api.post("/api/token/refresh/", {"refresh": simplejwt_token(anna)}).status_code == 200
    assert Session.objects.get().user == anna
    assert api.post("/api/token/refresh/", {"refresh": simplejwt_token(anna, jti="\0")}).status_code == 401
    for other in ("5", "no such key", "", [1], {"a": 1}, 10**30, 1.5, True, None, "\x00"):
        text = simplejwt_token(anna, user_id=other)
        if str(other) != str(anna.pk):
            assert api.post("/api/token/refresh/", {"refresh": text}).status_code == 401
            assert (
                api.get("/me/", **bearer(simplejwt_token(anna, "access", user_id=other))).status_code == 401
            )


@pytest.mark.slow
@pytest.mark.urls("tests.compat.jwt_urls")
@override_settings(JWT_AUTH={"JWT_ALLOW_REFRESH": True})
def test_djangorestframework_jwt(api: APIClient, anna: Any) -> None:
    token = api.post("/auth/", credentials(anna)).json()["token"]
    fresh = api.post("/refresh/", {"token": token}).json()["token"]
    old = jwt.encode(jwt_payload_handler(anna), settings.SECRET_KEY)
    begun = api.post("/refresh/", {"token": old}).json()["token"]
    for text in (token, fresh, old, begun):
        assert api.get("/me/", HTTP_AUTHORIZATION=f"JWT {text}").json()["name"] == anna.get_username()
        assert api.post("/verify/", {"token": text}).status_code == 200
    assert Session.objects.filter(user=anna).count() == 2


@pytest.mark.urls("tests.compat.jwt_urls")
def test_a_name_that_nobody_has(api: APIClient, anna: Any) -> None:
    for name in ("nobody", 5, None, [], {"a": 1}, "\x00"):
        claims = {**jwt_payload_handler(anna), "username": name, "exp": int(time.time()) + 300}
        text = jwt.encode(claims, settings.SECRET_KEY)
        assert api.get("/me/", HTTP_AUTHORIZATION=f"JWT {text}").status_code == 401
        assert api.post("/verify/", {"token": text}).status_code == 400


@pytest.mark.slow
@pytest.mark.parametrize("moment", [10**12, 2**63, 10**30, 1e300, float("inf"), float("nan"), "x", [1], -5])
@override_settings(JWT_AUTH={"JWT_ALLOW_REFRESH": True})
def test_no_moment_is_a_server_error(api: APIClient, anna: Any, moment: Any) -> None:
    with override_settings(ROOT_URLCONF="tests.compat.simplejwt_urls", SIMPLE_JWT=PK):
        for name in ("exp", "iat", "nbf"):
            text = simplejwt_token(anna, **{name: moment})
            assert api.post("/api/token/verify/", {"token": text}).status_code in {200, 401}
            assert api.post("/api/token/refresh/", {"refresh": text}).status_code in {200, 401}
    with override_settings(ROOT_URLCONF="tests.compat.jwt_urls"):
        for name in ("exp", "iat", "orig_iat"):
            text = jwt.encode({**jwt_payload_handler(anna), name: moment}, settings.SECRET_KEY)
            assert api.post("/refresh/", {"token": text}).status_code in {200, 400}


def key_of(user: Any) -> str:
    return "k" * 40


@pytest.mark.urls("tests.compat.jwt_urls")
@override_settings(JWT_AUTH={"JWT_GET_USER_SECRET_KEY": key_of})
def test_a_wrong_key_of_a_user_is_refused_before_the_verification(api: APIClient, anna: Any) -> None:
    for other in ("5", "no such key", [1], {"a": 1}, 10**30, 1.5, float("inf"), None, "\x00", "\ud800"):
        text = jwt.encode({"user_id": other, "username": "x", "exp": int(time.time()) + 300}, "k" * 40)
        assert api.get("/me/", HTTP_AUTHORIZATION=f"JWT {text}").status_code == 401


def test_a_model_without_the_field_is_told(db: None) -> None:
    with override_settings(SIMPLE_JWT={"USER_ID_FIELD": "nosuch"}):
        (found,) = checks.check_settings(None)
    assert "pk" in (found.hint or "")
    with override_settings(SIMPLE_JWT=PK):
        assert checks.check_settings(None) == []
