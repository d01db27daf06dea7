"""The rules of ``tests/people`` hold for every user model there, each in a process of its own."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests import people
from tests.settings import DATABASE

pytestmark = [pytest.mark.database, pytest.mark.slow]  # each in a process of its own

ROOT = Path(people.__file__).parent


def list_models() -> list[str]:
    """Return the names of the models, read from the text: here another user model is in force."""
    tree = ast.parse((ROOT / "models.py").read_text())
    return [
        node.name
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        and any(isinstance(inner, ast.ClassDef) and _is_swappable(inner) for inner in node.body)
    ]


def _is_swappable(node: ast.ClassDef) -> bool:
    return any(isinstance(parent, ast.Name) and parent.id == "Swappable" for parent in node.bases)


ON_EVERY_DATABASE = {"NullAddress", "DecimalName", "Grouped", "SafeDeleted", "Employee", "OwnKey"}
"""The models whose statements differ between databases. The others run on SQLite only."""


def test_the_models_are_found() -> None:
    assert set(list_models()) > ON_EVERY_DATABASE


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.dialect if name in ON_EVERY_DATABASE else pytest.mark.long)
        for name in list_models()
    ],
)
def test_every_rule_holds_for(name: str) -> None:
    if DATABASE != "sqlite" and name not in ON_EVERY_DATABASE:
        pytest.skip("the same as on SQLite")
    run = subprocess.run(
        [sys.executable, "-m", "tests.people", name],
        cwd=ROOT.parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (0, ""), run.stdout + run.stderr[-2000:]
