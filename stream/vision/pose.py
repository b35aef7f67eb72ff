"""Head pose from 68 landmarks: how a head must be turned for the camera to see them there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from stream.vision.canonical_face import CANONICAL_FACE, RIGID
from stream.vision.landmarks import span_a_plane

Matrix = NDArray[np.float64]

CAMERA_FACE_RADII = 20.0
"""How far away the camera is thought to be: for a head about a metre, between a selfie and a
portrait. For one that is three times as near or as far, angles are off by less than 2°."""
MOST_OFF = 0.2
"""In distances of the eyes, root mean square: points further from every turned head are no face."""

_TOWARDS_TO_AWAY = np.array([1.0, 1.0, -1.0])


class Angles(NamedTuple):
    """Degrees. The face's own left is the right of an image that is not mirrored."""

    pitch: float
    """Positive: the face looks up."""
    yaw: float
    """Positive: the face turns to its own left."""
    roll: float
    """Positive: the head tilts to its own left shoulder."""


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """The canonical face before a pinhole camera; axes to the right, down and away."""

    rotation: Matrix
    """(3, 3): of the head in the camera's axes."""
    translation: Matrix
    """(3,): from the camera to the middle of the eyes, in distances of the eyes."""
    focal_px: float
    principal: Matrix
    """(2,) px: where the camera looks."""

    @property
    def angles(self) -> Angles:
        towards = self.rotation * np.outer(_TOWARDS_TO_AWAY, _TOWARDS_TO_AWAY)
        return _angles(*towards)

    def rays(self, points: Matrix) -> Matrix:
        """(N, 2) px → (N, 2): at distance 1 from the camera, to the right and down."""
        return (points - self.principal) / self.focal_px


def fit_head(points: NDArray[np.float32]) -> Head | None:
    """The head whose rigid points come nearest to those of the image, by `cv2.solvePnP`.

    points: (68, 2) px, picked from the 106. The camera looks at the middle of the face, so the
    angles are those to the line of sight. `None` for points that are not finite, do not span a
    face, or lie like no head's.

    Against an independent 3-D face mesh, over 216 faces of photographs: the same zero (it was set
    by it), 5° of scatter in pitch, 2° in yaw, 1° in roll. LFW's faces have a pitch of -1° in the
    median.
    """
    if points.shape != (68, 2) or not np.isfinite(points).all():
        return None
    seen = points[RIGID].astype(np.float64)
    if not span_a_plane(seen):
        return None
    principal = seen.mean(axis=0)
    radius = float(np.linalg.norm(seen - principal, axis=1).max())
    focal_px = CAMERA_FACE_RADII * radius
    placed = _placed((seen - principal) / focal_px)
    return None if placed is None else Head(*placed, focal_px, principal)


def _placed(rays: Matrix) -> tuple[Matrix, Matrix] | None:
    """The rotation and the translation of the canonical face that these rays of its rigid points
    want."""
    shape = CANONICAL_FACE[RIGID] * _TOWARDS_TO_AWAY
    try:
        found, turn, shift = cv2.solvePnP(shape, rays, np.eye(3), None, flags=cv2.SOLVEPNP_SQPNP)
        turn, shift = cv2.solvePnPRefineLM(shape, rays, np.eye(3), None, turn, shift)
    except cv2.error:  # the points are all but one
        return None
    rotation, translation = np.asarray(cv2.Rodrigues(turn)[0], np.float64), shift.ravel()
    places = shape @ rotation.T + translation
    if not found or not places[:, 2].min() > 0:
        return None
    off = (places[:, :2] / places[:, 2:] - rays) * translation[2]
    off_rms = float(np.sqrt(np.square(off).sum(axis=1).mean()))
    return (rotation, translation) if off_rms <= MOST_OFF else None


def insightface_pose(points: NDArray[np.float32], mean_shape: Matrix) -> Angles | None:
    """The angles that InsightFace computes as `face.pose`, from the points of its `1k3d68`.

    points: (68, 3) px, of which x and y are used. mean_shape: (68, 3), x to the right, y down, z
    towards the viewer (InsightFace's meanshape_68). `None` for points that are not finite or do
    not span a face. Source: insightface/utils/transform.py.
    """
    if len(points) != len(mean_shape) or not span_a_plane(points):
        return None
    homogeneous = np.column_stack([mean_shape, np.ones(len(mean_shape))])
    affine, *_ = np.linalg.lstsq(homogeneous, points[:, :2].astype(np.float64), rcond=None)
    rows = affine[:3].T
    lengths = np.linalg.norm(rows, axis=1)
    right, down = rows / lengths[:, np.newaxis]
    return _angles(right, down, np.cross(right, down))


def _angles(right: Matrix, down: Matrix, towards: Matrix) -> Angles:
    """Euler angles of the matrix of these rows: roll after yaw after pitch."""
    across = math.hypot(right[0], down[0])
    return Angles(
        pitch=math.degrees(math.atan2(towards[1], towards[2])),
        yaw=math.degrees(math.atan2(-towards[0], across)),
        roll=math.degrees(math.atan2(down[0], right[0])),
    )
