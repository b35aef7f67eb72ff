"""A value that was measured several times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Spread:
    """The rounds' values, the middle one and the ends."""

    median: float
    min: float
    max: float
    rounds: tuple[float, ...]


def spread(values: Sequence[float]) -> Spread:
    """At least one value is wanted."""
    return Spread(median(values), min(values), max(values), tuple(values))
