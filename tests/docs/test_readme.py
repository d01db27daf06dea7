"""The README: each block pasted as it stands, each answer compared, and the table that a command found."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks import comparison
from tests.servers import PATIENCE, ROOT, find_port, is_open, require, wait_until

pytestmark = [pytest.mark.once, pytest.mark.server]  # it starts a project of its own

TEXT = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```([a-z]+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
SERVE = "python manage.py runserver\n"
ADDRESS = "127.0.0.1:8000"


class Developer:
    """Somebody who pastes the README into a new project."""

    def __init__(self, folder: Path) -> None:
        self.port = find_port()
        installed = folder / "installed"
        own = {"DJANGO_SETTINGS_MODULE", "PYTHONPATH"}
        self.environment = {name: value for name, value in os.environ.items() if name not in own} | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "NO_PROXY": "127.0.0.1",
            # The package that `pip install` builds, before the checkout. The rest is here, and no test asks
            # the network.
            "PYTHONPATH": str(installed),
            "PIP_TARGET": str(installed),
            "PIP_NO_DEPS": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip reads the value of this one the other way round
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        self.paste("django-admin startproject mysite", folder)
        self.folder = folder / "mysite"

    def paste(self, text: str, folder: Path | None = None) -> str:
        """Paste lines into a terminal; each has to succeed."""
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", text],
            cwd=folder or self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
        return done.stdout

    def append(self, text: str, name: str) -> None:
        with (self.folder / "mysite" / name).open("a") as file:
            file.write(text)

    @contextmanager
    def serving(self) -> Iterator[None]:
        log = self.folder / "log"
        command = [*SERVE.replace("python", sys.executable).split(), "--noreload", str(self.port)]
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdout=output, stderr=output
            )
        try:
            wait_until(lambda: process.poll() is not None or is_open(self.port), "it does not start")
            assert process.poll() is None, log.read_text()
            yield
        finally:
            process.terminate()
            process.wait(timeout=PATIENCE)


def has_shape(shown: Any, found: Any) -> bool:
    """Return whether ``found`` matches the README, where a text with dots at its end matches any text."""
    if isinstance(shown, dict) and isinstance(found, dict):
        return list(shown) == list(found) and all(has_shape(shown[name], found[name]) for name in shown)
    if isinstance(shown, list) and isinstance(found, list):
        return len(shown) == len(found) and all(map(has_shape, shown, found))
    if isinstance(shown, str) and shown.endswith("..."):
        return isinstance(found, str) and len(found) > len(shown)
    return type(shown) is type(found) and shown == found


@pytest.mark.server
def test_pasted_into_a_new_project_it_works_and_answers_as_shown(tmp_path: Path) -> None:
    require("bash", "curl")
    shell = [text for kind, text in BLOCKS if kind == "sh"]
    settings, urls = (text for kind, text in BLOCKS if kind == "python")
    (answers,) = (text for kind, text in BLOCKS if kind == "json")
    install, prepare, ask = shell
    developer = Developer(tmp_path)
    developer.paste(install, ROOT)
    developer.append(settings, "settings.py")
    developer.append(urls, "urls.py")
    assert prepare.endswith(SERVE)
    assert "no issues" in developer.paste(prepare.removesuffix(SERVE))
    place = developer.paste("python -c 'import drf_tessera; print(drf_tessera.__file__)'")
    assert place.startswith(str(tmp_path))
    assert ADDRESS in ask
    with developer.serving():
        printed = developer.paste(ask.replace(ADDRESS, f"127.0.0.1:{developer.port}"))
    found = [json.loads(line) for line in printed.splitlines()]
    for shown, line in zip(answers.splitlines(), found, strict=True):
        assert has_shape(json.loads(shown), line), line
    assert not (developer.folder / "answer.json").exists()


def test_curl_gets_no_option_that_ubuntu_22_does_not_have() -> None:
    # Its curl is 7.81; --json came with 7.82.
    assert "curl" in TEXT
    assert "--json" not in TEXT


def test_the_table_shows_the_stored_results() -> None:
    found = json.loads(comparison.RESULT.read_text())
    assert comparison.put_into(TEXT, found) == TEXT


def test_the_stored_results_are_for_the_present_packages_and_settings() -> None:
    packages = json.loads(comparison.RESULT.read_text())["packages"]
    assert list(packages) == [column.title for column in comparison.COLUMNS]
    for column in comparison.COLUMNS:
        assert packages[column.title]["settings"] == column.peer.settings
        assert packages[column.title]["settings of single questions"] == column.variants
        assert packages[column.title]["facts"].keys() >= comparison.PROBES.keys()


def test_a_readme_without_a_place_for_the_table_is_not_written() -> None:
    found = json.loads(comparison.RESULT.read_text())
    with pytest.raises(ValueError, match="0 places"):
        comparison.put_into("# drf-tessera\n", found)
