"""How well a face can be seen: sharpness, light, how much it faces the camera. Each in [0, 1].

What hides a part of a face (a hand, a mask, dark glasses) is not measured: landmarks are placed
behind it all the same, and nothing else here knows of it.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from stream.vision.bgr import demand_bgr

CANONICAL_PX = 112  # the recogniser's own input size: sharpness beyond it does not help it
BLUR_FILTER_PX = 11  # Crete et al. blur by a mean over so many pixels
LEAST_SLOPE = 0.01  # of 255, in the mean: less is what float32 rounds
DARK_LEVEL, BRIGHT_LEVEL = 80.0, 180.0  # of 255: between them the mean is well exposed
BLACK_LEVEL, WHITE_LEVEL = 5, 250  # of 255: beyond them a pixel says nothing
FULL_CONTRAST = 40.0  # of 255: the standard deviation at which light is no longer flat
FACE_SHARE = 0.8  # of the box's sides: beyond it hair and background begin

Grey = NDArray[np.float32]


def blur_score(face: NDArray[np.uint8]) -> float | None:
    """face: (H, W, 3) uint8 BGR, the box's pixels. Returns [0, 1]: 0 blurred, 1 sharp.

    How much of the slopes a strong blur takes away, across or down, whichever is less: little
    where the face was blurred before. 1 minus the blur metric of the source, as scikit-image's
    `blur_effect` has it; a sharp face has about 0.5. Measured on grey at the area of 112 × 112 px,
    so that a large photograph and its thumbnail are alike; a face that is smaller lacks the detail
    and scores low. Brightness and contrast do not matter. `None` for a face without a slope, which
    is neither blurred nor sharp. Raises `ValueError` for what is no image.

    Source: Crete et al., "The blur effect: perception and estimation with a new no-reference
    perceptual blur metric", SPIE 6492, 2007.
    """
    grey = _canonical(face)
    if grey is None:
        return None
    scores = [_sharpness(grey), _sharpness(np.ascontiguousarray(grey.T))]
    return min((score for score in scores if score is not None), default=None)


def illumination(face: NDArray[np.uint8]) -> float | None:
    """face: (H, W, 3) uint8 BGR, the box's pixels. Returns [0, 1]: 0 dark, burnt out or flat, 1
    well lit.

    Of the grey levels in an ellipse in the box's middle, where there is face and little else, so
    that it hardly follows how the box lies: the product of exposure (1 while the mean lies between
    `DARK_LEVEL` and `BRIGHT_LEVEL`, falling to 0 at black and white), contrast (the standard
    deviation over `FULL_CONTRAST`, at most 1) and the share of pixels that are neither black nor
    white. It is the light that came back from the face: little light and very dark skin cannot be
    told apart. `None` for a face without pixels. Raises `ValueError` for what is no image.
    """
    demand_bgr(face)
    if face.size == 0:
        return None
    grey = cv2.cvtColor(face, cv2.COLOR_BGR2GRAY)[_ellipse(*face.shape[:2])]
    mean = float(grey.mean())
    exposure = min(mean / DARK_LEVEL, (255.0 - mean) / (255.0 - BRIGHT_LEVEL), 1.0)
    contrast = min(float(grey.std()) / FULL_CONTRAST, 1.0)
    legible = float(np.mean((grey > BLACK_LEVEL) & (grey < WHITE_LEVEL)))
    return exposure * contrast * legible


def frontal_alignment(yaw: float, pitch: float) -> float | None:
    """yaw, pitch: degrees. Returns [0, 1]: 1 faces the camera, 0.75 is 30° away, 0 is a profile.

    The squared cosine of the angle between the face's direction and the camera's, 0 beyond 90°.
    Roll does not matter: alignment takes it away. `None` unless both are finite. Source: ISO/IEC
    29794-5:2025, frontal alignment of the head pose angles, of which this is one for yaw and pitch.
    """
    if not (math.isfinite(yaw) and math.isfinite(pitch)):
        return None
    across, up = math.cos(math.radians(yaw)), math.cos(math.radians(pitch))
    return (across * up) ** 2 if across > 0 and up > 0 else 0.0


def overall(*scores: float | None) -> float | None:
    """The geometric mean of the scores that were measured, each in [0, 1]; `None` when none was.

    Raises `ValueError` for a score outside of [0, 1].
    """
    measured = [score for score in scores if score is not None]
    if not all(0 <= score <= 1 for score in measured):
        raise ValueError(f"scores lie in [0, 1]: {measured}")
    return math.prod(measured) ** (1 / len(measured)) if measured else None


def _canonical(face: NDArray[np.uint8]) -> Grey | None:
    """(h, w) grey in [0, 255] with the face's proportions and about `CANONICAL_PX`² pixels."""
    demand_bgr(face)
    if face.size == 0:
        return None
    height, width = face.shape[:2]
    scale = CANONICAL_PX / math.sqrt(height * width)
    grey = cv2.cvtColor(face, cv2.COLOR_BGR2GRAY).astype(np.float32)
    return np.asarray(
        cv2.resize(
            grey,
            (max(round(width * scale), 1), max(round(height * scale), 1)),
            interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR,
        ),
        np.float32,
    )


def _sharpness(grey: Grey) -> float | None:
    """Of the slopes down the columns the share that blurring the columns takes away."""
    blurred = cv2.blur(grey, (1, BLUR_FILTER_PX), borderType=cv2.BORDER_REFLECT)
    before, after = _slopes(grey), _slopes(np.asarray(blurred, np.float32))
    whole = float(before.sum(dtype=np.float64))
    if whole <= LEAST_SLOPE * before.size:
        return None
    return float(np.maximum(before - after, 0).sum(dtype=np.float64)) / whole


def _slopes(grey: Grey) -> Grey:
    """Down the columns, by Sobel's filter, without sign and without the edges of the picture."""
    slopes = cv2.Sobel(grey, cv2.CV_32F, 0, 1)[2:-1, 2:-1]
    return np.asarray(np.abs(slopes), np.float32)


def _ellipse(height: int, width: int) -> NDArray[np.bool_]:
    """(height, width): the pixels whose centres lie in the ellipse of `FACE_SHARE` of the sides."""
    rows, columns = np.ogrid[:height, :width]
    down = (2 * rows + 1 - height) / height
    across = (2 * columns + 1 - width) / width
    inside: NDArray[np.bool_] = down**2 + across**2 <= FACE_SHARE**2
    return inside
