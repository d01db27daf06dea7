"""Read the house: the rooms in order, the modules in them, their doors, and each use of one by another.

The docstring of the package lists the rooms, and the docstring of a room lists its modules, both as
``- name: one sentence``. Everything here reads source text; the package is not imported.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

PACKAGE: Final = "drf_tessera"
ROOT: Final = Path(__file__).resolve().parent.parent / "src" / PACKAGE

BY_PATH: Final = frozenset({"jose", "workers", "rest", "contrib", "checks", "management"})
"""The rooms without a door: their modules are imported by their paths."""

SIDE_DOORS: Final = frozenset({"legacy.pyjwt"})
"""Modules that may be imported by their path, past a door: the door must load without PyJWT."""

PUBLIC: Final = (
    *("conf", "keys", "tokens", "revocation", "users", "issuers", "sessions", "limits", "legacy", "http"),
    "plain",
    *(
        "exceptions",
        "rotation",
        "signals",
        "moments",
        "models",
        "database",
        "receivers",
        "backends",
        "audit",
        "challenges",
        "tickets",
        "login",
    ),
    *("rest", "testing", "contrib", "checks", "admin", "apps", "management"),
)
"""The rooms that projects may use. ``jose`` and ``workers`` are for the package alone."""

HOMES: Final = {
    "rest_framework": ("rest", "testing", "contrib"),
    "ua_parser": ("sessions.devices",),
    "joserfc": ("jose.algorithms",),
    "cryptography": ("keys.sealing",),
    "jwt": ("legacy.pyjwt",),
    "urllib3": ("issuers.fetching",),
}
"""A foreign package, and the only rooms or modules that import it.

Any other foreign package has a file in ``contrib``. This file imports that package alone, REST framework if
the integration needs it, and the doors of other rooms.
"""

PARTS: Final = {
    "Django": ("django",),
    "the ORM": (
        *("django.db", "django.apps", "django.contrib.auth", "django.contrib.contenttypes"),
        *("drf_tessera.models", "drf_tessera.database"),
    ),
    "requests": ("django.http", "django.core.handlers", "django.test", "django.shortcuts"),
}
"""Parts of Django, and the packages and modules by which a room would get at each of them."""

WITHOUT: Final = {
    "exceptions": ("Django",),
    "rotation": ("Django",),
    "forks": ("Django",),
    "jose": ("Django",),
    "moments": ("the ORM",),
    "tokens": ("the ORM", "requests"),
    "sessions": ("requests",),
    "http": ("the ORM",),
}
"""The parts that a room does without, so that it can be used and tested without them."""

_ITEM: Final = re.compile(r"^- ([\w.]+): (.+(?:\n {2}.+)*)", re.MULTILINE)
_DOTTED: Final = re.compile(rf"{PACKAGE}(?:\.\w+)+")
_OBJECT: Final = re.compile(rf"({PACKAGE}(?:\.\w+)+)(?::([\w.]+))?")
"""A dotted path, also in the form ``module:name``."""

LOADERS: Final = frozenset(
    {
        "import_module",
        "import_string",
        "import_from_string",
        "__import__",
        "run_module",
        "run_path",
        "resolve_name",
    }
)
"""Functions that load a module by its name."""

REGISTRY: Final = frozenset({"get_model", "get_registered_model"})
"""Functions of Django that find a model by its label."""


@dataclass(frozen=True, slots=True)
class Module:
    """One file of the package."""

    name: str
    """The path below the package: ``sessions.rows``. A room's ``__init__.py`` is named as the room."""
    text: str
    is_package: bool

    @property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return _parse(self.text)

    @property
    def docstring(self) -> str:
        """The docstring; empty if there is none."""
        return ast.get_docstring(self.tree) or ""

    @property
    def room(self) -> str:
        """The room that the module stands in; a module at the top is a room of its own."""
        return self.name.partition(".")[0]

    @property
    def file(self) -> str:
        """The path of the file below the package."""
        name = f"{self.name}.__init__".lstrip(".") if self.is_package else self.name
        return f"{name.replace('.', '/')}.py"

    @property
    def place(self) -> str:
        """The path below the room."""
        return self.name.partition(".")[2]

    @property
    def package(self) -> str:
        """The full name of the package that a relative import starts from."""
        full = f"{PACKAGE}.{self.name}".rstrip(".")
        return full if self.is_package else full.rpartition(".")[0]


@dataclass(frozen=True, slots=True)
class Use:
    """A place where a file names something by a dotted path."""

    line: int
    target: str
    """The full dotted path: ``drf_tessera.sessions.start``."""


@dataclass(frozen=True, slots=True)
class House:
    """The package as its files state it."""

    modules: Mapping[str, Module]
    """Every file by its name; the package itself is named by the empty text."""
    listed: tuple[tuple[str, str], ...]
    """The rooms of the package's docstring, in order, each with its sentence."""

    @property
    def rooms(self) -> list[str]:
        """The names of the rooms, in order."""
        return [name for name, _ in self.listed]

    def list_places(self, room: str) -> list[tuple[str, str]]:
        """Return the modules of a room in order, each with its sentence, as the room's docstring says."""
        return read_list(self.modules[room].docstring) if self.is_folder(room) else []

    def is_folder(self, room: str) -> bool:
        """Check whether a room is a folder and not a single module."""
        return room in self.modules and self.modules[room].is_package

    def has_door(self, room: str) -> bool:
        """Check whether a room is entered by its ``__init__.py`` alone."""
        return self.is_folder(room) and room not in BY_PATH

    def read_door(self, room: str) -> dict[str, str]:
        """Return what the door of a room offers: each name with the module that defines it."""
        found = {}
        for node in self.modules[room].tree.body:
            if isinstance(node, ast.ImportFrom):
                home = (node.module or "").removeprefix(f"{PACKAGE}.")
                found.update({alias.asname or alias.name: home for alias in node.names})
        return found

    def locate(self, target: str) -> tuple[str, tuple[str, ...]] | None:
        """Split a dotted path into one of our modules and the names after it; ``None``: it is foreign."""
        top, *steps = target.split(".")
        if top != PACKAGE:
            return None
        for length in range(len(steps), -1, -1):
            name = ".".join(steps[:length])
            if name in self.modules:
                return name, tuple(steps[length:])
        return None

    def is_module(self, target: str) -> bool:
        """Check whether a dotted path is a module of ours, and not a name in it."""
        located = self.locate(target)
        return located is not None and not located[1]

    def find_imports(self) -> dict[tuple[str, str], set[str]]:
        """Return what each room imports of each other one: ``{(importer, imported): names}``."""
        found: dict[tuple[str, str], set[str]] = {}
        for module in self.modules.values():
            for use in find_uses(module.tree, module.package, self):
                located = self.locate(use.target)
                if module.name and located and located[0]:
                    name, rest = located
                    room = self.modules[name].room
                    if room != module.room:
                        found.setdefault((module.room, room), set()).add(rest[0] if rest else name)
        return found

    def list_names(self, module: str) -> set[str]:
        """Return the names that a module defines or imports at its top level."""
        return find_names(self.modules[module].tree)


def read_sources(root: Path = ROOT) -> dict[str, str]:
    """Read the files of the package, without migrations: each path below ``root`` with its text."""
    return {
        path.relative_to(root).as_posix(): path.read_text()
        for path in sorted(root.rglob("*.py"))
        if "migrations" not in path.relative_to(root).parts
    }


def read_house(sources: Mapping[str, str]) -> House:
    """Make the house of these files."""
    modules = {}
    for path, text in sources.items():
        steps = path.removesuffix(".py").split("/")
        is_package = steps[-1] == "__init__"
        name = ".".join(steps[:-1] if is_package else steps)
        modules[name] = Module(name=name, text=text, is_package=is_package)
    return House(modules=modules, listed=tuple(read_list(modules[""].docstring)))


def read_list(docstring: str) -> list[tuple[str, str]]:
    """Return the items of the list in a docstring: each name with its sentence."""
    return [(name, " ".join(text.split())) for name, text in _ITEM.findall(docstring)]


@cache
def _parse(text: str) -> ast.Module:
    return ast.parse(text)


@cache
def walk(tree: ast.Module) -> tuple[ast.AST, ...]:
    """Return all nodes of a file."""
    return tuple(ast.walk(tree))


@cache
def find_renamed(tree: ast.Module) -> dict[str, str]:
    """Return the names that a module imports under another name: each new name with the original one."""
    nodes = (node for node in walk(tree) if isinstance(node, ast.ImportFrom))
    return {alias.asname: alias.name for node in nodes for alias in node.names if alias.asname}


@cache
def find_names(tree: ast.Module) -> set[str]:
    """Return the names that a module has at its top level: its definitions and its imports."""
    nodes = (node for node in walk(tree) if isinstance(node, ast.Import | ast.ImportFrom))
    imported = {alias.asname or alias.name.partition(".")[0] for node in nodes for alias in node.names}
    return find_defined(tree) | imported


def find_defined(tree: ast.Module) -> set[str]:
    """Return the names that a module defines at its top level, under ``if`` and ``try`` too."""
    found: set[str] = set()
    stack: list[ast.AST] = list(tree.body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        stack += ast.iter_child_nodes(node)
    return found


# -- Uses ------------------------------------------------------------------------------------------


def find_uses(tree: ast.Module, package: str, house: House) -> Iterator[Use]:
    """Find all that a file uses by a dotted path, at every place in the file.

    Imports in functions and under ``TYPE_CHECKING`` count, dynamic imports and models by their labels,
    texts that are a path of ours, and attributes of modules and doors that were imported.

    Args:
        tree: the file.
        package: where its relative imports start.
        house: says which imported names are modules.
    """
    # A receiver's ``dispatch_uid`` only looks like a path.
    uids = {id(node.value) for node in walk(tree) if isinstance(node, ast.keyword) and _is_uid(node)}
    for node in walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Call):
            yield from (Use(node.lineno, target) for target in _find_targets(node, package, tree))
        elif isinstance(node, ast.Constant) and id(node) not in uids:
            path = _OBJECT.fullmatch(str(node.value))
            if path:
                yield Use(node.lineno, ".".join(filter(None, path.groups())))
    yield from _find_attributes(tree, package, house)


def find_paths(text: str) -> Iterator[Use]:
    """Find the dotted paths of ours in a text of any kind."""
    for number, line in enumerate(text.splitlines(), 1):
        yield from (Use(number, found) for found in _DOTTED.findall(line))


def _is_uid(word: ast.keyword) -> bool:
    return word.arg == "dispatch_uid"


def _find_targets(node: ast.Import | ast.ImportFrom | ast.Call, package: str, tree: ast.Module) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.Call):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        return _find_loaded(node, find_renamed(tree).get(called, called))
    steps = package.split(".")
    start = steps[: len(steps) - node.level + 1] if node.level else []
    module = ".".join([*start, *([node.module] if node.module else [])])
    return [f"{module}.{alias.name}" for alias in node.names]


def _find_loaded(node: ast.Call, called: str) -> list[str]:
    """Return what a call loads by a name, if it is written there."""
    words = {word.arg: word.value for word in node.keywords}
    names = ("name", "dotted_path") if called in LOADERS else ("app_label", "model_name")
    given = [*node.args, *(words[name] for name in names if name in words)]
    texts = [item.value for item in given if isinstance(item, ast.Constant) and isinstance(item.value, str)]
    if called in LOADERS and texts and texts[0].startswith("."):
        return [f"{PACKAGE}{texts[0]}"]
    if called in LOADERS and texts and not _OBJECT.fullmatch(texts[0]):
        return texts[:1]  # a path of ours is found as a text
    label = ".".join(texts)
    if called in REGISTRY and label.lower().startswith("tessera."):
        return [f"{PACKAGE}.models.{label.partition('.')[2]}"]
    return []


def reads_attribute(node: ast.Call) -> bool:
    """Check whether a call is ``getattr`` with an attribute that is written there."""
    return (
        isinstance(node.func, ast.Name)
        and node.func.id == "getattr"
        and len(node.args) > 1
        and isinstance(node.args[1], ast.Constant)
    )


def _find_attributes(tree: ast.Module, package: str, house: House) -> Iterator[Use]:
    """Find the attributes of names that were imported: ``sessions.rows`` after importing ``sessions``."""
    bound = dict(find_bound(tree, package, house))
    for node in walk(tree):
        owner, steps = _split(node)
        if steps and isinstance(owner, ast.Name) and owner.id in bound:
            yield Use(owner.lineno, ".".join([bound[owner.id], *steps]))


def _split(node: ast.AST) -> tuple[ast.AST, list[str]]:
    """Split a chain of attributes into the expression that it begins with and the names after it."""
    steps: list[str] = []
    while True:
        if isinstance(node, ast.Attribute):
            steps.insert(0, node.attr)
            node = node.value
        elif isinstance(node, ast.Call) and reads_attribute(node):
            steps.insert(0, str(ast.literal_eval(node.args[1])))
            node = node.args[0]
        else:
            return node, steps


def find_bound(tree: ast.Module, package: str, house: House) -> Iterator[tuple[str, str]]:
    """Find the names in a file that an import binds, each with the dotted path that it stands for."""
    for node in walk(tree):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        for alias, target in zip(node.names, _find_targets(node, package, tree), strict=True):
            whole = isinstance(node, ast.ImportFrom) or alias.asname
            yield alias.asname or alias.name.partition(".")[0], target if whole else target.partition(".")[0]
