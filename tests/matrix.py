"""Run the tests on every database, user model and Django: ``python -m tests.matrix``.

Everything but the long tests runs once, on SQLite. PostgreSQL, MariaDB and the newer versions of Django run
the tests whose result they could change: ``tests/conftest.py`` says which tests those are.

``--long`` runs what is left out then: the long tests, the other tests that use a database on each database,
Django 6.0, the slow tests on Django 6.1, and the quick tests against the built wheels. CI runs both.

If a database or a Python is missing, its tests are skipped with a visible message. With ``CI=true`` a missing
database or Python is a failure.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests import wheels
from tests.environments import ROOT, find_older_python, find_python, install_django, install_versions

SERVICES = {
    "sqlite": None,
    "postgres": (os.environ.get("PGHOST", "127.0.0.1"), int(os.environ.get("PGPORT", "5432"))),
    "mariadb": (os.environ.get("MARIADB_HOST", "127.0.0.1"), int(os.environ.get("MARIADB_PORT", "3306"))),
}
USER_MODELS = ("accounts.EmailUser", "accounts.HandleUser")
Wanted = dict[str, dict[str, str]]
OLDEST = ("django-5.2.txt", "drf-3.16.txt")
"""The oldest Django and REST framework that pyproject.toml allows. ``tests/versions.py`` runs all others."""

DIALECT_TESTS = (
    *("sessions/", "revocation/", "limits/", "keys/", "users/", "tenants/", "outages/", "management/"),
    "workers/",
    *("issuers/test_accounts", "architecture/test_statements", "rest/test_bad_input", "rest/test_throttling"),
    *("rest/test_endpoints", "rest/test_database_outage", "rest/test_personal_tokens"),
    *("rest/test_late_refusals", "compat/test_import_command", "compat/test_user_models"),
    *("compat/test_tenants", "test_login", "test_backends", "test_installation", "test_receivers"),
    *("test_admin", "test_database"),
)
"""The beginnings of the paths of the tests that get the marker ``dialect`` if they use a database.

These are the tests of the rooms that write SQL, and of endpoints whose input a database may refuse. The other
tests reach a database through these rooms. They run on each database in ``make test-long``.
"""

USERS_TESTS = ("users/test_user_models", "compat/test_user_models")
"""The beginnings of the paths of the tests with the marker ``users``."""

DIALECT = {"postgres": "dialect and not long", "mariadb": "dialect and not long and not server"}
"""The tests of ``make test`` on each other database. Those of several processes run on one of them."""

QUICK = "not once and not slow and not server and not browser"
"""The tests whose result a version can change, and that are quick."""

NEWER: Wanted = {"6.1": {"sqlite": QUICK, "postgres": f"dialect and {QUICK}"}}
NEWER_LONG: Wanted = {
    "6.0": {"sqlite": "not once"},
    "6.1": {
        "sqlite": "not once and (slow or server or browser)",
        "postgres": f"database and not (dialect and {QUICK})",
    },
}
"""Each newer Django, its databases, and the tests that run there."""

SLOWEST = 10

# Two workers on two cores. A worker takes tests from another one that has more of them left.
PARALLEL = ("-n", "auto", "--dist", "worksteal")


def list_paths(beginnings: Iterable[str]) -> list[str]:
    """Return the folders and files whose paths begin so, because to collect all tests takes seconds."""
    patterns = [name.rstrip("/") if name.endswith("/") else f"{name}*.py" for name in beginnings]
    return sorted(str(path.relative_to(ROOT)) for name in patterns for path in (ROOT / "tests").glob(name))


@dataclass(frozen=True, slots=True)
class Run:
    """One run of pytest."""

    title: str
    database: str
    arguments: tuple[str, ...]
    user_model: str = "auth.User"
    python: str = sys.executable
    measured: bool = True


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of a run, and the seconds of each test that was not skipped."""

    run: Run
    passed: bool
    seconds: float
    tests: dict[str, float]
    output: str | None = None


def is_there(address: tuple[str, int] | None) -> bool:
    """Return whether a server listens at ``address``. ``None`` needs no server."""
    if address is None:
        return True
    try:
        with socket.create_connection(address, timeout=30):
            return True
    except OSError:
        return False


def perform(run: Run, *, capture: bool = False) -> Result:
    """Run pytest once, under coverage if the run is measured. A run without a test has not passed."""
    environment = {**os.environ, "TESSERA_TEST_DB": run.database, "TESSERA_TEST_USER": run.user_model}
    coverage = ["-m", "coverage", "run"] if run.measured else []
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [run.python, *coverage, "-m", "pytest", "-q", f"--junitxml={report}", *run.arguments]
        started = time.monotonic()
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            check=False,
            stdout=subprocess.PIPE if capture else None,
            stderr=subprocess.STDOUT if capture else None,
            text=True,
        )
        seconds, tests = time.monotonic() - started, read_times(report)
        return Result(run, done.returncode == 0 and bool(tests), seconds, tests, done.stdout)


def read_times(report: Path) -> dict[str, float]:
    """Return the seconds of each test from pytest's ``report``."""
    if not report.exists():
        return {}
    cases = ElementTree.parse(report).iter("testcase")  # noqa: S314 - pytest has just written it
    return {
        f"{case.get('classname')}::{case.get('name')}": float(case.get("time") or 0)
        for case in cases
        if case.find("skipped") is None
    }


def run_each(runs: Iterable[Run]) -> Iterator[Result]:
    """Run one after the other, each with all workers, and print as pytest does."""
    for run in runs:
        _say(run.title)
        yield perform(run)


def run_side_by_side(runs: Iterable[Run]) -> Iterator[Result]:
    """Run two at a time. These are short: most of their time is the beginning, which has one process."""
    with ThreadPoolExecutor(2) as pool:
        for result in pool.map(lambda run: perform(run, capture=True), runs):
            _say(result.run.title)
            print(result.output, end="", flush=True)  # noqa: T201 - the output of pytest
            yield result


def list_pinned(databases: list[str]) -> Iterator[Run]:
    """Yield all tests but the long ones on SQLite, and on each other database those that depend on it."""
    for database in databases:
        if database == "sqlite":
            yield Run("Django 5.2, sqlite: all tests", database, (*PARALLEL, "-m", "not long"))
        else:
            paths = list_paths(DIALECT_TESTS)
            yield Run(f"Django 5.2, {database}", database, (*PARALLEL, *paths, "-m", DIALECT[database]))


def list_long(databases: list[str]) -> Iterator[Run]:
    """Yield what ``list_pinned`` leaves out."""
    for database in databases:
        marked = "long" if database == "sqlite" else f"database and not ({DIALECT[database]})"
        title = f"Django 5.2, {database}: {'long' if database == 'sqlite' else 'other'} tests"
        yield Run(title, database, (*PARALLEL, "-m", marked), measured=False)


def list_users(databases: list[str]) -> Iterator[Run]:
    """Yield the tests of users on each database with each kind of user model."""
    for database in databases:
        for user_model in USER_MODELS:
            arguments = (*list_paths(USERS_TESTS), "-m", "users")
            yield Run(f"{user_model}, {database}", database, arguments, user_model)


def list_newer(python: str, databases: list[str], newer: Wanted) -> Iterator[Run]:
    """Install each newer Django, and yield its runs where its databases are there."""
    for version, wanted in newer.items():
        _say(f"installing Django {version}")
        inside = install_django(python, version)
        for database, marked in wanted.items():
            if database in databases:
                # Only one Python counts branches, because another Python compiles them differently.
                paths = list_paths(DIALECT_TESTS) if marked.startswith("dialect and ") else ()
                yield Run(
                    f"Django {version}, {database}",
                    database,
                    (*PARALLEL, *paths, "-m", marked),
                    python=inside,
                    measured=False,
                )


def list_oldest(python: str) -> Iterator[Run]:
    """Install the oldest of everything, and yield its run of the quick tests."""
    _say("installing the oldest Django and REST framework")
    inside = install_versions(python, "3.11", OLDEST)
    title = "the oldest Python, Django and REST framework"
    yield Run(title, "sqlite", (*PARALLEL, "-m", QUICK), python=inside, measured=False)


def list_wheels() -> Iterator[Run]:
    """Build and install the wheels, and yield their run of the quick tests."""
    _say("building the wheels")
    with tempfile.TemporaryDirectory() as folder:
        inside = wheels.install(wheels.build(Path(folder)))
    command = [inside, "-c", "import drf_tessera; print(drf_tessera.__file__)"]
    found = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    if not found.startswith(str(wheels.FOLDER)):
        raise RuntimeError(f"The wheels are hidden by {found.strip()}. PYTHONPATH may name its folder.")
    yield Run("the built wheels", "sqlite", (*PARALLEL, "-m", QUICK), python=inside, measured=False)


def main(arguments: list[str]) -> int:
    """Run everything. Return 1 if a run failed or the coverage is not complete."""
    long = "--long" in arguments
    databases = [name for name, address in SERVICES.items() if is_there(address)]
    missing = [f"{name} does not listen at {SERVICES[name]}" for name in SERVICES if name not in databases]
    python = find_python()
    if python is None:
        missing.append("Django 6 needs Python 3.12 or newer, and none was found")
    oldest = find_older_python()
    if oldest is None and not long:
        missing.append("The oldest versions need Python 3.11, and none was found")
    if missing and os.environ.get("CI") == "true":
        print("FAILED, because CI needs it all:", *missing, sep="\n")  # noqa: T201
        return 1
    if long:
        results = [*run_each(list_long(databases))]
        if python:
            results += run_each(list_newer(python, databases, NEWER_LONG))
        results += run_each(list_wheels())
        return report(results, missing)
    _coverage("erase")
    results = [*run_each(list_pinned(databases)), *run_side_by_side(list_users(databases))]
    if python:
        results += run_each(list_newer(python, databases, NEWER))
    if oldest:
        results += run_each(list_oldest(oldest))
    _coverage("combine", "--quiet")
    return report(results, missing, complete=_coverage("report"))


def report(results: list[Result], missing: list[str], *, complete: bool | None = None) -> int:
    """Print the outcome. Return 1 if a run failed, or if the coverage was measured and is not complete."""
    report_times(results)
    for what in missing:
        print(f"\n!!! SKIPPED: {what}. Nothing was tested there. !!!")  # noqa: T201
    passed = sum(result.passed for result in results)
    coverage = "" if complete is None else f"; coverage {'is' if complete else 'IS NOT'} complete"
    print(f"\n{passed} of {len(results)} runs passed{coverage}.")  # noqa: T201
    return 0 if passed == len(results) and complete is not False else 1


def report_times(results: list[Result]) -> None:
    """Print the time of each run, and the slowest tests of all runs."""
    _say("the time of each run")
    for result in results:
        print(f"{result.seconds:7.1f} s  {result.run.title}{'' if result.passed else ': FAILED'}")  # noqa: T201
    _say(f"the {SLOWEST} slowest tests")
    times = [
        (seconds, name, result.run.title) for result in results for name, seconds in result.tests.items()
    ]
    for seconds, name, title in sorted(times, reverse=True)[:SLOWEST]:
        print(f"{seconds:7.1f} s  {name} ({title})")  # noqa: T201


def _say(what: str) -> None:
    print(f"\n=== {what} ===", flush=True)  # noqa: T201 - a progress line for people


def _coverage(*arguments: str) -> bool:
    command = [sys.executable, "-m", "coverage", *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
