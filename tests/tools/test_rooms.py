"""The picture and the list of the rooms agree with the source."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from tools import rooms
from tools.house import read_house, read_sources
from tools.pages import fill

pytestmark = pytest.mark.once  # it reads source code

HOUSE = read_house(read_sources())
PICTURE = rooms.draw(HOUSE)
SVG = "{http://www.w3.org/2000/svg}"


def test_the_committed_picture_is_current() -> None:
    assert rooms.PICTURE.read_text() == PICTURE, "run python -m tools.rooms"


def test_the_committed_list_is_current() -> None:
    page = rooms.PAGE.read_text()
    assert fill(page, rooms.BEGIN, rooms.END, rooms.list_rooms(HOUSE)) == page, "run python -m tools.rooms"
    assert page.count(rooms.BEGIN) == page.count(rooms.END) == 1


def test_the_picture_shows_every_room_module_and_import() -> None:
    root = ElementTree.fromstring(PICTURE)  # noqa: S314 - our own
    texts = [text.text for text in root.iter(f"{SVG}text")]
    for room in HOUSE.rooms:
        assert room in texts
        for place, _ in HOUSE.list_places(room):
            assert place.rpartition(".")[2] in texts
    arcs = [title.text or "" for path in root.iter(f"{SVG}path") for title in path]
    assert len(arcs) == len(HOUSE.find_imports()) > 30


def test_every_arc_leads_upwards() -> None:
    arcs = re.findall(r'd="M\S+ (\S+)C\S+ \S+ \S+ \S+ \S+ (\S+)"', PICTURE)
    assert len(arcs) > 30
    assert all(float(start) > float(end) for start, end in arcs)


def test_nothing_stands_beside_the_paper() -> None:
    root = ElementTree.fromstring(PICTURE)  # noqa: S314 - our own
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for box in root.iter(f"{SVG}rect"):
        assert float(box.attrib["x"]) + float(box.attrib["width"]) <= width
        assert float(box.attrib["y"]) + float(box.attrib["height"]) <= height
    chips = [box for box in root.iter(f"{SVG}rect") if box.attrib["class"] == "chip"]
    edges = [float(box.attrib["x"]) + float(box.attrib["width"]) for box in chips]
    outer = next(box for box in root.iter(f"{SVG}rect") if box.attrib["class"] == "box")
    assert max(edges) <= float(outer.attrib["x"]) + float(outer.attrib["width"])


def test_the_picture_is_for_light_and_dark_and_loads_nothing() -> None:
    assert "prefers-color-scheme: dark" in PICTURE
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)|url\(|<image|@import", PICTURE)


def test_a_new_import_changes_both() -> None:
    sources = read_sources()
    sources["login.py"] += "\nfrom drf_tessera.signals import session_started\n"
    changed = read_house(sources)
    assert rooms.draw(changed) != PICTURE
    assert rooms.list_rooms(changed) != rooms.list_rooms(HOUSE)
