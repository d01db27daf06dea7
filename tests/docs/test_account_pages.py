"""The pages about djoser and dj-rest-auth: their projects, with the real packages in an environment of their own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.docs.pages import Project
from tests.environments import install_accounts

pytestmark = [pytest.mark.once, pytest.mark.server]  # it may have to make the environment

DRIVERS = Path(__file__).parent / "drivers"


@pytest.mark.parametrize("page", ["djoser"])
def test_the_project_does_what_the_page_says(tmp_path: Path, page: str) -> None:
    project = Project(tmp_path, install_accounts(sys.executable))
    project.follow(f"howto/{page}.md")
    project.manage("check", "--fail-level", "WARNING")
    project.test(DRIVERS / f"{page.replace('-', '_')}.py", "accounts")
