"""How much two boxes share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def iou(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Intersection over union of two boxes: left, top, right, bottom."""
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    shared_px = np.prod(np.clip(high - low, 0, None))
    areas = np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2])
    return float(shared_px / (areas - shared_px))
