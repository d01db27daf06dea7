"""The types that a project sees: complete, and good enough that documented code needs no cast.

Outside of CI a machine without Node skips this, loudly. ``make test`` reads the same files with mypy.
"""

from __future__ import annotations

import json
import os
import shutil
import site
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.environments import install_packages
from tests.servers import ROOT

pytestmark = [pytest.mark.once, pytest.mark.slow]  # it runs pyright on the whole package

FOLDER = ROOT / "tests" / "typing"

Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def pyright() -> Run:
    """Return a function that runs pyright with arguments and returns its report."""
    node = shutil.which("node")
    if node is None and os.environ.get("CI") != "true":
        pytest.skip("!!! there is no Node: the types were not checked !!!")
    assert node is not None, "CI needs Node"
    install_packages(FOLDER)

    def run(*arguments: str, folder: Path) -> dict[str, Any]:
        # pyright asks the first python of the path where packages are.
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        command = [node, str(FOLDER / "node_modules" / "pyright" / "index.js"), "--outputjson", *arguments]
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
        )
        assert done.stdout, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    return run


def describe(report: dict[str, Any]) -> list[str]:
    return [
        f"{Path(found['file']).name}:{found['range']['start']['line'] + 1}: {found['message']}"
        for found in report["generalDiagnostics"]
        if found["severity"] == "error"
    ]


def test_every_public_name_has_a_known_type(pyright: Run, tmp_path: Path) -> None:
    report = pyright("--verifytypes", "drf_tessera", "--ignoreexternal", folder=tmp_path)
    completeness = report["typeCompleteness"]
    unknown = [
        (symbol["name"], [found["message"] for found in symbol["diagnostics"]])
        for symbol in completeness["symbols"]
        if symbol["isExported"] and not symbol["isTypeKnown"]
    ]
    assert unknown == []
    assert completeness["completenessScore"] == 1
    assert completeness["exportedSymbolCounts"]["withKnownType"] > 900


def test_documented_code_is_correct_to_pyright(pyright: Run) -> None:
    report = pyright("--project", str(FOLDER), folder=FOLDER)
    assert describe(report) == []
    assert report["summary"]["filesAnalyzed"] == 2


def test_documented_code_is_correct_without_stubs(pyright: Run, tmp_path: Path) -> None:
    project = write_project(tmp_path, "documented_use.py")
    with (project / "documented_use.py").open("a") as file:
        file.write("\n\nreveal_type(User.objects)\n")
    report = pyright("--project", str(project), folder=project)
    assert describe(report) == []
    revealed = [found["message"] for found in report["generalDiagnostics"]]
    assert revealed == ['Type of "User.objects" is "Any"'], "there are stubs after all"


def write_project(folder: Path, name: str) -> Path:
    """Write a project into a folder, with all installed packages but those that contain stubs."""
    packages = folder / "packages"
    packages.mkdir()
    for place in map(Path, site.getsitepackages()):
        for package in place.iterdir():
            if not package.name.endswith(("-stubs", ".pth")):
                (packages / package.name).symlink_to(package)
    (folder / "empty").mkdir()
    config = {
        "include": [name],
        "extraPaths": ["packages", str(ROOT / "src")],
        "venvPath": str(folder / "empty"),
        "venv": ".",
        "typeCheckingMode": "standard",
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(config))
    shutil.copy(FOLDER / name, folder / name)
    return folder


MISTAKES = {
    "request.auth.nonsense": "nonsense",
    "request.user.nonsense": "nonsense",
    "request.auth.session_id + 1": "+",
    "sessions.start(request.auth)": "AbstractBaseUser",
    "sessions.nonsense": "nonsense",
}


def test_planted_mistakes_are_found(pyright: Run, tmp_path: Path) -> None:
    before = "        mine = User"
    text = (FOLDER / "documented_use.py").read_text()
    assert before in text
    planted = tmp_path / "planted.py"
    lines = "".join(f"        _ = {mistake}\n" for mistake in MISTAKES)
    planted.write_text(text.replace(before, f"{lines}{before}"))
    found = describe(pyright(str(planted), folder=tmp_path))
    assert len(found) == len(MISTAKES), found
    assert all(word in message for word, message in zip(MISTAKES.values(), found, strict=True)), found
