"""The last seconds: how often something happened in them, and how long it took."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")

#: a rate over less says nothing
_LEAST_S = 1.0


class Window(Generic[Item]):
    """What came within the last `length_s`. Times: seconds of one clock, given with each call."""

    def __init__(self, length_s: float, began_at: float) -> None:
        self._length_s = length_s
        self._began_at = began_at
        self._items: deque[tuple[float, Item]] = deque()

    def add(self, item: Item, at: float) -> None:
        self._items.append((at, item))

    def items(self, now: float) -> Iterator[Item]:
        """Those that are not too old; the others are forgotten."""
        while self._items and self._items[0][0] <= now - self._length_s:
            self._items.popleft()
        return (item for _, item in self._items)

    def covered_s(self, now: float) -> float:
        """The window's length, or how long there has been one."""
        return min(self._length_s, now - self._began_at)

    def rate(self, count: int, now: float) -> float | None:
        """A second, to a thousandth. `None` while too little of the window has passed."""
        covered_s = self.covered_s(now)
        return round(count / covered_s, 3) if covered_s >= _LEAST_S else None


class Growth:
    """How fast a count grows that is read now and then."""

    def __init__(self, length_s: float) -> None:
        self._length_s = length_s
        self._readings: deque[tuple[float, int]] = deque()

    def read(self, count: int, at: float) -> None:
        """A count that shrank began anew: nothing before it counts."""
        if self._readings and count < self._readings[-1][1]:
            self._readings.clear()
        self._readings.append((at, count))
        # the newest reading that is old enough stays: from there on it is measured
        while len(self._readings) > 2 and self._readings[1][0] <= at - self._length_s:
            self._readings.popleft()

    @property
    def per_second(self) -> float | None:
        """To a thousandth. `None` before two readings."""
        if len(self._readings) < 2:
            return None
        (first_at, first), (last_at, last) = self._readings[0], self._readings[-1]
        return round((last - first) / (last_at - first_at), 3) if last_at > first_at else None


def percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest rank: a value that was measured, with `share` of all at or below it.

    ordered: one at least, ascending; share: in (0, 1].
    """
    return ordered[math.ceil(share * len(ordered)) - 1]
