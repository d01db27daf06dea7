"""The challenges of the packages with other names: theirs, and with ``RESOURCE`` the way to the metadata."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import include, path
from rest_framework.test import APIClient
from rest_framework_jwt.authentication import JSONWebTokenAuthentication
from rest_framework_simplejwt.authentication import JWTAuthentication

from tests.compat import jwt_urls, simplejwt_urls

urlpatterns = [
    path("", include("drf_tessera.rest.metadata")),
    path("api/simplejwt/", include(simplejwt_urls.urlpatterns)),
    path("api/jwt/", include(jwt_urls.urlpatterns)),
]

pytestmark = pytest.mark.urls(__name__)

POINTER = 'resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/api"'
REFUSALS = {
    "/api/simplejwt/me/": "Bearer",
    "/api/simplejwt/api/token/verify/": "Bearer",
    "/api/jwt/me/": "JWT",
}


@pytest.mark.parametrize("address", REFUSALS)
def test_a_challenge_names_the_metadata(api: APIClient, settings: Any, address: str) -> None:
    scheme = REFUSALS[address]

    def refuse() -> str:
        send = api.post if address.endswith("verify/") else api.get
        answer = send(address, {"token": "rubbish"}, HTTP_AUTHORIZATION=f"{scheme} rubbish")
        assert answer.status_code == 401
        return str(answer["WWW-Authenticate"])

    assert refuse() == f'{scheme} realm="api"'
    settings.TESSERA = {"RESOURCE": "https://api.example.com/api"}
    assert refuse() == f'{scheme} realm="api", {POINTER}'


@pytest.mark.parametrize("kind", [JWTAuthentication, JSONWebTokenAuthentication])
def test_tests_of_projects_ask_for_the_challenge_without_a_request(settings: Any, kind: Any) -> None:
    for chosen in ({}, {"RESOURCE": "https://api.example.com/api"}):
        settings.TESSERA = chosen
        assert kind().authenticate_header(None).endswith(' realm="api"')
