"""The colour of a face's skin, from its cheeks and forehead."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.vision import cielab
from stream.vision.landmarks import (
    BROW_LEFT,
    BROW_RIGHT,
    EYE_LEFT,
    EYE_RIGHT,
    MOUTH_LEFT,
    MOUTH_RIGHT,
    Points,
    eye_centres,
    eye_distance,
)

PATCH_EYE_DISTANCES = 0.16  # a patch's radius: clear of eyes, nostrils and the face's edge
CHEEK_DOWN = 0.55  # of the way from the eye to the corner of the mouth
FOREHEAD_EYE_DISTANCES = 0.3  # above the brows
LEAST_PIXELS = 30


class Skin(NamedTuple):
    lab: tuple[float, float, float]
    """CIELAB under D65: L in [0, 100], a and b in [-128, 127]."""
    hex: str
    """`#rrggbb`: the same colour in sRGB."""


def skin_tone(image: NDArray[np.uint8], points: Points) -> Skin | None:
    """The median colour of three patches: both cheeks and the forehead.

    image: (H, W, 3) uint8 BGR, sRGB. points: (68, 2) px. `None` where fewer than `LEAST_PIXELS`
    of the patches lie in the image. It is the colour in this light: nothing is corrected.
    """
    if points.shape != (68, 2) or not np.isfinite(points).all():
        return None
    pixels = _patches(image, points)
    if len(pixels) < LEAST_PIXELS:
        return None
    lab = np.median(cielab.from_bgr(pixels), axis=0)
    red, green, blue = cielab.to_rgb(lab)
    return Skin((float(lab[0]), float(lab[1]), float(lab[2])), f"#{red:02x}{green:02x}{blue:02x}")


def _patches(image: NDArray[np.uint8], points: Points) -> NDArray[np.uint8]:
    """(N, 3) BGR of the pixels in the three patches."""
    unit = eye_distance(points)
    left, right = eye_centres(points)
    brow_left, brow_right = points[BROW_LEFT].mean(axis=0), points[BROW_RIGHT].mean(axis=0)
    across = (right - left) / max(unit, 1e-6)
    up = np.array([across[1], -across[0]])
    outward = across * unit * 0.1
    cheek_left = _between(points[EYE_LEFT].mean(axis=0), points[MOUTH_LEFT]) - outward
    cheek_right = _between(points[EYE_RIGHT].mean(axis=0), points[MOUTH_RIGHT]) + outward
    forehead = (brow_left + brow_right) / 2 + up * unit * FOREHEAD_EYE_DISTANCES
    return np.concatenate(
        [
            _disc(image, centre, unit * PATCH_EYE_DISTANCES)
            for centre in (cheek_left, cheek_right, forehead)
        ]
    )


def _between(eye: Points, corner: Points) -> Points:
    return eye + (corner - eye) * CHEEK_DOWN


def _disc(image: NDArray[np.uint8], centre: Points, radius: float) -> NDArray[np.uint8]:
    """(N, 3): the pixels of the image within `radius` px of `centre`."""
    height, width = image.shape[:2]
    x, y = float(centre[0]), float(centre[1])
    left, right = max(int(x - radius), 0), min(int(x + radius) + 2, width)
    top, bottom = max(int(y - radius), 0), min(int(y + radius) + 2, height)
    if left >= right or top >= bottom:
        return np.empty((0, 3), np.uint8)
    rows, columns = np.ogrid[top:bottom, left:right]
    inside = (columns - x) ** 2 + (rows - y) ** 2 <= radius**2
    return image[top:bottom, left:right][inside]
