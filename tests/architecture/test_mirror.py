"""The tests of a room are where a stranger looks: in the folder of its name, or in a file of its name."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tools.house import read_house, read_sources

pytestmark = pytest.mark.once  # it reads names of files

TESTS: Final = Path(__file__).resolve().parent.parent

OTHER_FOLDERS: Final = {
    "accounts": "user models for the tests",
    "architecture": "the rules for the code",
    "browser": "the client and the demo in Chromium",
    "chaos": "real servers, and what breaks around them",
    "compat": "the packages of compat/",
    "docs": "the pages",
    "hostile": "what a stranger may send, to every endpoint",
    "js": "the client in Node",
    "model": "the model of the refresh rule",
    "outages": "databases that are down, full, replaced or without a connection to spare",
    "packaging": "the built distributions",
    "people": "user models as projects have them",
    "recipes": "front ends with real packages, as the pages show them",
    "tenants": "projects with several tenants",
    "tools": "the tools of the developers",
    "tutorial": "the tutorial as a project",
    "typing": "what type checkers see",
}

OF_EVERY_ROOM: Final = {
    "test_copies": "each object that a project receives",
    "test_early_imports": "each module, loaded before the user model",
    "test_error_frames": "each path that can raise",
    "test_secrets": "each place that could show a secret",
}


def list_misplaced(folders: set[str], files: set[str]) -> list[str]:
    """Return the folders and files of tests that belong to no room, and the rooms without tests."""
    house = read_house(read_sources())
    rooms = set(house.rooms)
    whole = {room for room in rooms if not house.list_places(room)}
    owners = {
        name: max((room for room in whole if name.startswith(f"test_{room}")), default="") for name in files
    }
    tested = folders | set(owners.values())
    return sorted(
        [name for name in folders - OTHER_FOLDERS.keys() if name not in rooms - whole]
        + [name for name in files - OF_EVERY_ROOM.keys() if not owners[name]]
        + list(rooms - tested - WITHOUT_TESTS_OF_THEIR_OWN.keys())
    )


WITHOUT_TESTS_OF_THEIR_OWN: Final = {
    "exceptions": "each error is tested where it is raised, and tests/docs compares the list",
    "models": "each query is tested where it is made",
    "moments": "two conversions that every session uses",
    "signals": "each signal is tested where it is sent",
}


def read_names() -> tuple[set[str], set[str]]:
    folders = {path.name for path in TESTS.iterdir() if (path / "__init__.py").exists()}
    return folders, {path.stem for path in TESTS.glob("test_*.py")}


def test_each_test_stands_in_the_place_of_its_room() -> None:
    assert list_misplaced(*read_names()) == []


@pytest.mark.parametrize(
    ("folder", "file", "found"),
    [("odds", "test_login", "odds"), ("rest", "test_odds", "test_odds"), ("admin", "test_admin", "admin")],
)
def test_a_stray_place_is_found(folder: str, file: str, found: str) -> None:
    folders, files = read_names()
    assert list_misplaced(folders | {folder}, files | {file}) == [found]


def test_a_room_without_tests_is_found() -> None:
    folders, files = read_names()
    assert list_misplaced(folders - {"http"}, files) == ["http"]


def test_each_exception_is_needed() -> None:
    folders, files = read_names()
    assert OTHER_FOLDERS.keys() <= folders
    assert OF_EVERY_ROOM.keys() <= files
