"""Reads the architecture out of the package docstring, and the imports out of its modules."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "drf_tessera"
MAX_MODULE_LINES = 500
MAX_FUNCTION_LINES = 45
FORBIDDEN_NAMES = {"utils", "helpers", "base", "mixins"}
NO_DJANGO = {"exceptions", "rotation", "jose.encoding", "jose.algorithms", "jose.keys", "jose.codec"}
HOMES = {
    "rest_framework": "rest.",
    "joserfc": "jose.algorithms",
    "cryptography": "keystore",
    "jwt": "contrib.pyjwt",
}
"""A foreign package, and the only module (or, with a final dot, package) that may import it."""

_ITEM = re.compile(r"^\d+\.\s+([\w.]+):", re.MULTILINE)


def read_order(root: Path) -> list[str]:
    """Give the modules in the order of the package docstring."""
    docstring = ast.get_docstring(ast.parse((root / "__init__.py").read_text())) or ""
    return _ITEM.findall(docstring)


def find_violations(root: Path) -> list[str]:
    """Name everything in the package at ``root`` that breaks the architecture."""
    order = read_order(root)
    found = [f"the list names {name!r} twice" for name in sorted(set(order)) if order.count(name) > 1]
    seen = set()
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        if "migrations" in relative.parts or relative == Path("__init__.py"):
            continue
        tree = ast.parse(path.read_text())
        if path.name == "__init__.py":
            found += [f"{relative} has code of its own"] if len(tree.body) > 1 else []
            continue
        name = ".".join(relative.with_suffix("").parts)
        seen.add(name)
        found += _judge_module(name, path, tree, order)
    found += [f"the list names {name!r}, which does not exist" for name in order if name not in seen]
    return found


def _judge_module(name: str, path: Path, tree: ast.Module, order: list[str]) -> Iterator[str]:
    if name not in order:
        yield f"{name} is not in the list"
        return
    if FORBIDDEN_NAMES.intersection(name.split(".")):
        yield f"{name} is a name that says nothing"
    lines = len(path.read_text().splitlines())
    if lines > MAX_MODULE_LINES:
        yield f"{name} has {lines} lines"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            if length > MAX_FUNCTION_LINES + len((ast.get_docstring(node) or "").splitlines()):
                yield f"{name}.{node.name} has {length} lines"
    for line, target in find_imports(tree, name):
        yield from _judge_import(name, line, target, order)
    for line in _settings_read_at_import(tree):
        yield f"{name}:{line} reads a setting while it is being imported"


def find_imports(tree: ast.Module, name: str) -> Iterator[tuple[int, str]]:
    """Find every import, wherever it stands: in functions and under ``TYPE_CHECKING`` too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = [PACKAGE, *name.split(".")][: -node.level] if node.level else []
            module = ".".join([*package, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and _is_dynamic_import(node):
            yield node.lineno, _read_dynamic(node)


def _read_dynamic(node: ast.Call) -> str:
    """Give what a dynamic import names; a literal that is relative, or none, could be anything of ours."""
    called = [*node.args, *(word.value for word in node.keywords if word.arg in {"name", "dotted_path"})]
    argument = called[0] if called else None
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        return f"{PACKAGE}{argument.value}" if argument.value.startswith(".") else argument.value
    return ""


def _is_dynamic_import(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return called in {"import_module", "import_string", "__import__"}


def _judge_import(name: str, line: int, target: str, order: list[str]) -> Iterator[str]:
    top = target.partition(".")[0]
    if top == PACKAGE:
        inner = target.removeprefix(PACKAGE).lstrip(".")
        owner = next((item for item in order if inner == item or inner.startswith(f"{item}.")), None)
        if owner is None:
            yield f"{name}:{line} imports {target}, which is no module of the list"
        elif order.index(owner) >= order.index(name):
            yield f"{name}:{line} imports {owner}, which does not stand above it"
    elif top == "django" and name in NO_DJANGO:
        yield f"{name}:{line} imports Django"
    elif top in HOMES:
        home = HOMES[top]
        if not (name.startswith(home) if home.endswith(".") else name == home):
            yield f"{name}:{line} imports {top}, whose only home is {home}"


def _settings_read_at_import(tree: ast.Module) -> Iterator[int]:
    """Find calls of ``get_settings`` and reads of Django's settings outside of any function.

    Under whatever names they were imported. A foreign key's model has to be named at import.
    """
    readers = {"get_settings", "read_settings"} | _names_of(tree, "get_settings", "read_settings")
    holders = _names_of(tree, "settings")
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            # Decorators and defaults are evaluated at import, the body is not.
            stack += [*getattr(node, "decorator_list", []), *node.args.defaults]
            stack += [default for default in node.args.kw_defaults if default is not None]
            continue
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in readers:
                yield node.lineno
        reads = isinstance(node, ast.Attribute) and getattr(node.value, "id", "") in holders
        if reads and node.attr != "AUTH_USER_MODEL":
            yield node.lineno
        stack += ast.iter_child_nodes(node)


def _names_of(tree: ast.Module, *originals: str) -> set[str]:
    """Give the names under which a module imports these."""
    return {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name in originals
    }
