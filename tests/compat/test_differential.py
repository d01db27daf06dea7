"""Pieces of code, as projects write them, do the same on the originals and on drf-tessera.

Each difference has a reason, and is a row in the table of the migration page.
"""

from __future__ import annotations

import sys

import pytest

from tests.compat.differential.compare import (
    BEGIN,
    END,
    ORIGINALS,
    PAGES,
    PROJECTS,
    Difference,
    compare,
    find_python,
    run,
    write_table,
)
from tests.compat.differential.pieces import Project

pytestmark = [pytest.mark.once, pytest.mark.server]  # both sides have their own processes and databases


@pytest.fixture(scope="module")
def found() -> dict[str, list[Difference]]:
    """The differences of each project."""
    pythons = {package: find_python(package) for package in ORIGINALS}
    return {
        project.name: compare(project, pythons[project.package] or "")
        for project in PROJECTS
        if pythons[project.package]
    }


def test_there_are_many_pieces() -> None:
    assert sum(len(project.pieces) for project in PROJECTS) > 250
    assert {project.package for project in PROJECTS} == set(ORIGINALS)


@pytest.mark.long
@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_each_difference_has_a_reason_and_each_reason_a_difference(
    project: Project, found: dict[str, list[Difference]]
) -> None:
    if project.name not in found:
        pytest.skip("djangorestframework-jwt needs Python 3.11")
    different = {item.name: item for item in found[project.name]}
    unexplained = [item for item in different.values() if not item.why]
    assert unexplained == []
    idle = [name for name, piece in project.pieces.items() if piece.why and name not in different]
    assert idle == []


@pytest.mark.long
@pytest.mark.parametrize("package", ORIGINALS)
def test_the_table_of_the_page_is_current(package: str, found: dict[str, list[Difference]]) -> None:
    mine = [project for project in PROJECTS if project.package == package]
    if mine[0].name not in found:
        pytest.skip("djangorestframework-jwt needs Python 3.11")
    page = PAGES[package].read_text()
    table = page.partition(BEGIN)[2].partition(END)[0].strip()
    expected = write_table(item for project in mine for item in found[project.name])
    assert table == expected, "run python -m tests.compat.differential"


def test_a_piece_that_fails_is_told_by_its_error() -> None:
    project = PROJECTS[0]
    broken = Project(
        name="broken",
        package=project.package,
        settings=project.settings,
        apps=project.apps,
        before="",
        pieces={"a": next(iter(project.pieces.values())).__class__(code="1 / 0", why="")},
    )
    assert run(broken, sys.executable) == {"a": "ZeroDivisionError: division by zero"}
