"""The paths of the endpoints, derived from the URLconf."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
from django.conf import settings
from django.conf.urls.i18n import i18n_patterns
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import include, path, re_path, set_script_prefix

from drf_tessera.http import find_cookie_directory
from drf_tessera.rest.views import LoginView, RefreshView, RevokeView

REFRESH, REVOKE = RefreshView.as_view(), RevokeView.as_view()


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


URLS: dict[str, tuple[list[Any], str | None]] = {
    "as shipped": ([path("api/token/", include("drf_tessera.rest.urls"))], "/api/token/"),
    "at the root": ([path("", include("drf_tessera.rest.urls"))], "/"),
    "one view alone": ([path("api/refresh/", REFRESH), path("", page)], "/api/refresh/"),
    "one view without a slash": ([path("api/refresh", REFRESH)], "/api/"),
    "at the root without a slash": ([path("refresh", REFRESH)], "/"),
    "names that begin alike": ([path("api/re/", REFRESH), path("api/revoke/", REVOKE)], "/api/"),
    "two versions": ([path("v1/refresh/", REFRESH), path("v2/refresh/", REFRESH)], "/"),
    "one inside of the other": ([path("a/", REFRESH), path("a/b/", REVOKE)], "/a/"),
    "a login elsewhere is no concern": (
        [path("login/", LoginView.as_view()), path("api/refresh/", REFRESH)],
        "/api/refresh/",
    ),
    "below a tenant": ([path("api/<slug:tenant>/token/", include("drf_tessera.rest.urls"))], "/api/"),
    "below a language": (i18n_patterns(path("token/", include("drf_tessera.rest.urls"))), "/"),
    "expressions": ([re_path(r"^api/token/refresh/?$", REFRESH)], "/api/token/refresh/"),
    "expressions that differ": ([re_path(r"^api/(v1|v2)/refresh/$", REFRESH)], "/api/"),
    "nowhere": ([path("", page)], None),
}


@pytest.mark.parametrize("name", URLS)
def test_the_cookie_is_for_the_directory_of_all_views_that_read_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    patterns, expected = URLS[name]
    module = ModuleType("tests.planted_urls")
    module.urlpatterns = patterns  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tests.planted_urls", module)
    with override_settings(ROOT_URLCONF="tests.planted_urls"):
        assert find_cookie_directory() == expected


def test_the_path_includes_the_prefix_of_the_server() -> None:
    set_script_prefix("/app/")
    try:
        assert find_cookie_directory() == "/app/api/token/"
    finally:
        set_script_prefix("/")
    assert find_cookie_directory() == "/api/token/"


def test_the_path_follows_root_urlconf_without_the_signal_of_a_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """pytest-django and some tenant packages set ROOT_URLCONF without Django's ``setting_changed``."""
    module = ModuleType("tests.replaced_urls")
    module.urlpatterns = [path("other/", include([path("refresh/", REFRESH)]))]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tests.replaced_urls", module)
    before = find_cookie_directory()
    monkeypatch.setattr(settings, "ROOT_URLCONF", "tests.replaced_urls")
    assert (before, find_cookie_directory()) == ("/api/token/", "/other/refresh/")
