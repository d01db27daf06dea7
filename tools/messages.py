"""Collect the messages for people into the catalogues: ``python -m tools.messages``, or ``--check`` them.

Python's ``ast`` reads the calls of gettext, and Django reads its templates, so GNU gettext is not needed. The
``.po`` files are for translators. The ``.mo`` files are committed beside them, because Django reads only
those, and a build from the repository then needs no compiler.

There are three sets of catalogues: one of the package, and two of the demo, which are not in the wheel. The
messages of scripts are a set of their own, because Django sends them to the browser.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Final, NamedTuple

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation.template import templatize

from tools.house import ROOT
from tools.pages import REPOSITORY

LOCALE: Final = ROOT / "locale"
LANGUAGES: Final = ("ar", "de", "es", "fr", "hi", "it", "ja", "pt_BR", "ru", "zh_Hans")
ONE: Final = frozenset({"_", "gettext", "gettext_lazy", "gettext_noop", "Text"})
OTHERS: Final = tuple(
    path
    for place in ("compat/*/src/*/checks.py", "compat/*/src/*/refusals.py")
    for path in sorted(REPOSITORY.glob(place))
)
"""The checks of ``compat/``. These have no catalogues. Django finds the messages in ours."""

DEMO: Final = REPOSITORY / "demo"
SCENES: Final = DEMO / "page" / "static" / "page" / "scenes.js"
"""Texts without calls of gettext, because the model of the refresh rule has made the file."""
_CALL: Final = re.compile(r'(?<![\w.])(n?gettext)\(\s*("(?:[^"\\\n]|\\.)*")(?:\s*,\s*("(?:[^"\\\n]|\\.)*"))?')
"""A call of a function of ``texts.js`` with its messages."""

_BEGINNING: Final = datetime(2026, 11, 26, tzinfo=UTC)
"""The date in each catalogue. It never changes, so a catalogue changes only if a message does."""


class Message(NamedTuple):
    """A message in English."""

    text: str
    plural: str | None = None
    context: str | None = None


class Domain(NamedTuple):
    """A set of catalogues, one for each language, and the files with its messages."""

    name: str
    """Django's name: ``django``, or ``djangojs`` for scripts."""
    locale: Path
    sources: tuple[Path, ...]


PACKAGE: Final = Domain(
    "django", LOCALE, (*sorted(ROOT.rglob("*.py")), *sorted(ROOT.rglob("templates/**/*.html")), *OTHERS)
)
SERVER: Final = Domain(
    "django", DEMO / "locale", (*sorted(DEMO.rglob("*.py")), *sorted((DEMO / "page").glob("*.html")))
)
PAGE: Final = Domain("djangojs", DEMO / "locale", tuple(sorted((DEMO / "page").rglob("*.js"))))
DOMAINS: Final = (PACKAGE, SERVER, PAGE)


@cache
def find_messages(domain: Domain = PACKAGE) -> dict[Message, list[str]]:
    """Return each message, and the files that have it."""
    found: dict[Message, list[str]] = {}
    for path in domain.sources:
        for message in read_file(path):
            places = found.setdefault(message, [])
            name = str(path.relative_to(REPOSITORY))
            if name not in places:
                places.append(name)
    return _join_plurals(found)


def _join_plurals(found: dict[Message, list[str]]) -> dict[Message, list[str]]:
    """Return the messages without those that are the singular of another one, which has both."""
    with_plural = {(m.text, m.context): m for m in found if m.plural is not None}
    joined: dict[Message, list[str]] = {}
    for message, places in found.items():
        kept = joined.setdefault(with_plural.get((message.text, message.context), message), [])
        kept += [place for place in places if place not in kept]
    return joined


def read_file(path: Path) -> Iterator[Message]:
    """Yield the messages of a file, by its ending."""
    source = path.read_text(encoding="utf-8")
    if path == SCENES:
        yield from read_scenes(source)
    elif path.suffix == ".js":
        yield from read_script(source)
    elif path.suffix == ".html":
        yield from read_template(source)
    elif "gettext" in source or "Text(" in source:
        yield from read_python(source)  # each module imports what it calls by these names


def read_script(source: str) -> Iterator[Message]:
    """Yield the messages in the calls of JavaScript.

    Babel's extractor is not used here, because it skips a call in the values of another call.
    """
    for call in _CALL.finditer(source):
        kind, *texts = call.groups()
        found = [json.loads(text) for text in texts if text]
        if kind == "gettext":
            yield Message(found[0])
        elif len(found) == 2:
            yield Message(*found)


def read_scenes(source: str) -> Iterator[Message]:
    """Yield the texts of the scenes: the rules, and the name and the steps of each scene."""
    data = json.loads(source[source.index("= ") + 2 :].rstrip().removesuffix(";"))
    texts = [*data["rules"]]
    for scene in data["scenes"]:
        texts += [scene["name"], *(step for cell in scene["cells"] for step in cell["steps"])]
    yield from (Message(text) for text in dict.fromkeys(texts) if " " in text)  # one word is a name


def read_python(source: str) -> Iterator[Message]:
    """Yield the messages in the calls of gettext."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            texts = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
            given = [text for text in texts if isinstance(text, str) and text]
            if name in ONE and len(given) == 1:
                yield Message(given[0])
            elif name in {"ngettext", "ngettext_lazy"} and len(given) == 2:
                yield Message(given[0], plural=given[1])
            elif name in {"pgettext", "pgettext_lazy"} and len(given) == 2:
                yield Message(given[1], context=given[0])


def read_template(source: str) -> Iterator[Message]:
    """Yield the messages of a template. Django turns its tags into calls of gettext."""
    if not settings.configured:
        settings.configure()
    text = templatize(source)
    for start in re.finditer(r"\bn?gettext\((?=u)", text):
        ends = (end.end() for end in re.finditer(r"\)", text) if end.end() > start.end())
        yield from next(filter(None, (_parse(text[start.start() : end]) for end in ends)))


def _parse(call: str) -> list[Message]:
    try:
        return list(read_python(call))
    except SyntaxError:
        return []  # this parenthesis belongs to the text


def read_catalog(language: str, domain: Domain = PACKAGE) -> Catalog:
    """Return the catalogue of a language, or an empty one."""
    path = name_file(language, "po", domain)
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def update(language: str, domain: Domain = PACKAGE) -> Catalog:
    """Return the catalogue with each message of the source, and with the translations that it has."""
    old = read_catalog(language, domain)
    new = Catalog(
        locale=language,
        project="drf-tessera",
        version="0.1.0",
        msgid_bugs_address="the issues of drf-tessera",
        copyright_holder="the authors of drf-tessera",
        last_translator="drf-tessera",
        language_team=language,
        creation_date=_BEGINNING,
        revision_date=_BEGINNING,
        fuzzy=False,
        header_comment=f"# The messages of drf-tessera in the language {language}.",
    )
    for message, places in find_messages(domain).items():
        known = old.get(message.text, message.context)
        id_ = message.text if message.plural is None else (message.text, message.plural)
        new.add(
            id_,
            known.string if known is not None else None,
            locations=[(place, 0) for place in places],
            context=message.context,
        )
    return new


def write_files(catalog: Catalog) -> dict[str, bytes]:
    """Return the two files of a catalogue, by their endings."""
    po, mo = BytesIO(), BytesIO()
    write_po(po, catalog, width=110, include_lineno=False, sort_output=True)
    write_mo(mo, catalog)
    return {"po": po.getvalue(), "mo": mo.getvalue()}


def name_file(language: str, ending: str, domain: Domain = PACKAGE) -> Path:
    """Return the path of a catalogue."""
    return domain.locale / language / "LC_MESSAGES" / f"{domain.name}.{ending}"


def main(arguments: list[str]) -> int:
    """Write the catalogues; with ``--check`` only compare. Return the exit status."""
    if arguments not in ([], ["--check"]):  # a mistyped "--check" must not write
        sys.stderr.write("usage: python -m tools.messages [--check]\n")
        return 2
    status = 0
    for language, domain in product(LANGUAGES, DOMAINS):
        for ending, content in write_files(update(language, domain)).items():
            path = name_file(language, ending, domain)
            if path.exists() and path.read_bytes() == content:
                continue
            if arguments:
                sys.stderr.write(f"{path.relative_to(REPOSITORY)} is not current: python -m tools.messages\n")
                status = 1
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
