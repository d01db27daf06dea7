"""Checks that the prose of this repository is plain English.

Prose is: docstrings and comments of Python files, comments of JavaScript, TypeScript, CSS and HTML files,
the visible text of HTML files, Markdown outside of code, and the messages in ``src/`` and ``compat/`` (each
string of three words or more that is not a docstring).

``python -m tests.english [PATH ...]`` prints the violations.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("src", "compat", "demo", "benchmarks", "tests", "tools", "js", "docs")
SKIPPED_FOLDERS = {"node_modules", "__pycache__", "build", "dist"}
GENERATED = {Path("js/client.js"), Path("js/client.d.ts")}
"""Copies that tests/js/test_client.py makes of files in ``src/``. An earlier version may lie there."""
FOLDERS_WITH_MESSAGES = ("src", "compat")
CODE = "\N{SECTION SIGN}"
"""Stands for a piece of code within a sentence."""


class Kind(Enum):
    """The place where a piece of prose was found."""

    FUNCTION_DOCSTRING = auto()
    DOCSTRING = auto()
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

    def __str__(self) -> str:
        """Return the violation as editors and terminals understand it."""
        return f"{self.path}:{self.line}: {self.rule}: {self.text}"


# -- The rules -------------------------------------------------------------------------------------

_EVER = re.compile(r"\b(?:who|whom|what)(?:so)?ever\b", re.IGNORECASE)
_INVERTED = re.compile(r"\b(?:What|Who|Whose|Of)\b(?!-)")
_SENTENCE_END = re.compile(r"""[.!?](?=["')*_\]]*(?:\s|\||$))|\n\s*\n|\||\Z""")
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
    r"(?P<allowed>\b(?i:\w+(?:body|one|thing|where)|no\s+one|who|what|where|little|much)\s+)?\b[Ee]lse\b"
)
_ANY_MORE = re.compile(r"\bany\s?more\b", re.IGNORECASE)
_OPENING = re.compile(r"\s*(\w+)")
_BANNED_OPENINGS = frozenset(
    {
        "Else",
        "Give",
        "Gives",
        "How",
        "Nor",
        "Of",
        "Say",
        "Says",
        "Tell",
        "Tells",
        "What",
        "Whether",
        "Which",
        "Who",
        "Whose",
    }
)


def _find_ever(prose: Prose) -> Iterator[int]:
    return (match.start() for match in _EVER.finditer(prose.text))


def _find_inverted(prose: Prose) -> Iterator[int]:
    for match in _INVERTED.finditer(prose.text):
        end = _SENTENCE_END.search(prose.text, match.end())
        if end is None or end.group() != "?":
            yield match.start()


def _find_is_no(prose: Prose) -> Iterator[int]:
    return (match.start() for match in _IS_NO.finditer(prose.text) if not match["there"])


def _find_else(prose: Prose) -> Iterator[int]:
    return (match.start() for match in _ELSE.finditer(prose.text) if not match["allowed"])


def _find_any_more(prose: Prose) -> Iterator[int]:
    return (match.start() for match in _ANY_MORE.finditer(prose.text))


def _find_opening(prose: Prose) -> Iterator[int]:
    match = _OPENING.match(prose.text)
    if prose.kind is Kind.FUNCTION_DOCSTRING and match and match[1] in _BANNED_OPENINGS:
        yield match.start(1)


RULES: dict[str, Callable[[Prose], Iterator[int]]] = {
    'not "whoever" or "whatever"': _find_ever,
    'no sentence begins with "What", "Who", "Whose" or "Of", except a question': _find_inverted,
    '"is not a ..." instead of "is no ..." or "is none"': _find_is_no,
    '"otherwise" instead of "else"': _find_else,
    '"no longer" instead of "any more"': _find_any_more,
    "a function's docstring begins with a verb such as Return, Raise, Read, Write or Check": _find_opening,
}


def check_prose(prose: Prose, path: str = "") -> Iterator[Violation]:
    """Check one piece of prose, and yield its violations in no particular order."""
    masked = Prose(prose.kind, prose.line, _mask_code(prose.text))
    for rule, find in RULES.items():
        for start in find(masked):
            line = prose.line + masked.text.count("\n", 0, start)
            yield Violation(path, line, rule, " ".join(masked.text[start : start + 60].split()))


_INLINE_CODE = re.compile(r"(`+)(?!`)[^`].*?(?<!`)\1(?!`)", re.DOTALL)


def _mask_code(text: str) -> str:
    return _INLINE_CODE.sub(lambda match: CODE + "\n" * match.group().count("\n"), text)


# -- Where prose is found --------------------------------------------------------------------------

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_WORD = re.compile(r"[A-Za-z]{2,}")


def read_python(source: str, *, messages: bool) -> Iterator[Prose]:
    """Yield docstrings and comments, and the messages too if ``messages`` is true."""
    yield from _read_python_comments(source)
    tree = ast.parse(source)
    docstrings: set[ast.AST] = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", ())  # of a lambda: an expression
        for place, statement in enumerate(body if isinstance(body, list) else ()):
            if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
                continue
            if isinstance(statement.value.value, str):
                docstrings.add(statement.value)
                of_function = isinstance(node, _FUNCTIONS) and place == 0
                kind = Kind.FUNCTION_DOCSTRING if of_function else Kind.DOCSTRING
                yield Prose(kind, statement.lineno, statement.value.value)
    if messages:
        yield from _read_python_messages(tree, docstrings)


def _read_python_comments(source: str) -> Iterator[Prose]:
    block: list[str] = []
    first, column = 0, -1
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        line, place = token.start
        alone = not token.line[:place].strip()
        text = token.string.lstrip("#:!")
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
    for folder in FOLDERS:
        found += [path for path in (root / folder).rglob("*") if path.suffix in _READERS and path.is_file()]
    return sorted(path for path in found if not _is_foreign(path.relative_to(root)))


def _is_foreign(path: Path) -> bool:
    return path in GENERATED or any(
        part in SKIPPED_FOLDERS or part.startswith(".") or part.endswith(".egg-info") for part in path.parts
    )


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
