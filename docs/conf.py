"""How Sphinx makes the site: ``make docs``.

The pages are the Markdown files of the repository, as a code host shows them. They have no directives, so
this file adds the tables of contents while the pages are read. A section page (the ``README.md`` of a folder)
lists its pages by links, and the order of its links is the order in the site.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sphinx.application import Sphinx

ROOT: Final = Path(__file__).parent.parent
SECTIONS: Final = ("howto", "reference", "explanation", "migrate", "project")
START: Final = "docs/index"

project = "drf-tessera"
author = "the authors of drf-tessera"
project_copyright = author
release = re.search(r'__version__ = "(.+)"', (ROOT / "src/drf_tessera/__init__.py").read_text())[1]  # type: ignore[index]

# -- Pages: the repository is the source, so that links between its files are links in the site --------------

extensions = ["myst_parser"]
root_doc = START
include_patterns = [
    "*.md",
    "docs/*.md",
    "docs/**/*.md",
    "js/README.md",
    "compat/*/README.md",
    "benchmarks/results/*.md",
]
exclude_patterns = ["**/node_modules"]
myst_heading_anchors = 4
highlight_language = "text"
nitpicky = True

# -- Look ----------------------------------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = f"drf-tessera {release}"
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "drf-tessera"},
    "navbar_align": "left",
    "navbar_persistent": ["search-button"],
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {START: []}  # the start page has nothing beside it

_LOCAL_LINK: Final = re.compile(r"\[([^\]]+)\]\(#([\w.]+)\)")
_LINK: Final = re.compile(r"\]\(([\w./-]+)\.md(?:#[\w-]*)?\)")


def setup(app: Sphinx) -> None:
    """Connect the functions below."""
    app.connect("source-read", add_contents)
    app.connect("source-read", link_to_anchors)
    app.connect("build-finished", add_start)


def add_contents(app: Sphinx, name: str, source: list[str]) -> None:
    """Add a hidden table of contents to the start page and to each section page."""
    if name == START:
        children = ["Tutorial </docs/tutorial>", *(f"/docs/{section}/README" for section in SECTIONS)]
    elif name in {f"docs/{section}/README" for section in SECTIONS}:
        children = [f"/{child}" for child in dict.fromkeys(list_children(name, source[0]))]
    else:
        return
    entries = "\n".join(children)
    source[0] += f"\n\n```{{toctree}}\n:hidden:\n:titlesonly:\n\n{entries}\n```\n"


def link_to_anchors(app: Sphinx, name: str, source: list[str]) -> None:
    """Write links to HTML anchors of the same page in HTML too, because Sphinx does not know such anchors."""
    if "<a id=" in source[0]:
        source[0] = _LOCAL_LINK.sub(r'<a href="#\2">\1</a>', source[0])


def list_children(name: str, text: str) -> Iterator[str]:
    """List the pages of a section: those that its page links to, then the others of its folder.

    A linked page of another section is left out. A linked page outside of all sections belongs here.
    """
    folder = ROOT / name.rpartition("/")[0]
    others = {ROOT / "docs", *(ROOT / "docs" / section for section in SECTIONS)} - {folder}
    for link in _LINK.findall(text):
        page = (folder / link).resolve()
        if page.parent not in others:
            yield page.relative_to(ROOT).as_posix()
    for page in sorted(folder.glob("*.md")):
        if page.stem != "README":
            yield page.with_suffix("").relative_to(ROOT).as_posix()


def add_start(app: Sphinx, error: Exception | None) -> None:
    """Write the page at the root of the site, which leads to the start page."""
    if error is None:
        text = (
            "<!doctype html><title>drf-tessera</title>"
            f'<meta http-equiv="refresh" content="0; url={START}.html">'
            f'<a href="{START}.html">drf-tessera</a>\n'
        )
        (Path(app.outdir) / "index.html").write_text(text)
