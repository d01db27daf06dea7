"""A map of bounded size that forgets what was not asked for lately."""

from __future__ import annotations

from threading import Lock
from typing import Generic, TypeVar

V = TypeVar("V")


class LRU(Generic[V]):
    """Remember at most ``size`` values by text, safely in threads; with size 0, none.

    In two halves: what is put or found moves to the young half, and when that is full it becomes the
    old one, whose former entries are forgotten. So the ``size // 2`` entries that were used last are
    always there, and to look one up is to read a dict, without a lock and without a list to reorder,
    which would cost several times as much. The ``repr`` shows no entry: the keys may be secret.
    """

    __slots__ = ("_half", "_lock", "_old", "_young", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self._half = (size + 1) // 2
        self._young: dict[str, V] = {}
        self._old: dict[str, V] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def __repr__(self) -> str:
        return f"<LRU: {len(self)} of {self.size}>"

    def get(self, key: str) -> V | None:
        """Give what is remembered under ``key``, if anything."""
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is not None:
                self.put(key, found)
        return found

    def put(self, key: str, value: V) -> None:
        """Remember ``value``, and forget the old half if the young one is full."""
        with self._lock:
            if self.size < 2:
                # One entry has no halves.
                self._young = {key: value} if self.size else {}
                return
            self._old.pop(key, None)
            self._young[key] = value
            if len(self._young) >= self._half:
                self._old, self._young = self._young, {}

    def forget(self, key: str) -> None:
        """Forget one entry, if it is there."""
        with self._lock:
            self._young.pop(key, None)
            self._old.pop(key, None)
