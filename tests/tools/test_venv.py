"""``make demo PYTHON=...`` says what is wrong with that Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import ROOT, require

pytestmark = pytest.mark.once  # it reads no database

OLD = "#!/bin/sh\necho drf-tessera:3.9\n"
BROKEN = "#!/bin/sh\necho 'error while loading shared libraries' >&2\nexit 127\n"
WITHOUT_VENV = '#!/bin/sh\ncase "$2" in "import ensurepip") exit 1;; esac\necho drf-tessera:3.12\n'
LIAR = "#!/bin/sh\necho hello\n"
WITH_PIP = "#!/bin/sh\necho drf-tessera:3.1\n"


def make_program(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def run(python: str, venv: Path, *, named: bool = False) -> subprocess.CompletedProcess[str]:
    (shell,) = require("sh")
    environment = {**os.environ, "PYTHON": python, "VENV": str(venv), "NAMED": "yes" if named else ""}
    return subprocess.run(
        [shell, str(ROOT / "tools" / "venv.sh")], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (OLD, "is Python 3.9, and drf-tessera needs 3.11 or newer"),
        (BROKEN, "does not work as a Python. It answers:\n  error while loading shared libraries"),
        (LIAR, "does not work as a Python. It answers:\n  hello"),
        (WITHOUT_VENV, "has no module ensurepip"),
        (WITHOUT_VENV, "apt install python3.12-venv"),
    ],
    ids=["old", "broken", "no Python", "without ensurepip", "with a package"],
)
def test_the_message_names_the_fault_of_a_program(tmp_path: Path, text: str, message: str) -> None:
    done = run(make_program(tmp_path / "python", text), tmp_path / "venv")
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
    assert not (tmp_path / "venv").exists()


def test_the_message_names_the_fault_of_a_path(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("")
    for python, message in {
        "no-such-python": "There is no program no-such-python.",
        str(tmp_path): "is a folder",
        str(plain): "is a file that cannot be executed",
    }.items():
        done = run(python, tmp_path / "venv")
        assert done.returncode == 1
        assert message in done.stderr


@pytest.mark.slow
def test_an_environment_with_another_python_is_named(tmp_path: Path) -> None:
    """Without the message, the environment would be used, and the Python that a person named would not."""
    make_program(tmp_path / "venv" / "bin" / "python", WITH_PIP)
    assert run(sys.executable, tmp_path / "venv").returncode == 0  # nobody has named a Python
    done = run(sys.executable, tmp_path / "venv", named=True)
    assert done.returncode == 1
    assert "has Python 3.1, and" in done.stderr


def test_make_asks_only_for_a_python_that_a_person_named() -> None:
    (make,) = require("make")
    for arguments, named in (([], "NAMED= sh"), (["PYTHON=python3"], "NAMED=yes sh")):
        environment = {name: value for name, value in os.environ.items() if name != "PYTHON"}
        command = [make, "-n", ".venv", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        assert named in done.stdout
