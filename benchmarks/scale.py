"""How much is measured: enough to trust the medians, or just enough to see that everything works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much each measurement does."""

    quick: bool
    missing: Mapping[str, str] = field(default_factory=dict)
    """The environments that could not be made, and why."""

    def pick(self, full: int, quick: int) -> int:
        """Give the number for a full run, or that for a quick one."""
        return quick if self.quick else full
