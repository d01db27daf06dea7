"""Projects that are made of the code blocks of a page, in the words of the page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.wheels import ROOT

DOCS = ROOT / "docs"
_BLOCK = re.compile(r"^```python\n# (\S+\.py)( \(at the end\))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PYTHON = re.compile(r"^```python$", re.MULTILINE)


class Project:
    """A project named ``shop`` in ``folder``, with an app for each folder that the pages write to."""

    def __init__(self, folder: Path, python: str = sys.executable) -> None:
        self.folder, self.python = folder, python
        self.warnings = ["-W", "error"]
        own = {"DJANGO_SETTINGS_MODULE", "PYTHONPATH"}
        self.environment = {name: value for name, value in os.environ.items() if name not in own}
        self.run("-m", "django", "startproject", "shop", ".")

    def follow(self, page: str) -> None:
        """Write every Python block of a page into the file that its first line names."""
        text = (DOCS / page).read_text()
        blocks = _BLOCK.findall(text)
        assert len(blocks) == len(_PYTHON.findall(text)), "each block begins with the name of its file"
        for name, at_the_end, body in blocks:
            path = self.folder / name
            path.parent.mkdir(exist_ok=True)
            (path.parent / "__init__.py").touch()
            path.write_text((path.read_text() if at_the_end else "") + body)

    def add(self, name: str, line: str) -> None:
        """Add a line to a file, beyond what the page says."""
        with (self.folder / name).open("a") as file:
            file.write(f"{line}\n")

    def run(self, *arguments: str, **environment: str) -> str:
        """Run Python in the folder of the project, with warnings as errors unless the test allows one."""
        done = subprocess.run(
            [self.python, *self.warnings, *arguments],
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}\n{done.stdout}{done.stderr}"
        return done.stdout

    def manage(self, *arguments: str, **environment: str) -> str:
        return self.run("manage.py", *arguments, **environment)

    def test(self, driver: Path, app: str) -> None:
        """Run a file of tests as the tests of an app of the project."""
        (self.folder / app / "tests.py").write_text(driver.read_text())
        self.manage("test", app)
