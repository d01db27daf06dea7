"""The files of a release: built here, checked as PyPI checks them, installed, and used."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

from tests import wheels

pytestmark = [pytest.mark.once, pytest.mark.long]  # it builds the distributions

ROOT = wheels.ROOT
NAMES = list(wheels.DISTRIBUTIONS)
SMOKE = Path(__file__).parent / "smoke.py"
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    wheels.build(folder)
    return folder


def run(*command: str, folder: Path = ROOT) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def find_wheel(folder: Path, name: str) -> Path:
    (found,) = folder.glob(f"{name}-*.whl")
    return found


def read_metadata(folder: Path, name: str) -> Message:
    with zipfile.ZipFile(find_wheel(folder, name)) as wheel:
        (path,) = (path for path in wheel.namelist() if path.endswith(".dist-info/METADATA"))
        return message_from_bytes(wheel.read(path))


def read_description(folder: Path, name: str) -> str:
    body = read_metadata(folder, name).get_payload(decode=True)
    assert isinstance(body, bytes)
    return body.decode()


def list_tree(source: Path) -> Iterator[str]:
    """List the files of a package by their places in a wheel."""
    for path in (source / "src").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(source / "src").as_posix()


def test_pypi_would_take_and_show_each_file(built: Path) -> None:
    files = sorted(map(str, built.iterdir()))
    assert len(files) == 2 * len(NAMES)
    run(sys.executable, "-m", "twine", "check", "--strict", *files)


@pytest.mark.parametrize("name", NAMES)
def test_check_wheel_contents_has_no_complaint(built: Path, name: str) -> None:
    # From the folder of the distribution, because `package` in pyproject.toml is a path from there.
    command = [sys.executable, "-m", "check_wheel_contents", str(find_wheel(built, name))]
    run(*command, folder=wheels.DISTRIBUTIONS[name])


@pytest.mark.parametrize("name", NAMES)
def test_a_wheel_has_every_file_of_the_package_and_no_other(built: Path, name: str) -> None:
    """Also types, migrations, commands, translations, and the browser client."""
    with zipfile.ZipFile(find_wheel(built, name)) as wheel:
        inside = {path for path in wheel.namelist() if ".dist-info/" not in path}
    assert inside == set(list_tree(wheels.DISTRIBUTIONS[name]))
    assert any(path.endswith("/py.typed") for path in inside)


@pytest.mark.parametrize("name", NAMES)
def test_the_licence_is_in_both_files(built: Path, name: str) -> None:
    licence = (ROOT / "LICENSE").read_bytes()
    assert read_metadata(built, name)["License-Expression"] == "MIT"
    with zipfile.ZipFile(find_wheel(built, name)) as wheel:
        (path,) = (path for path in wheel.namelist() if path.endswith(".dist-info/licenses/LICENSE"))
        assert wheel.read(path) == licence
    (archive,) = built.glob(f"{name}-*.tar.gz")
    with tarfile.open(archive) as source:
        (member,) = (path for path in source.getnames() if re.fullmatch(r"[^/]+/LICENSE", path))
        inside = source.extractfile(member)
        assert inside is not None
        assert inside.read() == licence


@pytest.mark.parametrize("name", NAMES)
def test_the_description_has_no_link_that_leads_nowhere(built: Path, name: str) -> None:
    """PyPI shows the README alone: a relative link or picture would be broken there."""
    text = FENCE.sub("", read_description(built, name))
    assert re.findall(r"\]\((?![a-z]+:|#)[^)]*\)", text) == []
    assert re.findall(r"(?:src|href|srcset)=\"(?!https?:|#)[^\"]*\"", text) == []


@pytest.mark.parametrize("name", NAMES)
def test_the_description_is_the_readme_in_every_other_way(built: Path, name: str) -> None:
    description = read_description(built, name)
    readme = (wheels.DISTRIBUTIONS[name] / "README.md").read_text()
    assert FENCE.findall(description) == FENCE.findall(readme)
    assert description.count("\n") == readme.count("\n")


def test_the_compat_packages_need_this_very_version(built: Path) -> None:
    version = read_metadata(built, "drf_tessera")["Version"]
    for name in NAMES[1:]:
        metadata = read_metadata(built, name)
        assert metadata["Version"] == version
        assert f"drf-tessera=={version}" in metadata.get_all("Requires-Dist", [])


def test_installed_wheels_serve_a_project(built: Path, tmp_path: Path) -> None:
    """A fresh project checks, migrates and logs in, with the packages found in the wheels' environment."""
    python = wheels.install(sorted(built.glob("*.whl")), tmp_path / "env")
    out = run(python, "-I", "-W", "error", str(SMOKE), str(tmp_path / "db.sqlite3"), folder=tmp_path)
    assert out.splitlines()[-1] == "ok"


@pytest.mark.parametrize("name", ["demo", "docs"])
def test_the_locks_of_one_environment_agree(name: str) -> None:
    """`make demo`, `make docs` and `make test` add to one environment, so none may undo what another did."""
    pins, whole = read_lock(name), read_lock("test")
    assert {package: whole.get(package) for package in pins} == pins


def read_lock(name: str) -> dict[str, set[str]]:
    """Read the versions of each package; it may have one for each version of Python."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    found: dict[str, set[str]] = {}
    for package, version in re.findall(r"^([a-z0-9-]+)==([^ ;]+)", text, re.MULTILINE):
        found.setdefault(package, set()).add(version)
    return found


def test_no_lock_names_an_address() -> None:
    for path in (ROOT / "requirements").iterdir():
        assert "://" not in path.read_text(), path.name
