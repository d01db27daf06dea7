"""The amount of work: enough for reliable medians, or just enough to check that everything works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The amount of work of each measurement."""

    quick: bool
    missing: Mapping[str, str] = field(default_factory=dict)
    """The environments that could not be created, with the reasons."""

    def pick(self, full: _Number, quick: _Number) -> _Number:
        """Return the number for a full run or for a quick run."""
        return quick if self.quick else full
