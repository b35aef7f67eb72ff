"""Where a label goes: near its face, inside the picture, on no other label, on few faces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

#: overlap with another label counts so much more than with a face
_LABEL_WEIGHT = 20.0
#: of a label's own area: more of it on other labels, and it cannot be read
_MOST_ON_LABELS = 0.02


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle, in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def corners(self) -> tuple[float, float, float, float]:
        return (self.left, self.top, self.right, self.bottom)

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2

    @property
    def size(self) -> float:
        """Square pixels."""
        return (self.right - self.left) * (self.bottom - self.top)

    def shared(self, other: Area) -> float:
        """Square pixels that both cover."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, width) * max(0.0, height)


def place(
    size: tuple[float, float],
    box: Area,
    bounds: Area,
    taken: Sequence[Area],
    faces: Sequence[Area],
    *,
    gap: float,
    most_on_faces: float,
) -> Area | None:
    """The best place for a label of `size` (width, height); None where there is no good one.

    box: its own face; bounds: the picture; taken: labels that are there; faces: all boxes.
    gap: pixels to its box; most_on_faces: the part of the label that may cover other faces.
    """
    best: Area | None = None
    least = float("inf")
    candidates = list(_candidates(size, box, bounds, gap))
    reach = _around(candidates)  # in a crowd, most are far away
    near_labels = [other for other in taken if other.shared(reach)]
    near_faces = [face for face in faces if face != box and face.shared(reach)]
    for area in candidates:
        on_labels = sum(area.shared(other) for other in near_labels)
        on_others = sum(area.shared(face) for face in near_faces)
        cost = _LABEL_WEIGHT * on_labels + on_others + area.shared(box)
        fits = on_labels <= _MOST_ON_LABELS * area.size and on_others <= most_on_faces * area.size
        if fits and cost < least:
            best, least = area, cost
    return best


def _candidates(size: tuple[float, float], box: Area, bounds: Area, gap: float) -> Iterator[Area]:
    """Above, below, beside, then inside; moved into the picture where they reach out of it."""
    width, height = size
    above, below = box.top - gap - height, box.bottom + gap
    centred = (box.left + box.right - width) / 2
    for left, top in (
        (box.left, above),
        (box.left, below),
        (box.right - width, above),
        (box.right - width, below),
        (centred, above),
        (centred, below),
        (box.right + gap, box.top),
        (box.left - gap - width, box.top),
        (box.right + gap, box.bottom - height),
        (box.left - gap - width, box.bottom - height),
        (box.left + gap, box.top + gap),
        (box.left + gap, box.bottom - gap - height),
    ):
        x = max(bounds.left, min(left, bounds.right - width))
        y = max(bounds.top, min(top, bounds.bottom - height))
        yield Area(x, y, x + width, y + height)


def _around(areas: Sequence[Area]) -> Area:
    return Area(
        min(area.left for area in areas),
        min(area.top for area in areas),
        max(area.right for area in areas),
        max(area.bottom for area in areas),
    )
