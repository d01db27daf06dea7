"""Read the projects and their pieces of code from ``pieces/*.txt``.

Such a file begins with ``package:``, ``settings:`` (the keyword arguments of Django's settings, as source)
and ``apps:``. After an empty line come the lines that stand before each piece. A piece begins with
``== name``. Its code leaves a result in ``answer``. A last line ``-- reason`` is the reason why the result
differs from the original.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "pieces"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some lines as projects write them."""

    code: str
    why: str
    """The reason, if the result differs from the original. Empty if the result is the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project with one value of the settings. Each needs a process: the originals read settings once."""

    name: str
    package: str
    settings: str
    apps: tuple[str, ...]
    before: str
    """The lines before each piece."""
    pieces: Mapping[str, Piece]


def read_projects() -> list[Project]:
    """Return all projects."""
    return [read_project(path) for path in sorted(FOLDER.glob("*.txt"))]


def read_project(path: Path) -> Project:
    """Return the project of one file."""
    head, *sections = path.read_text().split("\n== ")
    options, _, before = head.partition("\n\n")
    found = dict(line.split(": ", 1) for line in options.splitlines() if ": " in line)
    return Project(
        name=path.stem,
        package=found["package"],
        settings=found["settings"],
        apps=tuple(found.get("apps", "").split()),
        before=before + "\n",
        pieces=dict(map(read_piece, sections)),
    )


def read_piece(section: str) -> tuple[str, Piece]:
    """Return the name of a piece, and the piece."""
    name, _, body = section.strip().partition("\n")
    code, _, why = body.partition("\n-- ")
    return name, Piece(code=code, why=why)
