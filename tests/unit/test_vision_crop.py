"""A box's pixels, its size, and how much of it the image holds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from stream.vision.crop import crop, face_size_px, in_frame

Edges = tuple[float, float, float, float]


def _box(edges: Edges) -> NDArray[np.float32]:
    return np.array(edges, np.float32)


@pytest.mark.parametrize(
    "edges", [(5, 5, 5, 9), (30, 0, 40, 10), (-9, -9, 0, 0), (math.nan, 0, 4, 4)]
)
def test_a_box_without_a_pixel_has_no_crop(edges: Edges) -> None:
    assert crop(np.zeros((20, 20, 3), np.uint8), _box(edges)) is None


def test_a_crop_ends_at_the_edges_of_the_image() -> None:
    part = crop(np.zeros((20, 30, 3), np.uint8), _box((-5, 10, 40, 50)))
    assert part is not None
    assert part.shape == (10, 30, 3)


def test_a_face_is_as_large_as_its_shorter_side_inside_the_image_or_not() -> None:
    assert face_size_px(_box((-10, 5, 90.5, 205))) == pytest.approx(100.5)


@pytest.mark.parametrize(
    ("edges", "share"),
    [
        ((0, 0, 200, 100), 1),
        ((10, 10, 60, 60), 1),
        ((-50, 0, 50, 100), 0.5),
        ((-50, -50, 50, 50), 0.25),
        ((190, 0, 230, 100), 0.25),
        ((300, 0, 400, 100), 0),
        ((-100, -100, 300, 200), 1 / 6),
    ],
)
def test_the_share_in_the_frame_is_that_of_the_boxs_area(edges: Edges, share: float) -> None:
    assert in_frame(_box(edges), height=100, width=200) == pytest.approx(share)


@pytest.mark.parametrize("edges", [(5, 5, 5, 9), (9, 0, 4, 4), (math.nan, 0, 4, 4)])
def test_a_box_without_an_area_has_no_size_and_no_share(edges: Edges) -> None:
    assert face_size_px(_box(edges)) is None
    assert in_frame(_box(edges), 100, 100) is None
