"""The tutorial, word for word: each file is written, each command is run, each answer is compared."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers import PATIENCE, ROOT, find_port, is_open, wait_until

TUTORIAL = ROOT / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
AT_THE_END = " (at the end)"
SERVER = "python manage.py runserver 8000"

pytestmark = [pytest.mark.server, pytest.mark.once]  # its project has a database of its own


class Reader:
    """A person who follows the page in an empty folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = find_port()
        self.ran: list[str] = []
        own = {"DJANGO_SETTINGS_MODULE", "PYTHONPATH"}
        self.environment = {name: value for name, value in os.environ.items() if name not in own}
        self.environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment["BASE"] = f"http://127.0.0.1:{self.port}"

    def write(self, text: str) -> None:
        name = text.partition("\n")[0].removeprefix("# ")
        path = self.folder / name.removesuffix(AT_THE_END)
        before = path.read_text() if name.endswith(AT_THE_END) else ""
        assert path.parent.is_dir()
        path.write_text(before + text)

    def run(self, command: str, expected: str) -> None:
        self.ran.append(command)
        if command.startswith("pip install "):
            return  # they are installed here, because a test should not use the network
        if command.startswith("cd "):
            self.folder /= command.removeprefix("cd ")
            return
        done = subprocess.run(  # noqa: S602 - a person types it into a shell
            command,
            shell=True,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        assert done.stdout.strip() == expected.strip(), command

    @contextmanager
    def serving(self) -> Iterator[None]:
        log = self.folder / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-u", "manage.py", "runserver", "--noreload", str(self.port)],
                cwd=self.folder,
                env=self.environment,
                stdout=output,
                stderr=output,
            )
        try:
            wait_until(lambda: process.poll() is not None or is_open(self.port), "it does not start")
            yield
        finally:
            process.terminate()
            process.wait(timeout=PATIENCE)
        assert "anna logged in." in log.read_text()


def split_commands(text: str) -> Iterator[tuple[str, str]]:
    for part in text.removeprefix("$ ").split("\n$ "):
        command, _, answer = part.partition("\n")
        yield command, answer


def test_word_for_word(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    blocks = BLOCK.findall(TUTORIAL.read_text())
    place = next(index for index, (_, text) in enumerate(blocks) if SERVER in text)

    def follow(some: list[tuple[str, str]]) -> None:
        for kind, text in some:
            if kind == "python":
                reader.write(text)
                continue
            for command, answer in split_commands(text):
                reader.run(command, answer)

    follow(blocks[:place])
    with reader.serving():
        follow(blocks[place + 1 :])
    assert len(blocks) >= 9
    assert "python client.py" in reader.ran


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", TUTORIAL.read_text()):
        assert (TUTORIAL.parent / target).exists(), target
