"""The Postman collection, run by newman against the demo.

On a machine without Node the test is skipped with a visible message, except in CI.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.environments import install_packages
from tests.servers import PATIENCE, ROOT, find_port, is_open, wait_until

FOLDER = ROOT / "docs" / "postman"
COLLECTION = FOLDER / "drf-tessera.postman_collection.json"

pytestmark = [pytest.mark.server, pytest.mark.once, pytest.mark.long]  # the demo has a database of its own


@pytest.fixture(scope="module")
def node() -> str:
    found = shutil.which("node")
    if found is None and os.environ.get("CI") != "true":
        pytest.skip("!!! there is no Node: the Postman collection was not run !!!")
    assert found is not None, "CI needs Node"
    install_packages(FOLDER)
    return found


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("demo"), find_port()
    own = {"DJANGO_SETTINGS_MODULE", "PYTHONPATH"}
    environment = {name: value for name, value in os.environ.items() if name not in own}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "demo" / "serve.py")],
            env={**environment, "PORT": str(port), "DEMO_DATA": str(folder)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_until(lambda: process.poll() is not None or is_open(port), "the demo does not start")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, 15)
        process.wait(timeout=PATIENCE)


def run(node: str, demo: str, collection: Path, folder: Path) -> tuple[int, dict[str, Any]]:
    report = folder / "report.json"
    newman = FOLDER / "node_modules" / "newman" / "bin" / "newman.js"
    command = [
        node,
        str(newman),
        "run",
        str(collection),
        "--env-var",
        f"base_url={demo}",
        "--reporters",
        "json",
    ]
    done = subprocess.run(
        [*command, "--reporter-json-export", str(report)], capture_output=True, text=True, check=False
    )
    assert report.exists(), done.stdout + done.stderr
    return done.returncode, json.loads(report.read_text())["run"]


def count_tests(collection: dict[str, Any]) -> int:
    scripts = [line for item in collection["item"] for line in item["event"][0]["script"]["exec"]]
    return sum(line.startswith("pm.test(") for line in scripts)


def test_every_assertion_holds(node: str, demo: str, tmp_path: Path) -> None:
    found = json.loads(COLLECTION.read_text())
    code, report = run(node, demo, COLLECTION, tmp_path)
    assert (code, [failure["error"]["message"] for failure in report["failures"]]) == (0, [])
    assert report["stats"]["requests"] == {"total": len(found["item"]), "pending": 0, "failed": 0}
    assert report["stats"]["assertions"]["total"] == count_tests(found) > 20


def test_a_wrong_expectation_fails(node: str, demo: str, tmp_path: Path) -> None:
    planted = tmp_path / "planted.json"
    planted.write_text(COLLECTION.read_text().replace('eql(\\"session_revoked\\")', 'eql(\\"planted\\")'))
    code, report = run(node, demo, planted, tmp_path)
    assert code == 1
    assert len(report["failures"]) == 2
