"""Medians, and the spread of the measured values around them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of many measurements, with their 10th and 90th percentile."""

    median: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise ``values``, which must contain at least one value."""
        return cls(statistics.median(values), percentile(values, 10), percentile(values, 90), len(values))

    def show(self, digits: int, *, scale: float = 1, unit: str = "") -> str:
        """Return the text ``1.02 (1.00 to 1.05)``."""
        median, low, high = (f"{number * scale:,.{digits}f}" for number in (self.median, self.low, self.high))
        return f"{median}{unit} ({low} to {high})"


def percentile(values: Sequence[float], percent: float) -> float:
    """Return a percentile. Interpolate if it lies between two values."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def ratios(upper: Sequence[float], lower: Sequence[float]) -> Spread:
    """Summarise the ratios of values that were measured in the same rounds."""
    return Spread.of([above / below for above, below in zip(upper, lower, strict=True)])
