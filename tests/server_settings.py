"""The settings of the servers that tests start: theirs, on the database that the test made."""

from __future__ import annotations

import os

from tests.settings import *  # noqa: F403 - one setting differs
from tests.settings import DATABASES

DATABASES["default"]["NAME"] = os.environ["TESSERA_SERVER_DB_NAME"]
