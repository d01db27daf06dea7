"""One virtual environment for each peer, created from its locked requirements under ``.bench/``."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from benchmarks.peers import HOME, ROOT
from benchmarks.progress import say

OURS: Final = "tessera"
_LIST_PACKAGES: Final = (
    "import importlib.metadata as m, json, sys;"
    "print(json.dumps({'python': sys.version.split()[0]}"
    " | {d.metadata['Name'].lower(): d.version for d in m.distributions()}))"
)


class UnavailableError(Exception):
    """An environment cannot be created. The message is the reason."""


def python_of(name: str) -> Path:
    """Return the interpreter of an environment."""
    return HOME / f"env-{name}" / "bin" / "python"


def make_all(names: Iterable[str]) -> dict[str, str]:
    """Create the missing environments. Return the reason for each environment that cannot be created."""
    problems = {}
    for name in names:
        try:
            make(name)
        except UnavailableError as error:
            problems[name] = str(error)
            say(f"environment {name}: NOT AVAILABLE: {error}")
    return problems


def make(name: str) -> None:
    """Create an environment, unless it already exists with the current requirements.

    Raises:
        UnavailableError: a package cannot be downloaded or installed.
    """
    requirements = ROOT / "requirements" / f"bench-{name}.txt"
    mark = HOME / f"env-{name}" / ".installed"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if mark.exists() and mark.read_text() == wanted:
        return
    say(f"environment {name}: installing")
    folder = python_of(name).parent.parent
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(exist_ok=True)
    _run([sys.executable, "-m", "venv", str(folder)])
    _install(name, "--require-hashes", "-r", str(requirements))
    if name == OURS:
        _install(name, "--no-deps", "--no-build-isolation", "-e", str(ROOT))
    mark.write_text(wanted)


def list_packages(name: str) -> dict[str, str]:
    """Return the version of Python and of each package in an environment."""
    command = [str(python_of(name)), "-c", _LIST_PACKAGES]
    found: dict[str, str] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return found


def _install(name: str, *arguments: str) -> None:
    pip = [str(python_of(name)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, *arguments])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["it failed without a word"]
        raise UnavailableError(lines[-1])
