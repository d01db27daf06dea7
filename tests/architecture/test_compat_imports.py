"""The modules of the packages in ``compat/`` import each other in one direction."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
import rest_framework_jwt
import rest_framework_simplejwt

ROOTS = [Path(package.__file__ or "").parent for package in (rest_framework_jwt, rest_framework_simplejwt)]


def read_imports(sources: dict[str, str]) -> dict[str, set[str]]:
    """Return the modules that each module imports, in functions too."""
    return {name: set(find_imports(text, sources)) - {name} for name, text in sources.items()}


def find_imports(text: str, sources: dict[str, str]) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in sources else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def read_sources(root: Path) -> dict[str, str]:
    found = {}
    for path in root.rglob("*.py"):
        parts = path.relative_to(root.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text()
    return found


@pytest.mark.parametrize("root", ROOTS, ids=lambda root: root.name)
def test_no_import_leads_back(root: Path) -> None:
    graph = read_imports(read_sources(root))
    assert len(list(TopologicalSorter(graph).static_order())) > len(graph) > 8


def test_a_circle_is_found_also_in_a_function() -> None:
    sources = {"p": "", "p.a": "import p.b", "p.b": "def f():\n    from p import a"}
    with pytest.raises(CycleError):
        list(TopologicalSorter(read_imports(sources)).static_order())
