"""The contents of the site: each of its pages is in the navigation, without a build of the site.

Sphinx says the same as a warning, which fails the build of ``test_site.py``. That test is long, so this one
answers within ``make check``.
"""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.wheels import ROOT

pytestmark = pytest.mark.once  # it reads pages


_ENTRY: Final = re.compile(r"^(?:.+ <)?/(\S+?)>?$", re.MULTILINE)


@pytest.fixture(scope="module")
def conf() -> dict[str, Any]:
    """Run the settings of the site as Sphinx does."""
    return runpy.run_path(str(ROOT / "docs" / "conf.py"))


def find_pages(conf: dict[str, Any]) -> Iterator[str]:
    """Find the pages that the settings include."""
    for pattern in conf["include_patterns"]:
        for page in ROOT.glob(pattern):
            if "node_modules" not in page.relative_to(ROOT).parts:
                yield page.relative_to(ROOT).with_suffix("").as_posix()


def walk_contents(conf: dict[str, Any]) -> set[str]:
    """Return the pages that the tables of contents lead to, from the start page on."""
    found: set[str] = set()
    left = [conf["START"]]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            source = [(ROOT / f"{name}.md").read_text()]
            conf["add_contents"](None, name, source)
            left += _ENTRY.findall(source[0].partition("```{toctree}")[2])
    return found


def test_each_page_is_in_the_navigation(conf: dict[str, Any]) -> None:
    pages = set(find_pages(conf))
    assert len(pages) > 50
    assert pages - walk_contents(conf) == set(), "link it from the README.md of its section"


def test_a_page_that_no_section_links_to_is_noticed(conf: dict[str, Any]) -> None:
    more = {**conf, "include_patterns": [*conf["include_patterns"], ".github/*.md"]}
    assert set(find_pages(more)) - walk_contents(more) == {".github/pull_request_template"}
