"""A map of bounded size that forgets what was asked for longest ago."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Generic, TypeVar

V = TypeVar("V")


class LRU(Generic[V]):
    """Remember at most ``size`` values by text, safely in threads; with size 0, none.

    Looking up moves an entry to the front, which is a write: hence the lock also there. Its price is
    far below that of whatever is remembered. The ``repr`` shows no entry: the keys may be secret.
    """

    __slots__ = ("_entries", "_lock", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self._entries: OrderedDict[str, V] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<LRU: {len(self)} of {self.size}>"

    def get(self, key: str) -> V | None:
        """Give what is remembered under ``key``, if anything."""
        if not self.size:
            return None
        with self._lock:
            found = self._entries.get(key)
            if found is not None:
                self._entries.move_to_end(key)
            return found

    def put(self, key: str, value: V) -> None:
        """Remember ``value``, and forget the oldest entry if there are too many."""
        if not self.size:
            return
        with self._lock:
            self._entries[key] = value
            self._entries.move_to_end(key)
            if len(self._entries) > self.size:
                self._entries.popitem(last=False)

    def forget(self, key: str) -> None:
        """Forget one entry, if it is there."""
        with self._lock:
            self._entries.pop(key, None)
