"""The command for versions runs each combination that exists, and CI runs both ends."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests import versions
from tests.environments import REQUIREMENTS, ROOT
from tests.matrix import NEWER, NEWER_LONG, OLDEST, Run
from tests.versions import DJANGO, REST, choose_ends, list_corners, prepare

pytestmark = pytest.mark.once  # it reads files

ALLOWED = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_each_combination_that_exists_is_there_once() -> None:
    found = [str(corner) for corner in list_corners([13, 11])]
    assert len(found) == len(set(found)) == 9
    assert found[0] == "Python 3.11, Django 5.2.0, REST framework 3.16.0"
    assert found[-1] == "Python 3.13, Django 6.1, REST framework newest"
    assert not [name for name in found if "3.11, Django 6" in name]
    assert [str(corner) for corner in choose_ends(list(list_corners([13, 11])))] == [found[0], found[-1]]


@pytest.mark.parametrize(
    ("package", "file"), [("django", "django-5.2.txt"), ("djangorestframework", "drf-3.16.txt")]
)
def test_the_oldest_version_is_the_oldest_that_the_package_allows(package: str, file: str) -> None:
    (wanted,) = [item for item in ALLOWED["dependencies"] if re.match(rf"{package}\b", item)]
    pinned = (REQUIREMENTS / file).read_text().split(" ")[0].split("==")[1]
    assert file in OLDEST
    assert pinned.removesuffix(".0") == wanted.partition(">=")[2].removesuffix(".0")


def test_each_django_of_the_classifiers_is_run() -> None:
    named = {item.rpartition(" ")[2] for item in ALLOWED["classifiers"] if "Django ::" in item}
    assert named == {name for name, _, _ in DJANGO if name.count(".") == 1}
    assert {*NEWER, *NEWER_LONG} == named - {"5.2"}


def test_each_file_of_a_version_exists() -> None:
    files = [file for _, file, _ in DJANGO] + [file for _, file in REST]
    assert all((REQUIREMENTS / file).exists() for file in files if file)


def test_a_python_without_packages_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*args: Any) -> str:
        raise subprocess.CalledProcessError(1, "pip")

    monkeypatch.setattr(versions, "install_versions", fail)
    runs: list[Run] = list(prepare(choose_ends(list(list_corners([11]))), {11: "python"}))
    assert [Path(run.python).name for run in runs] == ["false", "false"]
    assert "cannot be installed" in capsys.readouterr().out
