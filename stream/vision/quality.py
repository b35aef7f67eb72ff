"""How well a face can be seen: sharpness and light, each in [0, 1]."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

CANONICAL_PX = 112  # the recogniser's own input size: sharpness beyond it does not help it
SHARP_LAPLACIAN_VARIANCE = 500.0  # the score saturates here
DARK_LEVEL, BRIGHT_LEVEL = 80.0, 180.0  # of 255: between them the mean is well exposed
BLACK_LEVEL, WHITE_LEVEL = 5, 250  # of 255: beyond them a pixel says nothing
FULL_CONTRAST = 40.0  # of 255: the standard deviation at which light is no longer flat


def blur_score(face: NDArray[np.uint8]) -> float | None:
    """face: (H, W, 3) uint8 BGR, the box's pixels. Returns [0, 1]: 0 blurred, 1 sharp.

    The variance of the Laplacian of the grey face at 112 px, so that a large photograph and its
    thumbnail are measured alike; a face smaller than that lacks the detail and scores low.
    Source: Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", 2000.
    """
    if face.size == 0:
        return None
    height, width = face.shape[:2]
    shrinks = min(height, width) > CANONICAL_PX
    scaled = cv2.resize(
        cv2.cvtColor(face, cv2.COLOR_BGR2GRAY),
        (CANONICAL_PX, CANONICAL_PX),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
    variance = float(cv2.Laplacian(scaled, cv2.CV_64F).var())
    return min(variance / SHARP_LAPLACIAN_VARIANCE, 1.0)


def illumination(face: NDArray[np.uint8]) -> float | None:
    """face: (H, W, 3) uint8 BGR. Returns [0, 1]: 0 dark, burnt out or flat, 1 well lit.

    The product of exposure (1 while the mean grey lies between `DARK_LEVEL` and `BRIGHT_LEVEL`,
    falling to 0 at black and white), contrast (the standard deviation over `FULL_CONTRAST`, at
    most 1) and the share of pixels that are neither black nor white.
    """
    if face.size == 0:
        return None
    grey = cv2.cvtColor(face, cv2.COLOR_BGR2GRAY)
    mean = float(grey.mean())
    exposure = min(mean / DARK_LEVEL, (255.0 - mean) / (255.0 - BRIGHT_LEVEL), 1.0)
    contrast = min(float(grey.std()) / FULL_CONTRAST, 1.0)
    legible = float(np.mean((grey > BLACK_LEVEL) & (grey < WHITE_LEVEL)))
    return exposure * contrast * legible


def overall(*scores: float | None) -> float | None:
    """The geometric mean of the scores that were measured; `None` when none was."""
    measured = [score for score in scores if score is not None]
    return math.prod(measured) ** (1 / len(measured)) if measured else None
