"""The reference pages name everything that the code has, and nothing else."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand

from drf_tessera import exceptions
from drf_tessera.conf.settings import KEYS

pytestmark = pytest.mark.once  # it reads pages

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
SOURCE = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))


def test_every_error_code_is_on_its_page() -> None:
    page = (REFERENCE / "errors.md").read_text()
    for kind in vars(exceptions).values():
        if isinstance(kind, type) and issubclass(kind, exceptions.TesseraError):
            assert f"`{kind.code}`" in page, kind


def test_the_page_lists_exactly_the_checks() -> None:
    pattern = re.compile(r"tessera\.[EIW]\d{3}")
    assert set(pattern.findall((REFERENCE / "checks.md").read_text())) == set(pattern.findall(SOURCE))


def test_each_id_of_a_check_has_one_row() -> None:
    """Silencing an id silences one kind of finding. Two checks had once chosen the same id."""
    page = (REFERENCE / "checks.md").read_text()
    heads = re.findall(r"^\| `(tessera\.[EIW]\d{3})`", page, re.MULTILINE)
    assert [name for name in heads if heads.count(name) > 1] == []


def test_the_page_lists_exactly_the_settings() -> None:
    page = (REFERENCE / "settings.md").read_text()
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE)) == set(KEYS)


def test_each_setting_has_one_reason_to_exist() -> None:
    """A setting is a question that somebody has to answer, so a new one has to earn its place."""
    page = (ROOT / "docs" / "explanation" / "settings.md").read_text()
    assert sorted(re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE)) == sorted(KEYS)


def test_every_link_of_the_readme_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text()):
        assert (ROOT / target).exists(), target


def test_the_page_lists_exactly_the_commands_and_their_options() -> None:
    page = (REFERENCE / "commands.md").read_text()
    parts = dict(re.findall(r"^## `(\w+)`\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    commands = {name for name, app in get_commands().items() if app == "drf_tessera"}
    assert set(parts) == commands == set(re.findall(r"^\| `(tessera_\w+)` \|", page, re.MULTILINE))
    common = _list_options(BaseCommand())
    (tenants,) = re.findall(r"^## Tenants\n(.*?)(?=^## )", page, re.MULTILINE | re.DOTALL)
    for name, text in parts.items():
        uses_database = name not in {"tessera_migrate_check", "tessera_setup"}
        rows = text + tenants if uses_database else text
        listed = set(re.findall(r"^\| `(--[\w-]+)` \|", rows, re.MULTILINE))
        assert listed == _list_options(load_command_class("drf_tessera", name)) - common, name


def _list_options(command: BaseCommand) -> set[str]:
    return set(_walk_options(command.create_parser("manage.py", "a command")))


def _walk_options(parser: ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        yield from (option for option in action.option_strings if len(option) > 2)
        if isinstance(action.choices, dict):  # the tasks of a command
            for task in action.choices.values():
                yield from _walk_options(task)
