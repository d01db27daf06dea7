"""The pages about djoser and dj-rest-auth: their projects run with the real packages."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.docs.pages import Project
from tests.environments import install_accounts

pytestmark = [pytest.mark.once, pytest.mark.server]  # it may have to make the environment

DRIVERS = Path(__file__).parent / "drivers"


@pytest.mark.long
@pytest.mark.parametrize("page", ["djoser", "dj-rest-auth"])
def test_the_project_does_what_the_page_says(tmp_path: Path, page: str) -> None:
    project = Project(tmp_path, install_accounts(sys.executable))
    project.warnings += ["-W", "ignore:app_settings.AUTHENTICATION_METHOD"]  # of dj-rest-auth, about allauth
    project.follow(f"howto/{page}.md")
    project.manage("check", "--fail-level", "WARNING")
    project.test(DRIVERS / f"{page.replace('-', '_')}.py", "accounts")
