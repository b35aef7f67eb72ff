"""The iBUG 68-point scheme: what its indices mean, and how to come by it from 106 points.

Left and right are the image's. Points are (68, 2), px, x before y.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]

JAW = slice(0, 17)
BROW_LEFT = slice(17, 22)
BROW_RIGHT = slice(22, 27)
NOSE_BRIDGE = slice(27, 31)
NOSE_TIP = 30
NOSTRIL_LEFT, NOSTRIL_RIGHT = 31, 35
EYE_LEFT = slice(36, 42)
EYE_RIGHT = slice(42, 48)
MOUTH_LEFT, MOUTH_RIGHT = 48, 54
CHIN = 8

# fmt: off
TO_68 = np.array([
    1, 10, 12, 14, 16, 3, 5, 7, 0, 23, 21, 19, 32, 30, 28, 26, 17,  # jaw
    43, 48, 49, 51, 50, 102, 103, 104, 105, 101,                    # brows
    72, 73, 74, 86, 78, 79, 80, 85, 84,                             # nose
    35, 41, 42, 39, 37, 36, 89, 95, 96, 93, 91, 90,                 # eyes
    52, 64, 63, 71, 67, 68, 61, 58, 59, 53, 56, 55,                 # lips, outside
    65, 66, 62, 70, 69, 57, 60, 54,                                 # lips, inside
])
"""For each of the 68 points the index of the same place in InsightFace's 2d106det order."""

MIRROR_68 = np.array([
    16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0,
    26, 25, 24, 23, 22, 21, 20, 19, 18, 17,
    27, 28, 29, 30, 35, 34, 33, 32, 31,
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55,
    64, 63, 62, 61, 60, 67, 66, 65,
])
"""For each of the 68 points the index of the same place on the other side of the face."""
# fmt: on


def to_68(points_106: NDArray[np.float32]) -> Points | None:
    """(106, 2) in 2d106det order → (68, 2) in iBUG order; `None` unless all are finite."""
    if points_106.shape != (106, 2) or not np.isfinite(points_106).all():
        return None
    points: Points = points_106[TO_68]
    return points


def eye_centres(points: Points) -> tuple[Points, Points]:
    """The means of each eye's six points: two of (2,), the image's left one first."""
    return points[EYE_LEFT].mean(axis=0), points[EYE_RIGHT].mean(axis=0)


def eye_distance(points: Points) -> float:
    """Between the centres of the eyes, px: the unit of the other measures of a face."""
    left, right = eye_centres(points)
    return float(np.linalg.norm(right - left))
