"""The bodies of the token endpoints have the same keys in every project, with any renderer of the project.

Clients for all projects read them: ``client.js``, mobile libraries, the Postman collection. The endpoints
under the names of other packages use the project's renderer, as they did in the original packages.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.utils.module_loading import import_string
from djangorestframework_camel_case.parser import CamelCaseJSONParser
from djangorestframework_camel_case.render import CamelCaseBrowsableAPIRenderer, CamelCaseJSONRenderer
from rest_framework.parsers import FileUploadParser, JSONParser
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer, StaticHTMLRenderer
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from drf_tessera import sessions
from drf_tessera.rest import endpoints, views
from tests.conftest import PASSWORD, bearer

pytestmark = pytest.mark.django_db


class EnvelopeRenderer(JSONRenderer):
    """As many projects wrap each answer."""

    def render(self, data: Any, *args: Any, **kwargs: Any) -> Any:
        return super().render({"data": data, "ok": True}, *args, **kwargs)


class VendorRenderer(JSONRenderer):
    """A media type of the project's own."""

    media_type = "application/vnd.api+json"
    format = "vnd.api+json"


class VendorParser(JSONParser):
    media_type = "application/vnd.api+json"


PROJECTS: dict[str, tuple[list[Any], list[Any]]] = {
    "camel case": ([CamelCaseJSONRenderer, CamelCaseBrowsableAPIRenderer], [CamelCaseJSONParser]),
    "an envelope": ([EnvelopeRenderer], [JSONParser]),
    "a media type of its own": ([VendorRenderer], [VendorParser]),
    "pages": ([StaticHTMLRenderer], [JSONParser]),
}


@pytest.fixture(params=PROJECTS.values(), ids=PROJECTS.keys())
def _project(request: pytest.FixtureRequest, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project with these defaults. REST framework reads them when it defines its own views."""
    renderers, parsers = request.param
    monkeypatch.setattr(APIView, "renderer_classes", renderers)
    monkeypatch.setattr(APIView, "parser_classes", parsers)
    settings.REST_FRAMEWORK = {
        **settings.REST_FRAMEWORK,
        "DEFAULT_RENDERER_CLASSES": [f"{kind.__module__}.{kind.__qualname__}" for kind in renderers],
    }


@pytest.mark.usefixtures("_project")
def test_every_body_keeps_its_keys(api: APIClient, anna: AbstractBaseUser) -> None:
    name = anna.get_username()

    def post(path: str, body: dict[str, Any]) -> Any:
        return api.post(f"/api/token/{path}", json.dumps(body), content_type="application/json").json()

    granted = {"access", "refresh", "token_type", "expires_in", "refresh_expires_in", "session"}
    grant = post("", {"username": name, "password": PASSWORD})
    assert grant.keys() == granted | {"user"}
    again = post("refresh/", {"refresh": grant["refresh"], "with_user": True})
    assert again.keys() == granted | {"user"}
    header = bearer(grant["access"])
    assert post("verify/", {"token": grant["access"]})["claims"]["auth_time"]
    (row,) = api.get("/api/token/sessions/", **header).json()
    assert {"started_at", "last_used_at", "idle_expires_at"} <= row.keys()
    assert post("", {"username": name}).keys() == {"detail", "code", "fields"}
    assert post("refresh/", {"refresh": "x"}).keys() == {"detail", "code"}
    assert api.delete("/api/token/sessions/others/", **header).json() == {"revoked": 0}
    assert post("revoke/", {"refresh": grant["refresh"]}) == {"revoked": True}


@pytest.mark.usefixtures("_project")
def test_a_form_is_read_too(api: APIClient, anna: AbstractBaseUser) -> None:
    body = {"username": anna.get_username(), "password": PASSWORD}
    for kind in ("multipart", None):
        more = {"format": kind} if kind else {"content_type": "application/x-www-form-urlencoded"}
        data: Any = body if kind else "&".join(f"{key}={value}" for key, value in body.items())
        assert api.post("/api/token/", data, **more).status_code == 200


@pytest.mark.usefixtures("_project")
def test_the_project_s_own_clients_may_ask_for_its_types(
    api: APIClient, anna: AbstractBaseUser, settings: Any
) -> None:
    body = json.dumps({"username": anna.get_username(), "password": PASSWORD})
    for name in settings.REST_FRAMEWORK["DEFAULT_RENDERER_CLASSES"]:
        kind: Any = import_string(name)
        if issubclass(kind, BrowsableAPIRenderer):
            continue
        answer = api.post("/api/token/", body, content_type="application/json", HTTP_ACCEPT=kind.media_type)
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/vnd.acme.v2+json", 200),
        ("Application/Problem+JSON; q=0.5, image/png", 200),
        ("application/json; indent=4", 200),
        ("application/xml", 406),
        ("image/png", 406),
        ("jsonx", 406),
    ],
)
def test_relatives_of_json(api: APIClient, anna: AbstractBaseUser, accept: str, status: int) -> None:
    body = {"username": anna.get_username(), "password": PASSWORD}
    assert api.post("/api/token/", body, HTTP_ACCEPT=accept).status_code == status


def test_a_parser_of_the_project_reads_its_own_kind_of_json(
    api: APIClient, anna: AbstractBaseUser, settings: Any
) -> None:
    body = json.dumps({"username": anna.get_username(), "password": PASSWORD})
    kinds = [VendorParser, CamelCaseJSONParser, FileUploadParser]
    settings.REST_FRAMEWORK = {
        **settings.REST_FRAMEWORK,
        "DEFAULT_PARSER_CLASSES": [f"{kind.__module__}.{kind.__qualname__}" for kind in kinds],
    }
    vendor = VendorParser.media_type
    assert api.generic("POST", "/api/token/", body, content_type=vendor).status_code == 200
    assert api.generic("POST", "/api/token/", body, content_type="text/plain").status_code == 415
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_PARSER_CLASSES": []}
    assert api.generic("POST", "/api/token/", body, content_type=vendor).status_code == 415


def test_every_endpoint_of_this_package_is_pinned() -> None:
    from drf_tessera.http import find_view_class
    from drf_tessera.rest.urls import urlpatterns

    for pattern in urlpatterns:
        view: Any = find_view_class(pattern.callback)
        assert issubclass(view, endpoints.EndpointView)
        assert view.renderer_classes == (JSONRenderer,)
        assert view.parser_classes == endpoints.EndpointView.parser_classes


def test_the_browsable_api_stays(api: APIClient) -> None:
    answer = api.get("/api/token/", HTTP_ACCEPT="text/html")
    assert (answer.status_code, answer["Content-Type"]) == (405, "text/html; charset=utf-8")


def test_a_project_without_it_has_none(api: APIClient, settings: Any) -> None:
    settings.REST_FRAMEWORK = {
        **settings.REST_FRAMEWORK,
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    }
    assert api.get("/api/token/", HTTP_ACCEPT="text/html,*/*;q=0.8")["Content-Type"] == "application/json"


def test_a_subclass_chooses_its_own(anna: AbstractBaseUser) -> None:
    from rest_framework.test import APIRequestFactory

    class Own(views.RefreshView):
        renderer_classes = (EnvelopeRenderer,)

    request = APIRequestFactory().post("/", {"refresh": sessions.start(anna).refresh}, format="json")
    response: Response = Own.as_view()(request).render()
    assert json.loads(response.content).keys() == {"data", "ok"}


@pytest.mark.parametrize("package", ["simplejwt", "jwt"])
def test_the_names_of_other_packages_use_the_project_s_renderer(
    api: APIClient, anna: AbstractBaseUser, settings: Any, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    path, key = {"simplejwt": ("/api/token/", "access"), "jwt": ("/auth/", "token")}[package]
    monkeypatch.setattr(APIView, "renderer_classes", [EnvelopeRenderer])
    settings.ROOT_URLCONF = f"tests.compat.{package}_urls"
    field = type(anna).USERNAME_FIELD
    body = api.post(path, {field: anna.get_username(), "password": PASSWORD}).json()
    assert body["ok"] is True
    assert key in body["data"]
