"""Read the code and the names of a page."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import dedent
from typing import Final

_FENCE: Final = re.compile(r"^( *)```([\w-]*)[^\n`]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_SHELLS: Final = frozenset({"sh", "bash", "shell", "console"})
_COMMAND: Final = re.compile(r"-c (['\"])(.+?)\1", re.DOTALL)
_PROMPT: Final = re.compile(r"^ *(?:>>>|\.\.\.) ?(.*)$", re.MULTILINE)
_NAME: Final = re.compile(r"`([A-Za-z_]+(?:\.\w+)+)|\b([a-z_]+(?:\.\w+)+)\(")
_ENDINGS: Final = frozenset({"py", "md", "js", "json", "toml", "txt"})
_FILE: Final = re.compile(r"`((?:[\w.-]+/)+\w+\.py)`")

SIGNATURES: Final = frozenset({"docs/reference/api.md"})
"""Pages whose blocks are signatures and not programs. ``tools.api`` makes them from the source."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block of Python on a page."""

    line: int
    """The line of its first line."""
    code: str


def read_blocks(path: str, page: str) -> Iterator[Block]:
    """Find the Python of a page: blocks, sessions at the prompt, and programs in a command of a shell."""
    for fence in _FENCE.finditer(page):
        line = page.count("\n", 0, fence.start(3)) + 1
        language, text = fence[2], dedent(fence[3])
        if language in {"python", "py"} and path not in SIGNATURES:
            yield Block(line, text)
        elif language in {"pycon", "python-console", "doctest"}:
            yield Block(line, "\n".join(_PROMPT.findall(text)) + "\n")
        elif language in _SHELLS:
            yield from (Block(line, found[2]) for found in _COMMAND.finditer(text))


def read_code(blocks: list[Block], length: int) -> str:
    """Join the blocks that are valid, each line at its place, because a block may use earlier imports."""
    lines = [""] * (length + 1)
    for block in blocks:
        if is_valid(block.code):
            start = block.line - 1
            code = block.code.splitlines()
            lines[start : start + len(code)] = code
    return "\n".join(lines)


def is_valid(code: str) -> bool:
    """Check whether a text is a program."""
    try:
        ast.parse(code)
    except SyntaxError:
        return False
    return True


def read_names(page: str) -> Iterator[tuple[int, str]]:
    """Find the dotted names in the sentences of a page, each with its line: code, and calls without marks."""
    for number, line in enumerate(_drop_blocks(page).splitlines(), 1):
        names = (marked or called for marked, called in _NAME.findall(line))
        yield from ((number, name) for name in names if name.rpartition(".")[2] not in _ENDINGS)


def read_files(page: str) -> Iterator[tuple[int, str]]:
    """Find the paths of Python files in the sentences of a page, each with its line."""
    for number, line in enumerate(_drop_blocks(page).splitlines(), 1):
        yield from ((number, path) for path in _FILE.findall(line))


def _drop_blocks(page: str) -> str:
    return _FENCE.sub(lambda fence: "\n" * fence[0].count("\n"), page)
