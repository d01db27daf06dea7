"""Find texts for people that do not go through gettext, by the syntax of the source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from tools.messages import ONE

KEY_COLUMNS: Final = frozenset({"tenant", "kid", "alg", "public", "published_at", "signs_at"})
"""The columns of a key that the admin shows."""

MARKED: Final = ONE | {"ngettext", "pgettext", "ngettext_lazy", "pgettext_lazy", "format_lazy", "_say_ended"}

SHOWN: Final = frozenset(
    {"verbose_name", "verbose_name_plural", "default_detail", "title", "default_message"}
)
"""Names whose value is shown to a person, as a keyword or as an attribute of a class."""

DICTS: Final = frozenset({"detail", "message", "title", "question"})
"""The keys of bodies, and of the contexts of templates, whose value is shown to a person."""

DEVELOPERS: Final = (
    "ProjectError",
    "SettingsError",
    "KeyMaterialError",
    "ClaimsHookError",
    "MigrationMissing",
)
"""Errors for logs and terminals. They quote settings and values, and stay English there."""

CODE: Final = frozenset({"give_example", "RuntimeError", "TypeError", "AttributeError", "ImportError"})
"""Functions and errors of Python, whose argument is code or is for a traceback."""

ERRORS: Final = re.compile(r"(Refused|Failed|Invalid|Unavailable|Missing|NotFound|Denied|Throttled|Error)$")
PLAIN: Final = re.compile(
    r"(Value|Type|Runtime|Key|Index|Attribute|NotImplemented|Import|ModuleNotFound|WrongValue|Fetch|KeySet|"
    r"Command|Integrity|Operational|Encoding|ObjectDoesNotExist|Lookup)(Error)?$"
)
"""Errors of Python, of commands, and inner errors that become another error before anybody sees them."""


def find_bare(source: str, *, of_models: bool = False, of_admin: bool = False) -> list[str]:
    """Return each text for people that no function of gettext marks, with its line."""
    tree = ast.parse(source)
    if of_models:
        tree = ast.Module([*_find_shown(tree)] or tree.body, [])
    return [f"{node.lineno}: {ast.unparse(node)[:80]}" for node in _walk(tree, of_models, of_admin)]


def _find_shown(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield what the admin shows of the models. The texts of other tables and columns are for developers."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name in {"Session", "SigningKey"}:
            for part in node.body:
                name = ast.unparse(part.target) if isinstance(part, ast.AnnAssign) else ""
                if node.name == "Session" or not name or name in KEY_COLUMNS:
                    yield part


def _walk(tree: ast.AST, of_models: bool, of_admin: bool) -> Iterator[ast.expr]:
    names = SHOWN | ({"help_text"} if of_models else set()) | ({"description"} if of_admin else set())
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if node.value is not None and any(isinstance(t, ast.Name) and t.id in names for t in targets):
                yield from _bare(node.value)
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value in DICTS:
                    yield from _bare(value)
        elif isinstance(node, ast.Call):
            yield from _in_call(node, names)


def _in_call(node: ast.Call, names: frozenset[str]) -> Iterator[ast.expr]:
    for keyword in node.keywords:
        if keyword.arg in names | {"detail"}:
            yield from _bare(keyword.value, least=r"[A-Za-z]" if keyword.arg == "description" else " ")
    called = ast.unparse(node.func)
    name = called.rpartition(".")[2]
    if called.startswith("jwt."):
        return  # PyJWT's own error, for code that knows PyJWT
    if called == "super().__init__" or (
        ERRORS.search(name) and not PLAIN.search(name) and name not in DEVELOPERS
    ):
        yield from (found for arg in node.args[:1] for found in _bare(arg))
    elif name == "message_user":
        yield from (found for arg in node.args[1:2] for found in _bare(arg))


def _bare(value: ast.expr, least: str = " ") -> Iterator[ast.expr]:
    """Yield ``value`` if nothing marks it, and it has several words, or matches ``least``."""
    if isinstance(value, ast.IfExp):
        yield from _bare(value.body, least)
        yield from _bare(value.orelse, least)
    elif isinstance(value, ast.BinOp):
        yield from _bare(value.left, least)
    elif isinstance(value, ast.JoinedStr) or (
        isinstance(value, ast.Constant) and re.search(least, str(value.value).strip())
    ):
        yield value


WORDS: Final = re.compile(r"[A-Za-z]{2,}[,.:;']? +[A-Za-z]{2,}")
LITERAL: Final = re.compile(r"^(from django|PORT=|pip |#   python |not checked$)|->")
"""Code and commands that a text quotes, the type of a function, and the codes of results."""


def find_unmarked(source: str) -> list[str]:
    """Return each text of several words that is neither marked nor a docstring, with its line.

    This is for modules whose texts are all for people. It is stricter than :func:`find_bare`, because it
    does not depend on the function that takes the text.
    """
    tree = ast.parse(source)
    return [f"{node.lineno}: {ast.unparse(node)[:80]}" for node in _walk_unmarked(tree)]


def _walk_unmarked(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in MARKED | CODE:
        return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a docstring, or the text below a constant
    if isinstance(node, ast.JoinedStr | ast.Constant):
        parts = node.values if isinstance(node, ast.JoinedStr) else [node]
        said = "@".join(str(part.value) for part in parts if isinstance(part, ast.Constant))
        if WORDS.search(said) and not LITERAL.search(said):
            yield node
            return
    # The keys of a dict are for programs.
    for child in node.values if isinstance(node, ast.Dict) else ast.iter_child_nodes(node):
        yield from _walk_unmarked(child)


_TAGS: Final = re.compile(
    r"{%\s*block bodyclass.*?{%\s*endblock\s*%}|"
    r"{%\s*blocktranslate.*?{%\s*endblocktranslate\s*%}|{%.*?%}|{{.*?}}|{#.*?#}|<pre>.*?</pre>|&\w+;",
    re.DOTALL,
)


def find_bare_in_template(source: str) -> list[str]:
    """Return each piece of text in a template that is in no tag of Django's translations."""
    texts = re.sub(r"<[^>]*>", "\n", _TAGS.sub("", source), flags=re.DOTALL).splitlines()
    values = re.findall(r'(?:value|title|placeholder|aria-label)="([^"]*)"', _TAGS.sub("", source))
    return [text.strip() for text in [*texts, *values] if re.search(r"[A-Za-z]{2}", text)]


_COMMENTS: Final = re.compile(r"/\*.*?\*/|(?<![^\s;,{(])//[^\n]*", re.DOTALL)
_MESSAGES: Final = re.compile(r'(?<![\w.])n?gettext\(\s*"[^"\n]*"(?:\s*,\s*"[^"\n]*")?')
_STRINGS: Final = re.compile(r'"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`')
_VALUES: Final = re.compile(r"\$\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}")
_SHOWN: Final = re.compile(
    r'(?:\bsay\(|setText\([^;]*?, |"aria-label": |\b(?:title|placeholder): |'
    r'make\("\w+", \{[^{}]*\}, (?:[^;]*, )?)$'
)
"""The place before a text that the page shows, also if the text is one word."""
_SENTENCE: Final = re.compile(
    r"[A-Za-z]{2,}[,.:;]? +[A-Za-z]{2,}|@ +[a-z]+\b|[A-Za-z]{2,}:? +@|^[A-Z][a-z]{2,}$"
)
"""Two words, a word beside a value, or one word that begins like a sentence."""
_CLASSES: Final = re.compile(r"\bclass(?:Name)?(?::| =)[^,}]*$")
_PROGRAM: Final = re.compile(
    r"^(?:(?:GET|POST|DELETE) |curl |Bearer @|\(prefers-|back refused$|Authorization$|@ @ HTTP)|="
)
"""The keys of requests, a line for a terminal, headers, queries of styles, and the names of classes."""


def find_bare_in_script(source: str) -> list[str]:
    """Return each text for people in JavaScript that is not the message of a call of gettext."""
    source = _MESSAGES.sub("", _COMMENTS.sub("", source))
    found = []
    for string in _STRINGS.finditer(source):
        text = _VALUES.sub("@", string[1] if string[2] is None else string[2])
        before = source[: string.start()].rpartition("\n")[2]
        if _CLASSES.search(before) or _PROGRAM.search(text):
            continue
        if _SENTENCE.search(text) or (_SHOWN.search(before) and re.search("[A-Za-z]{2}", text)):
            found.append(text)
    return found
