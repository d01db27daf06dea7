"""The prose of this repository is plain English, and each rule finds what it is for."""

import pytest

from tests.english import ROOT, RULES, Kind, Prose, check_file, check_prose, check_source, find_files

pytestmark = pytest.mark.once  # it reads prose

EVER, INVERTED, FRONTED, FRAGMENT, RARE, IS_NO, ELSE, ANY_MORE, LONG, OPENING, PART = RULES

FILES = {path.relative_to(ROOT).as_posix(): path for path in find_files()}
FOLDERS = sorted({name.rpartition("/")[0] for name in FILES})


@pytest.mark.slow
@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_is_in_plain_english(folder: str) -> None:
    paths = [path for name, path in FILES.items() if name.rpartition("/")[0] == folder]
    found = [violation for path in paths for violation in check_file(path)]
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
        (EVER, "The import counts wherever it stands."),
        (EVER, "The first of them counts, whichever it is."),
        (INVERTED, "The row stays. What such a setting means is written there."),
        (INVERTED, "Who watches users being made is served. Is that right?"),
        (INVERTED, "**Whose row the token names, is asked.**"),
        (INVERTED, "Whom the row names is asked."),
        (INVERTED, "| What it means | what to do? |"),
        (INVERTED, "The row is locked.\nOf two requests one waits."),
        (INVERTED, "The row is locked; of two requests one waits."),
        (INVERTED, "The claim decides: what the token says counts."),
        (INVERTED, "The answer is 401: whose token it is stays open."),
        (INVERTED, "The row is locked (who comes later waits)."),
        (INVERTED, "The row is locked: *what* it says stays."),
        (INVERTED, "Because of two logins at once, one ends the other."),
        (INVERTED, "To whom it belongs says the row."),
        (INVERTED, "The token is what its header says."),
        (INVERTED, "By what it was signed stands in the header."),
        (FRONTED, "The row is not locked. Nor is it read."),
        (FRONTED, "Never is a token read twice."),
        (FRONTED, "The row is locked; never is it read."),
        (FRONTED, "Only then is it written."),
        (FRONTED, "A logout counts. So does a new password."),
        (FRONTED, "Refused are tokens without a key."),
        (FRONTED, "- Gone is the row."),
        (FRONTED, "At no moment is a row read."),
        (FRONTED, "Neither does the cache forget it."),
        (FRONTED, "Many are the rows."),
        (FRONTED, "None but the owner may end it."),
        (FRONTED, "Should the cache fail, the answer is 503."),
        (FRONTED, "Had `x` been read, it would be old."),
        (FRONTED, "In the row stands the digest."),
        (FRONTED, "With it goes the session."),
        (FRONTED, "To each token belongs a row."),
        (FRONTED, "A token ends. Also refused are copies."),
        (FRONTED, "Said of a session: it ended."),
        (FRONTED, "Anyone who has the key can sign."),
        (FRONTED, "Such a setting means for us nothing."),
        (FRONTED, "That the row is gone says the list."),
        (FRONTED, "How long it lives decides the setting."),
        (FRONTED, "Whether it ended tells the feed."),
        (FRAGMENT, "As a session that has ended: under its own key."),
        (FRAGMENT, "It is read. Before a token of a cookie: a line break."),
        (RARE, "Begin anew after a fork."),
        (RARE, "All rows are ranked alike."),
        (RARE, "Lock the row, lest it change."),
        (RARE, "The setting whereby it ends."),
        (RARE, "A lock of a thread that it has not."),
        (RARE, "The row, be it live or ended, is read."),
        (IS_NO, "A lost answer is no logout."),
        (IS_NO, "These bytes are no\ncompact JWS."),
        (IS_NO, "`TESSERA` is no `dict`."),
        (IS_NO, "A name that was no name before."),
        (IS_NO, "It must be no secret."),
        (IS_NO, "A cookie that is none answers 401."),
        (ELSE, "Lock the row, or else two requests both succeed."),
        (ELSE, "Else the browser drops the cookie."),
        (ELSE, "The file name, else it is empty."),
        (ELSE, "Nothing else than the row is read."),
        (ANY_MORE, "The user does not exist (any more)."),
        (ANY_MORE, "It is not read anymore."),
        (ANY_MORE, "The user is no more."),
        (LONG, f"The row {'and the token ' * 11}change."),
        (LONG, f"One. The row{', the `code`, the token' * 9}, and\nthe {'long ' * 16}line: change; stay."),
    ],
)
def test_a_sentence_against_a_rule_is_found(rule: str, text: str) -> None:
    assert find_rules(text) == [rule]


@pytest.mark.parametrize(
    "text",
    [
        "Of a session that is there the end is its own.",
        "What such a setting means for us says its translation.",
        "As a session that has ended: of all that came before, under a key of its own.",
        "All are ranked alike, the new one too: of two logins at once, each would else end the other.",
        "Begin anew: a forked child has its parent's lock, perhaps held, by a thread that it has not.",
        "Before a cookie's token in the memory of verified ones: no header can hold it, "
        "so none is taken for one.",
        "Who watches users being made is served, if it is connected before the first request.",
    ],
)
def test_sentences_that_readers_could_not_read_are_found(text: str) -> None:
    for kind in (Kind.COMMENT, Kind.DOCSTRING, Kind.FUNCTION_DOCSTRING, Kind.MESSAGE, Kind.PAGE):
        assert find_rules(f"The row is read. {text}", kind), kind


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
        "A row says who, when and where from. One of two requests waits, and each of many rows is read.",
        "The row has a limit: the user, who owns it, sets it. Two questions: who ends it?",
        "Neither accepts it. It is never read, and it has not been read. Only six rows are read.",
        "Speed is measured. Need is rare. A refused token is logged. Ended sessions are deleted.",
        "As before, it is read: the row stays. Before a release, run: `make test`.",
        "How to use it. How it works. Which key? That shows the row.",
        "Should the row stay? Had it been read? In the cookie, the token comes first. In bodies it is alone.",
        "The answer is 401. With each login comes to mind. After it stands still, the row is read.",
        "At most three, and no more. It has no more than three rows.",
        f"| {'a word ' * 17}| {'a word ' * 17}|\n\n- {'one ' * 34}\n- {'two ' * 34}\n# {'three ' * 34}",
        f"Return a row.\n\nArgs:\n    row: {'one ' * 33}\n    key: {'two ' * 33}\n",
        f"{'A `piece of code`, ' * 35}",
        f"``a``    {'one ' * 33}\n``b``    {'two ' * 33}",
        "",
    ],
)
def test_a_plain_sentence_passes(text: str) -> None:
    assert find_rules(text) == []


@pytest.mark.parametrize(
    "opening",
    [
        "Give the user.",
        "Tell whether it is live.",
        "Whether it is live.",
        "\n    Gives a token.",
        "Returns the user.",
        "Given a token, return its user.",
        "The user of the token.",
        "If the token is old, refresh it.",
        "``SELECT`` is one statement.",
        "return the user.",
    ],
)
def test_the_docstring_of_a_function_begins_with_a_verb_that_python_uses(opening: str) -> None:
    assert OPENING in find_rules(opening, Kind.FUNCTION_DOCSTRING)
    assert find_rules(opening, Kind.DOCSTRING) == []


@pytest.mark.parametrize("opening", ["Return the user.", "\n    Raise an error.", ""])
def test_a_usual_verb_passes(opening: str) -> None:
    assert find_rules(opening, Kind.FUNCTION_DOCSTRING) == []


def test_the_docstring_of_a_test_a_fixture_or_a_property_may_begin_with_a_noun() -> None:
    source = """
class A:
    @property
    def a(self):
        '''{text}'''

@pytest.fixture(scope="module")
def b():
    '''{text}'''

def test_a_row_stays():
    '''{text}'''
"""
    assert check_source("src/x.py", source.format(text="The first row.")) == []
    found = check_source("src/x.py", source.format(text="Tell the first row."))
    assert [violation.rule for violation in found] == [OPENING] * 3


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        (EVER, "test_by_the_token_whatever_became_of_it"),
        (INVERTED, "test_what_is_assigned_counts"),
        (INVERTED, "test_of_two_one_waits"),
        (INVERTED, "test_who_is_gone_is_not_asked"),
        (FRONTED, "test_so_does_a_hash"),
        (FRONTED, "test_nor_when_it_is_imported"),
        (IS_NO, "test_a_login_is_no_reason"),
        (IS_NO, "test_an_origin_that_is_none_is_refused"),
        (ELSE, "test_a_row_or_else_an_error"),
        (ANY_MORE, "test_a_key_that_is_not_read_any_more"),
        (PART, "test_and_then_it_is_gone"),
        (PART, "test_not_after_a_logout"),
    ],
)
def test_the_name_of_a_test_is_prose(rule: str, name: str) -> None:
    for source in (f"def {name}(): pass", f"class TestA:\n    async def {name}(self): pass"):
        assert [(found.rule, found.kind) for found in check_source("tests/x.py", source)] == [
            (rule, Kind.NAME)
        ]


def test_names_of_other_functions_and_plain_names_of_tests_pass() -> None:
    source = (
        "def of_what(): pass\ndef test_no_row_is_read(): pass\ndef test_a_row_ends_nothing_else(): pass\n"
    )
    assert check_source("tests/x.py", source) == []


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


@pytest.mark.parametrize("folder", ["src", "compat", "demo", "benchmarks"])
def test_messages_are_read_where_people_see_them(folder: str) -> None:
    source = "x = 'one more word, whatever'\n"
    assert [violation.line for violation in check_source(f"{folder}/x.py", source)] == [1]
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
    for name in ("docs/x.js", "js/x.mjs", "js/x.ts"):
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
