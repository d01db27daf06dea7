"""The settings of a server with a private database, which a test stops, fills and replaces."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from django.db.backends.signals import connection_created

from tests.settings import *  # noqa: F403 - only some settings differ

_found: dict[str, Any] = json.loads(os.environ["TESSERA_SERVER_DATABASE"])

if _found["ENGINE"].endswith("mysql"):
    import pymysql

    pymysql.install_as_MySQLdb()

DATABASES = {"default": _found}
AUTH_USER_MODEL = "auth.User"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"]},
}
TESSERA = json.loads(os.environ.get("TESSERA_SERVER_SETTINGS", "{}"))


def execute_pragmas(*, connection: Any, **kwargs: object) -> None:
    """Execute the statements of a file that the test writes. SQLite has no settings of a server."""
    path = Path(f"{connection.settings_dict['NAME']}.pragmas")
    if connection.vendor == "sqlite" and path.exists():
        with connection.cursor() as cursor:
            for pragma in path.read_text().splitlines():
                cursor.execute(pragma)


connection_created.connect(execute_pragmas, dispatch_uid=__name__)
