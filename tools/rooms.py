"""Draw the rooms and their imports: ``python -m tools.rooms``, with ``--check`` to compare alone.

Writes ``docs/explanation/rooms.svg`` and, in ``architecture.md`` beside it, the list between two marks.
Each room is a box, in the order of the package's docstring, so every import is an arc that leads upwards.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Final

from tools.house import WITHOUT, House, read_house, read_sources
from tools.pages import REPOSITORY, fill, write_or_check

PICTURE: Final = REPOSITORY / "docs" / "explanation" / "rooms.svg"
PAGE: Final = REPOSITORY / "docs" / "explanation" / "architecture.md"
BEGIN: Final = "<!-- rooms: made by python -m tools.rooms -->"
END: Final = "<!-- end of rooms -->"
COMMAND: Final = "python -m tools.rooms"

_WIDTH: Final = 960
_MARGIN: Final = 28
_TOP: Final = 92
_BOX: Final = 640
_EDGE: Final = _MARGIN + _BOX
_GAP: Final = 9
_LOW: Final = 34
_CHIPS: Final = 26
"""The height of one row of modules."""
_CHIPS_END: Final = _EDGE - 14
_PORT: Final = 3.4
_LONGEST: Final = 330

_STYLE: Final = """\
    .paper { fill: #fbf8f2; stroke: #d9cfbf }
    .box { fill: #ffffff; stroke: #cfc4b2; stroke-width: 1.2 }
    .door { fill: #2f6f5e }
    .path { fill: #b9ad9b }
    .room { font: 600 15px ui-monospace, 'SF Mono', 'DejaVu Sans Mono', monospace; fill: #2b2622 }
    .title { font-weight: 600; font-size: 19px; fill: #2b2622 }
    .say { font-size: 13px; fill: #4a433c }
    .without { font-size: 12px; fill: #2f6f5e; text-anchor: end }
    .chip { fill: #eef3ee }
    .module { font: 12px ui-monospace, 'SF Mono', 'DejaVu Sans Mono', monospace; fill: #20473d }
    .arc { fill: none; stroke: #8a8078; stroke-width: 1; opacity: .38 }
    .near { stroke: #2f6f5e; stroke-width: 2; opacity: 1 }
    .arc:hover { stroke: #b3402e; stroke-width: 3; opacity: 1 }
    .tip { fill: #8a8078 }
    .tip.near { fill: #2f6f5e }
    @media (prefers-color-scheme: dark) {
      .paper { fill: #1d1b19; stroke: #3a352f }
      .box { fill: #272421; stroke: #4a433c }
      .door { fill: #6fb8a1 }
      .path { fill: #6b6259 }
      .room, .title { fill: #f3eee6 }
      .say { fill: #cfc6ba }
      .without { fill: #8fd0bb }
      .chip { fill: #2c3a34 }
      .module { fill: #b9dccf }
      .arc { stroke: #a89d90; opacity: .34 }
      .near { stroke: #6fb8a1; opacity: 1 }
      .arc:hover { stroke: #e58a76 }
      .tip { fill: #a89d90 }
      .tip.near { fill: #6fb8a1 }
    }"""


@dataclass(frozen=True, slots=True)
class _Box:
    """Where a room stands in the picture."""

    room: str
    top: float
    rows: tuple[tuple[str, ...], ...]
    """Its modules, as they fit into rows."""

    @property
    def height(self) -> float:
        """The height of the box."""
        return _LOW + _CHIPS * len(self.rows) + (2 if self.rows else 0)


@dataclass(frozen=True, slots=True)
class _Arc:
    """One import, from the lower room to the upper one."""

    source: str
    target: str
    start: float
    end: float
    is_near: bool
    names: tuple[str, ...]


def draw(house: House) -> str:
    """Return the picture."""
    boxes = list(_place(house))
    arcs = list(_connect(house, boxes))
    height = boxes[-1].top + boxes[-1].height + _MARGIN
    count = len(arcs)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:g}" '
        "font-family=\"system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif\" font-size=\"13\" "
        'role="img" aria-labelledby="title description">',
        '  <title id="title">The rooms of drf_tessera and their imports</title>',
        f'  <desc id="description">{len(boxes)} rooms in one column, and {count} imports as arcs. Every arc '
        "leads upwards: a room imports only rooms that stand above it.</desc>",
        f"  <style>\n{_STYLE}\n  </style>",
        f'  <rect class="paper" x="1" y="1" width="{_WIDTH - 2}" height="{height - 2:g}" rx="14" '
        'stroke-width="2"/>',
        *_draw_legend(),
        *(line for arc in sorted(arcs, key=lambda arc: arc.is_near) for line in _draw_arc(arc)),
        *(line for box in boxes for line in _draw_box(house, box)),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _draw_legend() -> Iterator[str]:
    yield f'  <text class="title" x="{_MARGIN}" y="40">Every import leads upwards</text>'
    yield f'  <rect class="door" x="{_MARGIN}" y="54" width="5" height="18" rx="2"/>'
    yield f'  <text class="say" x="{_MARGIN + 13}" y="68">entered by its door alone</text>'
    yield f'  <rect class="path" x="{_MARGIN + 196}" y="54" width="5" height="18" rx="2"/>'
    yield f'  <text class="say" x="{_MARGIN + 209}" y="68">imported by path</text>'
    yield f'  <path class="arc near" d="M{_EDGE - 168} 63h34"/>'
    yield f'  <text class="say" x="{_EDGE - 126}" y="68">an import</text>'
    yield f'  <path class="arc" d="M{_EDGE - 42} 63h34"/>'
    yield f'  <text class="say" x="{_EDGE}" y="68">an import that others lead to as well</text>'


def _place(house: House) -> Iterator[_Box]:
    top = float(_TOP)
    for room in house.rooms:
        box = _Box(
            room, top, tuple(_wrap([place.rpartition(".")[2] for place, _ in house.list_places(room)]))
        )
        yield box
        top += box.height + _GAP


def _wrap(places: list[str]) -> Iterator[tuple[str, ...]]:
    """Split modules into rows that fit into a box."""
    row: list[str] = []
    for place in places:
        if row and _MARGIN + 16 + sum(_measure(other) + 6 for other in [*row, place]) > _CHIPS_END:
            yield tuple(row)
            row = []
        row.append(place)
    if row:
        yield tuple(row)


def _measure(module: str) -> float:
    """Return the width of a module's mark: its letters are all of one width."""
    return 7.25 * len(module) + 14


def _connect(house: House, boxes: list[_Box]) -> Iterator[_Arc]:
    """Find the two ends of each import. Long arcs go around short ones, so that few lines cross."""
    rooms = [box.room for box in boxes]
    imports = {pair: names for pair, names in house.find_imports().items() if set(pair) <= set(rooms)}
    needed = {room: {there for here, there in imports if here == room} for room in rooms}
    for (source, target), names in sorted(imports.items(), key=lambda item: _rank(rooms, item[0])):
        leaving = sorted(needed[source], key=rooms.index, reverse=True)
        coming = sorted((room for room in rooms if target in needed[room]), key=rooms.index, reverse=True)
        lower, upper = boxes[rooms.index(source)], boxes[rooms.index(target)]
        yield _Arc(
            source=source,
            target=target,
            start=_find_port(lower, leaving.index(target), len(leaving), upper=True),
            end=_find_port(upper, coming.index(source), len(coming), upper=False),
            is_near=not any(target in _reach(needed, other) for other in needed[source] - {target}),
            names=tuple(sorted(names)),
        )


def _rank(rooms: list[str], pair: tuple[str, str]) -> tuple[int, int]:
    return rooms.index(pair[0]), rooms.index(pair[1])


def _find_port(box: _Box, index: int, count: int, *, upper: bool) -> float:
    """Return the height of one end: arcs leave in the upper half of a box and arrive in the lower one."""
    half = box.height / 2
    step = min(_PORT, (half - 6) / max(count, 1))
    middle = box.top + half / 2 + (0 if upper else half)
    return middle + (index - (count - 1) / 2) * step


def _reach(needed: dict[str, set[str]], start: str) -> set[str]:
    """Return all rooms that a room imports, directly or by others."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        fresh = needed[waiting.pop()] - found
        found |= fresh
        waiting += fresh
    return found


def _draw_arc(arc: _Arc) -> Iterator[str]:
    distance = arc.start - arc.end
    bulge = 26 + min(_LONGEST, distance * 0.36)
    kind = " near" if arc.is_near else ""
    x = _EDGE + 5
    said = escape(f"{arc.source} imports {', '.join(arc.names)} of {arc.target}")
    yield (
        f'  <path class="arc{kind}" d="M{_EDGE} {arc.start:.1f}C{x + bulge:.1f} {arc.start:.1f} '
        f'{x + bulge:.1f} {arc.end:.1f} {x} {arc.end:.1f}"><title>{said}</title></path>'
    )
    yield f'  <path class="tip{kind}" d="M{_EDGE} {arc.end:.1f}l7 -2.6v5.2z"/>'


def _draw_box(house: House, box: _Box) -> Iterator[str]:
    kind = "door" if house.has_door(box.room) else "path"
    base = box.top + 22
    yield (
        f'  <rect class="box" x="{_MARGIN}" y="{box.top:g}" width="{_BOX}" height="{box.height:g}" rx="6"/>'
        f'<rect class="{kind}" x="{_MARGIN}" y="{box.top:g}" width="5" height="{box.height:g}" rx="2.5"/>'
    )
    yield f'  <text class="room" x="{_MARGIN + 16}" y="{base:g}">{box.room}</text>'
    said = escape(dict(house.listed)[box.room].replace("`", ""))
    yield f'  <text class="say" x="{_MARGIN + 132}" y="{base:g}">{said}</text>'
    missing = WITHOUT.get(box.room, ())
    if missing:
        note = f"without {' and '.join(missing)}"
        line = box.top + box.height - 13 if box.rows else base
        yield f'  <text class="without" x="{_EDGE - 12}" y="{line:g}">{note}</text>'
    for number, row in enumerate(box.rows):
        left, top = float(_MARGIN + 16), box.top + 33 + _CHIPS * number
        for module in row:
            width = _measure(module)
            yield (
                f'  <rect class="chip" x="{left:g}" y="{top:g}" width="{width:g}" height="20" rx="4"/>'
                f'<text class="module" x="{left + 7:g}" y="{top + 14:g}">{module}</text>'
            )
            left += width + 6


def list_rooms(house: House) -> str:
    """Return the rooms as a table of Markdown, with their purposes, their modules and their imports."""
    imports = house.find_imports()
    lines = ["| room | what it is for | modules, in order | imports |", "|---|---|---|---|"]
    for room, said in house.listed:
        places = ", ".join(place.rpartition(".")[2] for place, _ in house.list_places(room))
        above = ", ".join(other for other in house.rooms if (room, other) in imports)
        lines.append(f"| `{room}` | {said.replace('``', '`')} | {places} | {above} |")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Write the picture and the list, or compare them."""
    house = read_house(read_sources())
    page = fill(PAGE.read_text(), BEGIN, END, list_rooms(house))
    written = {PICTURE: draw(house), PAGE: page}
    return max(
        write_or_check(path, text, command=COMMAND, arguments=arguments) for path, text in written.items()
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
