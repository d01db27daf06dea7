"""The packages of ``compat/`` enter the tenant of a request, as the classes of drf-tessera do."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest
from django.test import RequestFactory
from rest_framework.exceptions import APIException
from rest_framework.views import APIView
from rest_framework_jwt.authentication import JSONWebTokenAuthentication
from rest_framework_simplejwt.authentication import JWTAuthentication, JWTStatelessUserAuthentication

from drf_tessera import installation, sessions
from drf_tessera.conf import current_tenant, use_tenant
from tests.settings import USER_MODEL

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(USER_MODEL != "auth.User", reason="the user model is not what is tested"),
]


def by_host(request: HttpRequest | None) -> str:
    return "" if request is None else request.get_host().partition(".")[0]


@pytest.mark.parametrize(
    ("kind", "scheme"),
    [
        (JWTAuthentication, "Bearer"),
        (JWTStatelessUserAuthentication, "Bearer"),
        (JSONWebTokenAuthentication, "JWT"),
    ],
)
def test_a_token_counts_at_its_tenant_alone(
    anna: AbstractBaseUser, settings: Any, monkeypatch: pytest.MonkeyPatch, kind: Any, scheme: str
) -> None:
    monkeypatch.setattr(installation, "_known", dict(installation._known))
    settings.TESSERA = {"TENANT": by_host}
    with use_tenant("one"):
        access = sessions.start(anna).access

    def authenticate(tenant: str) -> Any:
        headers = {"host": f"{tenant}.example.com", "authorization": f"{scheme} {access}"}
        request = APIView().initialize_request(RequestFactory().get("/", headers=headers))
        found = kind().authenticate(request)
        assert current_tenant() == tenant
        return found[0].pk

    assert str(authenticate("one")) == str(anna.pk)
    with pytest.raises(APIException):
        authenticate("two")
