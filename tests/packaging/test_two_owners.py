"""An original beside ours, in each order in which pip can install and uninstall the two.

The original is a wheel that is made here. It has files of the same names, and none of ours.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests import wheels

pytestmark = [pytest.mark.once, pytest.mark.slow]  # it builds the distributions

PAIRS = {
    "simplejwt": ("djangorestframework-simplejwt", "drf-tessera-simplejwt", "rest_framework_simplejwt"),
    "jwt": ("djangorestframework-jwt", "drf-tessera-jwt", "rest_framework_jwt"),
    "drf-jwt": ("drf-jwt", "drf-tessera-jwt", "rest_framework_jwt"),
}
MODULES = ("__init__", "settings", "tokens", "utils", "authentication", "views")
PROJECT = """
import sys
from django.conf import settings
settings.configure(
    SECRET_KEY="x" * 50,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "drf_tessera"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": sys.argv[2:]},
    ROOT_URLCONF="__main__",
)
urlpatterns = []
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", sys.argv[1]])
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    wheels.build(folder)
    return folder


def write_original(folder: Path, name: str, package: str) -> Path:
    """Write a wheel of an original that any Python can install."""
    stem = f"{name.replace('-', '_')}-1.0"
    path = folder / f"{stem}-py3-none-any.whl"
    files = {f"{package}/{module}.py": "DEFAULTS = {}\n" for module in MODULES}
    files |= {
        f"{stem}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = f"{stem}.dist-info/RECORD"
    with zipfile.ZipFile(path, "w") as wheel:
        for place, text in files.items():
            wheel.writestr(place, text)
        wheel.writestr(record, "".join(f"{place},,\n" for place in [*files, record]))
    return path


class Environment:
    """An environment with our wheels."""

    def __init__(self, built: Path, folder: Path) -> None:
        self.folder = folder
        self.python = wheels.install(sorted(built.glob("*.whl")), folder / "venv")

    def pip(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "pip", "--python", self.python, *arguments, "--quiet"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def manage(self, *arguments: str) -> str:
        """Run a command of the project, and return all that it prints."""
        done = subprocess.run(
            [self.python, "-c", PROJECT, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr


@pytest.fixture
def environment(built: Path, tmp_path: Path) -> Environment:
    return Environment(built, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("pair", PAIRS)
def test_the_check_speaks_although_the_original_was_installed_afterwards(
    environment: Environment, tmp_path: Path, pair: str
) -> None:
    original, ours, package = PAIRS[pair]
    environment.pip("install", "--no-index", "--no-deps", str(write_original(tmp_path, original, package)))
    told = environment.manage("check")
    assert f"{original} and {ours} are both installed" in told
    assert f"pip install --force-reinstall --no-deps {ours}" in told
    assert "SECRET_KEY" in environment.manage("diffsettings")  # a command without checks works


@pytest.mark.long
@pytest.mark.parametrize("pair", PAIRS)
def test_the_check_speaks_although_the_original_was_uninstalled_afterwards(
    environment: Environment, built: Path, tmp_path: Path, pair: str
) -> None:
    original, ours, package = PAIRS[pair]
    environment.pip("install", "--no-index", "--no-deps", str(write_original(tmp_path, original, package)))
    mine = next(built.glob(f"{ours.replace('-', '_')}-*.whl"))
    environment.pip("install", "--no-index", "--no-deps", "--force-reinstall", str(mine))
    assert f"{original} and {ours} are both installed" in environment.manage("check")
    environment.pip("uninstall", "--yes", original)
    told = environment.manage("check")
    assert f"Files of {ours} are missing" in told
    named = environment.manage("check", f"{package}.authentication.Missing")
    assert f"ImproperlyConfigured: Files of {ours} are missing" in named
    environment.pip("install", "--no-index", "--no-deps", "--force-reinstall", str(mine))
    assert "System check identified no issues" in environment.manage("check")
