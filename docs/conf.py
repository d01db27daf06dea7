"""How Sphinx makes the site: ``make docs``.

The pages are the Markdown files of the repository, as a code host shows them. They have no directives, so
this file adds the tables of contents while the pages are read. A section page (the ``README.md`` of a folder)
lists its pages by links, and the order of its links is the order in the site.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

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
    "src/drf_tessera/static/drf_tessera/README.md",
    "compat/*/README.md",
    "benchmarks/results/*.md",
]
exclude_patterns = ["**/node_modules"]
myst_heading_anchors = 4
myst_enable_extensions = ["attrs_inline"]
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

_PICTURE: Final = re.compile(
    r'<picture><source [^>]*srcset="([^"]+)"><img alt="([^"]+)" src="([^"]+)"></picture>'
)
_ANCHOR: Final = re.compile(r'<a id="([^"]+)">')
_LINK: Final = re.compile(r"\]\(([\w./-]+)\.md(?:#[\w-]*)?\)")


def setup(app: Sphinx) -> None:
    """Connect the functions below."""
    app.add_transform(FindAnchors)
    app.connect("source-read", add_contents)
    app.connect("build-finished", add_start)


class FindAnchors(SphinxTransform):
    """Let links lead to anchors that a page has as HTML, because those work on a code host, too."""

    default_priority = 870  # before myst-parser resolves the links of a page

    def apply(self, **kwargs: Any) -> None:
        """Add the anchors to those of the headings."""
        anchors = self.env.metadata[self.env.docname].setdefault("myst_slugs", {})
        for node in self.document.findall(nodes.raw):
            anchors.update({name: (node.line, name, name) for name in _ANCHOR.findall(node.astext())})
        self.document.myst_slugs = anchors


def add_contents(app: Sphinx, name: str, source: list[str]) -> None:
    """Add a hidden table of contents to the start page and to each section page.

    A picture in two colour schemes, which a code host chooses between, becomes two pictures of the theme.
    """
    source[0] = _PICTURE.sub(r"![\2](\3){.only-light}![\2](\1){.only-dark}", source[0])
    if name == START:
        children = ["Tutorial </docs/tutorial>", *(f"/docs/{section}/README" for section in SECTIONS)]
    elif name in {f"docs/{section}/README" for section in SECTIONS}:
        children = [f"/{child}" for child in dict.fromkeys(list_children(name, source[0]))]
    else:
        return
    entries = "\n".join(children)
    source[0] += f"\n\n```{{toctree}}\n:hidden:\n:titlesonly:\n\n{entries}\n```\n"


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
