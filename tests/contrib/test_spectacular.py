"""drf-spectacular describes every endpoint and every authentication class without a warning."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from django.urls import include, path
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.validation import validate_schema
from rest_framework.schemas.openapi import SchemaGenerator as RestFrameworkGenerator
from rest_framework.serializers import CharField, Serializer
from rest_framework.views import APIView
from rest_framework_jwt import views as jwt_views
from rest_framework_simplejwt import views as simplejwt_views

from drf_tessera import JWTAuthentication, OptionalJWTAuthentication, StrictJWTAuthentication
from drf_tessera.contrib import spectacular
from drf_tessera.http import find_view_class
from drf_tessera.rest import urls, views
from tests.compat import jwt_urls, simplejwt_urls

pytestmark = pytest.mark.once  # a schema needs no database


class Shape(Serializer[Any]):
    name = CharField()


def make_view(kind: type[Any]) -> Any:
    class Own(APIView):
        authentication_classes = (kind,)
        serializer_class = Shape

        def get(self, request: Any) -> None: ...

    return Own.as_view()


class Subclass(JWTAuthentication):
    """A project's own."""


KINDS = [JWTAuthentication, StrictJWTAuthentication, OptionalJWTAuthentication, Subclass]


@pytest.fixture(autouse=True)
def _schema(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project with this DEFAULT_SCHEMA_CLASS. REST framework reads it when it defines its own views."""
    monkeypatch.setattr(APIView, "schema", AutoSchema())
    chosen = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, **chosen}


def describe(*patterns: Any) -> dict[str, Any]:
    GENERATOR_STATS.reset()
    found: dict[str, Any] = SchemaGenerator(patterns=list(patterns)).get_schema(request=None, public=True)
    assert not GENERATOR_STATS, (GENERATOR_STATS._warn_cache, GENERATOR_STATS._error_cache)
    validate_schema(found)
    return found


def test_every_endpoint_is_described() -> None:
    found = describe(
        path("api/token/", include(urls)), *[path(kind.__name__, make_view(kind)) for kind in KINDS]
    )
    for pattern in urls.urlpatterns:
        view = find_view_class(pattern.callback)
        address = "/api/token/" + str(pattern.pattern).replace("<str:session_id>", "{session_id}")
        methods = {name for name in ("get", "post", "delete") if hasattr(view, name)}
        assert found["paths"][address].keys() >= methods
        for method in methods:
            answers = found["paths"][address][method]["responses"]
            assert answers.keys() - {"200", "204"} >= {"401"}
            assert answers.keys() & {"200", "204"}
    assert found["components"]["securitySchemes"].keys() == {
        spectacular.SCHEME,
        "StrictJWTAuthentication",
        "OptionalJWTAuthentication",
        "Subclass",
    }
    login = found["paths"]["/api/token/"]["post"]
    answer = login["responses"]["200"]["content"]["application/json"]["schema"]
    assert {"access", "refresh", "user"} <= answer["properties"].keys()
    body = login["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    assert {"username", "email", "password"} <= found["components"]["schemas"][body]["properties"].keys()


def test_a_tenant_in_the_route() -> None:
    describe(path("<slug:tenant>/token/", include(urls)))


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}),
        ({"HEADER_PREFIX": "JWT"}, {"type": "apiKey", "in": "header", "name": "Authorization"}),
        ({"HEADER_NAME": "X-Authorization"}, {"type": "apiKey", "in": "header", "name": "X-Authorization"}),
    ],
)
def test_the_scheme_is_that_of_the_settings(
    settings: Any, chosen: dict[str, str], expected: dict[str, str]
) -> None:
    settings.TESSERA = chosen
    found = describe(path("", make_view(JWTAuthentication)))["components"]["securitySchemes"][
        spectacular.SCHEME
    ]
    assert found | expected == found


def test_a_subclass_with_another_user() -> None:
    class Login(views.LoginView):
        user_serializer_class = Shape

    found = describe(path("", Login.as_view()))["paths"]["/"]["post"]["responses"]["200"]
    assert found["content"]["application/json"]["schema"]["properties"]["user"] == {"type": "object"}


@pytest.mark.parametrize("module", [urls, simplejwt_urls, jwt_urls], ids=["native", "simplejwt", "jwt"])
def test_rest_framework_s_own_generator_works(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from rest_framework.schemas.openapi import AutoSchema as RestFrameworkSchema

    monkeypatch.setattr(APIView, "schema", RestFrameworkSchema())
    schema = RestFrameworkGenerator(title="x", patterns=list(module.urlpatterns)).get_schema(public=True)
    assert len(schema["paths"]) >= len(module.urlpatterns) - 1


SIMPLEJWT_VIEWS = [
    simplejwt_views.TokenObtainPairView,
    simplejwt_views.TokenRefreshView,
    simplejwt_views.TokenVerifyView,
    simplejwt_views.TokenBlacklistView,
    simplejwt_views.TokenObtainSlidingView,
    simplejwt_views.TokenRefreshSlidingView,
]
JWT_VIEWS = [jwt_views.ObtainJSONWebToken, jwt_views.RefreshJSONWebToken, jwt_views.VerifyJSONWebToken]


@pytest.mark.parametrize("view", [*SIMPLEJWT_VIEWS, *JWT_VIEWS], ids=lambda view: view.__name__)
def test_the_description_of_a_view_of_another_package_is_its_docstring(view: Any) -> None:
    """A test that runs the original compares the docstrings of simplejwt's views."""
    found = describe(path("", view.as_view()))
    assert found["paths"]["/"]["post"]["description"] == inspect.getdoc(view)


def test_serializers_of_simplejwt_have_no_description() -> None:
    found = describe(*(path(f"{view.__name__}/", view.as_view()) for view in SIMPLEJWT_VIEWS))
    assert [name for name, shape in found["components"]["schemas"].items() if "description" in shape] == []


def test_without_drf_spectacular_nothing_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spectacular, "find_spec", lambda name: None)
    monkeypatch.setattr(spectacular, "_describe_authentication", None)
    spectacular.connect()
