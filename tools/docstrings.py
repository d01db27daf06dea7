"""Turn docstrings of the package into Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable
from inspect import cleandoc
from typing import Final

Link = Callable[[str], str]
"""Returns the Markdown for a name: a link to where it is told of, or the bare name as code."""

_ROLE: Final = re.compile(r":\w+:`(~?)([\w.]+)`")
_LITERAL: Final = re.compile(r"``(.+?)``", re.DOTALL)
_SECTION: Final = re.compile(r"^(Args|Raises|Returns|Yields):\n((?:[ \t]+.*\n?|\n)+)", re.MULTILINE)


def read_summary(docstring: str, link: Link) -> str:
    """Return the first paragraph, on one line."""
    first = cleandoc(docstring).split("\n\n")[0]
    return to_markdown(" ".join(first.split()), link).replace("::", ":")


def read_raises(docstring: str, link: Link) -> list[str]:
    """Return the items of the section ``Raises``, each on one line."""
    for title, body in _SECTION.findall(f"{cleandoc(docstring)}\n"):
        if title == "Raises":
            return [_write_item(item, link) for item in _split(body)]
    return []


def _split(body: str) -> list[str]:
    """Split a section into its items: further lines of an item are indented further."""
    lines = [line for line in body.splitlines() if line.strip()]
    margin = len(lines[0]) - len(lines[0].lstrip())
    items: list[str] = []
    for line in lines:
        if line[:margin].strip() or not line[margin:].startswith(" "):
            items.append(line.strip())
        else:
            items[-1] += f" {line.strip()}"
    return items


def _write_item(item: str, link: Link) -> str:
    names, _, text = item.partition(": ")
    return f"{', '.join(link(name.strip()) for name in names.split(','))}: {to_markdown(text, link)}"


def to_markdown(text: str, link: Link) -> str:
    """Write roles as links and literals as code."""
    linked = _ROLE.sub(lambda role: link(role[2]), text)
    return _LITERAL.sub(r"`\1`", linked)
