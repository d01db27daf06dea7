"""The pages that REST framework renders for a browser."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from drf_tessera.rest import views
from drf_tessera.rest.urls import urlpatterns
from drf_tessera.rest.views import LoginView

pytestmark = pytest.mark.django_db


def find_description(view: type[Any]) -> str:
    return str(view().get_view_description())


def test_descriptions_are_for_users_of_the_api() -> None:
    """Our docstrings name settings and errors, which only developers know."""
    kinds = [pattern.callback.view_class for pattern in urlpatterns]
    for text in map(find_description, kinds):
        assert text
        for word in ("``", "PROFILE", "CHALLENGE", "RFC"):
            assert word not in text
    assert find_description(views.SessionListView).startswith("GET: List the sessions")
    assert "DELETE: End all sessions" in find_description(views.SessionListView)


def test_a_page_and_an_options_request_show_the_description() -> None:
    assert (
        "Exchange a user name" in Client(headers={"Accept": "text/html"}).get("/api/token/").content.decode()
    )
    assert APIClient().options("/api/token/").json()["description"].startswith("Exchange a user name")


class Own(LoginView):
    """A login of the project."""


class Described(LoginView):
    description = "Another text."


def test_a_project_describes_its_own_views() -> None:
    Described.__module__ = LoginView.__module__
    assert find_description(Own) == "A login of the project."
    assert find_description(Described) == "Another text."


@pytest.mark.parametrize(("profile", "first"), [("api", "header"), ("browser", "cookie")])
def test_the_form_of_the_login_chooses_a_transport_that_is_offered(
    settings: Any, profile: str, first: str
) -> None:
    settings.TESSERA = {"PROFILE": profile}
    text = Client(headers={"Accept": "text/html"}).get("/api/token/").content.decode()
    assert f'value="{first}" selected' in " ".join(text.split())
