"""Write a generated page, or compare it with what is committed."""

from __future__ import annotations

import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def fill(page: str, begin: str, end: str, text: str) -> str:
    """Return the page with ``text`` between two marks."""
    before, _, rest = page.partition(begin)
    return f"{before}{begin}\n{text}\n{end}{rest.partition(end)[2]}"


def write_or_check(path: Path, text: str, *, command: str, arguments: list[str]) -> int:
    """Write ``text`` to ``path``; with ``--check`` only compare. Return the exit status."""
    if arguments == ["--check"]:
        if path.exists() and path.read_text() == text:
            return 0
        sys.stderr.write(f"{path.relative_to(REPOSITORY)} is not current: run `{command}`\n")
        return 1
    if arguments:
        sys.stderr.write(f"usage: {command} [--check]\n")
        return 2
    path.write_text(text)
    return 0
