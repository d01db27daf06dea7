"""A set of ids that needs little memory."""

from __future__ import annotations

from typing import Final
from uuid import UUID

_WIDTH: Final = 16
_SHIFT: Final = 114
"""The first 14 of the 128 bits choose the cell."""

Place = tuple[int, bytes]
"""The number of a cell, and the 16 bytes of an id in this cell."""


def find_place(key: UUID) -> Place:
    """Return the place of an id. A caller that asks several sets computes it once."""
    number = key.int
    return number >> _SHIFT, number.to_bytes(_WIDTH, "big")


class CompactIds:
    """A set of UUIDs, with about 30 bytes for each of a million. A dict needs about 170.

    The ids are evenly distributed, because they are random or digests. So their first bits distribute them
    over cells of equal size, and each cell is one row of bytes. A cell contains the whole ids and not a part
    of each. So nobody has to argue about two ids with one digest, not even for the ids that are derived from
    the tokens of other packages. A lookup searches one cell, which the interpreter does in C. An insert
    appends, so no insert ever has to copy or sort the whole set while requests wait.

    One thread at a time may change the set. Other threads may read it meanwhile.
    """

    __slots__ = ("_cells", "_count")

    def __init__(self) -> None:
        self._cells: dict[int, bytearray] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: UUID) -> bool:
        return self.holds(find_place(key))

    def holds(self, place: Place) -> bool:
        """Return whether the set contains the id of a place."""
        cell = self._cells.get(place[0])
        return cell is not None and _find(cell, place[1]) >= 0

    def add(self, key: UUID) -> None:
        """Add an id. Do nothing if the set contains it."""
        number, entry = find_place(key)
        cell = self._cells.get(number)
        if cell is None:
            self._cells[number] = bytearray(entry)
        elif _find(cell, entry) < 0:
            cell += entry
        else:
            return
        self._count += 1

    def discard(self, key: UUID) -> None:
        """Remove an id, if the set contains it."""
        number, entry = find_place(key)
        cell = self._cells.get(number, bytearray())
        at = _find(cell, entry)
        if at >= 0:
            del cell[at : at + _WIDTH]
            self._count -= 1


def _find(cell: bytearray, entry: bytes) -> int:
    """Return the position of an entry, or -1. The same bytes may also stand across two other entries."""
    at = cell.find(entry)
    while at > 0 and at % _WIDTH:
        at = cell.find(entry, at + 1)
    return at
