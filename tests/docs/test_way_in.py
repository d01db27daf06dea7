"""The files that a contributor meets first say what is so."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from drf_tessera import __version__
from tests.docs.test_links import PAGES
from tests.wheels import ROOT

pytestmark = pytest.mark.once  # it reads files

CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
SECURITY = (ROOT / "SECURITY.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FORMS = [
    path for path in sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")) if path.name != "config.yml"
]
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
KINDS = {"markdown", "input", "textarea", "dropdown", "checkboxes"}


def read_blocks(page: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def test_contributing_begins_with_three_commands() -> None:
    begin, _, _ = CONTRIBUTING.partition("\n## ")
    title, block = begin.split("\n\n")[:2]
    assert title.startswith("# ")
    commands = block.removeprefix("```sh\n").removesuffix("\n```").splitlines()
    assert [command.partition("#")[0].split()[:2] for command in commands] == [
        ["git", "clone"],
        ["make", "check"],
        ["make", "demo"],
    ]


def test_every_make_target_that_a_page_names_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert "test-long" in targets
    for page in PAGES:
        text = page.read_text()
        blocks = "".join(re.findall(r"^```(?:sh|console)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
        named = {*re.findall(r"`(?:[A-Z]+=\S+ )*make ([a-z-]+)", text)}
        named |= {*re.findall(r"^(?:\$ )?(?:[A-Z]+=\S+ )*make ([a-z-]+)", blocks, re.MULTILINE)}
        assert named <= targets, page


def test_every_page_that_a_comment_of_the_tools_names_is_there() -> None:
    places = ("Makefile", "pyproject.toml", ".pre-commit-config.yaml", ".ci/run", "tools/*.sh")
    for place in (*places, "requirements/*.in", "compat/*/pyproject.toml", ".github/**/*.yml"):
        for path in ROOT.glob(place):
            for name in re.findall(r"(?<![\w./-])[\w/-]+\.md\b", path.read_text()):
                assert (ROOT / name).exists() or (path.parent / name).exists(), f"{path}: {name}"


def test_every_path_that_contributing_names_is_there() -> None:
    for name in re.findall(r"`((?:src|compat|tests|js|requirements)/[\w./*-]*)`", CONTRIBUTING):
        assert list(ROOT.glob(name.rstrip("/"))), name
    for block in read_blocks(CONTRIBUTING):
        for name in re.findall(r"(?<!\S)tests/[\w./]+", block):
            assert (ROOT / name).exists(), name


def test_the_security_policy_names_the_versions_of_the_metadata() -> None:
    (row,) = re.findall(r"^\| 0\.1\.x \| yes \| (.+) \| (.+) \| (.+) or newer \|$", SECURITY, re.MULTILINE)
    classifiers = PROJECT["classifiers"]

    def list_versions(prefix: str) -> str:
        return ", ".join(
            name.rpartition(" ")[2] for name in classifiers if re.fullmatch(prefix + r" \d+\.\d+", name)
        )

    assert row[0] == list_versions("Programming Language :: Python ::")
    assert row[1] == list_versions("Framework :: Django ::")
    assert f"djangorestframework>={row[2]}" in PROJECT["dependencies"]


def test_the_changelog_is_one_for_readers() -> None:
    """The sections of Keep a Changelog, the present version first, and no release in more than 15 items."""
    _, *releases = re.split(r"^## ", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert releases[0].startswith(f"[{__version__}] - ")
    for release in releases:
        sections = re.findall(r"^### (.+)$", release, re.MULTILINE)
        assert sections
        assert set(sections) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
        assert re.match(r"\[\d+\.\d+\.\d+\] - (?:Unreleased|\d{4}-\d\d-\d\d)\n", release)
        assert 0 < len(re.findall(r"^- ", release, re.MULTILINE)) <= 15


def test_neither_page_has_an_address() -> None:
    """The project has no public address and no mailbox yet, and must not invent one."""
    for page in (CONTRIBUTING, SECURITY):
        assert re.findall(r"https?://|\S+@\S+\.\w+", page) == []


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_a_form_is_one_that_the_code_host_shows(path: Path) -> None:
    form = yaml.safe_load(path.read_text())
    assert (
        {"name", "description", "body"} <= form.keys() <= {"name", "description", "body", "labels", "title"}
    )
    assert {part["type"] for part in form["body"]} <= KINDS
    ids = [part["id"] for part in form["body"] if part["type"] != "markdown"]
    assert len(set(ids)) == len(ids) > 0
    for part in form["body"]:
        assert "value" in part["attributes"] if part["type"] == "markdown" else "label" in part["attributes"]


@pytest.mark.parametrize("name", ["bug", "migration"])
def test_a_form_asks_for_versions_settings_and_checks_and_for_no_secret(name: str) -> None:
    text = (ROOT / ".github" / "ISSUE_TEMPLATE" / f"{name}.yml").read_text()
    body = {part["id"] for part in yaml.safe_load(text)["body"] if "id" in part}
    assert {"versions", "settings", "check"} <= body
    assert "write no secrets" in text
    assert "Leave out all secrets" in text


def list_hooks() -> list[dict[str, Any]]:
    return [hook for repository in HOOKS for hook in repository["hooks"]]


def test_the_hooks_are_local_and_have_the_versions_of_the_tests() -> None:
    assert [repository["repo"] for repository in HOOKS] == ["local"]
    for hook in list_hooks():
        assert hook["language"] == "system"
        assert hook["entry"].startswith(".venv/bin/python -m ")


@pytest.mark.parametrize("hook", list_hooks(), ids=lambda hook: hook["id"])
def test_a_hook_calls_a_tool_that_is_installed(hook: dict[str, Any]) -> None:
    tool = hook["entry"].split()[2]
    done = subprocess.run([sys.executable, "-m", tool, "--version"], capture_output=True, check=False)
    assert done.returncode == 0


def test_editors_wrap_where_ruff_does() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    assert f"max_line_length = {tools['ruff']['line-length']}\n" in (ROOT / ".editorconfig").read_text()


PYTHONS = {
    "does not work as a Python": "exit 3",
    "drf-tessera needs 3.11 or newer": "echo drf-tessera:3.9",
    "cannot make a virtual environment": 'case "$2" in *ensurepip*) exit 1;; esac\necho drf-tessera:3.12',
}


@pytest.mark.parametrize("told", PYTHONS)
def test_make_says_what_is_wrong_with_a_python(tmp_path: Path, told: str) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "venv.sh", tmp_path / "tools")
    (tmp_path / "requirements").mkdir()
    for name in ("pyproject.toml", "requirements/demo.txt"):
        (tmp_path / name).touch()
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{PYTHONS[told]}\n")
    python.chmod(0o755)
    done = subprocess.run(
        ["make", "demo", f"PYTHON={python}"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert done.stderr.startswith(str(python))
    assert told in done.stderr
    assert not (tmp_path / ".venv").exists()
