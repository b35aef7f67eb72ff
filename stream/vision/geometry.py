"""Four ratios of distances between the 68 landmarks.

They are measured in the image's plane: a head that is turned away shortens what is across.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stream.vision.landmarks import (
    BROW_LEFT,
    BROW_RIGHT,
    CHIN,
    JAW,
    NOSTRIL_LEFT,
    NOSTRIL_RIGHT,
    Points,
    eye_distance,
    span_a_plane,
)

_JAW_ANGLE_LEFT, _JAW_ANGLE_RIGHT = 4, 12  # where the jaw turns from the cheek to the chin
_LEAST_PX = 1.0


class Ratios(NamedTuple):
    """Without unit, positive. Face width: between the ends of the jaw line, at the ears."""

    face_width_height: float
    """Face width over the height from the middle of the brows to the chin."""
    eye_spacing_face_width: float
    """Between the centres of the eyes."""
    jawline_width_face_width: float
    """Between the angles of the jaw."""
    nose_width_face_width: float
    """Between the outer ends of the nostrils."""


def ratios(points: Points) -> Ratios | None:
    """points: (68, 2) px. `None` for a face less than a pixel wide or high, and for points on a
    line."""
    if points.shape != (68, 2) or not span_a_plane(points):
        return None
    jaw = points[JAW]
    brows = np.concatenate([points[BROW_LEFT], points[BROW_RIGHT]]).mean(axis=0)
    width = _distance(jaw[0], jaw[-1])
    height = _distance(brows, points[CHIN])
    if min(width, height) < _LEAST_PX:
        return None
    return Ratios(
        face_width_height=width / height,
        eye_spacing_face_width=eye_distance(points) / width,
        jawline_width_face_width=_distance(jaw[_JAW_ANGLE_LEFT], jaw[_JAW_ANGLE_RIGHT]) / width,
        nose_width_face_width=_distance(points[NOSTRIL_LEFT], points[NOSTRIL_RIGHT]) / width,
    )


def _distance(one: Points, other: Points) -> float:
    return float(np.linalg.norm(one - other))
