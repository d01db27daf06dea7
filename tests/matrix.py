"""Run the tests on every database and with every kind of user model: ``python -m tests.matrix``.

Outside of CI a database that is not there is skipped, loudly; with ``CI=true`` it is a failure.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
SERVICES = {
    "sqlite": None,
    "postgres": (os.environ.get("PGHOST", "127.0.0.1"), int(os.environ.get("PGPORT", "5432"))),
    "mariadb": (os.environ.get("MARIADB_HOST", "127.0.0.1"), int(os.environ.get("MARIADB_PORT", "3306"))),
}
USER_MODELS = ("accounts.EmailUser", "accounts.HandleUser")


def is_there(address: tuple[str, int] | None) -> bool:
    """Tell whether something listens at ``address``; ``None`` needs nothing."""
    if address is None:
        return True
    try:
        with socket.create_connection(address, timeout=5):
            return True
    except OSError:
        return False


def run(database: str, user_model: str, *arguments: str) -> bool:
    """Run pytest once under coverage and tell whether it passed."""
    print(f"\n=== {database}, {user_model} ===", flush=True)  # noqa: T201 - a progress line for people
    environment = {**os.environ, "TESSERA_TEST_DB": database, "TESSERA_TEST_USER": user_model}
    command = [sys.executable, "-m", "coverage", "run", "-m", "pytest", "-q", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


def main() -> int:
    """Run everything; give 1 if anything failed or coverage is not complete."""
    missing = [name for name, address in SERVICES.items() if not is_there(address)]
    if missing and os.environ.get("CI") == "true":
        print(f"FAILED: not running, and CI needs them: {', '.join(missing)}")  # noqa: T201
        return 1
    _coverage("erase")
    here = [name for name in SERVICES if name not in missing]
    results = [run(name, "auth.User") for name in here]
    results += [run(name, model, "tests/test_user_models.py") for name in here for model in USER_MODELS]
    _coverage("combine", "--quiet")
    complete = _coverage("report")
    for name in missing:
        print(f"\n!!! SKIPPED: {name} does not listen at {SERVICES[name]}. Nothing was tested there. !!!")  # noqa: T201
    passed = sum(results)
    print(f"\n{passed} of {len(results)} runs passed; coverage {'is' if complete else 'IS NOT'} complete.")  # noqa: T201
    return 0 if all(results) and complete else 1


def _coverage(*arguments: str) -> bool:
    command = [sys.executable, "-m", "coverage", *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
