"""The permissions by the token judge a token behind the classes of the packages in ``compat/``, too."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import AbstractBaseUser
from django.test import RequestFactory
from rest_framework.authentication import BaseAuthentication
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_jwt.authentication import JSONWebTokenAuthentication
from rest_framework_simplejwt.authentication import JWTAuthentication, JWTStatelessUserAuthentication

from drf_tessera import sessions
from drf_tessera.rest.permissions import HasClaim, HasScope, NotImpersonated, RecentLogin
from tests.conftest import make_user

pytestmark = pytest.mark.django_db

KINDS = [(JWTAuthentication, "Bearer"), (JWTStatelessUserAuthentication, "Bearer")]
ALL = [*KINDS, (JSONWebTokenAuthentication, "JWT")]


def ask(kind: Any, header: str, permission: Any) -> int:
    class View(APIView):
        authentication_classes = (kind,)
        permission_classes = (permission,)

        def get(self, request: Any) -> Response:
            return Response({})

    request = RequestFactory().get("/", headers={"authorization": header})
    return int(View.as_view()(request).status_code)


@pytest.mark.parametrize(("kind", "scheme"), ALL)
def test_scopes_claims_and_proofs_count(anna: AbstractBaseUser, kind: Any, scheme: str) -> None:
    access = sessions.start(anna, scope="notes:read", claims={"plan": "pro"}).access
    header = f"{scheme} {access}"
    for right in (HasScope("notes:read"), HasClaim("plan", "pro"), RecentLogin(timedelta(hours=1))):
        assert ask(kind, header, right) == 200
    for wrong in (HasScope("notes:write"), HasClaim("plan", "team"), ~HasScope("notes:read")):
        assert ask(kind, header, wrong) == 403


@pytest.mark.parametrize(("kind", "scheme"), ALL)
def test_a_person_who_acts_as_another_one_is_refused(anna: AbstractBaseUser, kind: Any, scheme: str) -> None:
    own = sessions.start(anna).access
    acting = sessions.impersonate(make_user("bob"), anna, 10).access
    assert ask(kind, f"{scheme} {own}", NotImpersonated) == 200
    assert ask(kind, f"{scheme} {acting}", NotImpersonated) == 403


@pytest.mark.parametrize(("kind", "scheme"), ALL)
def test_a_token_of_the_former_package_has_neither(anna: AbstractBaseUser, kind: Any, scheme: str) -> None:
    now = int(time.time())
    claims = {"user_id": str(anna.pk), "exp": now + 300, "iat": now, "jti": "x", "token_type": "access"}
    more = {"username": anna.get_username(), "orig_iat": now, "scope": "notes:read", "plan": "pro"}
    token = jwt.encode({**claims, **more}, django_settings.SECRET_KEY, "HS256")
    assert ask(kind, f"{scheme} {token}", NotImpersonated) == 200
    for wanted in (HasScope("notes:read"), HasClaim("plan", "pro"), RecentLogin(timedelta(hours=1))):
        assert ask(kind, f"{scheme} {token}", wanted) == 403


def test_credentials_of_another_class_have_no_scope(anna: AbstractBaseUser) -> None:
    class Other(BaseAuthentication):
        def authenticate(self, request: Any) -> Any:
            return anna, sessions.start(anna, scope="notes:read").access

    assert ask(Other, "", HasScope("notes:read")) == 403
