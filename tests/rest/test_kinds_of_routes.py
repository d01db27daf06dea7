"""Every endpoint works under every kind of route: versions, tenants, groups with and without names.

The parts of a route reach a view as arguments. A view that does not accept them is a 500.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ImproperlyConfigured
from django.urls import include, path, re_path
from rest_framework.test import APIClient
from rest_framework.urlpatterns import format_suffix_patterns

from drf_tessera import sessions
from drf_tessera.http import find_view_class
from drf_tessera.rest import urls as native
from drf_tessera.rest.views import SessionDetailView
from tests.compat import jwt_urls, simplejwt_urls
from tests.conftest import bearer

pytestmark = pytest.mark.django_db

ID = "00000000-0000-4000-8000-000000000000"


def list_ours(patterns: list[Any]) -> list[Any]:
    """Keep the views of this repository: the others in the same file belong to tests."""
    return [item for item in patterns if not find_view_class(item.callback).__module__.startswith("tests.")]


INTERFACES = {
    "native": native.urlpatterns,
    "simplejwt": list_ours(simplejwt_urls.urlpatterns),
    "jwt": list_ours(jwt_urls.urlpatterns),
}

KINDS: dict[str, tuple[Any, str]] = {
    "a version": (lambda inner: path("api/<str:version>/token/", include(inner)), "/api/v1/token/"),
    "a tenant's slug": (lambda inner: path("<slug:tenant>/token/", include(inner)), "/acme/token/"),
    "a number": (lambda inner: path("<int:tenant>/token/", include(inner)), "/7/token/"),
    "two parts": (lambda inner: path("<slug:tenant>/<version>/", include(inner)), "/acme/v1/"),
    "nested parts": (
        lambda inner: path("<slug:tenant>/", include([path("<version>/", include(inner))])),
        "/acme/v1/",
    ),
    "a group with a name": (lambda inner: re_path(r"^(?P<version>v\d)/token/", include(inner)), "/v1/token/"),
    "a group without a name": (lambda inner: re_path(r"^(v\d)/token/", include(inner)), "/v1/token/"),
    "two groups without names": (lambda inner: re_path(r"^(\w+)/(v\d)/", include(inner)), "/acme/v1/"),
    "extra arguments": (lambda inner: path("token/", include(inner), {"realm": "staff"}), "/token/"),
}


METHODS = ("get", "post", "put", "patch", "delete", "head", "options")


def list_endpoints() -> Iterator[tuple[str, str, str]]:
    for interface, patterns in INTERFACES.items():
        for item in patterns:
            for method in METHODS:
                if hasattr(find_view_class(item.callback), method):
                    yield interface, method, str(item.pattern).replace("<str:session_id>", ID)


def test_the_table_has_every_endpoint() -> None:
    assert len({(interface, url) for interface, _, url in list_endpoints()}) == 7 + 4 + 3


@pytest.fixture
def mount(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    def mount(*patterns: Any) -> None:
        module = ModuleType(f"urls_of_a_test_{uuid4().hex}")
        module.urlpatterns = list(patterns)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
        settings.ROOT_URLCONF = module.__name__

    return mount


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "prefix"), KINDS.values(), ids=KINDS)
def test_the_answers_are_those_of_a_plain_route(
    api: APIClient, anna: AbstractBaseUser, mount: Any, kind: Any, prefix: str
) -> None:
    for interface, method, url in list_endpoints():
        patterns = INTERFACES[interface]
        mount(path("plain/", include(patterns)), kind(patterns))
        statuses = []
        for begin in ("/plain/", prefix):
            header = bearer(sessions.start(anna).access)
            statuses.append(getattr(api, method)(f"{begin}{url}", {}, **header).status_code)
        assert statuses[0] == statuses[1] < 500, (interface, method, url, statuses)


def test_a_format_suffix(api: APIClient, anna: AbstractBaseUser, mount: Any) -> None:
    mount(*format_suffix_patterns(native.urlpatterns))
    grant = sessions.start(anna)
    assert api.get("/sessions.json", **bearer(grant.access)).status_code == 200
    assert api.post("/refresh.json", {"refresh": grant.refresh}).status_code == 200


@pytest.mark.parametrize(
    "route",
    [
        path("x/<uuid:session_id>/", SessionDetailView.as_view()),
        path("x/<str:session_id>/", SessionDetailView.as_view()),
        re_path(r"^x/(?P<session_id>[\w-]+)/$", SessionDetailView.as_view()),
        re_path(r"^(\w)/([\w-]+)/$", SessionDetailView.as_view()),
    ],
    ids=["a UUID", "a text", "a group with a name", "a group without a name"],
)
def test_a_session_is_named_by_any_kind_of_route(
    api: APIClient, anna: AbstractBaseUser, mount: Any, route: Any
) -> None:
    mount(route)
    grant, other = sessions.start(anna), sessions.start(anna)
    assert api.delete(f"/x/{other.session_id}/", **bearer(grant.access)).status_code == 204
    assert api.delete(f"/x/{uuid4()}/", **bearer(grant.access)).status_code == 404


def test_a_route_that_names_no_session_is_a_mistake_of_the_project(
    api: APIClient, anna: AbstractBaseUser, mount: Any
) -> None:
    mount(path("x/<uuid:pk>/", SessionDetailView.as_view()))
    with pytest.raises(ImproperlyConfigured, match="session_id"):
        api.delete(f"/x/{uuid4()}/", **bearer(sessions.start(anna).access))


def test_url_path_versioning(
    api: APIClient, anna: AbstractBaseUser, mount: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """REST framework reads the version from the route, for our views as for all others."""
    from rest_framework.versioning import URLPathVersioning
    from rest_framework.views import APIView

    monkeypatch.setattr(APIView, "versioning_class", URLPathVersioning)
    monkeypatch.setattr(URLPathVersioning, "allowed_versions", ["v1"])
    mount(path("api/<str:version>/token/", include(native.urlpatterns)))
    grant = sessions.start(anna)
    assert api.post("/api/v1/token/refresh/", {"refresh": grant.refresh}).status_code == 200
    assert api.post("/api/v9/token/refresh/", {"refresh": grant.refresh}).status_code == 404
