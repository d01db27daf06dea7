"""The reference pages name everything that the code has, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from drf_tessera import exceptions
from drf_tessera.conf.settings import KEYS

pytestmark = pytest.mark.once  # it reads pages

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
SOURCE = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))


def test_every_error_code_is_on_its_page() -> None:
    page = (REFERENCE / "errors.md").read_text()
    for kind in vars(exceptions).values():
        if isinstance(kind, type) and issubclass(kind, exceptions.TesseraError):
            assert f"`{kind.code}`" in page, kind


def test_the_page_lists_exactly_the_checks() -> None:
    pattern = re.compile(r"tessera\.[EIW]\d{3}")
    assert set(pattern.findall((REFERENCE / "checks.md").read_text())) == set(pattern.findall(SOURCE))


def test_the_page_lists_exactly_the_settings() -> None:
    page = (REFERENCE / "settings.md").read_text()
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE)) == set(KEYS)


def test_every_link_of_the_readme_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text()):
        assert (ROOT / target).exists(), target
