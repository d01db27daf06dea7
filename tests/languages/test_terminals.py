"""System checks and commands have the language of the settings. Their codes, ids and JSON never change."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command, load_command_class
from django.test import override_settings
from django.utils import translation

from drf_tessera.checks.projects import check_settings
from drf_tessera.conf.settings import KEYS
from tools.messages import LANGUAGES

pytestmark = pytest.mark.once
COMMANDS = ("inspect", "installation", "keys", "migrate_check", "prune", "revoke", "setup")


class Unreadable:
    """A value that no setting accepts."""


def list_problems() -> list[tuple[str, str | None, str | None]]:
    return [(found.id or "", found.msg, found.hint) for found in check_settings(None)]


@pytest.mark.parametrize("language", LANGUAGES)
@override_settings(TESSERA={**dict.fromkeys(KEYS, Unreadable()), "KEYZ": 1})
def test_the_problem_of_each_setting_is_translated(language: str) -> None:
    """Each key has a value of a wrong type. The ids and their order are the same in each language."""
    with translation.override("en"):
        english = list_problems()
    with translation.override(language.replace("_", "-")):
        found = list_problems()
    assert len(english) > 20
    assert [problem[0] for problem in found] == [problem[0] for problem in english]
    for (_, text, hint), (_, other, other_hint) in zip(english, found, strict=True):
        assert text != other
        assert hint != other_hint


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_each_command_is_translated(name: str) -> None:
    """The descriptions of its own options are translated, too."""
    helps: dict[str, list[Any]] = {}
    plain = load_command_class("django.core", "check").create_parser("", "")
    for language in ("en", "ru"):
        with translation.override(language):
            command = load_command_class("drf_tessera", f"tessera_{name}")
            parser = command.create_parser("manage.py", f"tessera_{name}")
            of_django = {"--skip-checks", *plain._option_string_actions}
            own = [it.help for it in parser._actions if not of_django.intersection(it.option_strings)]
            helps[language] = [parser.description, *(text for text in own if text)]
    assert len(helps["en"]) == len(helps["ru"])
    assert not set(helps["en"]) & set(helps["ru"])


def test_a_command_answers_in_the_language_and_its_json_is_english(db: None) -> None:
    with translation.override("de"):
        with pytest.raises(CommandError, match="Dieser Server lehnt das Token ab: token_malformed"):
            call_command("tessera_inspect", "x", stdout=StringIO())
        out = StringIO()
        with pytest.raises(CommandError):
            call_command("tessera_inspect", "x", "--json", stdout=out)
    found = json.loads(out.getvalue())
    assert found["about"] == "This is not a token that this server knows."
    assert found["steps"][0]["text"].endswith("The text has 1 characters.")
