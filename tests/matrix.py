"""Run the tests on every database, user model and Django: ``python -m tests.matrix``.

If a database or a Python is missing, its tests are skipped with a visible message. With ``CI=true`` a missing
database or Python is a failure.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

from tests.environments import ROOT, find_python, install_django

SERVICES = {
    "sqlite": None,
    "postgres": (os.environ.get("PGHOST", "127.0.0.1"), int(os.environ.get("PGPORT", "5432"))),
    "mariadb": (os.environ.get("MARIADB_HOST", "127.0.0.1"), int(os.environ.get("MARIADB_PORT", "3306"))),
}
USER_MODELS = ("accounts.EmailUser", "accounts.HandleUser")
USER_MODEL_TESTS = ("tests/users/test_user_models.py", "tests/compat/test_user_models.py")
NO_BROWSER = ("--ignore=tests/browser", "--ignore=tests/js/test_client.py")
"""Browser tests run on one Django only. On another Django, the server's tests find the same faults faster."""
NEWER_DJANGO = (("6.0", ("sqlite",)), ("6.1", ("sqlite", "postgres")))


def is_there(address: tuple[str, int] | None) -> bool:
    """Return whether a server listens at ``address``. ``None`` needs no server."""
    if address is None:
        return True
    try:
        with socket.create_connection(address, timeout=5):
            return True
    except OSError:
        return False


def run(database: str, user_model: str, *arguments: str, python: str = sys.executable) -> bool:
    """Run pytest once and return whether it passed. Runs of this Python are under coverage."""
    environment = {**os.environ, "TESSERA_TEST_DB": database, "TESSERA_TEST_USER": user_model}
    # Only one Python counts branches, because another Python compiles them differently.
    coverage = ["-m", "coverage", "run"] if python == sys.executable else []
    command = [python, *coverage, "-m", "pytest", "-q", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


def run_newer(python: str, databases: list[str]) -> Iterator[bool]:
    """Run the tests on each newer Django, with the databases that are running."""
    for version, wanted in NEWER_DJANGO:
        _say(f"installing Django {version}")
        inside = install_django(python, version)
        for database in wanted:
            if database in databases:
                _say(f"Django {version}, {database}")
                yield run(database, "auth.User", *NO_BROWSER, python=inside)


def run_pinned(databases: list[str]) -> Iterator[bool]:
    """Run all tests on each database, and the tests of users with each user model."""
    for database in databases:
        _say(f"{database}, auth.User")
        yield run(database, "auth.User")
    for database in databases:
        for user_model in USER_MODELS:
            _say(f"{database}, {user_model}")
            yield run(database, user_model, *USER_MODEL_TESTS)


def main() -> int:
    """Run everything. Return 1 if a run failed or the coverage is not complete."""
    databases = [name for name, address in SERVICES.items() if is_there(address)]
    missing = [f"{name} does not listen at {SERVICES[name]}" for name in SERVICES if name not in databases]
    python = find_python()
    if python is None:
        missing.append("Django 6 needs Python 3.12 or newer, and none was found")
    if missing and os.environ.get("CI") == "true":
        print("FAILED, because CI needs it all:", *missing, sep="\n")  # noqa: T201
        return 1
    _coverage("erase")
    results = [*run_pinned(databases), *(run_newer(python, databases) if python else ())]
    _coverage("combine", "--quiet")
    complete = _coverage("report")
    for what in missing:
        print(f"\n!!! SKIPPED: {what}. Nothing was tested there. !!!")  # noqa: T201
    passed = sum(results)
    print(f"\n{passed} of {len(results)} runs passed; coverage {'is' if complete else 'IS NOT'} complete.")  # noqa: T201
    return 0 if all(results) and complete else 1


def _say(what: str) -> None:
    print(f"\n=== {what} ===", flush=True)  # noqa: T201 - a progress line for people


def _coverage(*arguments: str) -> bool:
    command = [sys.executable, "-m", "coverage", *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
