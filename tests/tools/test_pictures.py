"""The pictures of the demo in the README are not older than the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers import ROOT
from tools import pictures

pytestmark = pytest.mark.once  # it reads files


def test_the_pictures_were_taken_of_this_page() -> None:
    assert pictures.DIGEST.read_text().strip() == pictures.make_digest(), "run python -m tools.pictures"


def test_the_readme_shows_both_pictures() -> None:
    readme = (ROOT / "README.md").read_text()
    for scheme in pictures.SCHEMES:
        path = pictures.find_picture(scheme)
        assert f'="{path.relative_to(ROOT).as_posix()}"' in readme
        assert path.read_bytes().startswith(b"\x89PNG")


def test_each_change_of_the_page_changes_the_digest(tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    found = set()
    for text in ("one", "two"):
        page.write_text(text)
        found.add(pictures.make_digest(tmp_path))
    page.rename(tmp_path / "other.html")
    found.add(pictures.make_digest(tmp_path))
    assert len(found) == 3
