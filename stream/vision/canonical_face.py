"""A face in three dimensions: where the 106 landmarks lie on the mean head."""

from __future__ import annotations

import numpy as np

from stream.vision.landmarks import (
    BROW_LEFT,
    MIRROR_68,
    MOUTH_LEFT,
    MOUTH_RIGHT,
)

# Factored out of the landmarks of 448 LFW faces and their mirror images (rigid heads, least
# squares, the angles of `fit_head`). InsightFace's meanshape_68 is another annotation: its nose is
# shorter by a fifth of the eyes' distance and its jaw lies on the head, where the 106 points follow
# the outline that the camera sees. Laid over the 106 points it makes pitch a third of what it is.
_HALF = {
    # brow
    17: (-0.89, -0.18, -0.10),
    18: (-0.76, -0.32, -0.01),
    19: (-0.57, -0.36, 0.09),
    20: (-0.38, -0.34, 0.16),
    21: (-0.21, -0.27, 0.22),
    # nose
    27: (0.00, -0.06, 0.18),
    28: (0.00, 0.13, 0.31),
    29: (0.00, 0.33, 0.44),
    30: (0.00, 0.52, 0.56),
    31: (-0.23, 0.66, 0.31),
    32: (-0.12, 0.69, 0.35),
    33: (0.00, 0.72, 0.39),
    # eye
    36: (-0.71, 0.01, -0.05),
    37: (-0.61, -0.05, -0.02),
    38: (-0.38, -0.05, 0.03),
    39: (-0.29, 0.02, 0.04),
    40: (-0.39, 0.04, 0.02),
    41: (-0.61, 0.04, -0.02),
    # lips
    48: (-0.45, 1.06, -0.09),
    49: (-0.29, 0.98, 0.12),
    50: (-0.10, 0.94, 0.26),
    51: (0.00, 0.96, 0.26),
    57: (0.00, 1.30, 0.16),
    58: (-0.20, 1.27, 0.10),
    59: (-0.34, 1.18, 0.01),
    60: (-0.38, 1.06, -0.05),
    61: (-0.23, 1.04, 0.11),
    62: (0.00, 1.04, 0.22),
    66: (0.00, 1.16, 0.17),
    67: (-0.24, 1.13, 0.07),
}

CANONICAL_FACE = np.full((68, 3), np.nan)
"""(68, 3): to the right as seen, down, towards the viewer; the unit is the distance of the eyes'
centres, the origin lies between them. NaN for the jaw. A head that looks straight
ahead: zero is that of InsightFace's mean shape, by an independent 3-D face mesh on 216 faces."""
for _index, _place in _HALF.items():
    CANONICAL_FACE[_index] = _place
    CANONICAL_FACE[MIRROR_68[_index]] = _place * np.array([-1, 1, 1])

INNER = np.arange(BROW_LEFT.start, 68)
"""The points within the outline: brows, nose, eyes and lips."""

RIGID = np.array([
    36, 39, 42, 45,
    *range(27, 36),
    MOUTH_LEFT, MOUTH_RIGHT,
])  # fmt: skip
"""Corners of the eyes and of the mouth, and the nose: of all points those that neither an
expression nor the way they are annotated moves much."""
