"""Collect the messages for people into the catalogues: ``python -m tools.messages``, or ``--check`` them.

Python's ``ast`` reads the calls of gettext, and Django reads its templates, so GNU gettext is not needed. The
``.po`` files are for translators. The ``.mo`` files are committed beside them, because Django reads only
those, and a build from the repository then needs no compiler.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
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
    for place in ("compat/*/src/*/checks.py", "compat/*/src/*/refusals.py", "demo/*/views.py")
    for path in sorted(REPOSITORY.glob(place))
)
"""The checks of ``compat/``, and the demo. These have no catalogues. Django finds the messages in ours."""

_BEGINNING: Final = datetime(2026, 11, 26, tzinfo=UTC)
"""The date in each catalogue. It never changes, so a catalogue changes only if a message does."""


class Message(NamedTuple):
    """A message in English."""

    text: str
    plural: str | None = None
    context: str | None = None


@cache
def find_messages() -> dict[Message, list[str]]:
    """Return each message, and the files that have it."""
    found: dict[Message, list[str]] = {}
    for path in [*sorted(ROOT.rglob("*.py")), *sorted(ROOT.rglob("templates/**/*.html")), *OTHERS]:
        read = read_python if path.suffix == ".py" else read_template
        source = path.read_text()
        if path.suffix == ".py" and "gettext" not in source and "Text(" not in source:
            continue  # each module imports what it calls by these names
        for message in read(source):
            places = found.setdefault(message, [])
            name = str(path.relative_to(REPOSITORY))
            if name not in places:
                places.append(name)
    return found


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


def read_catalog(language: str) -> Catalog:
    """Return the catalogue of a language, or an empty one."""
    path = name_file(language, "po")
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def update(language: str) -> Catalog:
    """Return the catalogue with each message of the source, and with the translations that it has."""
    old = read_catalog(language)
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
    for message, places in find_messages().items():
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


def name_file(language: str, ending: str) -> Path:
    """Return the path of a catalogue."""
    return LOCALE / language / "LC_MESSAGES" / f"django.{ending}"


def main(arguments: list[str]) -> int:
    """Write the catalogues; with ``--check`` only compare. Return the exit status."""
    status = 0
    for language in LANGUAGES:
        for ending, content in write_files(update(language)).items():
            path = name_file(language, ending)
            if path.exists() and path.read_bytes() == content:
                continue
            if arguments == ["--check"]:
                sys.stderr.write(f"{path.relative_to(REPOSITORY)} is not current: python -m tools.messages\n")
                status = 1
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
