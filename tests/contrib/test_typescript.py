"""A TypeScript client that is made from the schema has the right types.

Outside of CI a machine without Node skips this, loudly.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contrib.schemas import GOLDEN
from tests.environments import install_packages

pytestmark = [pytest.mark.once, pytest.mark.long]  # npm installs the compiler

FOLDER = Path(__file__).parent / "typescript"
FLAGS = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom", "--module", "nodenext"]

Compile = Callable[[str], list[str]]


@pytest.fixture
def compile_client(tmp_path: Path) -> Compile:
    """Return a function that compiles a client, and returns the numbers of the lines with a mistake."""
    node = shutil.which("node")
    if node is None and os.environ.get("CI") != "true":
        pytest.skip("!!! there is no Node: the types of the schema were not checked !!!")
    assert node is not None, "CI needs Node"
    install_packages(FOLDER)
    (tmp_path / "node_modules").symlink_to(FOLDER / "node_modules")
    shutil.copy(FOLDER / "package.json", tmp_path)
    packages = tmp_path / "node_modules"

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([node, *command], cwd=tmp_path, capture_output=True, text=True, check=False)

    schema = str(GOLDEN / "api.yaml")
    made = run(str(packages / "openapi-typescript" / "bin" / "cli.js"), schema, "-o", "schema.d.ts")
    assert made.returncode == 0, made.stderr

    def compile_text(text: str) -> list[str]:
        (tmp_path / "client.ts").write_text(text)
        done = run(str(packages / "typescript" / "bin" / "tsc"), *FLAGS, "client.ts")
        return [line for line in done.stdout.splitlines() if "error TS" in line]

    return compile_text


def test_the_client_has_no_mistake(compile_client: Compile) -> None:
    assert compile_client((FOLDER / "client.ts").read_text()) == []


MISTAKES = {
    'client.POST("/api/tokens/", { body: {} });': "no such endpoint",
    'client.POST("/api/token/", { body: { username: "anna" } });': "no password",
    'client.POST("/api/token/", { body: { username: 1, password: "x" } });': "a number for a name",
    'client.POST("/api/token/refresh/", { body: {} });': "no token",
    'client.DELETE("/api/token/sessions/{session_id}/");': "no session",
    "export const a = (it: Session): string => it.user_id;": "no such field",
    "export const b = (it: Session): number => it.ip;": "another type",
    'client.POST("/api/token/revoke/").then((it) => it.error?.code === "x");': "no such code",
    'client.GET("/api/token/sessions/").then((it) => it.data?.length.x);': "no such field",
}


def test_each_planted_mistake_is_found(compile_client: Compile) -> None:
    text = (FOLDER / "client.ts").read_text()
    first = len(text.splitlines()) + 1
    found = compile_client("\n".join([text.rstrip("\n"), *MISTAKES, ""]))
    lines = {int(line.partition("(")[2].partition(",")[0]) for line in found}
    assert lines == set(range(first, first + len(MISTAKES))), found
