"""Run the rules with one user model. Prints a line for each rule that is broken."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
import warnings
from pathlib import Path
from typing import Any


def main(name: str) -> int:
    """Run the rules; return how many are broken."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(
            DJANGO_SETTINGS_MODULE="tests.settings",
            TESSERA_TEST_USER=f"people.{name}",
            TESSERA_TEST_SQLITE=str(Path(folder, "db.sqlite3")),
        )
        import django

        django.setup()
        from django.test.utils import setup_databases, setup_test_environment, teardown_databases

        from tests.architecture import statements

        statements.watch()
        setup_test_environment()
        databases = setup_databases(verbosity=0, interactive=False)
        try:
            from django.test import override_settings

            from tests.people.rules import RULES

            with override_settings(TESSERA={"LOGIN_RATE_PER_ACCOUNT": None, "LOGIN_RATE_PER_ADDRESS": None}):
                return sum(map(_breaks, RULES))
        finally:
            teardown_databases(databases, verbosity=0)


def _breaks(rule: Any) -> bool:
    from django.core.cache import cache

    from drf_tessera.conf import foreign
    from drf_tessera.revocation.feed import get_feed
    from tests.architecture import statements
    from tests.people.rules import undone

    foreign._expecting["legacy tokens"] = False
    cache.clear()
    get_feed.forget()
    statements.found.clear()
    try:
        with undone():
            rule()
        assert statements.found == []
    except Exception as error:  # noqa: BLE001 - each is told, and the next rule runs
        frame = traceback.extract_tb(error.__traceback__)[-1]
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.endswith("rules.py")]
        frame = frames[-1] if frames else frame
        where = f"{frame.filename}:{frame.lineno}"
        sys.stdout.write(f"{rule.__name__}: {type(error).__name__}: {error} ({where})\n")
        return True
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
