"""Head pose from 68 landmarks: how a mean face must be turned to cover them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Angles(NamedTuple):
    """Degrees. The face's own left is the right of an image that is not mirrored."""

    pitch: float
    """Positive: the face looks up."""
    yaw: float
    """Positive: the face turns to its own left."""
    roll: float
    """Positive: the head tilts to its own left shoulder."""


def head_pose(points: NDArray[np.float32], mean_shape: NDArray[np.float64]) -> Angles | None:
    """The weak-perspective pose that least squares finds, as InsightFace computes `face.pose`.

    points: (68, 2) or (68, 3) px, of which x and y are used, as by InsightFace: with the points of
    its `1k3d68` the angles are its own. mean_shape: (68, 3), x to the right, y down, z towards the
    viewer (InsightFace's meanshape_68). `None` for points that are not finite or do not span a
    face. Source: insightface/utils/transform.py.
    """
    if len(points) != len(mean_shape) or not np.isfinite(points).all():
        return None
    homogeneous = np.column_stack([mean_shape, np.ones(len(mean_shape))])
    affine, *_ = np.linalg.lstsq(homogeneous, points[:, :2].astype(np.float64), rcond=None)
    rows = affine[:3].T
    lengths = np.linalg.norm(rows, axis=1)
    if lengths.min() < 1e-6:
        return None
    right, down = rows / lengths[:, np.newaxis]
    return _angles(right, down, np.cross(right, down))


def _angles(
    right: NDArray[np.float64], down: NDArray[np.float64], out: NDArray[np.float64]
) -> Angles:
    """Euler angles of the matrix of these rows."""
    across = math.hypot(right[0], down[0])
    return Angles(
        pitch=math.degrees(math.atan2(out[1], out[2])),
        yaw=math.degrees(math.atan2(-out[0], across)),
        roll=math.degrees(math.atan2(down[0], right[0])),
    )
