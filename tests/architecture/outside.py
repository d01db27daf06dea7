"""Name what pages, the demo, ``compat/`` and the tests of users use although it is not public."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Final

from tests.architecture.dynamic import DJANGOS, judge_dynamic
from tests.architecture.pages import SIGNATURES, is_valid, read_blocks, read_code, read_files, read_names
from tools.house import PACKAGE, PUBLIC, SIDE_DOORS, House, Module, Use, find_defined, find_paths, find_uses

REPOSITORY: Final = Path(__file__).resolve().parent.parent.parent

USERS: Final = (
    "README.md",
    "docs",
    "src/drf_tessera/static/drf_tessera/README.md",
    "demo",
    "compat",
    "benchmarks/project",
    "tests/tutorial",
    "tests/typing",
    "tests/compat/applications/settings.py",
    "tests/compat/applications/urls.py",
)
"""The files that use the package as a project does, by its public names alone."""

_FOREIGN: Final = "docs/migrate/"
"""Pages about a move: their short names and files are those of the package that is left."""

_INSIDE: Final = "docs/explanation/"
"""Pages that may tell about the inside: modules behind a door, and files."""

_READ: Final = frozenset({".py", ".md", ".html", ".js", ".toml", ".txt"})
_SKIPPED: Final = frozenset({"migrations", "node_modules", ".venv"})


def read_users(root: Path = REPOSITORY) -> dict[str, str]:
    """Read the files of all users: each path below ``root`` with its text."""
    found = {}
    for user in USERS:
        place = root / user
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            relative = path.relative_to(root)
            if path.suffix in _READ and path.is_file() and _SKIPPED.isdisjoint(relative.parts):
                found[relative.as_posix()] = path.read_text()
    return found


def find_strangers(house: House, files: Mapping[str, str]) -> list[str]:
    """List each use of a private name in these files."""
    found = []
    for path, text in files.items():
        for use in _find_all(path, text, house):
            fault = _judge(house, use.target)
            if fault:
                found.append(f"{path}:{use.line} uses {use.target}: {fault}")
        found += _find_unread(path, text, house)
    return list(dict.fromkeys(found))


def _find_all(path: str, text: str, house: House) -> Iterator[Use]:
    yield from find_paths(text)
    if not path.endswith(".md"):
        # The files of the tutorial are parts of Python modules, and have another ending.
        if path.endswith((".py", ".txt")) and is_valid(text):
            yield from find_uses(ast.parse(text), "", house)
        return
    blocks = list(read_blocks(path, text))
    yield from find_uses(ast.parse(read_code(blocks, text.count("\n"))), "", house)
    for number, name in _list_short(path, text):
        home = _find_home(name.partition(".")[0], house)
        if home is not None and not (path.startswith(_INSIDE) and _exists(f"{PACKAGE}.{home}{name}", house)):
            yield Use(number, f"{PACKAGE}.{home}{name}")


def _list_short(path: str, text: str) -> Iterator[tuple[int, str]]:
    if path not in SIGNATURES and not path.startswith(_FOREIGN):
        yield from read_names(text)


def _exists(target: str, house: House) -> bool:
    """Check whether a path leads to something in the package, public or not."""
    located = house.locate(target)
    return located is not None and (not located[1] or located[1][0] in house.list_names(located[0]))


def _find_home(start: str, house: House) -> str | None:
    """Return the path in front of a short name that begins with a public room or class; ``None``: foreign."""
    if start in house.rooms:
        return ""
    for name, module in house.modules.items():
        is_open = module.room in PUBLIC and not (house.has_door(module.room) and not module.is_package)
        if is_open and start[:1].isupper() and start in _list_offered(house, name):
            return f"{name}." if name else ""
    return None


def _find_unread(path: str, text: str, house: House) -> Iterator[str]:
    """Find blocks that are not programs, imports by computed names, and paths of files that are wrong."""
    if path.endswith(".py"):
        yield from judge_dynamic(Module(name=path, text=text, is_package=False), house)
    if not path.endswith(".md"):
        return
    for block in read_blocks(path, text):
        if is_valid(block.code):
            module = Module(name=path, text="\n" * (block.line - 1) + block.code, is_package=False)
            yield from judge_dynamic(module, house)
        else:
            yield f"{path}:{block.line} is not a program: complete it, or mark the block as text"
    for number, file in read_files(text) if not path.startswith(_FOREIGN) else ():
        place = file.removeprefix(f"src/{PACKAGE}/")
        if place.partition("/")[0] not in house.rooms and place == file:
            continue
        if place not in {module.file for module in house.modules.values()}:
            yield f"{path}:{number} names the file {file}, which does not exist"
        elif not path.startswith(_INSIDE):
            yield f"{path}:{number} names the file {file}: a page for users names modules"


def _judge(house: House, target: str) -> str | None:
    """Return why a dotted path is not public; ``None`` if it is public, or foreign."""
    located = house.locate(target)
    if located is None:
        return None
    name, rest = located
    module = house.modules[name]
    if name and module.room not in PUBLIC:
        return f"{module.room} is not public"
    if any(_PRIVATE.match(step) and step not in DJANGOS for step in rest):
        return "its name is private"
    if name and house.has_door(module.room) and name not in SIDE_DOORS and not module.is_package:
        return f"it stands behind the door of {module.room}"
    return _judge_names(house, name, rest) if rest else None


def _judge_names(house: House, name: str, rest: tuple[str, ...]) -> str | None:
    if rest[0] not in _list_offered(house, name):
        return f"{name or PACKAGE} does not offer it"
    if len(rest) > 1 and not _has(getattr(import_module(f"{PACKAGE}.{name}".rstrip(".")), rest[0]), rest[1]):
        return f"{rest[0]} has no {rest[1]}"
    return None


def _has(owner: object, name: str) -> bool:
    """Check whether a class or another object has an attribute; fields of a class may have no value."""
    kinds = owner.__mro__ if isinstance(owner, type) else ()
    return hasattr(owner, name) or any(name in vars(kind).get("__annotations__", {}) for kind in kinds)


_PRIVATE: Final = re.compile(r"_(?!_)")


def _list_offered(house: House, name: str) -> set[str]:
    if not name:
        return {"__version__", *_read_all(house.modules[""].tree)}
    return set(house.read_door(name)) if house.has_door(name) else find_defined(house.modules[name].tree)


def _read_all(tree: ast.Module) -> list[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return []


def find_unused(house: House, files: Mapping[str, str]) -> list[str]:
    """List the names of doors that no other room and no user takes, and that no page mentions."""
    taken = set()
    for module in house.modules.values():
        for use in find_uses(module.tree, module.package, house):
            located = house.locate(use.target)
            if located and located[1] and located[0] != module.room and not module.is_package:
                taken.add((located[0], located[1][0]))
    told = {path: text for path, text in files.items() if not path.endswith("reference/api.md")}
    words = set(re.findall(r"\w+", "\n".join(told.values())))
    return [
        f"the door of {room} offers {name}, which nobody takes: use it, tell of it on a page, or leave it out"
        for room in house.rooms
        if house.has_door(room)
        for name in house.read_door(room)
        if (room, name) not in taken and name not in words
    ]
