"""Heads of other shapes than the one that pose is measured against, and cameras that see them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream.vision.canonical_face import CANONICAL_FACE
from stream.vision.landmarks import JAW, MIRROR_68
from stream.vision.pose import Angles, fit_head

Shape = NDArray[np.float64]
Points = NDArray[np.float32]

_NOSE_TIP = np.array([29, 30])
_NOSE_BASE = np.arange(31, 36)
_MOUTH = np.arange(48, 68)


def _with_jaw() -> Shape:
    """The mean head with the 17 points of a jaw, from ear to ear through the chin."""
    shape = CANONICAL_FACE.copy()
    turn = np.linspace(-np.pi / 2, np.pi / 2, 17)
    x, y = 1.1 * np.sin(turn), 1.9 * np.cos(turn)
    shape[JAW] = np.column_stack([x, y, -1.0 + 1.07 * np.cos(turn)])
    return shape


MEAN = _with_jaw()


def _broad() -> Shape:
    shape = MEAN * (1.03, 0.98, 1.0)
    shape[_NOSE_BASE] *= (1.12, 1.0, 1.0)
    shape[_MOUTH] *= (1.1, 1.0, 1.0)
    return shape


def _long() -> Shape:
    shape = MEAN * (0.99, 1.03, 1.0)
    shape[_NOSE_TIP] += (0.0, 0.01, 0.03)
    shape[_NOSE_BASE] += (0.0, 0.02, 0.01)
    shape[_MOUTH] += (0.0, 0.04, 0.0)
    return shape


def _smiling() -> Shape:
    shape = MEAN * (1.01, 0.99, 0.98)
    shape[_NOSE_TIP] += (0.0, -0.01, -0.02)
    shape[_NOSE_BASE] *= (1.1, 1.0, 1.0)
    shape[[48, 60]] += (-0.07, -0.02, -0.03)
    shape[[54, 64]] += (0.07, -0.02, -0.03)
    return shape


OTHERS = {"broad": _broad(), "long": _long(), "smiling": _smiling()}
"""Symmetric, off the mean head as people are: by 3 to 5 % in the proportions of width, height and
depth, by 5 to 15 % in nose and mouth."""


def crooked(shape: Shape) -> Shape:
    """As seen: the left corner of its mouth and its left brow hang by a tenth of the eyes'
    distance, its nose is bent to the right."""
    shape = shape.copy()
    shape[[48, 49, 59, 60, 67]] += (0.02, 0.1, 0.0)
    shape[17:22] += (0.0, 0.1, 0.0)
    shape[[30, 33]] += (0.06, 0.0, 0.0)
    return shape


def crooked_to_the_other_side(shape: Shape) -> Shape:
    mirrored: Shape = crooked(shape[MIRROR_68] * (-1, 1, 1))[MIRROR_68] * (-1, 1, 1)
    return mirrored


def rotation(yaw: float, pitch: float, roll: float) -> Shape:
    """(3, 3), degrees: first the nod, then the turn, then the tilt. Axes: right, down, towards the
    viewer."""
    a, b, c = np.radians([yaw, pitch, roll])
    turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    nod = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    tilt = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    product: Shape = tilt @ turn @ nod
    return product


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera that looks at the middle of the face."""

    focal_px: float = 1150.0
    distance: float = 13.0
    """In distances of the eyes: 80 cm."""
    principal: tuple[float, float] = (640.0, 360.0)

    def sees(self, shape: Shape, *, yaw: float = 0, pitch: float = 0, roll: float = 0) -> Points:
        """(68, 2) px."""
        middle = shape[JAW.stop :].mean(axis=0)
        turned = (shape - middle) @ rotation(yaw, pitch, roll).T
        scale = self.focal_px / (self.distance - turned[:, 2:])
        seen: Points = (turned[:, :2] * scale + self.principal).astype(np.float32)
        return seen


def head_pose(points: NDArray[np.float32]) -> Angles | None:
    """As the analysis has it without `1k3d68`."""
    head = fit_head(points)
    return None if head is None else head.angles
