"""The picture and the list of the rooms agree with the source."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from tools import rooms
from tools.house import House, read_house, read_sources
from tools.pages import fill

pytestmark = pytest.mark.once  # it reads source code

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def house() -> House:
    """Read the source once, and not at import: each run of any test would wait for it."""
    return read_house(read_sources())


@pytest.fixture(scope="module")
def picture(house: House) -> str:
    return rooms.draw(house)


def test_the_committed_picture_is_current(picture: str) -> None:
    assert rooms.PICTURE.read_text() == picture, "run python -m tools.rooms"


@pytest.mark.slow
def test_the_committed_list_is_current(house: House) -> None:
    page = rooms.PAGE.read_text()
    assert fill(page, rooms.BEGIN, rooms.END, rooms.list_rooms(house)) == page, "run python -m tools.rooms"
    assert page.count(rooms.BEGIN) == page.count(rooms.END) == 1


@pytest.mark.slow
def test_the_picture_shows_every_room_module_and_import(house: House, picture: str) -> None:
    root = ElementTree.fromstring(picture)  # noqa: S314 - our own
    texts = [text.text for text in root.iter(f"{SVG}text")]
    for room in house.rooms:
        assert room in texts
        for place, _ in house.list_places(room):
            assert place.rpartition(".")[2] in texts
    arcs = [title.text or "" for path in root.iter(f"{SVG}path") for title in path]
    assert len(arcs) == len(house.find_imports()) > 30


def test_every_arc_leads_upwards(picture: str) -> None:
    arcs = re.findall(r'd="M\S+ (\S+)C\S+ \S+ \S+ \S+ \S+ (\S+)"', picture)
    assert len(arcs) > 30
    assert all(float(start) > float(end) for start, end in arcs)


def test_nothing_stands_beside_the_paper(picture: str) -> None:
    root = ElementTree.fromstring(picture)  # noqa: S314 - our own
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for box in root.iter(f"{SVG}rect"):
        assert float(box.attrib["x"]) + float(box.attrib["width"]) <= width
        assert float(box.attrib["y"]) + float(box.attrib["height"]) <= height
    chips = [box for box in root.iter(f"{SVG}rect") if box.attrib["class"] == "chip"]
    edges = [float(box.attrib["x"]) + float(box.attrib["width"]) for box in chips]
    outer = next(box for box in root.iter(f"{SVG}rect") if box.attrib["class"] == "box")
    assert max(edges) <= float(outer.attrib["x"]) + float(outer.attrib["width"])


def test_the_picture_is_for_light_and_dark_and_loads_nothing(picture: str) -> None:
    assert "prefers-color-scheme: dark" in picture
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)|url\(|<image|@import", picture)


@pytest.mark.slow
def test_a_new_import_changes_both(house: House, picture: str) -> None:
    sources = read_sources()
    sources["login.py"] += "\nfrom drf_tessera.signals import session_started\n"
    changed = read_house(sources)
    assert rooms.draw(changed) != picture
    assert rooms.list_rooms(changed) != rooms.list_rooms(house)
