"""Run both sides of each piece, and write the differences into the migration pages."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from drf_tessera.legacy import JWT_AUTH, SIMPLE_JWT, Verdict
from drf_tessera.legacy.names import NAMES
from tests.compat.differential.pieces import Project, read_projects
from tests.environments import find_older_python, install_original, install_original_jwt
from tools.pages import fill

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[2]
ORIGINALS: Final = {
    "rest_framework_simplejwt": install_original,
    "rest_framework_jwt": install_original_jwt,
}
PROJECTS: Final = read_projects()
PAGES: Final = {
    "rest_framework_simplejwt": ROOT / "docs" / "migrate" / "from-simplejwt.md",
    "rest_framework_jwt": ROOT / "docs" / "migrate" / "from-djangorestframework-jwt.md",
}
VERDICTS: Final = {"rest_framework_simplejwt": SIMPLE_JWT, "rest_framework_jwt": JWT_AUTH}
BEGIN: Final = "<!-- differences: written by `python -m tests.compat.differential` -->"
END: Final = "<!-- end of differences -->"
LONGEST: Final = 120
_MOMENT: Final = re.compile(r"\d{9,}")


@dataclass(frozen=True, slots=True)
class Difference:
    """A piece whose two results differ."""

    name: str
    theirs: str
    ours: str
    why: str

    def write(self) -> str:
        """Return the row of the table."""
        cells = (f"`{_escape(self.name)}`", _shorten(self.theirs), _shorten(self.ours), self.why)
        return f"| {' | '.join(cells)} |"


def find_python(package: str) -> str | None:
    """Return a Python for the environment of an original, or ``None``."""
    return sys.executable if package == "rest_framework_simplejwt" else find_older_python()


def read_surface(package: str, python: str) -> dict[str, Any]:
    """Return the description of an original package, from its own interpreter."""
    inside = ORIGINALS[package](python)
    command = [inside, "-W", "ignore", str(HERE / "surface.py"), package]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def run(project: Project, python: str) -> dict[str, str]:
    """Run the pieces of a project with one interpreter. Return the result of each piece."""
    pieces = {name: project.before + piece.code for name, piece in project.pieces.items()}
    task = {"package": project.package, "settings": project.settings, "apps": project.apps, "pieces": pieces}
    command = [python, str(HERE / "project.py")]
    done = subprocess.run(command, input=json.dumps(task), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def compare(project: Project, python: str) -> list[Difference]:
    """Run a project on both sides. Return the pieces whose results differ."""
    sides = (ORIGINALS[project.package](python), sys.executable)
    with ThreadPoolExecutor() as pool:
        theirs, ours = pool.map(lambda side: run(project, side), sides)
    return [
        Difference(name, theirs[name], ours[name], piece.why)
        for name, piece in project.pieces.items()
        if theirs[name] != ours[name]
    ]


def write_table(found: Iterable[Difference]) -> str:
    """Return the differences as a table in Markdown."""
    head = "| code | the original | here | reason |\n|---|---|---|---|"
    return "\n".join([head, *(difference.write() for difference in found)])


def write_verdicts(page: str, heading: str, verdicts: Mapping[str, Verdict]) -> str:
    """Return the page with the table of verdicts below a heading."""
    before, mark, rest = page.partition(f"\n## {heading}\n")
    text, head, table = rest.partition("|---|---|---|\n")
    rows = "".join(
        f"| `{name}` | {it.kind} | {f'{it.text} ' if it.text else ''}|\n" for name, it in verdicts.items()
    )
    after = re.sub(r"\A(?:\|.*\n)*", "", table)
    return f"{before}{mark}{text}{head}{rows}{after}"


def _shorten(text: str) -> str:
    text = _MOMENT.sub("...", " ".join(text.split()))
    if len(text) > LONGEST:
        text = text[: LONGEST - 4].rpartition(" ")[0] + " ..."  # half a word would be another word
    return f"`{_escape(text)}`"


def _escape(text: str) -> str:
    return text.replace("|", "\\|")


def write_pages(check: bool = False) -> list[str]:
    """Run everything, and write the tables and the lists of names. Return the files that were not current."""
    stale = []
    for package, page in PAGES.items():
        python = find_python(package)
        if python is None:
            raise RuntimeError("djangorestframework-jwt needs Python 3.11.")
        found = [
            item for project in PROJECTS if project.package == package for item in compare(project, python)
        ]
        names = json.dumps(read_surface(package, python), indent=1, sort_keys=True) + "\n"
        settings, prefix = VERDICTS[package], f"{package}."
        listed = {name.removeprefix(prefix): NAMES[name] for name in NAMES if name.startswith(prefix)}
        text = write_verdicts(write_verdicts(page.read_text(), "Settings", settings), "Names", listed)
        wanted = {
            page: fill(text, BEGIN, END, write_table(found)),
            HERE / f"{package}.json": names,
        }
        for path, text in wanted.items():
            if not path.exists() or path.read_text() != text:
                stale.append(str(path.relative_to(ROOT)))
                if not check:
                    path.write_text(text)
    return stale
