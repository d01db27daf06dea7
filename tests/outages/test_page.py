"""The page of outages shows the table that the tests with servers hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.outages.endpoints import COLUMNS, TABLE

pytestmark = pytest.mark.once  # it reads a page

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "outages.md"


def test_the_page_has_the_table_of_the_tests() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.read_text().splitlines()
        if line.count("|") == len(COLUMNS) + 2
    ]
    assert rows[0] == ["situation", *COLUMNS]
    assert rows[2:] == [[name, *row.values()] for name, row in TABLE.items()]


def test_each_situation_is_tested() -> None:
    sources = "\n".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    for situation in TABLE:
        assert f'"{situation}"' in sources, situation
