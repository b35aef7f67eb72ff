"""The colour of a face's skin, from its cheeks and forehead."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from stream.vision import cielab
from stream.vision.bgr import demand_bgr
from stream.vision.landmarks import MIRROR_68, Points, eye_distance

CHEEK = (
    {40: 0.45, 31: 0.4, 2: 0.15},
    {41: 0.45, 36: 0.1, 2: 0.45},
    {41: 0.2, 48: 0.35, 3: 0.45},
    {40: 0.2, 31: 0.35, 48: 0.3, 3: 0.15},
)
"""The four corners on the image's left, each a weighted mean of landmarks: below glasses, above a
beard, inside the face. Where a cheek turns away its patch narrows with it, and weighs less."""
FOREHEAD = ((19, 0.25), (24, 0.25), (23, 0.6), (20, 0.6))
"""The four corners: a point of a brow, and how far above it in lengths of the nose."""

CANONICAL_EYE_DISTANCE_PX = 48  # larger faces are shrunk to it: the colour of skin, not of pores
BLACK_LEVEL, BURNT_OUT_LEVEL = 5, 250  # of 255, the brightest channel: beyond them hue is unknown
KERNEL_DELTA_E = 5.0  # the standard deviation of a cheek's shades: finer, and they fall apart
LIT_DENSITY = 0.9  # of two colours that are nearly as frequent as each other, the lighter is lit
ALIKE_DELTA_E = 12.0  # skin of one colour, shading and all
LEAST_PIXELS = 30
LEAST_SHARE = 0.25  # of the patches' area; on faces it is 0.4 to 1
LEAST_YELLOWNESS = 1.0  # of b: a difference that is just seen

_NOSE_TOP, _NOSE_BASE = 27, 33
_LARGEST_SPAN_EYE_DISTANCES = 12.0  # beyond, even for a profile, the points are no face
_LEAST_AREA = 0.1  # of all patches, in squared eye distances: faces have 0.3 to 3, a line has none
_SUBPIXEL_BITS = 4

Floats = NDArray[np.float64]
Lab = NDArray[np.float64]


class Skin(NamedTuple):
    lab: tuple[float, float, float]
    """CIELAB under D65: L in [0, 100], a and b in [-128, 127]."""
    hex: str
    """`#rrggbb`: the same colour in sRGB."""


def skin_tone(image: NDArray[np.uint8], points: Points) -> Skin | None:
    """The colour that most of the skin on both cheeks and the forehead has.

    image: (H, W, 3) uint8 BGR, sRGB. points: (68, 2) px. The mode in CIELAB of the pixels of three
    patches: highlights, shadows, a fringe, the frame of glasses, a beard and what lies behind a
    turned cheek are other colours, and do not move it. Of two that are nearly as frequent it is the
    lighter, which is the lit side of a half lit face. Pixels that are burnt out in any channel, or
    black, have lost their hue and do not count. It is the colour in this light, by this camera:
    nothing is corrected.

    `None` for points that span no face, and where less than `LEAST_SHARE` of the patches' area or
    fewer than `LEAST_PIXELS` have the colour: a face that is cut off, burnt out, covered or a few
    pixels small. Raises `ValueError` for what is no image.

    Source: Comaniciu and Meer, "Mean shift: a robust approach toward feature space analysis",
    IEEE PAMI, 2002.
    """
    demand_bgr(image)
    patches = skin_patches(points)
    if patches is None:
        return None
    scale = min(1.0, CANONICAL_EYE_DISTANCE_PX / eye_distance(points))
    left, right, forehead = (_colours(pixels) for pixels in _pixels(image, patches, scale))
    lab = np.concatenate([left, right, forehead])
    if len(lab) < LEAST_PIXELS:
        return None
    weights = np.ones(len(lab))
    weights[len(lab) - len(forehead) :] = _forehead_weight(left, right, forehead)
    starts = [np.median(part, axis=0) for part in (left, right, forehead, lab) if len(part)]
    found = _dominant(lab, weights, starts)
    alike = np.linalg.norm(lab - found, axis=1) < ALIKE_DELTA_E
    area = sum(cv2.contourArea(patch) for patch in patches) * scale**2
    if alike.sum() < max(LEAST_SHARE * area, LEAST_PIXELS):
        return None
    red, green, blue = cielab.to_rgb(found)
    return Skin(
        (float(found[0]), float(found[1]), float(found[2])), f"#{red:02x}{green:02x}{blue:02x}"
    )


def individual_typology_angle(lab: tuple[float, float, float]) -> float | None:
    """lab: CIELAB under D65. Returns degrees in (-90, 90): the lighter the skin, the larger.

    ITA = arctan((L - 50) / b). In the classification of the source above 55 is very light, above
    41 light, above 28 intermediate, above 10 tan, above -30 brown, and dark below; it holds for
    skin under a colorimeter, and for a photograph as far as its light and camera are neutral.
    `None` where b is below `LEAST_YELLOWNESS`: a grey photograph or blue light, which have no such
    angle; and for what is not finite.

    Source: Chardon, Cretois and Hourseau, "Skin colour typology and suntanning pathways",
    International Journal of Cosmetic Science 13, 1991.
    """
    lightness, _, yellowness = lab
    if not (math.isfinite(lightness) and math.isfinite(yellowness)):
        return None
    if not 0 <= lightness <= 100 or yellowness < LEAST_YELLOWNESS:
        return None
    return math.degrees(math.atan2(lightness - 50, yellowness))


def skin_patches(points: Points) -> tuple[Points, Points, Points] | None:
    """points: (68, 2) px. Returns the corners, (4, 2) px each, of the patches on the image's left
    cheek, its right cheek and the forehead. `None` for points that span no face.
    """
    if points.shape != (68, 2) or not np.isfinite(points).all():
        return None
    up = points[_NOSE_TOP] - points[_NOSE_BASE]
    left, right = _cheek(points), _cheek(points[MIRROR_68])
    forehead = np.array([points[brow] + up * lengths for brow, lengths in FOREHEAD], np.float32)
    span = np.ptp(np.concatenate([left, right, forehead]), axis=0).max()
    unit = eye_distance(points)
    if unit < 1 or span > _LARGEST_SPAN_EYE_DISTANCES * unit:
        return None
    if sum(cv2.contourArea(patch) for patch in (left, right, forehead)) < _LEAST_AREA * unit**2:
        return None
    return left, right, forehead


def _cheek(points: Points) -> Points:
    corners = [sum(weight * points[i] for i, weight in corner.items()) for corner in CHEEK]
    return np.array(corners, np.float32)


def _pixels(
    image: NDArray[np.uint8], patches: tuple[Points, ...], scale: float
) -> list[NDArray[np.uint8]]:
    """(N, 3) BGR for each patch: what of it lies in the image, after shrinking by `scale`."""
    corners = np.concatenate(patches)
    limits = (image.shape[1], image.shape[0])
    left, top = np.clip(np.floor(corners.min(axis=0)) - 1, 0, limits).astype(int)
    right, bottom = np.clip(np.ceil(corners.max(axis=0)) + 2, 0, limits).astype(int)
    part = image[top:bottom, left:right]
    if part.size == 0:
        return [np.empty((0, 3), np.uint8) for _ in patches]
    size = (max(round((right - left) * scale), 1), max(round((bottom - top) * scale), 1))
    part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
    return [part[_inside(part, patch - (left, top), scale)] for patch in patches]


def _inside(part: NDArray[np.uint8], patch: Points, scale: float) -> NDArray[np.bool_]:
    """(H, W): the pixels of `part` that lie in the patch, whose corners are before `scale`."""
    corners = (patch + 0.5) * scale - 0.5  # a pixel's centre is the middle of those it came from
    mask = np.zeros(part.shape[:2], np.uint8)
    fixed = np.rint(corners * 2**_SUBPIXEL_BITS).astype(np.int32)
    cv2.fillPoly(mask, [fixed], 1, shift=_SUBPIXEL_BITS)
    return mask > 0


def _colours(pixels: NDArray[np.uint8]) -> Lab:
    """(N, 3) BGR → (M, 3) CIELAB of those that are neither burnt out nor black."""
    brightest = pixels.max(axis=1, initial=0)
    return cielab.from_bgr(pixels[(brightest > BLACK_LEVEL) & (brightest < BURNT_OUT_LEVEL)])


def _forehead_weight(left: Lab, right: Lab, forehead: Lab) -> float:
    """Of one of its pixels, so that all of them count as one cheek does: hair may cover it."""
    return min((len(left) + len(right)) / 2 / max(len(forehead), 1), 1.0) or 1.0


def _dominant(lab: Lab, weights: Floats, starts: list[Lab]) -> Lab:
    """(N, 3) and (N,) → (3,): the densest of the modes that mean shift finds from the starts."""
    colours = np.vstack([lab.T, np.ones(len(lab))])
    # of a kernel's exponent -½ |colour - mode|² = colour · mode - ½ |colour|² - ½ |mode|² all but
    # the last, as a product with (mode, 1); the weight is a part of it
    exponents = colours / KERNEL_DELTA_E**2
    exponents[3] = np.log(weights) - np.square(lab).sum(axis=1) / (2 * KERNEL_DELTA_E**2)
    modes = [_mode(colours, exponents, start) for start in starts]
    densest = max(density for density, _ in modes)
    lit = [mode for density, mode in modes if density >= LIT_DENSITY * densest]
    return max(lit, key=lambda mode: float(mode[0]))


def _mode(colours: Floats, exponents: Floats, start: Lab) -> tuple[float, Lab]:
    """(4, N) both, as above → the density's nearest maximum: its height, and where it is, (3,)."""
    mode = np.append(start, 1.0)
    for _ in range(100):
        near = mode @ exponents
        near -= mode[:3] @ mode[:3] / (2 * KERNEL_DELTA_E**2)
        np.exp(near, out=near)
        moved = colours @ near
        moved /= moved[3]
        step = float(np.abs(moved - mode).max())
        mode = moved
        if step < 0.01:
            break
    return float(near.mean()), mode[:3]
