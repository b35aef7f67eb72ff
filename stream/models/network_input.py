"""An image as a network's input."""

from __future__ import annotations

import cv2
import numpy as np

from stream.models.protocols import Floats, Image


def network_input(image: Image, mean: float, deviation: float) -> Floats:
    """(H, W, 3) uint8 BGR → (1, 3, H, W) RGB: the numbers of `cv2.dnn.blobFromImage`, from 192 px a
    side on in a tenth of its time.
    """
    blob = np.empty((1, 3, *image.shape[:2]), np.float32)
    for place, channel in zip((2, 1, 0), cv2.split(image), strict=True):
        normalised = blob[0, place]
        cv2.addWeighted(
            channel, 1 / deviation, channel, 0, -mean / deviation, normalised, cv2.CV_32F
        )
    return blob
