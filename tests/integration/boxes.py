"""How much two boxes share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.results import Face

_SAME = 0.4  # of what two boxes cover both cover


def iou(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Intersection over union of two boxes: left, top, right, bottom."""
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    shared_px = np.prod(np.clip(high - low, 0, None))
    areas = np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2])
    return float(shared_px / (areas - shared_px))


def same(faces: Sequence[Face], box: NDArray[Any]) -> Face | None:
    """The face that `box` is of."""
    overlaps = [iou(np.array(face.bbox), box) for face in faces]
    return faces[int(np.argmax(overlaps))] if max(overlaps, default=0) > _SAME else None
