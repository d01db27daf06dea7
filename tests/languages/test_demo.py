"""Each text of the demo's page goes through gettext, and its languages are those of the catalogues."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.languages.sweep import find_bare, find_bare_in_script, find_bare_in_template, find_unmarked
from tools.messages import (
    DEMO,
    LANGUAGES,
    PAGE,
    SCENES,
    SERVER,
    Message,
    find_messages,
    read_catalog,
    read_scenes,
    read_script,
)

pytestmark = pytest.mark.once  # it reads files

LITERALS = {"drf-tessera", "header", "cookie", "lemon-tree-42"}
"""A name, the values of two choices, and a password."""

SCRIPTS = [path for path in PAGE.sources if path != SCENES]


@pytest.mark.parametrize(
    "path", sorted(DEMO.glob("*/*.py")), ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_each_text_of_the_server_goes_through_gettext(path: Path) -> None:
    assert not find_bare(path.read_text())


def test_each_text_of_the_terminal_goes_through_gettext() -> None:
    assert not find_unmarked((DEMO / "serve.py").read_text())


@pytest.mark.parametrize("path", sorted((DEMO / "page").glob("*.html")), ids=lambda path: path.name)
def test_each_text_of_a_page_goes_through_gettext(path: Path) -> None:
    assert set(find_bare_in_template(path.read_text())) <= LITERALS


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_each_text_of_a_script_goes_through_gettext(path: Path) -> None:
    assert not find_bare_in_script(path.read_text())


@pytest.mark.parametrize(
    "source",
    [
        'say("It is so.");',
        'const words = over ? "It is so." : gettext("It is not.");',
        "say(`The session of ${user} has ended`);",
        "setText(node, `${seconds} s`);",
        'setText(byId("chat-join"), "Join");',
        'make("span", { class: "badge good" }, "gone")',
        'make("li", {}, gettext("It is so."), "Delete")',
        'const about = { "aria-label": "code" };',
        'const NAMES = { thief: "Thief" };',
        'gettext("It is so.", { reason: "It is so, too." })',
    ],
)
def test_a_text_of_a_script_past_gettext_is_found(source: str) -> None:
    assert len(find_bare_in_script(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        'say(gettext("It is so."));  // It is so.',
        'say(ngettext("%(count)s note", "%(count)s notes", 2));',
        'make("span", { class: over ? "cell ours" : "cell" }, gettext("Gone"))',
        'node.className = "badge good";',
        'const ANSWERS = { "POST token/": () => gettext("It is so.") };',
        "headers.Authorization = `Bearer ${token}`;",
        'byId(`holder-${who}`).querySelector(".status");',
        "/** It is so. */",
    ],
)
def test_a_message_and_a_text_for_programs_are_not_found(source: str) -> None:
    assert find_bare_in_script(source) == []


def test_the_messages_of_a_script_are_found_also_in_a_template_and_in_another_call() -> None:
    source = """
        say(`${gettext("One.")} ${gettext("Two: %(what)s", {
            what: ngettext("%(count)s a", "%(count)s b", n) })}`);
        say(gettext(
            "Three, and \\"four\\"."), gettext(name), object.gettext("five"));
    """
    assert list(read_script(source)) == [
        Message("One."),
        Message("Two: %(what)s"),
        Message("%(count)s a", "%(count)s b"),
        Message('Three, and "four".'),
    ]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_call_of_gettext_in_a_script_escapes_the_tool(path: Path) -> None:
    """A message in other quotes would stay English, and no other test would tell."""
    source = path.read_text()
    calls = re.findall(r"(?<![\w.])n?gettext\(\s*[\"'`]", source)
    assert len(calls) == len(list(read_script(source)))


def test_each_text_of_the_scenes_is_a_message() -> None:
    found = set(read_scenes(SCENES.read_text()))
    assert {
        Message("No rotation"),
        Message("A thief copies your token"),
        Message("You refresh: accepted."),
    } < found
    assert Message("drf-tessera") not in found
    assert found <= find_messages(PAGE).keys()


NAMED = {
    SERVER: {
        "Refresh": ("Refresh in the second tab", "Refresh as the thief"),
        "Refresh in both": ("Refresh in both tabs",),
        "Call": ("Call in the second tab", "Call as the thief"),
        "Log out": ("Log out in the second tab",),
        "Change": ("Change the language",),
    },
    PAGE: {
        "Delete": ("Delete note %(number)s",),
        "End": ("End the token %(name)s", "End the session on %(device)s"),
        "Again": ("Again: %(title)s",),
        "Send as the thief": ("Send as the thief: refresh token %(number)s",),
        "Step by step": ("Step by step under %(rule)s",),
    },
}
"""The texts of buttons, and the names of these buttons for screen readers."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_name_of_a_button_contains_its_text(language: str) -> None:
    """People who speak to their browser say the text that they see (WCAG 2.5.3)."""
    for domain, pairs in NAMED.items():
        catalog = read_catalog(language, domain)
        for text, names in pairs.items():
            shown = catalog.get(text)
            for name in names:
                said = catalog.get(name)
                assert shown is not None, text
                assert said is not None, name
                assert shown.string.lower() in said.string.lower()


def test_each_button_with_a_name_of_its_own_is_in_the_list() -> None:
    page = (DEMO / "page" / "index.html").read_text()
    pairs = re.findall(
        r"""<button[^>]* aria-label="{% translate '([^']*)' %}">{% translate "([^"]*)" %}<""", page
    )
    assert len(pairs) == len(re.findall("<button[^>]* aria-label=", page))
    assert set(pairs) == {(name, text) for text, names in NAMED[SERVER].items() for name in names}


def test_the_menu_has_english_and_each_language_of_the_catalogues() -> None:
    source = (DEMO / "demo" / "settings.py").read_text()
    listed = re.search(r"^LANGUAGES = \[$(.*?)^\]$", source, re.MULTILINE | re.DOTALL)
    assert listed is not None
    codes = re.findall(r'^    \("([\w-]+)",', listed[1], re.MULTILINE)
    assert sorted(codes) == sorted(["en", *(name.lower().replace("_", "-") for name in LANGUAGES)])
