"""The markers choose the tests of each run, and a run without tests has not passed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable
from functools import partial
from itertools import combinations
from pathlib import Path

import pytest
from _pytest.mark.expression import Expression

from tests.environments import ROOT
from tests.matrix import (
    DIALECT_TESTS,
    NEWER,
    NEWER_LONG,
    USERS_TESTS,
    Result,
    Run,
    Wanted,
    list_long,
    list_paths,
    list_pinned,
    list_wheels,
    perform,
    report_times,
)
from tests.wheels import FOLDER

pytestmark = pytest.mark.once  # the matrix is the same for each database

TESTS = """
import pytest

def test_pure(): ...
def test_fixture(db): ...
def test_fixture_of_a_fixture(anna): ...
@pytest.mark.django_db
def test_marker(): ...
@pytest.mark.once
@pytest.mark.django_db
def test_once(): ...
@pytest.mark.server
def test_server(): ...
"""
ALL = {"pure", "fixture", "fixture_of_a_fixture", "marker", "once", "server"}
USING = {"fixture", "fixture_of_a_fixture", "marker"}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [("", ALL), ("database", USING), ("not once", ALL - {"once"}), ("not server", ALL - {"server"})],
)
@pytest.mark.slow  # it starts pytest
def test_an_expression_chooses(tmp_path: Path, expression: str, expected: set[str]) -> None:
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n")
    (tmp_path / "test_planted.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", expression]
    done = subprocess.run(
        [*command, "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert set(re.findall(r"::test_(\w+)", done.stdout)) == expected, done.stdout + done.stderr


MARKERS = ("once", "slow", "long", "server", "browser", "database", "dialect")
NOT_QUICK = frozenset({"once", "slow", "server", "browser"})
KINDS = [
    frozenset(chosen)
    for number in range(len(MARKERS) + 1)
    for chosen in combinations(MARKERS, number)
    if "database" in chosen or "dialect" not in chosen
]


def has(kind: frozenset[str], name: str, **_: object) -> bool:
    return name in kind


def choose(runs: Iterable[Run]) -> dict[str, set[frozenset[str]]]:
    """Return the kinds of tests that run on each database: each kind is a set of markers."""
    found: dict[str, set[frozenset[str]]] = {}
    for run in runs:
        expression = Expression.compile(run.arguments[-1])
        kinds = {kind for kind in KINDS if expression.evaluate(partial(has, kind))}
        found.setdefault(run.database, set()).update(kinds)
    return found


def make_newer(version: str, newer: Wanted) -> list[Run]:
    return [Run("", name, ("-m", marked)) for name, marked in newer.get(version, {}).items()]


def test_make_test_long_runs_all_that_make_test_leaves_out() -> None:
    databases = ["sqlite", "postgres", "mariadb"]
    using = {kind for kind in KINDS if "database" in kind}
    whole = choose([*list_pinned(databases), *list_long(databases)])
    assert whole == {"sqlite": set(KINDS), "postgres": using, "mariadb": using}


@pytest.mark.parametrize("version", ["6.0", "6.1"])
def test_a_newer_django_runs_all_tests_that_it_could_change(version: str) -> None:
    whole = choose([*make_newer(version, NEWER), *make_newer(version, NEWER_LONG)])
    assert whole.pop("sqlite") == {kind for kind in KINDS if "once" not in kind}
    assert all(kinds == {kind for kind in KINDS if "database" in kind} for kinds in whole.values())


@pytest.mark.long  # it builds the distributions
def test_a_run_against_the_wheels_finds_no_module_of_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    (run,) = list_wheels()
    assert choose([run]) == {"sqlite": {kind for kind in KINDS if not kind & NOT_QUICK}}
    assert run.python == str(FOLDER / "bin" / "python")
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    with pytest.raises(RuntimeError, match="PYTHONPATH"):
        list(list_wheels())


FILES = [path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("*.py")]


def test_a_run_of_the_dialect_tests_names_all_their_files() -> None:
    marked = {path for path in FILES if path.removeprefix("tests/").startswith(DIALECT_TESTS)}
    paths = list_paths(DIALECT_TESTS)
    assert marked == {
        path for path in FILES if any(path == name or path.startswith(f"{name}/") for name in paths)
    }


def test_a_run_of_the_tests_of_users_names_all_their_files() -> None:
    marked = [path for path in FILES if re.search(r"pytest\.mark\.users", (ROOT / path).read_text())]
    assert sorted(marked) == list_paths(USERS_TESTS)


def make_run(*arguments: str) -> Run:
    return Run("a title", "sqlite", arguments, measured=False)


@pytest.mark.slow  # it starts pytest
def test_a_run_that_chooses_no_test_has_not_passed() -> None:
    result = perform(make_run("-m", "users", "tests/test_rotation.py"), capture=True)
    assert (result.passed, result.tests) == (False, {})
    assert "deselected" in str(result.output)


@pytest.mark.slow  # it starts pytest
def test_a_run_knows_the_time_of_each_test() -> None:
    result = perform(make_run("tests/test_rotation.py", "-k", "window"), capture=True)
    assert result.passed, result.output
    assert all(name.startswith("tests.test_rotation::test_") for name in result.tests)
    assert result.seconds > sum(result.tests.values())


def test_the_slowest_tests_of_all_runs_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    run, other = make_run(), Run("another title", "postgres", ())
    report_times(
        [
            Result(run, True, 61.24, {f"a::test_{number}": number for number in range(9)}),
            Result(other, False, 5.0, {"b::test": 7.5, "b::test_most": 99.0}),
        ]
    )
    lines = [line.strip() for line in capsys.readouterr().out.splitlines() if line]
    assert lines[1:3] == ["61.2 s  a title", "5.0 s  another title: FAILED"]
    assert lines[4:7] == [
        "99.0 s  b::test_most (another title)",
        "8.0 s  a::test_8 (a title)",
        "7.5 s  b::test (another title)",
    ]
    assert len(lines[4:]) == 10
