"""The prose of this repository is plain English, and each rule finds what it is for."""

import pytest

from tests.english import ROOT, RULES, Kind, Prose, check_file, check_prose, check_source, find_files

pytestmark = pytest.mark.once  # it reads prose

EVER, INVERTED, IS_NO, ELSE, ANY_MORE, OPENING = RULES

FILES = {path.relative_to(ROOT).as_posix(): path for path in find_files()}


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_is_in_plain_english(name: str) -> None:
    found = check_file(FILES[name])
    assert not found, "\n".join(map(str, found))


def test_all_kinds_of_files_are_found() -> None:
    assert {name.rpartition(".")[2] for name in FILES} == {"css", "html", "js", "md", "mjs", "py", "ts"}
    assert not [name for name in FILES if "node_modules" in name or name.startswith(".")]
    assert {"README.md", "docs/tutorial.md", "compat/jwt/README.md", "tests/english.py"} <= set(FILES)


# -- Each rule, by planted sentences ---------------------------------------------------------------


def find_rules(text: str, kind: Kind = Kind.COMMENT) -> list[str]:
    return [violation.rule for violation in check_prose(Prose(kind, 1, text))]


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (EVER, "Whoever holds the key can write tokens."),
        (EVER, "The row is deleted whatever the user does."),
        (EVER, "It is refused, whatsoever it says."),
        (EVER, "The token goes to whomever asks."),
        (INVERTED, "Of a session that is there the end is its own."),
        (INVERTED, "The row stays. What such a setting means is written there."),
        (INVERTED, "Who watches users being made is served. Is that right?"),
        (INVERTED, "**Whose row the token names, is asked.**"),
        (INVERTED, "| What it means | what to do? |"),
        (INVERTED, "The row is locked.\nOf two requests one waits."),
        (IS_NO, "A lost answer is no logout."),
        (IS_NO, "These bytes are no\ncompact JWS."),
        (IS_NO, "`TESSERA` is no `dict`."),
        (IS_NO, "A name that was no name before."),
        (IS_NO, "It must be no secret."),
        (IS_NO, "A cookie that is none answers 401."),
        (ELSE, "Lock the row, or else two requests both succeed."),
        (ELSE, "Else the browser drops the cookie."),
        (ELSE, "The file name, else it is empty."),
        (ANY_MORE, "The user does not exist (any more)."),
        (ANY_MORE, "It is not read anymore."),
    ],
)
def test_a_sentence_against_a_rule_is_found(rule: str, text: str) -> None:
    assert find_rules(text) == [rule]


@pytest.mark.parametrize(
    "text",
    [
        "If the session already exists, its own expiry applies.",
        "What is a session? Who ends it?",
        "Who holds the token, and whose is it?",
        "The table says who logged in, and what became of the token.",
        "WHO publishes the list.",
        "There is no lock, and there are no rows. There was no answer, because there is none.",
        "There can be no second row, and there has been no error. There is still no answer.",
        "It is no longer read, and is no more than a name.",
        "The answer is no.",
        "It takes no argument. It has no effect. The default is None.",
        "Somebody else, anything else, nobody else, everything else, and someone else's token.",
        "The cookie goes nowhere else. Who else has a copy? No one else.",
        "Anybody can read the page. Many more rows are read.",
        "`else` and ``whoever`` are code, and so is ``What is this``.",
        "SELECT CASE WHEN a THEN b ELSE c END",
        "",
    ],
)
def test_a_plain_sentence_passes(text: str) -> None:
    assert find_rules(text) == []


@pytest.mark.parametrize(
    "opening",
    ["Give the user.", "Tell whether it is live.", "Say why.", "Whether it is live.", "\n    Gives a token."],
)
def test_a_docstring_of_a_function_begins_with_a_verb_that_python_uses(opening: str) -> None:
    assert find_rules(opening, Kind.FUNCTION_DOCSTRING) == [OPENING]
    assert find_rules(opening, Kind.DOCSTRING) == []


@pytest.mark.parametrize(
    "opening", ["Return the user.", "Raise an error.", "Given to users.", "", "``SELECT`` is one statement."]
)
def test_other_openings_pass(opening: str) -> None:
    assert find_rules(opening, Kind.FUNCTION_DOCSTRING) == []


# -- Each kind of file -----------------------------------------------------------------------------


PYTHON = '''"""Whoever reads the module."""

# A comment, or else
# whatever.
x = 1  # Of no use.


class A:
    """What it is."""

    y = 2
    """Whose it is."""

    def f(self):
        """Give nothing."""
        raise ValueError(f"There is {x!r}, or else "
                         f"nothing.")
        return "else " + {"whatever": "any more"}["whatever, not prose"]
'''


def test_python_is_read_by_docstrings_comments_and_messages() -> None:
    found = [(violation.line, violation.rule) for violation in check_source("src/x.py", PYTHON)]
    assert found == [
        (1, EVER),
        (3, ELSE),
        (4, EVER),
        (5, INVERTED),
        (9, INVERTED),
        (12, INVERTED),
        (15, OPENING),
        (16, ELSE),
        (18, EVER),
    ]


def test_messages_are_read_in_src_and_compat_alone() -> None:
    source = "x = 'one more word, whatever'\n"
    assert [violation.line for violation in check_source("src/x.py", source)] == [1]
    assert [violation.line for violation in check_source("compat/x.py", source)] == [1]
    assert check_source("tests/x.py", source) == []


SCRIPT = """// A comment, or else
// whatever.
const a = "http://or.else/"; // Of no use.
/**
 * Says nothing, and not
 * any more.
 */
const b = `two words, or else ${"whoever"}`;
const c = a.replace(/["'] or else/, '// whatever');
"""


def test_scripts_are_read_by_comments_and_messages() -> None:
    comments = [(1, ELSE), (2, EVER), (3, INVERTED), (6, ANY_MORE)]
    for name in ("demo/x.js", "js/x.mjs", "js/x.ts"):
        assert [(found.line, found.rule) for found in check_source(name, SCRIPT)] == comments
    found = [(found.line, found.rule) for found in check_source("src/x.js", SCRIPT)]
    assert found == [*comments, (8, ELSE)]


def test_styles_are_read_by_comments() -> None:
    source = 'a { content: "whatever it is"; }\n/* or\n   else */\n'
    assert [(found.line, found.rule) for found in check_source("demo/x.css", source)] == [(3, ELSE)]


def test_pages_of_html_are_read_by_comments_and_text() -> None:
    source = (
        "<p title='whatever'>Or\n<b>else</b> <code>whoever</code> <script>\nelse</script><!-- any more -->"
    )
    found = [(found.line, found.rule) for found in check_source("demo/x.html", source)]
    assert found == [(2, ELSE), (3, ANY_MORE)]


def test_markdown_is_read_without_its_code() -> None:
    source = (
        "# Title\n\n```python\nelse:\n```\n\n- an item, or else\n\n  ```console\n  $ whatever\n  ```\n\n"
        "`whoever` and [a link](whatever.md)\n\n| a | What b |\n|---|---|\n"
    )
    found = [(found.line, found.rule) for found in check_source("docs/x.md", source)]
    assert found == [(7, ELSE), (15, INVERTED)]


def test_a_violation_is_reported_by_file_line_rule_and_text() -> None:
    (violation,) = check_source("docs/x.md", "One line.\n\nThe second, or else a third.\n")
    assert str(violation) == f"docs/x.md:3: {ELSE}: else a third."
