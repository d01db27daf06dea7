"""The site of ``make docs``: no warning, no page left out, and nothing that is fetched from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.wheels import ROOT

pytestmark = [pytest.mark.once, pytest.mark.long]  # it builds the site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site by the command of the Makefile, into another folder."""
    folder = tmp_path_factory.mktemp("site")
    (line,) = re.findall(r"-m (sphinx .+) site$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    command = [sys.executable, "-m", *line.split(), str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_in_the_site(site: Path) -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    wanted = {
        page.relative_to(ROOT).with_suffix(".html") for page in pages if "node_modules" not in page.parts
    }
    assert {page for page in wanted if not (site / page).exists()} == set()


def test_it_begins_at_its_root(site: Path) -> None:
    assert "docs/index.html" in (site / "index.html").read_text()


def test_it_has_a_search(site: Path) -> None:
    assert "refresh" in (site / "searchindex.js").read_text()
    assert 'class="bd-search' in (site / "docs" / "index.html").read_text()


def test_it_is_light_and_dark(site: Path) -> None:
    assert "theme-switch" in (site / "docs" / "index.html").read_text()


def test_a_page_loads_nothing_from_elsewhere(site: Path) -> None:
    """No font, script, style or picture of another host: the site works without a network."""
    loads = re.compile(
        r"<(?:script|img|iframe|source|link)\b[^>]*?\b(?:src|href|srcset)=\"((?:https?:)?//[^\"]*)"
    )
    for page in site.rglob("*.html"):
        assert loads.findall(page.read_text()) == [], page
    for sheet in site.rglob("*.css"):
        assert re.findall(r"url\([\"']?(?:https?:)?//", sheet.read_text()) == [], sheet


def test_the_five_kinds_of_pages_are_in_the_navigation(site: Path) -> None:
    start = (site / "docs" / "index.html").read_text()
    for kind in (
        "tutorial.html",
        *(f"{name}/README.html" for name in ("howto", "reference", "explanation", "migrate")),
    ):
        assert f'class="nav-link nav-internal" href="{kind}"' in start, kind


def test_a_link_to_an_anchor_in_html_leads_there(site: Path) -> None:
    """The page of the API has such anchors. myst-parser alone would not know them."""
    page = (site / "docs" / "reference" / "api.html").read_text()
    assert '<a id="exceptions.TesseraError">' in page
    assert 'href="#exceptions.TesseraError"' in page
