"""What an image is here."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def demand_bgr(image: NDArray[np.uint8]) -> None:
    """Raises `ValueError` unless it is (H, W, 3) uint8: BGR, sRGB, of any size, 0 × 0 too."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"an image is (H, W, 3) uint8, not {image.shape} {image.dtype}")
