"""The tutorial with its own names, in a new environment and project, on the oldest and newest Django.

The project contains nothing of drf-tessera except the installed packages, ``"drf_tessera"`` in
``INSTALLED_APPS`` (because a table of sessions is necessary), and one line of the view. In this line the
tutorial compared passwords in plain text.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.environments import COMPAT, REQUIREMENTS, find_python
from tests.servers import PATIENCE, ROOT, find_port, is_open, wait_until

FILES = Path(__file__).parent / "project"
MAKE_USER = (
    "from django.contrib.auth import get_user_model as g;"
    "g().objects.create_user('anna', 'anna@example.com', 'correct horse', first_name='Anna', last_name='Ash')"
)

pytestmark = [pytest.mark.server, pytest.mark.once]  # it has an environment and a database of its own


class Project:
    """A project of ``django-admin startproject`` in its own environment."""

    def __init__(self, folder: Path, python: str, version: str) -> None:
        self.folder, self.port = folder, find_port()
        self.python = str(folder / "env" / "bin" / "python")
        own = {"DJANGO_SETTINGS_MODULE", "PYTHONPATH", "VIRTUAL_ENV"}
        self.environment = {name: value for name, value in os.environ.items() if name not in own}
        self.run(python, "-m", "venv", "env")
        self.pip("--require-hashes", "-r", str(REQUIREMENTS / "tutorial.txt"))
        if version != "5.2":
            self.pip("--require-hashes", "-r", str(REQUIREMENTS / f"django-{version}.txt"))
        # Install the same packages as `pip install drf-tessera-jwt drf-tessera-simplejwt`.
        self.pip("--no-deps", "--no-build-isolation", str(ROOT), *map(str, COMPAT))

    def run(self, *command: str) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def pip(self, *arguments: str) -> None:
        self.run(self.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments)

    def write(self) -> None:
        self.run(self.python, "-m", "django", "startproject", "site1", ".")
        self.run(self.python, "manage.py", "startapp", "app")
        settings = self.folder / "site1" / "settings.py"
        settings.write_text(settings.read_text() + (FILES / "settings_end.txt").read_text())
        (self.folder / "site1" / "urls.py").write_text((FILES / "urls.txt").read_text())
        for name in ("urls", "views"):
            (self.folder / "app" / f"{name}.py").write_text((FILES / "app" / f"{name}.txt").read_text())

    @contextmanager
    def serving(self) -> Iterator[None]:
        with (self.folder / "log").open("wb") as log:
            command = [self.python, "-u", "manage.py", "runserver", "--noreload", str(self.port)]
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        try:
            wait_until(lambda: process.poll() is not None or is_open(self.port), "it does not start")
            yield
        finally:
            process.terminate()
            process.wait(timeout=PATIENCE)

    def ask(self, path: str, body: object = None, token: str = "") -> tuple[int, Any]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 - this test's server
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)


@pytest.mark.long
@pytest.mark.parametrize("version", ["5.2", "6.1"])
def test_word_for_word(tmp_path: Path, version: str) -> None:
    python = sys.executable if version == "5.2" else find_python()
    if python is None:
        assert os.environ.get("CI") != "true", "Django 6 needs Python 3.12 or newer"
        pytest.skip("Django 6 needs Python 3.12 or newer")
    project = Project(tmp_path, python, version)
    project.write()
    assert project.run(project.python, "-m", "django", "--version").startswith(version)
    project.run(project.python, "manage.py", "check")
    project.run(project.python, "manage.py", "migrate")
    project.run(project.python, "manage.py", "shell", "-c", MAKE_USER)
    with project.serving():
        follow_tutorial(project)
    when = (
        "from django.contrib.auth import get_user_model as g; print(g().objects.get().last_login is not None)"
    )
    assert project.run(project.python, "manage.py", "shell", "-c", when).split()[-1] == "True"


def follow_tutorial(project: Project) -> None:
    """Use the API in the same way as the tutorial does with Postman."""
    assert project.ask("/hello/")[0] == 401
    email = {"email": "anna@example.com", "password": "correct horse"}
    assert project.ask("/login/", {**email, "password": "wrong"})[0] == 403
    assert project.ask("/login/", {})[0] == 400
    status, body = project.ask("/login/", email)
    assert (status, body["name"], set(body)) == (200, "Anna Ash", {"name", "token"})
    assert project.ask("/hello/", token=body["token"]) == (200, {"message": "Hello, anna!"})
    claims = jwt.decode(body["token"], options={"verify_signature": False})
    assert project.ask("/hello/", token=body["token"][:-4] + "AAAA")[0] == 401
    assert project.ask("/hello/", token=jwt.encode(claims, "", algorithm="none"))[0] == 401

    name = {"username": "anna", "password": "correct horse"}
    status, pair = project.ask("/api/token/", name)
    assert (status, set(pair)) == (200, {"access", "refresh"})
    claims = jwt.decode(pair["access"], options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] in {2999, 3000}  # a second may begin between the two
    assert project.ask("/hello/", token=pair["access"])[0] == 200
    status, fresh = project.ask("/api/token/refresh/", {"refresh": pair["refresh"]})
    assert status == 200
    assert project.ask("/hello/", token=fresh["access"])[0] == 200
    assert project.ask("/hello/", token=fresh["refresh"])[0] == 401
