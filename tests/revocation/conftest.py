"""A PostgreSQL of the test's own, with the tables and one user."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.conftest import PASSWORD
from tests.servers import ROOT, Postgres

MAKE_USER = (
    f"from django.contrib.auth.models import User; User.objects.create_user('anna', None, {PASSWORD!r})"
)


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    found = Postgres()
    found.start()
    environment = {
        **os.environ,
        "TESSERA_SERVER_DB_NAME": "",
        "TESSERA_SERVER_DB_PORT": str(found.port),
        "DJANGO_SETTINGS_MODULE": "tests.server_settings",
    }
    for command in (["migrate", "-v", "0"], ["shell", "-v", "0", "-c", MAKE_USER]):
        subprocess.run([sys.executable, "-m", "django", *command], env=environment, cwd=ROOT, check=True)
    yield found
    found.remove()
