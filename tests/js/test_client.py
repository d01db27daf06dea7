"""The browser client: its unit tests under Node, its types and its size.

On a machine without Node the tests are skipped with a visible message, except in CI.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import drf_tessera
from tests.environments import install_packages

ROOT = Path(__file__).parents[2]
JS = ROOT / "js"
STATIC = Path(drf_tessera.__file__).parent / "static" / "drf_tessera"
PARTS = ("client", "core", "tabs", "retries", "checks", "sessions", "proofs", "react", "vue")
FILES = {f"{part}.{kind}" for part in PARTS for kind in ("js", "d.ts")}

pytestmark = pytest.mark.once  # no database is behind the client


def run(*command: str, folder: Path = ROOT) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]
    return done.stdout


@pytest.fixture(scope="module")
def node() -> str:
    found = shutil.which("node")
    if found is None and os.environ.get("CI") != "true":
        pytest.skip("!!! there is no Node: nothing of the browser client was tested !!!")
    assert found is not None, "CI needs Node"
    return found


@pytest.fixture(scope="module")
def _tools(node: str) -> None:
    """The pinned compiler and minifier."""
    install_packages(JS)


@pytest.mark.slow
def test_each_rule_of_the_client_holds(node: str) -> None:
    # A client that a test has left alone has timers, and Node would wait for them.
    report = run(node, "--test", "--test-force-exit", "tests/js/")
    assert "# fail 0" in report
    assert int(report.partition("# pass ")[2].split()[0]) > 180


@pytest.mark.slow
@pytest.mark.usefixtures("_tools")
def test_it_is_below_its_limit_of_size(node: str) -> None:
    assert "core.js: " in run(node, "size.mjs", folder=JS)


@pytest.mark.slow  # npm installs the compiler
@pytest.mark.usefixtures("_tools")
def test_its_types_fit_how_it_is_used() -> None:
    run("npm", "run", "--silent", "types", folder=JS)


def test_its_types_have_each_code_of_the_server() -> None:
    rows = re.findall(
        r"^\| ((?:`\w+`(?:, )?)+) \| \d{3} \|", (ROOT / "docs/reference/errors.md").read_text(), re.MULTILINE
    )
    told = {code for row in rows for code in re.findall(r"\w+", row)}
    types = (STATIC / "client.d.ts").read_text()
    typed = set(re.findall(r'^  \| "(\w+)"$', types, re.MULTILINE))
    own = {"unavailable", "signed_out", "superseded", "misconfigured"}
    assert len(told) > 40
    assert typed == told | own


def test_the_package_has_the_version_of_the_server() -> None:
    assert json.loads((STATIC / "package.json").read_text())["version"] == drf_tessera.__version__


def test_the_package_exports_each_part() -> None:
    exports = json.loads((STATIC / "package.json").read_text())["exports"]
    files = {Path(file).name for part in exports.values() for file in part.values()}
    assert files == FILES


def test_the_lock_names_no_address() -> None:
    lock = (JS / "package-lock.json").read_text()
    assert "resolved" not in lock
    assert "://" not in lock


def test_the_wheel_has_the_client() -> None:
    """Django's staticfiles find the client in the package's folder."""
    found = {path.name for path in STATIC.iterdir() if path.suffix != ".css"}  # a style of the admin
    assert found == FILES | {"mistakes.js", "errors.js", "package.json", "README.md"}
