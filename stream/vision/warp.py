"""An image seen through a similarity transform, without aliasing: the crops that models are fed."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from stream.vision.bgr import demand_bgr

_LEAST_AREA = 1e-8  # of a pixel of the image in pixels of the crop: 10,000 to one, along a side
_NEARLY_AS_LARGE = 1.25  # pixels of the image along one of the crop: bilinear, all still count
# along a pixel's side, of the averages of whole pixels: with 1.5 a crop follows where its blocks
# begin, and an age moves by 4 years with the size of a photograph
_LEAST_SAMPLES = 2
_APART_PX = 1.5  # samples are no further from each other: bilinear, they leave no pixel out
_ROUNDING = 1e-6
_LEAST_SPREAD = 1e-6  # px², the sum over points: less is one place


def square_around(
    box: NDArray[np.float32], side_px: int, margin: float
) -> NDArray[np.float64] | None:
    """The transform of a box into the middle of a square, as InsightFace cuts its faces.

    box: (4,) px: left, top, right, bottom; `margin`: how often the box's longer side goes into the
    square's. Returns (2, 3): pixels of the image → pixels of the square; `None` for a box without
    extent. Source: insightface/utils/face_align.py, `transform`.
    """
    if box.shape != (4,):
        return None
    left, top, right, bottom = (float(edge) for edge in box)
    longer = max(right - left, bottom - top)
    if not (np.isfinite(box).all() and longer > 0):
        return None
    scale = side_px / (longer * margin)
    shift_x = side_px / 2 - (left + right) / 2 * scale
    shift_y = side_px / 2 - (top + bottom) / 2 * scale
    return np.array([[scale, 0, shift_x], [0, scale, shift_y]])


def aligned(
    points: NDArray[np.floating], target: NDArray[np.floating]
) -> NDArray[np.float64] | None:
    """The similarity that brings points nearest to others, by least squares.

    points, target: (N, 2) px. Returns (2, 3): pixels of the points → pixels of the target; `None`
    for points that are not as many, not finite or in one place. Source: S. Umeyama, "Least-squares
    estimation of transformation parameters between two point patterns" (1991), in the plane, where
    rotation and scale are one complex number.
    """
    if points.ndim != 2 or points.shape != target.shape or not np.isfinite(points).all():
        return None
    here, there = (each.mean(axis=0, dtype=np.float64) for each in (points, target))
    (x, y), (u, v) = (points - here).T, (target - there).T
    size = float(x @ x + y @ y)
    if size < _LEAST_SPREAD:
        return None
    a, b = (x @ u + y @ v) / size, (x @ v - y @ u) / size
    turn = np.array([[a, -b], [b, a]])
    return np.column_stack([turn, there - turn @ here])


def warp(
    image: NDArray[np.uint8], to_crop: NDArray[np.float64], side_px: int
) -> NDArray[np.uint8] | None:
    """What `cv2.warpAffine` gives, but that a pixel is the mean over what it covers.

    image: (H, W, 3) uint8 BGR; to_crop: (2, 3), a similarity, pixels of the image → pixels of the
    crop. Returns (side_px, side_px, 3); black beyond the image's edges. Where the image is not
    made smaller, or by a quarter at most, the two are the same to a level of grey. Beyond,
    `warpAffine` takes single pixels out of the many: a face of 800 px cut to 96 px then looks
    coarse, and older by years than its half-sized copy. `None` for an image without pixels and a
    transform without extent. Raises `ValueError` for what is no image.
    """
    demand_bgr(image)
    if image.size == 0 or not np.isfinite(to_crop).all():
        return None
    area = abs(float(np.linalg.det(to_crop[:, :2])))
    if area < _LEAST_AREA:
        return None
    shrinks = 1 / math.sqrt(area)
    whole = max(math.floor(shrinks / _LEAST_SAMPLES), 1)
    part, to_crop = _covered(image, to_crop, side_px, whole)
    samples = 1
    if shrinks > _NEARLY_AS_LARGE:
        samples = max(math.ceil(shrinks / whole / _APART_PX - _ROUNDING), _LEAST_SAMPLES)
    finer = to_crop * samples
    finer[:, 2] += (samples - 1) / 2  # the middle of a pixel stays its middle
    finer_px = side_px * samples
    # OpenCV moves four channels in less than half of the time that it takes for three
    cut = cv2.warpAffine(cv2.cvtColor(part, cv2.COLOR_BGR2BGRA), finer, (finer_px, finer_px))
    if samples > 1:
        cut = cv2.resize(cut, (side_px, side_px), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(cut, cv2.COLOR_BGRA2BGR), np.uint8)


def _covered(
    image: NDArray[np.uint8], to_crop: NDArray[np.float64], side_px: int, block_px: int
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The part of the image that the crop covers, its blocks of pixels averaged, and (2, 3): pixels
    of that part → pixels of the crop."""
    height, width = image.shape[:2]
    to_image = cv2.invertAffineTransform(to_crop)
    corners = np.array([[0, 0], [side_px, 0], [0, side_px], [side_px, side_px]])
    covered = corners @ to_image[:, :2].T + to_image[:, 2]
    limits = np.array([width - 1, height - 1])
    spare_px = 2 * block_px  # what bilinear sampling sees beyond the corners
    first = np.clip(np.floor(covered.min(axis=0)) - spare_px, 0, limits).astype(int)
    last = np.clip(np.ceil(covered.max(axis=0)) + spare_px, first, limits).astype(int)
    part = image[first[1] : last[1] + 1, first[0] : last[0] + 1]
    if block_px > 1:
        part = _averaged(part, block_px)
    shift = to_crop[:, :2] @ (first + (block_px - 1) / 2) + to_crop[:, 2]
    return part, np.column_stack([to_crop[:, :2] * block_px, shift])


def _averaged(part: NDArray[np.uint8], block_px: int) -> NDArray[np.uint8]:
    rows, columns = (-(-length // block_px) for length in part.shape[:2])
    missing = rows * block_px - part.shape[0], columns * block_px - part.shape[1]
    part = np.asarray(
        cv2.copyMakeBorder(part, 0, missing[0], 0, missing[1], cv2.BORDER_REPLICATE), np.uint8
    )
    averaged = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(averaged, np.uint8)
