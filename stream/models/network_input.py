"""Images as a network's input."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from stream.models.protocols import Floats, Image


def network_input(images: Sequence[Image], mean: float, deviation: float) -> Floats:
    """(H, W, 3) uint8 BGR each, of one size → (N, 3, H, W) RGB: the numbers of
    `cv2.dnn.blobFromImages`, from 192 px a side on in a tenth of its time.
    """
    blob = np.empty((len(images), 3, *images[0].shape[:2]), np.float32)
    for image, of_image in zip(images, blob, strict=True):
        for place, channel in zip((2, 1, 0), cv2.split(image), strict=True):
            cv2.addWeighted(
                channel, 1 / deviation, channel, 0, -mean / deviation, of_image[place], cv2.CV_32F
            )
    return blob
