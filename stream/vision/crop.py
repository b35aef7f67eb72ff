"""The pixels of a box, and how many of them there are."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stream.vision.bgr import demand_bgr


def crop(image: NDArray[np.uint8], box: NDArray[np.float32]) -> NDArray[np.uint8] | None:
    """The part of `box` (left, top, right, bottom; px) that lies in `image` (H, W, 3), as a view.

    `None` where they do not overlap by a pixel. Raises `ValueError` for what is no image.
    """
    demand_bgr(image)
    if box.shape != (4,) or not np.isfinite(box).all():
        return None
    height, width = image.shape[:2]
    left, top = max(math.floor(box[0]), 0), max(math.floor(box[1]), 0)
    right, bottom = min(math.ceil(box[2]), width), min(math.ceil(box[3]), height)
    if left >= right or top >= bottom:
        return None
    return image[top:bottom, left:right]


def face_size_px(box: NDArray[np.float32]) -> float | None:
    """The shorter side of `box` (left, top, right, bottom), px, inside the image or not.

    `None` for a box without an area.
    """
    sides = _sides(box)
    return None if sides is None else min(sides)


def in_frame(box: NDArray[np.float32], height: int, width: int) -> float | None:
    """The share of the area of `box` (left, top, right, bottom; px) that lies in the image.

    height, width: the image's, px. Returns [0, 1]: 1 for a face that is whole in the image, less
    for one that its edge cuts off. `None` for a box without an area and an image without pixels.
    """
    sides = _sides(box)
    if sides is None or height < 1 or width < 1:
        return None
    left, top, right, bottom = (float(edge) for edge in box)
    across = max(min(right, width) - max(left, 0), 0)
    down = max(min(bottom, height) - max(top, 0), 0)
    return min(across / sides[0], 1.0) * min(down / sides[1], 1.0)


def _sides(box: NDArray[np.float32]) -> tuple[float, float] | None:
    """Width and height, px, both positive."""
    if box.shape != (4,) or not np.isfinite(box).all():
        return None
    across, down = float(box[2]) - float(box[0]), float(box[3]) - float(box[1])
    return (across, down) if across > 0 and down > 0 else None
