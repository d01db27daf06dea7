"""Run tests/compat/applications in an environment with these applications and without the original."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.environments import install_applications
from tests.servers import ROOT

pytestmark = pytest.mark.once  # it has an environment of its own


@pytest.mark.long
@pytest.mark.server
def test_dj_rest_auth_djoser_and_spectacular(tmp_path: Path) -> None:
    python = install_applications(sys.executable)
    done = subprocess.run(
        [
            python,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "tests/compat/applications",
            "--ds=tests.compat.applications.settings",
            "-W",
            "default",
        ],
        cwd=ROOT,
        env={**os.environ, "TESSERA_TEST_SQLITE": str(tmp_path / "db.sqlite3")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.findall(r"(\d+) passed", done.stdout)[0]) >= 8
    assert "skipped" not in done.stdout
