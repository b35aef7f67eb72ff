"""Which face is *the* face of a photograph: InsightFace's rule."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CENTRE_WEIGHT = 2.0  # insightface/model_zoo/scrfd.py: "some extra weight on the centering"


def prominence(boxes: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """A box's area minus twice the squared distance of its centre from the image's, in px².

    boxes: (N, 4) left, top, right, bottom; height, width: the image's, px. Returns (N,). The
    centre is whole pixels and the arithmetic float32, as in `SCRFD.detect(max_num=…)`. Raises
    `ValueError` for boxes that are not (N, 4) or not finite, and an image without pixels.
    """
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.isfinite(boxes).all():
        raise ValueError(f"boxes are (N, 4) and finite, not {boxes.shape}")
    if height < 1 or width < 1:
        raise ValueError(f"an image of {width} × {height} px has no middle")
    left, top, right, bottom = boxes.T
    area = (right - left) * (bottom - top)
    offsets = np.stack([(left + right) / 2 - width // 2, (top + bottom) / 2 - height // 2])
    values: NDArray[np.float32] = area - np.sum(np.square(offsets), axis=0) * CENTRE_WEIGHT
    return values


def most_prominent_first(boxes: NDArray[np.float32], height: int, width: int) -> NDArray[np.intp]:
    """(N,) indices into `boxes`. Boxes of equal prominence keep their order. Raises as
    `prominence`."""
    return np.argsort(-prominence(boxes, height, width), kind="stable")
