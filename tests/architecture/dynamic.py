"""Find the ways by which a module could load or reach another one without naming it.

An import by a computed name, a private attribute, or a module that is passed on as a value would escape the
rules for imports, because those rules read names. So a module of the package does none of these.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import Final, TypeGuard

from tools.house import (
    LOADERS,
    PACKAGE,
    REGISTRY,
    House,
    Module,
    find_bound,
    find_renamed,
    find_uses,
    reads_attribute,
    walk,
)

COMPUTED: Final = {
    ("", "__getattr__"): "the public names of the package: the texts are in the same file",
    ("conf.values", "import_path"): "the CLAIMS hook of the project",
    ("login", "_reads_email"): "a backend of the project",
    ("legacy.settings", "_load"): "classes in the settings of another package",
    ("plain.middleware", "_redirects_to_login"): "the middleware of the project",
    ("checks.middleware", "check_middleware"): "the middleware of the project",
    ("checks.users", "_is_email_backend"): "a backend of the project",
    ("management.commands.tessera_migrate_check", "_find_parent"): "a class of the project",
    ("management.commands.tessera_migrate_check", "_load_default_classes"): "classes of the project",
    ("management.places", "has_schema"): "the model of tenants, in a setting of django-tenants",
    ("users.lazy", "_revive"): "the user model of a pickled user",
    (
        "compat/simplejwt/src/rest_framework_simplejwt/views.py",
        "get_serializer_class",
    ): "a serializer of the project",
}
"""The functions that load by a name that is not in the source, and the thing that they load."""

DJANGOS: Final = {
    "_meta": "documented as the interface of a model's fields",
    "_state": "documented as the state of an instance",
    "_default_manager": "documented for code that serves any model",
    "_base_manager": "the same",
    "_db": "documented for the managers of a project",
    "_queryset_class": "tells a queryset of the project; without it the row is loaded at once",
    "_clone": "a queryset of the project may override it, and then the row is loaded at once",
    "_fetch_all": "the same",
    "_wrapped": "no public name for the object inside a LazyObject",
    "_request": "no public name for Django's request inside a request of REST framework",
    "_dont_enforce_csrf_checks": "how Django's own test client asks that a request needs no CSRF token",
    "_non_atomic_requests": "no other trace of the decorator non_atomic_requests",
    "_from_testcase": "no public name for the transactions of a test case, which are never committed",
}
"""Private attributes of Django and REST framework that the package relies on, each with its reason.

Most are read by ``getattr``, where SLF001 does not see them. The check ``tessera.E022`` proves ``_password``,
which is not in the list because a test double of ``receivers`` has it too.
"""

_RUNNERS: Final = frozenset({"exec", "eval", "compile", "__builtins__", "builtins"})
_FINDERS: Final = frozenset(
    {
        "all_models",
        "app_configs",
        "get_app_config",
        "get_app_configs",
        "get_containing_app_config",
        "model_class",
    }
)
_HIDDEN: Final = re.compile(r"_(?!_)|__.*(?<!__)$")


def judge_dynamic(module: Module, house: House) -> Iterator[str]:
    """Return each way around the names in a module, with the place and a remedy."""
    for node, name, place in _find_computed(module):
        if (module.name, place) not in COMPUTED:
            yield _say(
                module,
                node,
                f"{name} loads by a name that is not written here: write it, or name the place in COMPUTED",
            )
    for node in walk(module.tree):
        if isinstance(node, ast.Name) and node.id in _RUNNERS:
            yield _say(module, node, f"{node.id} runs code that no rule reads")
        elif isinstance(node, ast.Attribute) and node.attr in _FINDERS:
            yield _say(module, node, f"{node.attr} finds a model without naming it: import the model")
        elif _is_built(node):
            yield _say(module, node, "builds a path of ours: write the whole path in one text")
    for use in find_uses(module.tree, module.package, house):
        if use.target.startswith("sys.modules"):
            yield f"{module.name or '__init__'}:{use.line} reads sys.modules: import the module"
    yield from _judge_modules(module, house)
    yield from _judge_private(module)


def list_computing(modules: Iterable[Module]) -> set[tuple[str, str]]:
    """Return the functions that do load by a name that is not in the source."""
    return {(module.name, place) for module in modules for _, _, place in _find_computed(module)}


def _find_computed(module: Module) -> Iterator[tuple[ast.AST, str, str]]:
    """Find each load by a name that is not in the source: its node, its loader, its function."""
    places, renamed = _find_places(module.tree), find_renamed(module.tree)
    literal = {
        id(node.func) for node in walk(module.tree) if isinstance(node, ast.Call) and _is_literal(node)
    }
    for node in walk(module.tree):
        name = renamed.get(_name(node), _name(node))
        if name in LOADERS | REGISTRY and id(node) not in literal:
            yield node, name, places.get(id(node), "")


def _say(module: Module, node: ast.AST, fault: str) -> str:
    return f"{module.name or '__init__'}:{getattr(node, 'lineno', 0)} {fault}"


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _find_places(tree: ast.Module) -> dict[int, str]:
    """Return the name of the innermost function around each node."""
    found: dict[int, str] = {}
    for node in walk(tree):  # outer ones first
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found |= {id(inner): node.name for inner in ast.walk(node)}
    return found


def _is_literal(node: ast.Call) -> bool:
    """Check whether a call says by texts alone what it loads."""
    given = [*node.args, *(word.value for word in node.keywords)]
    return bool(given) and all(isinstance(item, ast.Constant) for item in given)


def _is_built(node: ast.AST) -> bool:
    """Check whether an expression puts a dotted path of ours together."""
    if isinstance(node, ast.JoinedStr):
        return bool(node.values) and len(node.values) > 1 and _begins_path(node.values[0])
    if isinstance(node, ast.BinOp):
        return _begins_path(node.left)
    return (
        isinstance(node, ast.Constant)
        and str(node.value).startswith(f"{PACKAGE}.")
        and str(node.value).endswith(".")
    )


def _begins_path(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and re.match(rf"{PACKAGE}\b", str(node.value)) is not None


def _judge_modules(module: Module, house: House) -> Iterator[str]:
    """Find modules of ours that are passed on as values, because such a value can be asked for any name."""
    modules = {
        name for name, target in find_bound(module.tree, module.package, house) if house.is_module(target)
    }
    owners = {id(node.value) for node in walk(module.tree) if isinstance(node, ast.Attribute)}
    owners |= {id(node.args[0]) for node in walk(module.tree) if _reads(node)}
    for node in walk(module.tree):
        if isinstance(node, ast.Name) and node.id in modules and id(node) not in owners:
            yield _say(module, node, f"passes the module {node.id} on: write the names that are needed")
        if isinstance(node, ast.Attribute) and node.attr == "__dict__" and _name(node.value) in modules:
            yield _say(module, node, f"reads the names of the module {_name(node.value)}")


def _judge_private(module: Module) -> Iterator[str]:
    """Find private attributes of other modules, because they belong to the modules that define them."""
    own = set()
    for node in walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            own.add(node.name)
        elif isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Store):
            own.add(_name(node))
    for node in walk(module.tree):
        name = str(ast.literal_eval(node.args[1])) if _reads(node) else getattr(node, "attr", "")
        if _HIDDEN.match(name) and name not in own | set(DJANGOS):
            yield _say(module, node, f"takes the private attribute {name}, which no class of this module has")


def _reads(node: ast.AST) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and reads_attribute(node)
