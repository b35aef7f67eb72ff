"""How alike the two sides of a face are, by its 68 landmarks."""

from __future__ import annotations

import numpy as np

from stream.vision.landmarks import MIRROR_68, Points, eye_distance

ASYMMETRIC_EYE_DISTANCES = 0.5  # the residual at which the score reaches 0

_LEAST_PX = 1.0


def symmetry(points: Points) -> float | None:
    """points: (68, 2) px. Returns [0, 1]: 1 when the face equals its mirror image.

    The mirrored landmarks are laid over the landmarks by the best shift and rotation; what is left
    is their root mean square distance in eye distances. Position, size and roll of the head do not
    matter; a head that is turned is not symmetric in the image. `None` for degenerate points.
    """
    if points.shape != (68, 2) or not np.isfinite(points).all():
        return None
    unit = eye_distance(points)
    if unit < _LEAST_PX:
        return None
    centred = points - points.mean(axis=0)
    plane = centred[:, 0].astype(np.float64) + 1j * centred[:, 1]  # where a rotation is a factor
    mirrored = -plane[MIRROR_68].conj()
    overlap = np.sum(plane * mirrored.conj())
    rotation = overlap / max(abs(overlap), 1e-12)
    residual = np.sqrt(np.mean(np.square(abs(mirrored * rotation - plane))))
    return float(np.clip(1.0 - residual / unit / ASYMMETRIC_EYE_DISTANCES, 0.0, 1.0))
