from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import rest_framework_jwt
import rest_framework_simplejwt

import drf_tessera
from tests.architecture import find_violations, read_order

pytestmark = pytest.mark.once  # it reads source code

ROOT = Path(drf_tessera.__file__).parent


def test_every_module_imports_only_what_stands_above_it() -> None:
    assert find_violations(ROOT) == []


def test_the_list_is_read_from_the_docstring() -> None:
    assert read_order(ROOT)[0] == "exceptions"
    assert len(read_order(ROOT)) > 20


@pytest.mark.parametrize("module", ["drf_tessera", "drf_tessera.exceptions", "drf_tessera.rotation"])
def test_loads_no_django(module: str) -> None:
    assert _loaded_by(f"import {module}").isdisjoint({"django", "rest_framework"})


def test_jose_loads_no_django() -> None:
    loaded = _loaded_by("import drf_tessera.jose.codec, drf_tessera.jose.keys")
    assert "joserfc" in loaded
    assert loaded.isdisjoint({"django", "rest_framework"})


def _loaded_by(code: str) -> set[str]:
    report = "import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    found = subprocess.run([sys.executable, "-c", f"{code}; {report}"], capture_output=True, check=True)
    return set(found.stdout.decode().split())


PLANTED = {
    "an import from below": ("rotation.py", "import drf_tessera.sessions", "imports sessions"),
    "one by name": ("tokens.py", "from drf_tessera import users", "imports users"),
    "one of itself": ("rotation.py", "from drf_tessera import rotation", "imports rotation"),
    "a lazy one": ("conf.py", "def late():\n    from drf_tessera.models import Session", "imports models"),
    "a typing one": (
        "models.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from drf_tessera.sessions import start",
        "imports sessions",
    ),
    "a relative one": ("jose/keys.py", "from .codec import Codec", "imports jose.codec"),
    "a relative one further up": ("jose/keys.py", "from ..conf import get_settings", "imports conf"),
    "a dynamic one": (
        "signals.py",
        "from importlib import import_module\nimport_module('drf_tessera.sessions')",
        "imports sessions",
    ),
    "Django below the line": ("jose/keys.py", "import django.conf", "imports Django"),
    "REST framework outside of its room": ("users.py", "import rest_framework.views", "only home is rest."),
    "the JOSE library outside of its room": ("tokens.py", "from joserfc import jws", "only home is jose"),
    "the package itself": ("users.py", "from drf_tessera import AccessToken", "no module of the list"),
    "a setting read at import": ("users.py", "LIMIT = get_settings().clock_skew", "reads a setting"),
    "one through its module": (
        "users.py",
        "from drf_tessera import conf\nLIMIT = conf.get_settings().clock_skew",
        "reads a setting",
    ),
    "one under another name": (
        "users.py",
        "from drf_tessera.conf import get_settings as read\nX = read()",
        "reads a setting",
    ),
    "one of Django's": (
        "users.py",
        "from django.conf import settings\nX = settings.DEBUG",
        "reads a setting",
    ),
    "a dynamic one that is relative": (
        "signals.py",
        "from importlib import import_module\nimport_module('.sessions', 'drf_tessera')",
        "imports sessions",
    ),
    "a dynamic one by a keyword": (
        "signals.py",
        "from importlib import import_module\nimport_module(name='drf_tessera.sessions')",
        "imports sessions",
    ),
    "one read by a default": ("users.py", "def f(x=get_settings()): ...", "reads a setting"),
    "code in a package": ("rest/__init__.py", "X = 1", "has code of its own"),
    "a module that is not in the list": ("extra.py", "X = 1", "is not in the list"),
    "a long function": ("users.py", "def f():\n" + "    x = 1\n" * 50, "has 51 lines"),
    "a long module": ("users.py", "x = 1\n" * 600, "lines"),
}


@pytest.mark.parametrize(("file", "code", "expected"), PLANTED.values(), ids=PLANTED)
def test_a_planted_violation_is_found(tmp_path: Path, file: str, code: str, expected: str) -> None:
    copy = Path(shutil.copytree(ROOT, tmp_path / "drf_tessera"))
    target = copy / file
    target.write_text((target.read_text() if target.exists() else '"""New."""\n') + f"\n{code}\n")
    assert any(expected in found for found in find_violations(copy))


@pytest.mark.parametrize(("line", "expected"), [("12. utils: x", "utils"), ("1.  gone: x", "does not exist")])
def test_a_planted_fault_in_the_list_is_found(tmp_path: Path, line: str, expected: str) -> None:
    copy = Path(shutil.copytree(ROOT, tmp_path / "drf_tessera"))
    (copy / "utils.py").write_text('"""New."""\n')
    init = copy / "__init__.py"
    init.write_text(init.read_text().replace("\n\nThe packages", f"\n{line}\n\nThe packages"))
    assert any(expected in found for found in find_violations(copy))


def test_public_names_are_loaded_when_asked_for() -> None:
    for name in drf_tessera.__all__:
        assert getattr(drf_tessera, name).__module__.startswith("drf_tessera.")
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        _ = drf_tessera.Nonsense


# -- compat/: over the public API alone ------------------------------------------------------------

COMPAT = [Path(package.__file__ or "").parent for package in (rest_framework_jwt, rest_framework_simplejwt)]


def find_private(tree: ast.AST) -> Iterator[str]:
    """Name what a module takes of drf_tessera that begins with an underscore."""
    modules = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {
                alias.asname or alias.name for alias in node.names if alias.name.startswith("drf_tessera")
            }
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "drf_tessera":
            modules |= {alias.asname or alias.name for alias in node.names}
            steps = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            yield from (step for step in steps if step.startswith("_"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            owner = node.value
            while isinstance(owner, ast.Attribute):
                owner = owner.value
            if isinstance(owner, ast.Name) and owner.id in modules:
                yield node.attr


def count_code(text: str) -> int:
    """Count the lines that are neither blank nor docstring."""
    tree = ast.parse(text)
    spoken = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            first = node.body[0]
            spoken |= set(range(first.lineno, (first.end_lineno or 0) + 1))
    lines = enumerate(text.splitlines(), 1)
    return sum(bool(line.strip()) and number not in spoken for number, line in lines)


@pytest.mark.parametrize("root", COMPAT, ids=lambda root: root.name)
def test_nothing_private_is_used(root: Path) -> None:
    found = {str(file): list(find_private(ast.parse(file.read_text()))) for file in root.rglob("*.py")}
    assert not any(found.values()), found


@pytest.mark.parametrize(
    "code",
    [
        "from drf_tessera.sessions import _describe",
        "from drf_tessera import sessions\nsessions._describe()",
        "import drf_tessera.conf as conf\nconf._cached",
        "from drf_tessera import tokens\ntokens.x._y",
    ],
)
def test_a_planted_private_name_is_found(code: str) -> None:
    assert list(find_private(ast.parse(code)))


@pytest.mark.parametrize(
    ("root", "most"), list(zip(COMPAT, (655, 1290), strict=True)), ids=["jwt", "simplejwt"]
)
def test_they_stay_small(root: Path, most: int) -> None:
    """About 500 lines were planned for each: docs/explanation/architecture.md tells what the rest is."""
    files = [file for file in root.rglob("*.py") if "migrations" not in file.parts]
    assert sum(count_code(file.read_text()) for file in files) <= most
