"""A PostgreSQL of the test's own, with the tables and one user, and a database that is away."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, connections

from drf_tessera.models import Revocation
from drf_tessera.revocation.stores import DatabaseStore
from tests.conftest import PASSWORD
from tests.servers import ROOT, Postgres

MAKE_USER = (
    f"from django.contrib.auth.models import User; User.objects.create_user('anna', None, {PASSWORD!r})"
)


@contextmanager
def table_away() -> Iterator[None]:
    """Keep the notices in a database that nobody can connect to. The sessions stay where they are."""
    nowhere = (
        {"NAME": "/nowhere/at/all"} if connection.vendor == "sqlite" else {"HOST": "127.0.0.1", "PORT": "1"}
    )
    away = connections["default"].copy()  # with the same alias, because Django allows a test no other one
    away.settings_dict.update(nowhere)

    def find_rows(self: DatabaseStore) -> Any:
        return Revocation._default_manager.using("away")

    with pytest.MonkeyPatch.context() as patch:
        connections["away"] = away
        patch.setattr(DatabaseStore, "_rows", find_rows)
        try:
            yield
        finally:
            del connections["away"]


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
