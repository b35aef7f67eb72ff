"""What a network is fed is what OpenCV would feed it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stream.models.network_input import network_input


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 1.0), (127.5, 128.0), (127.5, 127.5)])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (96, 96), (192, 192), (64, 160)])
def test_the_numbers_are_those_of_opencv(
    height: int, width: int, mean: float, deviation: float
) -> None:
    images = list(np.random.default_rng(3).integers(0, 256, (2, height, width, 3), np.uint8))
    size, means = (width, height), (mean,) * 3
    theirs = cv2.dnn.blobFromImages(images, 1 / deviation, size, means, swapRB=True)
    ours = network_input(images, mean, deviation)
    assert ours.shape == (2, 3, height, width)
    assert ours.dtype == np.float32
    assert ours == pytest.approx(theirs, abs=1e-6)
