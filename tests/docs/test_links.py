"""Every link inside the repository leads to a file, and every anchor to a heading.

The links are those of the Markdown files, as a code host follows them. The site has a test of its own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.wheels import ROOT

pytestmark = pytest.mark.once  # it reads pages

PLACES = (
    "*.md",
    ".github/**/*.md",
    "docs/**/*.md",
    "compat/*/*.md",
    "src/**/*.md",
    "benchmarks/results/*.md",
)
PAGES = sorted(
    path
    for place in PLACES
    for path in ROOT.glob(place)
    if "node_modules" not in path.relative_to(ROOT).parts
)
_ATTRIBUTE = re.compile(r"""<(?:a|img|source)\b[^>]*?\b(?:href|src|srcset)=["']([^"'\s]+)""")
_ANCHOR = re.compile(r"""<a id=["']([^"'\s]+)["']""")
_PUNCTUATION = re.compile(r"[^\w\- ]")


@cache
def read_tokens(page: Path) -> list[Token]:
    """Parse a page, and list its tokens and those inside them."""
    found: list[Token] = []
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(page.read_text()):
        found += [token, *(token.children or [])]
    return found


def find_links(page: Path) -> Iterator[str]:
    """Find the targets of links and pictures, in Markdown and in HTML."""
    for token in read_tokens(page):
        if token.type in {"link_open", "image"}:
            yield str(token.attrGet("href") or token.attrGet("src"))
        if token.type in {"html_block", "html_inline"}:
            yield from _ATTRIBUTE.findall(token.content)


@cache
def find_anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of a page, as code hosts make them.

    An anchor is in lower case, with hyphens for spaces and a number for a repeat.
    """
    found: set[str] = set()
    tokens = read_tokens(page)
    for index, token in enumerate(tokens):
        if token.type == "heading_open":
            text = "".join(
                part.content
                for part in tokens[index + 1].children or []
                if part.type in {"text", "code_inline"}
            )
            slug = name = _PUNCTUATION.sub("", unicodedata.normalize("NFC", text).lower()).replace(" ", "-")
            repeat = 0
            while name in found:
                repeat += 1
                name = f"{slug}-{repeat}"
            found.add(name)
        if token.type in {"html_block", "html_inline"}:
            found |= set(_ANCHOR.findall(token.content))
    return found


def explain(page: Path, link: str) -> str | None:
    """Return the reason why a link leads nowhere, or ``None``."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return None
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not target.is_relative_to(ROOT):
        return "it leads out of the repository"
    if not target.is_file():
        return "there is no such file"
    if parts.fragment and (target.suffix != ".md" or unquote(parts.fragment) not in find_anchors(target)):
        return "there is no such heading"
    return None


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = {link: reason for link in find_links(page) if (reason := explain(page, link))}
    assert broken == {}


@pytest.mark.slow
def test_the_pages_are_found() -> None:
    names = {page.relative_to(ROOT).as_posix() for page in PAGES}
    assert {"README.md", "docs/index.md", "compat/jwt/README.md", "benchmarks/results/README.md"} <= names
    assert sum(1 for page in PAGES for _ in find_links(page)) > 100


@pytest.mark.parametrize("section", ["howto", "reference", "explanation", "migrate"])
def test_each_page_is_listed_by_its_section(section: str) -> None:
    folder = ROOT / "docs" / section
    listed = {(folder / link).resolve() for link in find_links(folder / "README.md")}
    assert {page for page in folder.glob("*.md") if page.name != "README.md"} <= listed


class TestTheTestItself:
    """A test that finds nothing proves nothing."""

    @pytest.fixture
    def page(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
        (tmp_path / "other.md").write_text("# A `code` & more\n\n## Twice\n\n## Twice\n")
        page = tmp_path / "page.md"
        page.write_text(
            "[a](other.md#a-code--more) [b](other.md#twice-1) [c](https://example.com/x) [d](gone.md)\n\n"
            '<img src="gone.png">\n\n[e](other.md#thrice) [f](../out.md) `[g](code.md)`\n\n[h][ref]\n\n'
            "[ref]: gone-too.md\n\n```\n[i](code.md)\n```\n"
        )
        return page

    def test_it_finds_what_is_broken_and_nothing_more(self, page: Path) -> None:
        broken = {link for link in find_links(page) if explain(page, link)}
        assert broken == {"gone.md", "gone.png", "other.md#thrice", "../out.md", "gone-too.md"}
