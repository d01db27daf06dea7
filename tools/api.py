"""Write ``docs/reference/api.md`` from the doors: ``python -m tools.api``, with ``--check`` to compare alone.

The page is made of the source and not of what is imported, so it is the same with every Python and Django.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from typing import Final

from tools.docstrings import read_raises, read_summary, to_markdown
from tools.house import PACKAGE, PUBLIC, House, Module, read_house, read_sources
from tools.pages import REPOSITORY, write_or_check

PAGE: Final = REPOSITORY / "docs" / "reference" / "api.md"
WIDTH: Final = 96
"""Characters: a longer signature has a line for each parameter."""

LEFT_OUT: Final = frozenset({"management", "apps", "checks"})
"""Public rooms whose names Django alone calls."""

_CALLED: Final = frozenset({"sender", "instance", "app_configs"})
"""Parameters that only Django passes: to the receivers of its signals, and to its system checks."""

_INTRODUCTION: Final = """\
# The Python API

Every public name, with its signature. A name that is not on this page can change without notice. Import each
name from the module in its heading: `from drf_tessera.sessions import start`, or `from drf_tessera import
sessions` and `sessions.start(user)`.

This page is made from the source by `python -m tools.api`.
"""

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef | ast.AnnAssign | ast.Assign


def render(house: House) -> str:
    """Return the page."""
    return "\n".join(_Page(house).write()).rstrip() + "\n"


class _Page:
    """The page of one house."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._names = {module: dict(self._list(module)) for module in self._list_modules()}
        self._anchors = self._find_anchors()

    def _list_modules(self) -> list[str]:
        """Return the modules of the page in order: each door, and each public module that is not a door."""
        found = []
        for room in self._house.rooms:
            if room not in PUBLIC or room in LEFT_OUT:
                continue
            if self._house.is_folder(room) and not self._house.has_door(room):
                found += [f"{room}.{place}" for place, _ in self._house.list_places(room)]
            else:
                found.append(room)
        return found

    def _list(self, module: str) -> Iterator[tuple[str, tuple[Module, Definition]]]:
        """Find the public names of a module, in the order of their definitions."""
        if not self._house.has_door(module):
            home = self._house.modules[module]
            yield from ((name, (home, node)) for name, node in _define(home) if not name.startswith("_"))
            return
        door = self._house.read_door(module)
        for place, _ in self._house.list_places(module):
            home = self._house.modules[f"{module}.{place}"]
            yield from ((n, (home, node)) for n, node in _define(home) if door.get(n) == home.name)

    def _find_anchors(self) -> dict[str, str]:
        """Return the anchor of each name that is unique, by itself, and of each path."""
        found: dict[str, str] = {}
        seen: set[str] = set()
        for module, names in self._names.items():
            for name, (home, _) in names.items():
                anchor = f"{module}.{name}"
                found[f"{PACKAGE}.{anchor}"] = found[f"{PACKAGE}.{home.name}.{name}"] = anchor
                if name in seen:
                    found.pop(name, None)
                else:
                    found[name] = anchor
                seen.add(name)
        return found

    def _link(self, name: str) -> str:
        path = name.removesuffix("()")
        anchor = self._anchors.get(path)
        shown = path.removeprefix(f"{PACKAGE}.")
        if anchor is None and "." in path:
            owner, _, attribute = path.rpartition(".")
            anchor = self._anchors.get(owner)
            shown = f"{anchor}.{attribute}" if anchor else shown
        elif anchor is not None:
            shown = path.rpartition(".")[2]
        return f"[`{shown}`](#{anchor})" if anchor else f"`{shown}`"

    def write(self) -> Iterator[str]:
        """Write the lines of the page."""
        yield _INTRODUCTION
        yield "| module | what it is for |"
        yield "|---|---|"
        yield f"| [`{PACKAGE}`](#{PACKAGE}) | the names that every project needs |"
        for module in self._names:
            yield f"| [`{PACKAGE}.{module}`](#{module}) | {self._describe(module)} |"
        yield from self._write_package()
        for module, names in self._names.items():
            yield f'\n<a id="{module}"></a>\n\n## `{PACKAGE}.{module}`\n'
            summary = read_summary(self._house.modules[module].docstring, self._link)
            yield summary
            if module == "exceptions":
                yield from self._write_errors()
                continue
            yield "\n" + ", ".join(f"[`{name}`](#{module}.{name})" for name in names)
            for name, (home, node) in names.items():
                yield f'\n<a id="{module}.{name}"></a>\n\n### `{module}.{name}`\n'
                yield from self._write_definition(home, node)

    def _describe(self, module: str) -> str:
        room, _, place = module.partition(".")
        listed = dict(self._house.list_places(room) if place else self._house.listed)
        return to_markdown(listed[place or room], self._link)

    def _write_package(self) -> Iterator[str]:
        yield f'\n<a id="{PACKAGE}"></a>\n\n## `{PACKAGE}`\n'
        yield "The names that every project needs. They are loaded when they are first used.\n"
        tree = self._house.modules[""].tree
        for node in tree.body:
            if isinstance(node, ast.If):
                for line in node.body:
                    if isinstance(line, ast.ImportFrom):
                        yield f"- {self._link(f'{line.module}.{line.names[0].name}')}"

    def _write_errors(self) -> Iterator[str]:
        """Write the tree of errors as a table: they have no signatures."""
        yield "\n| error | kind of | `code` | when |\n|---|---|---|---|"
        for name, (_, node) in self._names["exceptions"].items():
            if isinstance(node, ast.ClassDef):
                kind = self._link(ast.unparse(node.bases[0]))
                codes = [_read_text(line) for line in node.body if _is_named(line, "code")]
                code = f"`{codes[0]}`" if codes else ""
                when = read_summary(ast.get_docstring(node) or "", self._link)
                yield f'| <a id="exceptions.{name}"></a>`{name}` | {kind} | {code} | {when} |'

    # -- One name ----------------------------------------------------------------------------------

    def _write_definition(self, home: Module, node: Definition) -> Iterator[str]:
        if isinstance(node, Function):
            manager = "@contextmanager\n" if _is_manager(node) else ""
            yield _fence(manager + _write_signature(home, node))
            yield from self._write_docstring(ast.get_docstring(node) or "")
        elif isinstance(node, ast.ClassDef):
            yield _fence(_write_class(home, node))
            yield from self._write_docstring(ast.get_docstring(node) or "")
            yield from self._write_members(home, node)
        else:
            yield _fence(_write_constant(home, node))
            yield from self._write_docstring(_find_note(home.tree.body, node))

    def _write_docstring(self, docstring: str) -> Iterator[str]:
        if docstring:
            yield f"\n{read_summary(docstring, self._link)}"
        raises = read_raises(docstring, self._link)
        if raises:
            yield "\nRaises:\n"
            yield from (f"- {item}" for item in raises)

    def _write_members(self, home: Module, owner: ast.ClassDef) -> Iterator[str]:
        """Write the attributes and the methods of a class."""
        members = [*self._list_members(home, owner)]
        if members:
            yield ""
        yield from members

    def _list_members(self, home: Module, owner: ast.ClassDef) -> Iterator[str]:
        for node in owner.body:
            if isinstance(node, Function) and not node.name.startswith("_"):
                marks = {ast.unparse(mark) for mark in node.decorator_list}
                shown = _write_property(home, node) if "property" in marks else _write_signature(home, node)
                text = read_summary(ast.get_docstring(node) or "", self._link)
                raises = "; ".join(read_raises(ast.get_docstring(node) or "", self._link))
                said = f"{text} Raises {raises}" if raises else text
                yield f"- `{' '.join(shown.split())}`: {said}" if said else f"- `{shown}`"
            elif isinstance(node, ast.AnnAssign | ast.Assign) and not _name(node).startswith("_"):
                text = read_summary(_find_note(owner.body, node) or _read_help(node), self._link)
                if text or not _is_dataclass(owner):  # a field without a note is in the signature
                    shown = " ".join(_write_constant(home, node).split())
                    yield f"- `{shown}`: {text}" if text else f"- `{shown}`"


# -- Source ----------------------------------------------------------------------------------------


def _define(module: Module) -> Iterator[tuple[str, Definition]]:
    for node in module.tree.body:
        if isinstance(node, Function) and _is_called_by_django(node):
            continue
        if isinstance(node, Function | ast.ClassDef):
            yield node.name, node
        elif isinstance(node, ast.AnnAssign | ast.Assign) and "TypeVar(" not in ast.unparse(node):
            yield _name(node), node


def _is_called_by_django(node: Function) -> bool:
    parameters = [*node.args.args, *node.args.kwonlyargs]
    return node.args.kwarg is not None and not _CALLED.isdisjoint(place.arg for place in parameters)


def _name(node: ast.AnnAssign | ast.Assign) -> str:
    return ast.unparse(node.target if isinstance(node, ast.AnnAssign) else node.targets[0])


def _is_named(node: ast.stmt, name: str) -> bool:
    return isinstance(node, ast.AnnAssign | ast.Assign) and _name(node) == name


def _read_text(node: ast.stmt) -> str:
    value = getattr(node, "value", None)
    return str(value.value) if isinstance(value, ast.Constant) else ""


def _find_note(body: list[ast.stmt], node: ast.stmt) -> str:
    """Return the text that stands behind an assignment as its docstring."""
    after = body[body.index(node) + 1 : body.index(node) + 2]
    for line in after:
        if isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant):
            return str(line.value.value)
    return ""


def _read_help(node: ast.AnnAssign | ast.Assign) -> str:
    """Return the ``help_text`` of a model's field."""
    words = node.value.keywords if isinstance(node.value, ast.Call) else []
    return next((str(ast.literal_eval(word.value)) for word in words if word.arg == "help_text"), "")


def _is_manager(node: Function) -> bool:
    return any(ast.unparse(mark) == "contextmanager" for mark in node.decorator_list)


def _is_dataclass(node: ast.ClassDef) -> bool:
    return any("dataclass" in ast.unparse(mark) for mark in node.decorator_list)


def _read_source(module: Module, node: ast.expr) -> str:
    """Return an expression as it is written, on one line."""
    lines = _split(module.text)[node.lineno - 1 : node.end_lineno]
    # The columns of a syntax tree count bytes. The end is cut first, because both may be on one line.
    lines[-1] = lines[-1][: node.end_col_offset]
    lines[0] = lines[0][node.col_offset :]
    return " ".join(b"".join(lines).decode().split())


@cache
def _split(text: str) -> list[bytes]:
    """Return the lines of a file. ``ast.get_source_segment`` splits the whole file for each expression."""
    return text.encode().splitlines(keepends=True)


def _fence(code: str) -> str:
    return f"```python\n{code}\n```"


def _write_signature(module: Module, node: Function, *, name: str | None = None) -> str:
    """Write a function without ``self``, on one line or with a line for each parameter."""
    is_method = bool(node.args.args) and node.args.args[0].arg in {"self", "cls"}
    parameters = list(_list_parameters(module, node.args))[1 if is_method else 0 :]
    answer = f" -> {_read_source(module, node.returns)}" if node.returns and name is None else ""
    kind = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
    return kind + _write_call(name or node.name, parameters, answer)


def _write_call(name: str, parameters: list[str], answer: str) -> str:
    line = f"{name}({', '.join(parameters)}){answer}"
    if len(line) <= WIDTH:
        return line
    return f"{name}(\n" + "".join(f"    {parameter},\n" for parameter in parameters) + f"){answer}"


def _list_parameters(module: Module, arguments: ast.arguments) -> Iterator[str]:
    places = [*arguments.posonlyargs, *arguments.args]
    missing: list[ast.expr | None] = [None] * (len(places) - len(arguments.defaults))
    for index, (place, default) in enumerate(zip(places, [*missing, *arguments.defaults], strict=True), 1):
        yield _write_parameter(module, place, default)
        if index == len(arguments.posonlyargs):
            yield "/"
    if arguments.vararg:
        yield f"*{_write_parameter(module, arguments.vararg, None)}"
    elif arguments.kwonlyargs:
        yield "*"
    for place, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _write_parameter(module, place, default)
    if arguments.kwarg:
        yield f"**{_write_parameter(module, arguments.kwarg, None)}"


def _write_parameter(module: Module, place: ast.arg, default: ast.expr | None) -> str:
    annotation = f": {_read_source(module, place.annotation)}" if place.annotation else ""
    if default is None:
        return f"{place.arg}{annotation}"
    equals = " = " if annotation else "="
    return f"{place.arg}{annotation}{equals}{_read_source(module, default)}"


def _write_property(module: Module, node: Function) -> str:
    return f"{node.name}: {_read_source(module, node.returns)}" if node.returns else node.name


def _write_class(module: Module, node: ast.ClassDef) -> str:
    """Write a class: how it is made, or what it is a kind of."""
    if _is_dataclass(node):
        fields = [_read_field(module, line) for line in node.body if isinstance(line, ast.AnnAssign)]
        marks = " ".join(ast.unparse(mark) for mark in node.decorator_list)
        star = ["*"] if "kw_only=True" in marks and fields else []
        return _write_call(f"class {node.name}", [*star, *fields], "")
    for line in node.body:
        if isinstance(line, Function) and line.name == "__init__":
            return _write_signature(module, line, name=f"class {node.name}")
    bases = [_read_source(module, base) for base in node.bases]
    return f"class {node.name}({', '.join(bases)})" if bases else f"class {node.name}"


def _read_field(module: Module, node: ast.AnnAssign) -> str:
    """Write a field of a dataclass as a parameter; ``field(default=x)`` is ``x``."""
    shown = f"{_name(node)}: {_read_source(module, node.annotation)}"
    value = node.value
    if isinstance(value, ast.Call) and ast.unparse(value.func) == "field":
        given = {word.arg: word.value for word in value.keywords}
        if "default_factory" in given:
            return f"{shown} = ..."
        value = given.get("default")
    return f"{shown} = {_read_source(module, value)}" if value is not None else shown


def _write_constant(module: Module, node: ast.AnnAssign | ast.Assign) -> str:
    """Write an assignment as it is written. A long value is shortened to the function that it calls."""
    shown = _name(node)
    if isinstance(node, ast.AnnAssign):
        annotation = _resolve(module, _read_source(module, node.annotation))
        shown += f": {annotation}" if annotation else ""
    value = _read_source(module, node.value) if node.value is not None else ""
    if not value:
        return shown
    if len(value) <= WIDTH // 2:
        return f"{shown} = {value}"
    called = _read_source(module, node.value.func) if isinstance(node.value, ast.Call) else ""
    if called and f": {called}[" in shown:
        return shown  # the annotation says what is called
    return f"{shown} = {called}(...)" if called else f"{shown} = ..."


def _resolve(module: Module, annotation: str) -> str:
    """Return an annotation without ``Final`` and ``ClassVar``, and with the meaning of a private alias."""
    bare = re.sub(r"^(Final|ClassVar)(\[(.+)\])?$", r"\3", annotation)
    meaning = re.search(rf"^ *{re.escape(bare)} = (.+)$", module.text, re.MULTILINE)
    return meaning[1] if meaning and bare.startswith("_") else bare


def main(arguments: list[str]) -> int:
    """Write the page or compare it."""
    text = render(read_house(read_sources()))
    return write_or_check(PAGE, text, command="python -m tools.api", arguments=arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
