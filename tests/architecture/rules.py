"""Name everything in the package that breaks a rule of the house."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from typing import Final

from django.db.models import QuerySet

from tests.architecture.dynamic import judge_dynamic
from tests.architecture.writers import SELECTORS, find_writes
from tools.house import (
    HOMES,
    PACKAGE,
    PARTS,
    SIDE_DOORS,
    WITHOUT,
    House,
    Module,
    Use,
    find_paths,
    find_uses,
    walk,
)

MAX_MODULE_LINES: Final = 500
MAX_FUNCTION_LINES: Final = 45
"""Without the docstring."""

NAMES_THAT_SAY_NOTHING: Final = frozenset({"utils", "helpers", "base", "mixins"})

AT_THE_END: Final = frozenset({"contrib", "management"})
"""Rooms that no other room imports: a project names their modules, or Django finds them."""

WRITERS: Final = {
    "Session": "sessions.rows",
    "Revocation": "revocation",
    "Installation": "installation",
    "SpentTicket": "tickets",
    "SigningKey": "keys.rows",
}
"""Each model of ours, and the only room or module that writes its rows."""

BY_HAND: Final = "sessions.compiled"
"""The only module that sends SQL by itself. Django's querysets send all other statements."""

_SENDS_SQL: Final = frozenset({"cursor", "chunked_cursor", "raw", "extra"})

READERS_OF_SETTINGS: Final = ("get_settings", "read_settings")

QUERYSETS: Final = {"objects", "_default_manager", "_base_manager"} | {
    name for name in dir(QuerySet) if not name.startswith("_") and callable(getattr(QuerySet, name))
}.difference(*map(dir, (str, bytes, list, dict, set)))
"""The names by which rows are selected, without those that other objects have too."""

BESIDE: Final = frozenset({"django", "asgiref", "typing_extensions"})
"""The framework, its package for coroutines, and a package that is only there for type checkers."""

_SHORT: Final = re.compile(r"``([a-z]+)\.(\w+)(?:\(\))?``")
_PRIVATE: Final = re.compile(r"_(?!_)|__.*(?<!__)$")


def find_violations(house: House, file: str | None = None) -> list[str]:
    """List everything that breaks a rule, with the place and what to do.

    Args:
        house: the package.
        file: judge the contents of this file alone, because the other files are known to be good.
    """
    modules = [module for module in house.modules.values() if file in {None, module.file}]
    found = [*_judge_lists(house), *_judge_doors(house), *_judge_writers(house, modules)]
    for module in modules:
        for judge in _JUDGES:
            found += judge(module, house)
    return list(dict.fromkeys(found))


def _is_within(name: str, home: str) -> bool:
    """Check whether a dotted path is ``home`` or stands below it."""
    return name == home or name.startswith(f"{home}.")


# -- The lists in the docstrings -------------------------------------------------------------------


def _judge_lists(house: House) -> Iterator[str]:
    rooms = house.rooms
    yield from _compare(PACKAGE, rooms, {module.room for module in house.modules.values() if module.name})
    for room in rooms:
        if house.is_folder(room):
            places = [place for place, _ in house.list_places(room)]
            files = {m.place for m in house.modules.values() if m.room == room and not m.is_package}
            yield from _compare(room, places, files)


def _compare(owner: str, listed: list[str], there: set[str]) -> Iterator[str]:
    where = f"the list in the docstring of {owner}"
    for name in sorted(set(listed)):
        if listed.count(name) > 1:
            yield f"{where} names {name} twice"
        if name not in there:
            yield f"{where} names {name}, which does not exist"
    for name in sorted(there - set(listed)):
        yield f"{where} does not name {name}: add it behind all that it imports"


# -- Doors -----------------------------------------------------------------------------------------


def _judge_doors(house: House) -> Iterator[str]:
    for module in house.modules.values():
        if not module.is_package or not module.name:
            continue
        if not module.docstring:
            yield f"{module.name}/__init__.py does not say in a docstring what it is for"
        for node in module.tree.body[1:]:
            if not house.has_door(module.name) or not isinstance(node, ast.ImportFrom):
                yield f"{module.name}/__init__.py:{node.lineno} has code of its own: move it into a module"
                continue
            for alias in node.names:
                yield from _judge_reexport(module.name, node, alias, house)


def _judge_reexport(room: str, node: ast.ImportFrom, alias: ast.alias, house: House) -> Iterator[str]:
    where = f"the door of {room}:{node.lineno}"
    home = (node.module or "").removeprefix(f"{PACKAGE}.")
    if alias.asname != alias.name:
        yield f"{where} must offer {alias.name} under its own name: `import {alias.name} as {alias.name}`"
    if not _is_within(home, room) or home not in house.modules or node.level:
        yield f"{where} offers {alias.name} of {node.module}, which is not a module of its room"
    elif alias.name not in house.list_names(home):
        yield f"{where} offers {alias.name}, which {home} does not have"
    if _PRIVATE.match(alias.name):
        yield f"{where} offers the private name {alias.name}"
    if f"{room}.{alias.name}" in house.modules:
        yield f"{where} offers {alias.name}, which hides the module of that name"


# -- Imports ---------------------------------------------------------------------------------------


def _judge_imports(module: Module, house: House) -> Iterator[str]:
    if module.is_package and module.name:
        return  # a door: judged above
    for use in find_uses(module.tree, module.package, house):
        where = f"{module.name or '__init__'}:{use.line}"
        located = house.locate(use.target)
        if located is None:
            yield from (f"{where} {fault}" for fault in _judge_foreign(module, use.target))
        else:
            yield from (f"{where} {fault}" for fault in _judge_own(module, *located, use, house))


def _judge_without(module: Module, target: str) -> Iterator[str]:
    for part in WITHOUT.get(module.room, ()):
        if any(_is_within(target, package) for package in PARTS[part]):
            yield f"imports {target}, and {module.room} does without {part}"


def _judge_names_without(module: Module, house: House) -> Iterator[str]:
    """Find rows and requests that come without an import, as arguments or as results."""
    parts = WITHOUT.get(module.room, ())
    for node in walk(module.tree):
        name = getattr(node, "attr", "") or getattr(node, "id", "") or getattr(node, "arg", "") or ""
        line = getattr(node, "lineno", 0)
        queries = name in SELECTORS or (isinstance(node, ast.Attribute) and name in QUERYSETS)
        if "the ORM" in parts and queries:
            yield f"{module.name}:{line} uses {name}, and {module.room} does without the ORM"
        elif "requests" in parts and name == "request":
            yield f"{module.name}:{line} has a {name}, and {module.room} does without requests"


def _judge_foreign(module: Module, target: str) -> Iterator[str]:
    top = target.partition(".")[0]
    yield from _judge_without(module, target)
    if top in HOMES and not any(_is_within(module.name, home) for home in HOMES[top]):
        yield f"imports {top}, whose only home is {' or '.join(HOMES[top])}"
    elif not (top in HOMES or top in BESIDE or top in sys.stdlib_module_names or module.room == "contrib"):
        yield f"imports {top}: a foreign package has one file in contrib"


def _judge_contrib(module: Module, house: House) -> Iterator[str]:
    """Check that a file of ``contrib`` integrates one package."""
    if module.room != "contrib":
        return
    tops = {use.target.partition(".")[0] for use in find_uses(module.tree, module.package, house)}
    foreign = sorted(tops - {PACKAGE, *HOMES, *BESIDE, *sys.stdlib_module_names})
    if len(foreign) > 1:
        yield f"{module.name} imports {' and '.join(foreign)}: each has a file of its own in contrib"


def _judge_own(module: Module, target: str, names: tuple[str, ...], use: Use, house: House) -> Iterator[str]:
    there = house.modules[target]
    private = [step for step in (*target.split("."), *names[:1]) if _PRIVATE.match(step)]
    if private and target != module.name:
        yield f"takes the private name {private[0]} of {target}"
    yield from _judge_without(module, use.target)
    if not module.name:
        yield from _judge_entrance(there, names, house)
    elif not target:
        yield f"imports {use.target}: name the room that defines it"
    elif there.room == module.room:
        yield from _judge_inside(module, there, house)
    else:
        yield from _judge_order(module, there, house)
        yield from _judge_entrance(there, names, house)


def _judge_inside(module: Module, there: Module, house: House) -> Iterator[str]:
    places = [place for place, _ in house.list_places(module.room)]
    if there.name == module.name:
        yield "imports itself"
    elif there.is_package:
        yield "imports the door of its own room: name the module behind it"
    elif there.place in places[places.index(module.place) if module.place in places else len(places) :]:
        yield f"imports {there.name}, which does not stand above it in its room"


def _judge_order(module: Module, there: Module, house: House) -> Iterator[str]:
    rooms = house.rooms
    if there.room in AT_THE_END:
        yield f"imports {there.name}, and nothing imports {there.room}"
    elif {there.room, module.room} <= set(rooms) and rooms.index(there.room) >= rooms.index(module.room):
        yield f"imports {there.name}, whose room does not stand above {module.room}"


def _judge_entrance(there: Module, names: tuple[str, ...], house: House) -> Iterator[str]:
    room = there.room
    if not house.has_door(room) or there.name in SIDE_DOORS:
        return
    if not there.is_package:
        yield f"goes past the door of {room}: {there.name}"
    elif names and names[0] not in house.read_door(room):
        yield f"takes {names[0]} of {room}, whose door does not offer it"


def _judge_texts(module: Module, house: House) -> Iterator[str]:
    """Check that every path in a text leads somewhere, and by the door if there is one."""
    for use in find_paths(module.text):
        located = house.locate(use.target)
        if located is None:
            continue
        target, names = located
        where = f"{module.name or '__init__'}:{use.line}"
        if names and names[0] not in house.list_names(target) and not _names_uid(module, use):
            yield f"{where} names {use.target}, which does not exist"
        room = house.modules[target].room
        if names and _PRIVATE.match(names[0]) and module.room != room:
            yield f"{where} names {use.target}, which is private to its room"
        offered = house.read_door(room) if house.has_door(room) else {}
        if names and target != room and offered.get(names[0]) == target and module.room != room:
            yield f"{where} names {use.target}; the door offers it as {PACKAGE}.{room}.{names[0]}"

    for number, line in enumerate(module.text.splitlines(), 1):
        for room, name in _SHORT.findall(line):
            if room in house.rooms and name not in _list_known(room, house):
                yield f"{module.name or '__init__'}:{number} names {room}.{name}, which does not exist"


def _list_known(room: str, house: House) -> set[str]:
    """Return the names of a room that a short text may use: its modules, and what it defines or offers."""
    return {m.place for m in house.modules.values() if m.room == room} | house.list_names(room)


def _names_uid(module: Module, use: Use) -> bool:
    return f'dispatch_uid="{use.target}"' in module.text


# -- Names, sizes, settings, rows ------------------------------------------------------------------


def _judge_names(module: Module, house: House) -> Iterator[str]:
    for step in NAMES_THAT_SAY_NOTHING.intersection(module.name.split(".")):
        yield f"{module.name}: {step} is a name that says nothing"


def _judge_typing(module: Module, house: House) -> Iterator[str]:
    """Find imports of ``typing_extensions`` that are executed: the package does not require it."""
    branches = (node for node in walk(module.tree) if isinstance(node, ast.If))
    unexecuted = {
        id(inner)
        for branch in branches
        if ast.unparse(branch.test) == "TYPE_CHECKING"
        for node in branch.body
        for inner in ast.walk(node)
    }
    for node in walk(module.tree):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if "typing_extensions" in names and id(node) not in unexecuted:
            yield f"{module.name} imports typing_extensions outside of `if TYPE_CHECKING`"


def _judge_sizes(module: Module, house: House) -> Iterator[str]:
    lines = len(module.text.splitlines())
    if lines > MAX_MODULE_LINES:
        yield (
            f"{module.name} has {lines} lines, and {MAX_MODULE_LINES} are the most: "
            "split it at its section comments"
        )
    for node in walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            spoken = len((ast.get_docstring(node) or "").splitlines())
            length = (node.end_lineno or 0) - node.lineno + 1 - spoken
            if length > MAX_FUNCTION_LINES:
                yield (
                    f"{module.name}.{node.name} has {length} lines of code, and {MAX_FUNCTION_LINES} are the "
                    "most: move a step that has a name into its own function"
                )


def _judge_settings(module: Module, house: House) -> Iterator[str]:
    """Check that no module reads a setting at its import, except the name of a foreign key's model."""
    readers = {*READERS_OF_SETTINGS} | _find_aliases(module.tree, *READERS_OF_SETTINGS)
    holders = _find_aliases(module.tree, "settings")
    stack: list[ast.AST] = [module.tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            # Decorators and defaults are evaluated at import, the body is not.
            stack += [*getattr(node, "decorator_list", []), *node.args.defaults]
            stack += [default for default in node.args.kw_defaults if default is not None]
            continue
        called = isinstance(node, ast.Call) and _name_called(node) in readers
        read = isinstance(node, ast.Attribute) and getattr(node.value, "id", "") in holders
        if called or (read and getattr(node, "attr", "") != "AUTH_USER_MODEL"):
            yield f"{module.name}:{getattr(node, 'lineno', 0)} reads a setting while it is being imported"
        stack += ast.iter_child_nodes(node)


def _name_called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _find_aliases(tree: ast.Module, *originals: str) -> set[str]:
    """Return the names under which a module imports these."""
    return {
        alias.asname or alias.name
        for node in walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name in originals
    }


def _judge_writers(house: House, modules: list[Module]) -> Iterator[str]:
    classes = (node for node in house.modules["models"].tree.body if isinstance(node, ast.ClassDef))
    for node in classes:
        if "models.Model" in map(ast.unparse, node.bases) and node.name not in WRITERS:
            yield f"models.{node.name} has no writer: name one in WRITERS"
    for module in modules:
        for model, line, verb in find_writes(module.tree, WRITERS):
            if not _is_within(module.name, WRITERS[model]):
                yield f"{module.name}:{line} calls {verb} on {model}, whose only writer is {WRITERS[model]}"


def _judge_sql(module: Module, house: House) -> Iterator[str]:
    """Find SQL that is sent by hand: ``find_writes`` cannot read it."""
    for node in walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr in _SENDS_SQL and module.name != BY_HAND:
            yield f"{module.name}:{node.lineno} uses {node.attr}: only {BY_HAND} sends SQL by hand"


_JUDGES: Final[tuple[Callable[[Module, House], Iterator[str]], ...]] = (
    _judge_imports,
    _judge_contrib,
    _judge_names_without,
    _judge_texts,
    _judge_names,
    _judge_typing,
    _judge_sizes,
    _judge_settings,
    _judge_sql,
    judge_dynamic,
)
