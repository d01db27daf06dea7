"""Checks that the prose of this repository is plain English.

Prose is: docstrings, comments and names of tests in Python files, comments of JavaScript, TypeScript, CSS and
HTML files, the visible text of HTML files, and Markdown outside of code. The messages in ``src/``,
``compat/``, ``demo/`` and ``benchmarks/`` are prose too: each string of three words or more that is not a
docstring.

``python -m tests.english [PATH ...]`` prints the violations.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("src", "compat", "demo", "benchmarks", "tests", "tools", "js", "docs")
SKIPPED_FOLDERS = {"node_modules", "__pycache__", "build", "dist"}
FOLDERS_WITH_MESSAGES = ("src", "compat", "demo", "benchmarks")
CODE = "\N{SECTION SIGN}"
"""Stands for a piece of code within a sentence."""


class Kind(Enum):
    """The place where a piece of prose was found."""

    FUNCTION_DOCSTRING = auto()
    NAMED_DOCSTRING = auto()
    """The docstring of a test, a fixture or a property: a sentence, or a noun with its description."""

    DOCSTRING = auto()
    NAME = auto()
    """The name of a test, which states the rule that the test holds."""

    COMMENT = auto()
    MESSAGE = auto()
    PAGE = auto()


@dataclass(frozen=True, slots=True)
class Prose:
    """A piece of text that a person reads, and the line on which the text begins."""

    kind: Kind
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Violation:
    """A place that breaks a rule."""

    path: str
    line: int
    rule: str
    text: str
    kind: Kind

    def __str__(self) -> str:
        """Return the violation as editors and terminals understand it."""
        return f"{self.path}:{self.line}: {self.rule}: {self.text}"


# -- The rules -------------------------------------------------------------------------------------

_EVER = re.compile(r"\b(?:(?:who|whom|what)(?:so)?ever|whichever|wherever)\b", re.IGNORECASE)
_INVERTED = re.compile(
    r"""
      \b(?:What|Who|Whose|Whom|Of)\b(?!-)
    | (?<=[:;(])\s*["'*_\[(]*\b(?:what|who|whose|whom|of)\b(?![-,])
    | \b(?:is|are|was|were)\swhat\b
    | \bof\s(?:two|several|many|all|both)\b[^.;:|]*,\s(?:one|each|none|only|both|neither)\b
    | \b(?:To|By|For|From|In|On|With|At|After|Under|Against)\s(?:what|who|whose|whom|which)\b
    """,
    re.VERBOSE,
)
_SENTENCE_END = re.compile(r"""[.!?](?=["')*_\]]*(?:\s|\||$))|\n\s*\n|\||\Z""")
# No part can give back whitespace: where a picture was taken out, hundreds of lines are empty.
_SENTENCE_START = (
    r"""(?:\A|[.!?]["')*_\]]*\s|\n[^\S\n]*\n|\||(?:\A|\n)[ \t>]*(?:[-*+]|\d+\.)[ \t])\s*+["'(*_\[]*"""
)
_CLAUSE_START = rf"""(?:{_SENTENCE_START}|[:;]\s+["'(*_\[]*)"""
_FRONTED = re.compile(
    rf"""
    {_CLAUSE_START}
    (?P<found>
        nor\b
      | anyone\swho\b
      | said\sof\b
      | (?:never|neither|nowhere|seldom|rarely|hardly|so|only\sthen|not\suntil|at\sno\s\w+)\s
        (?:is|are|was|were|do|does|did|has|have|had|can|may|must|will)\b
      | (?!(?:feed|need|seed|speed)\b)
        (?:also\s)?(?:\w+ed|gone|lost|kept|written|read|known|told|sent|made|left|held|found|meant|forgotten|given|taken
          |said|spent|begun|shown)
        \s(?:is|are|was|were)\b
      | (?:many|few|such)\s(?:is|are)\b
      | none\sbut\b
      | (?:were|should|had|be)\s(?:the|an?|this|that|each|every|no|it|they|§)(?!\w)
      | (?:with|in|to|from|on|under|by|after|at|for|before|behind)\s
        (?:it|this|that|them|(?:(?:the|an?|each|every|its|their|this|that)\s)?[\w§-]+)\s
        (?:goes?|stands?|belongs?|comes?|lies?|hangs?|remains?|follows?)\s
        (?:the|an?|all|every|each|its|their|no|one|two|§)(?!\w)
      | such\san?\s[^.;:]*\bmeans\sfor\b
      | (?:that\s(?:the|an?|no|it|they|this|each|every|all)|how|whether|which|why)\b
        [^.?!;:,|]*\b(?:say|tell|decide|show|mean|depend|follow)s?\b
    )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_FRAGMENT = re.compile(rf"{_SENTENCE_START}(?P<found>(?:As|Before)\b[^.:;,?!|]*:\s)")
_RARE = re.compile(
    r"""
    \b(?:
        anew|alike|albeit|lest|whence|whither|hitherto|henceforth|hereby|herein|thereby|therein|thereof|thereto
      | thereupon|whereby|wherein|whereof|whereupon|in\s+vain|that\s+which
      | thereafter|no\ssooner|be\s(?:it|they)(?!\w)
      | (?:has|have|had)\s+not(?=["')*_\]]*(?:[.,;:]|\Z))
    )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_IS_NO = re.compile(
    r"""
    (?P<there>\bthere\s+(?:[\w']+\s+){0,2}?)?
    \b(?:is|are|was|were|be|been|being)\s+
    (?:(?-i:none)\b
      |no\s+(?!(?:longer|more|fewer|less|later|earlier|sooner|better|worse|different|matter)\b)["'*(]*[\w§])
    """,
    re.IGNORECASE | re.VERBOSE,
)
_ELSE = re.compile(
    r"(?P<allowed>\b(?i:\w+(?:body|one|thing|where)|no\s+one|who|what|where|little|much)\s+)?\b[Ee]lse\b(?P<than>\s+than\b)?"
)
_ANY_MORE = re.compile(
    r"\bany\s?more\b|(?<!and\s)(?<!or\s)(?<!but\s)\bno\smore(?=\W*(?:[.,;:]|\Z)|\s(?:is|are)\b)",
    re.IGNORECASE,
)

LONGEST = 35
"""Words. A longer sentence is two sentences."""

_PART_END = re.compile(
    rf"""
      {_SENTENCE_END.pattern}
    | \n(?=[ \t>]*(?:[-*+]|\d+\.|\#+)\s)    # an item of a list, or a heading
    | \n(?=[ \t]*\**\w+(?:,\s\**\w+)*:\s)    # an argument or exceptions in a docstring
    | \n(?=[ \t]*§[ \t]{{2,}})               # a row of a table that consists of spaces
    """,
    re.VERBOSE,
)
_COUNTED = re.compile(r"[^\W\d_][\w'\N{RIGHT SINGLE QUOTATION MARK}-]*")

_OPENING = re.compile(r"\s*(\w+|\S)")
_BANNED_OPENINGS = frozenset({"Give", "Gives", "How", "Say", "Says", "Tell", "Tells", "Whether", "Which"})
_VERBS = """
    Accept Add Allow Append Authenticate Begin Bind Blacklist Build Call Change Check Close Collect
    Compare Compile Compute Connect Convert Copy Count Create Decode Delete Derive Distinguish Do Draw
    Drop Encode End Ensure Escape Evaluate Exchange Exclude Execute Exercise Explore Fetch Fill Find
    Finish Forbid Format Forward Generate Handle Hold Import Insert Install Issue Iterate Join Keep Leave
    Limit List Load Lock Log Make Mark Measure Merge Move Normalise Open Parse Paste Patch Prepare Print
    Prune Publish Pull Put Query Raise Read Record Refresh Refuse Register Remember Remove Rename Renumber
    Repeat Replace Report Require Reserve Reset Restore Return Revoke Rewrite Round Run Save Select Send
    Serve Set Shorten Show Sign Skip Sort Split Start Stop Store Summarise Suppress Translate Undo Update
    Use Validate Verify Visit Wait Warn Wrap Write Yield
"""
VERBS = frozenset(_VERBS.split())
"""The first word of a function's docstring: an imperative, as in Python's own documentation."""

_PART = re.compile(r"(?:And|But|Not|Or|That)\b")


def _find_ever(prose: Prose) -> Iterator[int]:
    return (match.start() for match in _EVER.finditer(prose.text))


def _is_question(text: str, place: int) -> bool:
    end = _SENTENCE_END.search(text, place)
    return end is not None and end.group() == "?"


def _find_inverted(prose: Prose) -> Iterator[int]:
    for match in _INVERTED.finditer(prose.text):
        if not _is_question(prose.text, match.end()):
            yield match.start()


def _find_fronted(prose: Prose) -> Iterator[int]:
    for match in _FRONTED.finditer(prose.text):
        if not _is_question(prose.text, match.end()):
            yield match.start("found")


def _find_fragment(prose: Prose) -> Iterator[int]:
    return (match.start("found") for match in _FRAGMENT.finditer(prose.text))


def _find_rare(prose: Prose) -> Iterator[int]:
    return (match.start() for match in _RARE.finditer(prose.text))


def _find_is_no(prose: Prose) -> Iterator[int]:
    return (match.start() for match in _IS_NO.finditer(prose.text) if not match["there"])


def _find_else(prose: Prose) -> Iterator[int]:
    return (match.start() for match in _ELSE.finditer(prose.text) if match["than"] or not match["allowed"])


def _find_any_more(prose: Prose) -> Iterator[int]:
    return (match.start() for match in _ANY_MORE.finditer(prose.text))


def _find_long(prose: Prose) -> Iterator[int]:
    start = 0
    for match in _PART_END.finditer(prose.text):
        words = list(_COUNTED.finditer(prose.text, start, match.end()))
        if len(words) > LONGEST:
            yield words[0].start()
        start = match.end()


def _find_opening(prose: Prose) -> Iterator[int]:
    match = _OPENING.match(prose.text)
    if match is None:
        return
    if prose.kind is Kind.FUNCTION_DOCSTRING and match[1] not in VERBS:
        yield match.start(1)
    if prose.kind is Kind.NAMED_DOCSTRING and match[1] in _BANNED_OPENINGS:
        yield match.start(1)


def _find_part(prose: Prose) -> Iterator[int]:
    if prose.kind is Kind.NAME and _PART.match(prose.text):
        yield 0


RULES: dict[str, Callable[[Prose], Iterator[int]]] = {
    'not "whoever", "whatever", "whichever" or "wherever"': _find_ever,
    '"what", "who", "whom", "whose" or "of" begins only a question, and not a sentence or a clause': (
        _find_inverted
    ),
    "the subject comes first, and the verb follows": _find_fronted,
    'a sentence, not "As ...:" or "Before ...:"': _find_fragment,
    'common words, not "anew", "alike", "lest", "whereby" or "it has not."': _find_rare,
    '"is not a ..." instead of "is no ..." or "is none"': _find_is_no,
    '"otherwise" instead of "else"': _find_else,
    '"no longer" instead of "any more"': _find_any_more,
    f"at most {LONGEST} words in a sentence": _find_long,
    "a function's docstring begins with a verb such as Return, Raise, Read, Write or Check": _find_opening,
    'the name of a test is a sentence of its own, and does not begin with "and" or "not"': _find_part,
}


def check_prose(prose: Prose, path: str = "") -> Iterator[Violation]:
    """Check one piece of prose, and yield its violations in no particular order."""
    masked = Prose(prose.kind, prose.line, _mask_code(prose.text))
    for rule, find in RULES.items():
        for start in find(masked):
            line = prose.line + masked.text.count("\n", 0, start)
            yield Violation(path, line, rule, " ".join(masked.text[start : start + 60].split()), prose.kind)


_INLINE_CODE = re.compile(r"(`+)(?!`)[^`].*?(?<!`)\1(?!`)", re.DOTALL)


def _mask_code(text: str) -> str:
    return _INLINE_CODE.sub(lambda match: CODE + "\n" * match.group().count("\n"), text)


# -- Where prose is found --------------------------------------------------------------------------

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_WORD = re.compile(r"[A-Za-z]{2,}")
_TEST = "test_"
_WITH_A_NOUN = re.compile(r"\bfixture\b|\b(?:cached_)?property\b|\.setter\b")


def read_python(source: str, *, messages: bool) -> Iterator[Prose]:
    """Yield docstrings, comments and names of tests, and the messages too if ``messages`` is true."""
    yield from _read_python_comments(source)
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    yield from _read_names(nodes)
    docstrings: set[ast.AST] = set()
    for node in nodes:
        body = getattr(node, "body", ())  # of a lambda: an expression
        for place, statement in enumerate(body if isinstance(body, list) else ()):
            if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
                continue
            if isinstance(statement.value.value, str):
                docstrings.add(statement.value)
                kind = _judge_docstring(node) if place == 0 else Kind.DOCSTRING
                yield Prose(kind, statement.lineno, statement.value.value)
    if messages:
        yield from _read_python_messages(tree, docstrings)


def _judge_docstring(node: ast.AST) -> Kind:
    if not isinstance(node, _FUNCTIONS):
        return Kind.DOCSTRING
    decorators = " ".join(ast.unparse(decorator) for decorator in node.decorator_list)
    if node.name.startswith(_TEST) or _WITH_A_NOUN.search(decorators):
        return Kind.NAMED_DOCSTRING
    return Kind.FUNCTION_DOCSTRING


def _read_names(nodes: list[ast.AST]) -> Iterator[Prose]:
    for node in nodes:
        if isinstance(node, _FUNCTIONS) and node.name.startswith(_TEST):
            yield Prose(Kind.NAME, node.lineno, node.name.removeprefix(_TEST).replace("_", " ").capitalize())


_STRING_OR_COMMENT = re.compile(
    r"""
      (?s:\"{3}(?:[^\\]|\\.)*?\"{3} | '{3}(?:[^\\]|\\.)*?'{3})
    | "(?:[^"\\\n]|\\[\s\S])*" | '(?:[^'\\\n]|\\[\s\S])*'
    | (?P<comment>\#.*)
    """,
    re.VERBOSE,
)
"""Finds each string before a comment could begin inside. Python's ``tokenize`` takes ten times as long."""


def _find_comments(source: str) -> Iterator[tuple[int, int]]:
    """Yield the line and the column of each comment."""
    for match in _STRING_OR_COMMENT.finditer(source):
        if match["comment"]:
            start = match.start()
            yield source.count("\n", 0, start) + 1, start - (source.rfind("\n", 0, start) + 1)


def _read_python_comments(source: str) -> Iterator[Prose]:
    block: list[str] = []
    first, column = 0, -1
    lines = source.splitlines()
    for line, place in _find_comments(source):
        alone = not lines[line - 1][:place].strip()
        text = lines[line - 1][place:].lstrip("#:!")
        if block and alone and line == first + len(block) and place == column:
            block.append(text)
            continue
        if block:
            yield Prose(Kind.COMMENT, first, "\n".join(block))
        block, first, column = [text], line, place if alone else -1
    if block:
        yield Prose(Kind.COMMENT, first, "\n".join(block))


def _read_python_messages(tree: ast.AST, docstrings: set[ast.AST]) -> Iterator[Prose]:
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.JoinedStr):
            # The parts are one message. Strings within the braces are messages of their own.
            waiting += [part for part in node.values if isinstance(part, ast.FormattedValue)]
            text = "".join(
                str(part.value) if isinstance(part, ast.Constant) else CODE for part in node.values
            )
            yield from _as_message(node.lineno, text)
        elif isinstance(node, ast.Constant):
            if isinstance(node.value, str) and node not in docstrings:
                yield from _as_message(node.lineno, node.value)
        else:
            waiting += ast.iter_child_nodes(node)


def _as_message(line: int, text: str) -> Iterator[Prose]:
    if len(_WORD.findall(text)) >= 3 and len(text.split()) >= 3:
        # An escaped "\n" is not a line of the file, so all of the message counts for its first line.
        yield Prose(Kind.MESSAGE, line, text.replace("\n", " "))


_SCRIPT = re.compile(
    r"""
      (?P<block>/\*.*?\*/)
    | (?P<line>//[^\n]*)
    | (?P<string>"(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' | `(?:\\.|[^`\\])*`)
    | (?P<regex>(?:(?<=[(,=:\[!&|?{};+])|(?<=return))\s*/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\[\n])+/)
    """,
    re.DOTALL | re.VERBOSE,
)
_STYLE = re.compile(r"(?P<block>/\*.*?\*/)", re.DOTALL)
_MARGIN = re.compile(r"^[ \t]*(?:/\*+|//+|\*/|\*)|\*/$", re.MULTILINE)


def read_script(source: str, *, messages: bool) -> Iterator[Prose]:
    """Yield the comments of JavaScript or TypeScript, and the messages too if ``messages`` is true."""
    block: list[str] = []
    first = 0
    for match in _SCRIPT.finditer(source):
        line = source.count("\n", 0, match.start()) + 1
        if match["line"]:
            begin = source.rfind("\n", 0, match.start()) + 1
            if block and line == first + len(block) and not source[begin : match.start()].strip():
                block.append(match["line"][2:])
                continue
            if block:
                yield Prose(Kind.COMMENT, first, "\n".join(block))
            block, first = [match["line"][2:]], line
        elif match["block"]:
            yield Prose(Kind.COMMENT, line, _MARGIN.sub("", match["block"]))
        elif match["string"] and messages:
            # Within a template, code in braces is not prose.
            text = re.sub(r"\$\{[^}]*\}", CODE, match["string"][1:-1])
            yield from _as_message(line, text)
    if block:
        yield Prose(Kind.COMMENT, first, "\n".join(block))


def read_style(source: str) -> Iterator[Prose]:
    """Yield the comments of CSS."""
    for match in _STYLE.finditer(source):
        line = source.count("\n", 0, match.start()) + 1
        yield Prose(Kind.COMMENT, line, _MARGIN.sub("", match["block"]))


_NOT_TEXT = re.compile(
    r"<(script|style|pre|code)\b.*?</\1>|\{%.*?%\}|\{\{.*?\}\}|<!--|-->|<[^>]*>", re.DOTALL | re.IGNORECASE
)


def read_html(source: str) -> Iterator[Prose]:
    """Yield the comments and the visible text of HTML as one piece."""
    yield Prose(Kind.PAGE, 1, _NOT_TEXT.sub(lambda match: " " + "\n" * match.group().count("\n"), source))


_FENCE = re.compile(
    r"^([ \t]*(?:>[ \t]*)?)(```+|~~~+).*?^[ \t]*(?:>[ \t]*)?\2[ \t]*$", re.DOTALL | re.MULTILINE
)
_LINK_TARGET = re.compile(r"\]\([^)\s]*\)")


def read_markdown(source: str) -> Iterator[Prose]:
    """Yield the prose of Markdown as one piece, without fenced code and without the targets of links."""
    text = _FENCE.sub(lambda match: "\n" * match.group().count("\n"), source)
    yield Prose(Kind.PAGE, 1, _LINK_TARGET.sub("]", text))


# -- Files -----------------------------------------------------------------------------------------


def find_files(root: Path = ROOT) -> list[Path]:
    """Return each file that has prose of ours, sorted by its path."""
    found = list(root.glob("*.md"))
    for start in FOLDERS:
        for folder, inside, files in os.walk(root / start):
            inside[:] = [name for name in inside if not _is_foreign(name)]  # these are not entered
            found += [Path(folder, name) for name in files if Path(name).suffix in _READERS]
    return sorted(found)


def _is_foreign(folder: str) -> bool:
    return folder in SKIPPED_FOLDERS or folder.startswith(".") or folder.endswith(".egg-info")


def check_source(path: str, source: str) -> list[Violation]:
    """Check the text of a file. The path, relative to the root, decides how the text is read."""
    messages = Path(path).parts[0] in FOLDERS_WITH_MESSAGES
    pieces = _READERS[Path(path).suffix](source, messages)
    found = {violation for prose in pieces for violation in check_prose(prose, path)}
    return sorted(found, key=lambda violation: (violation.line, violation.rule, violation.text))


def check_file(path: Path, root: Path = ROOT) -> list[Violation]:
    """Check a file below ``root``."""
    return check_source(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))


_READERS: dict[str, Callable[[str, bool], Iterable[Prose]]] = {
    ".py": lambda source, messages: read_python(source, messages=messages),
    ".js": lambda source, messages: read_script(source, messages=messages),
    ".mjs": lambda source, messages: read_script(source, messages=messages),
    ".ts": lambda source, messages: read_script(source, messages=messages),
    ".css": lambda source, _: read_style(source),
    ".html": lambda source, _: read_html(source),
    ".md": lambda source, _: read_markdown(source),
}


def main(arguments: list[str]) -> int:
    """Print the violations in the named files and folders, or in all files. Return 1 if there are any."""
    chosen = [Path(argument).resolve() for argument in arguments]
    files = [
        file
        for file in find_files()
        if not chosen or any(file == place or place in file.parents for place in chosen)
    ]
    found = [violation for file in files for violation in check_file(file)]
    for violation in found:
        print(violation)  # noqa: T201 - the result of the command
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
