"""How alike the two sides of a face are, by its landmarks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream.vision.canonical_face import CANONICAL_FACE, INNER
from stream.vision.landmarks import MIRROR_68, eye_distance
from stream.vision.pose import Head, Matrix, fit_head

MOST_YAW = 25.0
"""Degrees: of a face that is turned further, too little of one side is seen."""
ASYMMETRIC_EYE_DISTANCES = 0.25
"""The difference of the sides at which the score reaches 0. People have 0.007 to 0.03."""

_LEAST_PX = 1.0


def symmetry(
    points: NDArray[np.float32], yaw: float | None, head: Head | None = None
) -> float | None:
    """points: (68, 2) px, picked from the 106, or (68, 3) px of 1k3d68; yaw: degrees, of the pose;
    head: what `fit_head` finds in two-dimensional points, where it is known already.
    Returns [0, 1]: 1 when the face equals its mirror image.

    Brows, eyes, nose and lips are turned to the front, in three dimensions: where only two are
    known, with the depth of a mean face. Their mirror image, each point in the place of its
    partner, is laid over them by the best shift and rotation, which is the mirror at the face's own
    midline. What is left is their root mean square distance in distances of the eyes. Position,
    size and turn of the head do not matter, nor does the outline: what is seen of it depends on
    where the camera stands. `None` beyond `MOST_YAW`, without a yaw, and for points that are no
    face.
    """
    if yaw is None or not abs(yaw) <= MOST_YAW:
        return None
    solid = (
        _lifted(points, head or fit_head(points)) if points.shape == (68, 2) else _measured(points)
    )
    if solid is None:
        return None
    mirrored = solid[MIRROR_68] * (-1, 1, 1)
    off = _laid_over(mirrored[INNER], solid[INNER]) / eye_distance(solid)
    return float(np.clip(1.0 - off / ASYMMETRIC_EYE_DISTANCES, 0.0, 1.0))


def _measured(points: NDArray[np.float32]) -> Matrix | None:
    if points.shape != (68, 3) or not np.isfinite(points).all():
        return None
    return None if eye_distance(points) < _LEAST_PX else points.astype(np.float64)


def _lifted(points: NDArray[np.float32], head: Head | None) -> Matrix | None:
    """(68, 2) px → (68, 3) of a head that looks ahead: where each point's ray meets the canonical
    face's plane of the same depth. Zeros for the jaw."""
    if head is None:
        return None
    rays = head.rays(points.astype(np.float64))
    away = -CANONICAL_FACE[:, 2]
    # (R X + t) in the image: x = ray_x z, y = ray_y z; two equations in the two unknown of X
    planes = head.rotation[:2] - rays[:, :, np.newaxis] * head.rotation[2]
    known = rays * head.translation[2] - head.translation[:2]
    known -= planes[:, :, 2] * away[:, np.newaxis]
    places = np.linalg.solve(planes[:, :, :2], known[:, :, np.newaxis])[:, :, 0]
    solid = np.zeros((68, 3))
    solid[INNER, :2], solid[INNER, 2] = places[INNER], CANONICAL_FACE[INNER, 2]
    return solid


def _laid_over(moving: Matrix, fixed: Matrix) -> float:
    """The root mean square distance that the best rotation and shift leave (Kabsch 1976)."""
    moving = moving - moving.mean(axis=0)
    fixed = fixed - fixed.mean(axis=0)
    one, _, other = np.linalg.svd(moving.T @ fixed)
    proper = np.diag([1.0, 1.0, np.sign(np.linalg.det(one @ other))])
    left_over = moving @ one @ proper @ other - fixed
    return float(np.sqrt(np.square(left_over).sum(axis=1).mean()))
