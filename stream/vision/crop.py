"""The pixels of a box."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def crop(image: NDArray[np.uint8], box: NDArray[np.float32]) -> NDArray[np.uint8] | None:
    """The part of `box` (left, top, right, bottom; px) that lies in `image` (H, W, 3), as a view.

    `None` where they do not overlap by a pixel.
    """
    if not np.isfinite(box).all():
        return None
    height, width = image.shape[:2]
    left, top = max(math.floor(box[0]), 0), max(math.floor(box[1]), 0)
    right, bottom = min(math.ceil(box[2]), width), min(math.ceil(box[3]), height)
    if left >= right or top >= bottom:
        return None
    return image[top:bottom, left:right]
