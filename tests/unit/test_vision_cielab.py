"""Colours are the standards'."""

from __future__ import annotations

import math

import numpy as np
import pytest
from skimage.color import rgb2lab

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


def test_every_colour_is_scikit_images_under_d65() -> None:
    """Within 0.02: it rounds the white point to four digits."""
    pixels = np.random.default_rng(0).integers(0, 256, (5000, 3), np.uint8)
    theirs = rgb2lab(pixels[:, ::-1], illuminant="D65", observer="2")
    assert cielab.from_bgr(pixels) == pytest.approx(theirs, abs=0.02)


def test_every_level_survives_the_way_there_and_back() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (200, 3), np.uint8)
    back = [cielab.to_rgb(lab)[::-1] for lab in cielab.from_bgr(pixels)]
    assert back == [tuple(pixel) for pixel in pixels.tolist()]


def test_what_srgb_cannot_show_is_clipped() -> None:
    assert cielab.to_rgb(np.array([50.0, -200.0, 0.0]))[0] == 0


@pytest.mark.parametrize("lab", [(math.nan, 0, 0), (50, math.inf, 0), (101, 0, 0), (-1, 0, 0)])
def test_what_is_no_colour_has_no_rgb(lab: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="no CIELAB colour"):
        cielab.to_rgb(np.array(lab, np.float64))
