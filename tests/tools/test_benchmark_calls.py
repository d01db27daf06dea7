"""The benchmarks name other code in texts: calls over a pipe, names of the inside, and raw SQL.

No type checker reads a text, and only `make bench` runs them.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest
from django.apps import apps
from django.utils import timezone

from benchmarks import comparison
from drf_tessera import rotation
from drf_tessera.models import Session
from drf_tessera.sessions import rows
from tests.wheels import ROOT

pytestmark = pytest.mark.once

BENCHMARKS: Final = ROOT / "benchmarks"
INSIDE: Final = BENCHMARKS / "inside"
SERVED: Final = [*sorted(INSIDE.glob("*.py")), *sorted((BENCHMARKS / "project").glob("*.py"))]
"""The modules that run in the environment of a peer, and use the package there."""
OUTSIDE: Final = [path for path in sorted(BENCHMARKS.rglob("*.py")) if path not in SERVED]
OTHERS: Final = {"_meta", "_cache", "_asdict"}
"""The private attributes of Django and Python."""
COMPUTED: Final = {"workers.py": 1, "comparison.py": 1}
"""The calls by a computed name: that of ``take_turns``, and the probes of the comparison."""

Wanted = tuple[str, str, set[str]]
"""A place, the name of a function of ``benchmarks.inside``, and its arguments."""


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def list_calls(path: Path, tree: ast.AST) -> Iterator[Wanted | None]:
    """Yield the functions that a module calls in a child process. ``None``: by a computed name."""
    texts = {
        node.targets[0].id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        place, name = f"{path.name}:{node.lineno}", ast.unparse(node.func)
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        if name.rpartition(".")[2] == "call_inside":
            text = texts.get(ast.unparse(node.args[2]), node.args[2])
            call = ast.parse(_read_text(text) or "", mode="eval").body
            assert isinstance(call, ast.Call), place
            module = ast.literal_eval(node.args[3]) if len(node.args) > 3 else "database"
            keywords = {keyword.arg or "" for keyword in call.keywords}
            yield place, f"{module}.{ast.unparse(call.func)}", keywords
        elif name == "take_turns":
            yield place, ast.literal_eval(given["call"]), {*map(str, given)} - {"call", "rounds"}
        elif name.endswith(".ask") and name != "logins.ask":
            text = node.args[0]
            constant = isinstance(text, ast.Constant)
            yield (place, ast.literal_eval(text), set(map(str, given))) if constant else None
        elif name.endswith(".submit") and ast.unparse(node.args[0]).endswith(".ask"):
            yield place, ast.literal_eval(node.args[1]), set(map(str, given))


def _read_text(node: ast.AST) -> str | None:
    """Return a text. In the place of each computed part is a zero."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(it.value) if isinstance(it, ast.Constant) else "0" for it in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def find_fault(wanted: Wanted) -> str:
    """Return why this call would fail, or nothing."""
    place, call, given = wanted
    module, _, name = call.partition(".")
    path = INSIDE / f"{module}.py"
    found = [
        node
        for node in (parse(path).body if path.exists() else [])
        if isinstance(node, ast.FunctionDef) and node.name == name
    ]
    if not found:
        return f"{place}: benchmarks.inside has no {call}"
    arguments = found[0].args
    plain = arguments.posonlyargs + arguments.args
    optional = dict(zip(reversed(plain), reversed(arguments.defaults), strict=False))
    optional |= {one: it for one, it in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if it}
    known = {it.arg for it in (*plain, *arguments.kwonlyargs)}
    needed = known - {it.arg for it in optional}
    wrong = sorted((given - known) | (needed - given))
    return f"{place}: {call}: {', '.join(wrong)}" if wrong else ""


def test_each_function_that_is_called_over_a_pipe_exists_and_has_these_parameters() -> None:
    calls, computed = [], dict[str, int]()
    for path in OUTSIDE:
        for wanted in list_calls(path, parse(path)):
            if wanted is None:
                computed[path.name] = computed.get(path.name, 0) + 1
            else:
                calls.append(wanted)
    calls += [("PROBES", f"comparison.{name}", set()) for name in comparison.PROBES.values()]
    assert len({call for _, call, _ in calls}) > 40
    assert [fault for fault in map(find_fault, calls) if fault] == []
    assert computed == COMPUTED


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ('worker.ask("memory.measure", sessions=1, lifetimes=1, kind="dict")', ""),
        ('worker.ask("memory.measures")', "no memory.measures"),
        ('worker.ask("memories.measure")', "no memories.measure"),
        ('worker.ask("memory.measure", sessions=1, lifetimes=1)', "kind"),
        ('worker.ask("filling.fill", rows=1, live=0)', ""),
        ('worker.ask("filling.fill", rows=1, live=0, agent="")', "agent"),
        ('pool.submit(other.ask, "clearing.end_everybody", slices=1)', "slice_seconds, slices"),
        ('take_turns("", {}, rounds=3, call="refresh.measure", batch=4)', ""),
        ('take_turns("", {}, rounds=3, call="refresh.measure")', "batch"),
        ('call_inside(python, variables, f"create(users={USERS})")', ""),
        ('call = f"publish(alg={new!r})"\ncall_inside(python, {}, call, "rotation")', "signs_at"),
    ],
)
def test_a_call_that_would_fail_is_found(code: str, fault: str) -> None:
    [wanted] = list_calls(Path("x.py"), ast.parse(code))
    assert wanted is not None
    found = find_fault(wanted)
    assert fault in found
    assert bool(fault) == bool(found)


def list_faults_of_names(tree: ast.AST) -> list[str]:
    """Return the names of our package that do not exist, and its functions that take no such arguments."""
    known, faults = _import_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found = known.get(node.value.id)
            if isinstance(found, ModuleType | type) and not hasattr(found, node.attr):
                faults.append(f"{node.lineno}: {ast.unparse(node)}")
        elif isinstance(node, ast.Call) and (called := _find_callable(node.func, known)) is not None:
            faults += _bind(node, called)
    return faults


def _import_names(tree: ast.AST) -> tuple[dict[str, Any], list[str]]:
    """Import what a module takes from our package. Return the objects by their names, and the faults."""
    known, faults = dict[str, Any](), []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "drf_tessera":
            module = import_module(node.module or "")
            for alias in node.names:
                if hasattr(module, alias.name):
                    known[alias.asname or alias.name] = getattr(module, alias.name)
                else:
                    faults.append(f"{node.lineno}: {node.module}.{alias.name}")
    return known, faults


def _bind(node: ast.Call, called: Any) -> list[str]:
    """Return the fault of the arguments of a call, if there is one and they can be counted."""
    names = {keyword.arg: None for keyword in node.keywords}
    if None in names or any(isinstance(it, ast.Starred) for it in node.args):
        return []
    try:
        inspect.signature(called).bind(*node.args, **{str(name): None for name in names})
    except TypeError as error:
        return [f"{node.lineno}: {ast.unparse(node.func)}: {error}"]
    return []


def _find_callable(node: ast.expr, known: dict[str, Any]) -> Any:
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        found = known.get(node.value.id)
        return getattr(found, node.attr, None) if isinstance(found, ModuleType) else None
    return None


@pytest.mark.parametrize("path", SERVED, ids=lambda path: path.stem)
def test_each_name_of_the_package_that_a_measurement_uses_exists(path: Path) -> None:
    assert list_faults_of_names(parse(path)) == []


@pytest.mark.parametrize(
    "code",
    [
        "from drf_tessera.models import Login",
        "from drf_tessera import sessions\nsessions.begin",
        "from drf_tessera import sessions\nsessions.start(user, 1, 2, 3, 4)",
        "from drf_tessera import sessions\nsessions.Client(agent='')",
        "from drf_tessera.sessions import rows\nrows.swap(token, position)",
    ],
)
def test_a_name_that_does_not_exist_is_found(code: str) -> None:
    assert len(list_faults_of_names(ast.parse(code))) == 1


def test_each_private_attribute_that_a_measurement_uses_is_in_the_package() -> None:
    ours = "\n".join(path.read_text() for path in (ROOT / "src" / "drf_tessera").rglob("*.py"))
    for path in SERVED:
        used = {node.attr for node in ast.walk(parse(path)) if isinstance(node, ast.Attribute)}
        for name in {it for it in used if re.match(r"_[a-z]", it)} - OTHERS:
            defined = rf"def {name}\(|self\.{name}\b.*=|\b{name}: .*="
            own = any(re.search(rf"\b{name}\b.* = |def {name}\(", it.read_text()) for it in SERVED)
            assert own or re.search(defined, ours), f"{path.name}: {name}"


# -- SQL ----------------------------------------------------------------------------------------------


def list_statements() -> Iterator[tuple[str, str]]:
    for path in SERVED:
        for node in ast.walk(parse(path)):
            text = _read_text(node)
            if text and re.search(r"\b(INSERT INTO|UPDATE) tessera_", text):
                yield path.name, text


def find_model(table: str) -> Any:
    [model] = [it for it in apps.get_app_config("tessera").get_models() if it._meta.db_table == table]
    return model


def test_an_insert_by_hand_names_each_column_that_must_have_a_value() -> None:
    """Django gives a default to its own statements, and the database has none."""
    found = 0
    for place, text in list_statements():
        for table, inside in re.findall(r"INSERT INTO (tessera_\w+)\s*\(([^)]*)\)", text):
            fields = find_model(table)._meta.concrete_fields
            named = {it.strip() for it in inside.split(",")}
            numbered = {it.column for it in fields if it.get_internal_type() == "BigAutoField"}
            needed = {it.column for it in fields if not it.null} - numbered
            assert needed <= named <= {it.column for it in fields}, place
            found += 1
    assert found


def test_an_update_by_hand_writes_the_columns_that_a_refresh_writes() -> None:
    now = timezone.now()
    written = rows._write(rotation.rotate(1, now), now, now)
    found = 0
    for place, text in list_statements():
        for table, inside in re.findall(r"UPDATE (tessera_\w+)\s+SET (.*?)\s+WHERE", text, re.DOTALL):
            assert table == Session._meta.db_table, place
            assert set(re.findall(r"(\w+) = ", inside)) == {*written}, place
            found += 1
    assert found == 2


def test_the_columns_that_the_filled_tables_change_exist() -> None:
    """An expression for a column that no longer exists would be left out silently."""
    columns = {field.column for field in Session._meta.concrete_fields}
    filling, updates = (import_module(f"benchmarks.inside.{name}") for name in ("filling", "updates"))
    for changes in (filling._LOGIN, filling._TESSERA, updates._OWNERS):
        assert {*changes} <= columns
