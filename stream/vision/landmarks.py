"""The iBUG 68-point scheme: what its indices mean, and how to come by it from 106 points.

Left and right are the image's. Points are (68, 2), px, x before y. docs/landmarks-106-to-68.png
shows both schemes on a face.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.vision.warp import aligned

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

MIRROR_106 = np.array([
    0, *range(17, 33), *range(1, 17),                               # jaw
    87, 88, 93, 91, 90, 92, 89, 94, 96, 95,                         # eye
    101, 100, 99, 97, 98, 105, 104, 102, 103,                       # brow
    61, 53, 57, 58, 59, 54, 55, 56, 60, 52,                         # lips
    62, 67, 68, 69, 70, 63, 64, 65, 66, 71,
    72, 73, 74, 81, 82, 83, 84, 85, 80, 75, 76, 77, 78, 79, 86,     # nose
    33, 34, 39, 37, 36, 38, 35, 40, 42, 41,                         # eye
    46, 47, 45, 44, 43, 50, 51, 49, 48,                             # brow
])
"""For each of the 106 points the index of the same place on the other side of the face."""
# fmt: on

_EYE_106_LEFT, _EYE_106_RIGHT = slice(33, 43), slice(87, 97)

# Over 450 LFW faces: where the 106 points stand upright, the crop that 2d106det is fed (1.5 of the
# detector's box) has 2.03 of their longer extent as its side, and its middle lies above theirs.
_SQUARE_EXTENTS = 2.03
_ABOVE_EXTENTS = 0.2
# There, over 769 LFW faces and their mirror images, the five points of the detector have these
# places, in shares of the side.
_FIVE_IN_SQUARE = np.array(
    [[0.389, 0.433], [0.611, 0.433], [0.5, 0.560], [0.402, 0.662], [0.598, 0.662]]
)
_LEAST_PX = 1.0
_LEAST_BREADTH = 0.05  # of the length: a face in profile has 0.3


def to_68(points_106: NDArray[np.float32]) -> Points | None:
    """(106, 2) in 2d106det order → (68, 2) in iBUG order; `None` unless all are finite."""
    if points_106.shape != (106, 2) or not np.isfinite(points_106).all():
        return None
    points: Points = points_106[TO_68]
    return points


def eye_distance(points: NDArray[np.floating[Any]]) -> float:
    """Between the means of each eye's six points: the unit of the other measures of a face.

    points: (68, 2) or (68, 3). Raises ValueError for others, and for those that are not finite.
    """
    if points.shape not in {(68, 2), (68, 3)} or not np.isfinite(points).all():
        raise ValueError("not 68 finite points")
    return float(np.linalg.norm(points[EYE_RIGHT].mean(axis=0) - points[EYE_LEFT].mean(axis=0)))


def span_a_plane(points: NDArray[np.floating[Any]]) -> bool:
    """Whether points are finite and, as seen, neither in one place nor on one line.

    points: (N, 2) or (N, 3) px.
    """
    if points.ndim != 2 or points.shape[1] < 2 or not np.isfinite(points).all():
        return False
    if len(points) < 3:
        return False
    spread = points[:, :2] - points[:, :2].mean(axis=0)
    length, breadth = np.linalg.svd(spread, compute_uv=False)
    return bool(length >= _LEAST_PX and breadth >= _LEAST_BREADTH * length)


def square_by_five(points_5: Points, side_px: int) -> NDArray[np.float64] | None:
    """What `upright_square` gives, nearly, by the points that a detector finds with a face.

    points_5: (5, 2) px: the eyes, the nose, the corners of the mouth. Returns (2, 3), a similarity:
    pixels of the image → pixels of a square of `side_px`; `None` for points that are not finite or
    in one place.
    """
    return aligned(points_5, _FIVE_IN_SQUARE * side_px - 0.5)


def upright_square(points_106: Points, side_px: int) -> NDArray[np.float64] | None:
    """The crop that 2d106det is used to, with the line of the eyes level in it.

    points_106: (106, 2) px. Returns (2, 3), a similarity: pixels of the image → pixels of a square
    of `side_px`; `None` for points that are not finite, in one place or on one line.
    """
    if points_106.shape != (106, 2) or not span_a_plane(points_106):
        return None
    points = points_106.astype(np.float64)
    left, right = points[_EYE_106_LEFT].mean(axis=0), points[_EYE_106_RIGHT].mean(axis=0)
    across = (right - left) / max(float(np.linalg.norm(right - left)), 1e-9)
    level = np.array([across, [-across[1], across[0]]])
    upright = points @ level.T
    low, high = upright.min(axis=0), upright.max(axis=0)
    extent = float((high - low).max())
    middle = (low + high) / 2 - (0, _ABOVE_EXTENTS * extent)
    scale = side_px / (_SQUARE_EXTENTS * extent)
    return np.column_stack([level * scale, (side_px - 1) / 2 - middle * scale])
