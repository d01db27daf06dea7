"""The rules of ``tests/tenants/rules.py`` hold for each kind of project with tenants."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.environments import install_tenants
from tests.servers import ROOT, Postgres

pytestmark = pytest.mark.once  # each project has databases of its own

RULES = 12


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    found = Postgres()
    found.start()
    yield found
    found.remove()


def check(python: str, kind: str, folder: Path, **environment: str) -> None:
    done = subprocess.run(
        [python, "-m", "tests.tenants", kind],
        cwd=ROOT,
        env={**os.environ, "TESSERA_TENANTS_FOLDER": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, f"{RULES} rules hold.\n"), done.stdout + done.stderr[-2000:]


@pytest.mark.long  # it starts processes of its own
@pytest.mark.parametrize("kind", ["column", "databases"])
def test_every_rule_holds_with(tmp_path: Path, kind: str) -> None:
    check(sys.executable, kind, tmp_path)


@pytest.mark.long
@pytest.mark.server
def test_every_rule_holds_with_django_tenants(tmp_path: Path, postgres: Postgres) -> None:
    check(install_tenants(sys.executable), "schemas", tmp_path, TESSERA_TENANTS_PORT=str(postgres.port))
