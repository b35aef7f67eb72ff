"""Colours are the standards'."""

from __future__ import annotations

import numpy as np
import pytest

from stream.vision import cielab


@pytest.mark.parametrize(
    ("bgr", "lab"),
    [
        ((0, 0, 0), (0, 0, 0)),
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 255), (53.24, 80.09, 67.20)),
        ((255, 0, 0), (32.30, 79.19, -107.86)),
    ],
)
def test_known_colours_have_their_published_values(
    bgr: tuple[int, int, int], lab: tuple[float, float, float]
) -> None:
    assert cielab.from_bgr(np.array([bgr], np.uint8))[0] == pytest.approx(lab, abs=0.01)


def test_every_level_survives_the_way_there_and_back() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (200, 3), np.uint8)
    back = [cielab.to_rgb(lab)[::-1] for lab in cielab.from_bgr(pixels)]
    assert back == [tuple(pixel) for pixel in pixels.tolist()]
