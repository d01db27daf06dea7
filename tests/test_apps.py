"""The app starts, or says what pip has done to the files of a package."""

from __future__ import annotations

import logging
import sys
from importlib.metadata import EntryPoint

import pytest
from django.apps import apps
from django.core.checks import Error
from django.core.exceptions import ImproperlyConfigured

import drf_tessera
from drf_tessera import apps as tessera_apps
from drf_tessera import legacy

pytestmark = pytest.mark.once  # it reads metadata

DAMAGE = Error("Files of drf-tessera-jwt are missing.", hint="pip install it again", id="tessera_jwt.E006")
GONE = EntryPoint(name="jwt", value="rest_framework_gone.apps:connect", group=tessera_apps.EXTENSIONS)


@pytest.fixture(params=[True, False], ids=["damaged", "whole"])
def damaged(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(legacy, "find_damage", lambda: [DAMAGE] if request.param else [])
    return bool(request.param)


def test_an_extension_whose_files_are_gone_stops_no_command(
    damaged: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """``manage.py check`` has to run, because it names the way out."""
    if damaged:
        with caplog.at_level(logging.ERROR):
            tessera_apps._connect(GONE)
        assert DAMAGE.msg in caplog.text
    else:
        with pytest.raises(ModuleNotFoundError, match="rest_framework_gone"):
            tessera_apps._connect(GONE)


def test_a_start_that_fails_names_the_damage(damaged: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(drf_tessera.checks, "projects")
    monkeypatch.setitem(sys.modules, "drf_tessera.checks.projects", None)
    with pytest.raises(ImproperlyConfigured if damaged else ImportError) as caught:
        apps.get_app_config("tessera").ready()
    assert (DAMAGE.msg in str(caught.value)) is damaged
