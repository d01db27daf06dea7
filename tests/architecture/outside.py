"""Name what pages, the demo, ``compat/`` and the tests of users use although it is not public."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Final

from tools.house import PACKAGE, PUBLIC, SIDE_DOORS, House, Use, find_defined, find_paths, find_uses

REPOSITORY: Final = Path(__file__).resolve().parent.parent.parent

USERS: Final = (
    "README.md",
    "docs",
    "js/README.md",
    "demo",
    "compat",
    "benchmarks/project",
    "tests/tutorial",
    "tests/typing",
    "tests/compat/applications/settings.py",
    "tests/compat/applications/urls.py",
)
"""The files that use the package as a project does, by its public names alone."""

_BLOCK: Final = re.compile(r"^( *)```python\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_INLINE: Final = re.compile(r"`([a-z]+)\.(\w+)")
_SKIPPED: Final = frozenset({"migrations", "node_modules", ".venv"})


def read_users(root: Path = REPOSITORY) -> dict[str, str]:
    """Read the files of all users: each path below ``root`` with its text."""
    found = {}
    for user in USERS:
        place = root / user
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            relative = path.relative_to(root)
            if path.suffix in {".py", ".md"} and path.is_file() and _SKIPPED.isdisjoint(relative.parts):
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
    return list(dict.fromkeys(found))


def _find_all(path: str, text: str, house: House) -> Iterator[Use]:
    yield from find_paths(text)
    if path.endswith(".py"):
        yield from find_uses(ast.parse(text), "", house)
        return
    yield from find_uses(ast.parse(_read_code(text)), "", house)
    for number, line in enumerate(text.splitlines(), 1):
        for room, name in _INLINE.findall(line):
            if house.has_door(room) and not _may_name(path, f"{room}.{name}", house):
                yield Use(number, f"{PACKAGE}.{room}.{name}")


def _may_name(path: str, name: str, house: House) -> bool:
    """Check whether a page may use a short name that no door offers.

    A page of moving names modules of the package that is left, and an explanation tells of the inside.
    """
    return path.startswith("docs/migrate/") or (
        path.startswith("docs/explanation/") and name in house.modules
    )


def _read_code(page: str) -> str:
    """Join the Python of a page, each line at its place, because a block may use earlier imports."""
    lines = [""] * (page.count("\n") + 1)
    for block in _BLOCK.finditer(page):
        code = dedent(block[2])
        start = page.count("\n", 0, block.start()) + 1
        try:
            ast.parse(code)
        except SyntaxError:
            continue  # a fragment: its paths are found as texts
        lines[start : start + code.count("\n")] = code.splitlines()
    return "\n".join(lines)


def _judge(house: House, target: str) -> str | None:
    """Return why a dotted path is not public; ``None`` if it is public, or foreign."""
    located = house.locate(target)
    if located is None:
        return None
    name, rest = located
    module = house.modules[name]
    if name and module.room not in PUBLIC:
        return f"{module.room} is not public"
    if _PRIVATE.match(rest[0] if rest else ""):
        return "its name is private"
    if name and house.has_door(module.room) and name not in SIDE_DOORS and not module.is_package:
        return f"it stands behind the door of {module.room}"
    if rest and rest[0] not in _list_offered(house, name):
        return f"{name or PACKAGE} does not offer it"
    return None


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
