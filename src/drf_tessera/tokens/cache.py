"""A map of limited size that drops the entries that were not used recently."""

from __future__ import annotations

from threading import Lock
from typing import Generic, TypeVar

V = TypeVar("V")


class LRU(Generic[V]):
    """A thread-safe map of at most ``size`` values by string key. With size 0 the map stays empty.

    The map has two halves. An entry that is put or found moves to the young half. When the young half is
    full, it becomes the old half, and the entries of the former old half are dropped. Therefore the last
    ``size // 2`` used entries are always present. A lookup reads a dict, without a lock and without a
    list to reorder, which would cost several times as much. The ``repr`` shows no entry, because the keys
    may be secret.
    """

    __slots__ = ("_half", "_lock", "_old", "_young", "size")

    def __init__(self, size: int) -> None:
        self.size: int = size
        self._half = (size + 1) // 2
        self._young: dict[str, V] = {}
        self._old: dict[str, V] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def __repr__(self) -> str:
        return f"<LRU: {len(self)} of {self.size}>"

    def get(self, credentials: str) -> V | None:
        """Return the value for ``credentials``, or ``None``."""
        found = self._young.get(credentials)
        if found is None:
            found = self._old.get(credentials)
            if found is not None:
                self.put(credentials, found)
        return found

    def put(self, credentials: str, value: V) -> None:
        """Store ``value``, and drop the old half if the young half is full."""
        with self._lock:
            if self.size < 2:
                # One entry cannot be split into halves.
                self._young = {credentials: value} if self.size else {}
                return
            self._old.pop(credentials, None)
            self._young[credentials] = value
            if len(self._young) >= self._half:
                self._old, self._young = self._young, {}

    def forget(self, credentials: str) -> None:
        """Drop the entry for ``credentials``, if it exists."""
        with self._lock:
            self._young.pop(credentials, None)
            self._old.pop(credentials, None)
