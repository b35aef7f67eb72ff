"""The four ratios are of the right points, and neither of the face's size nor place nor roll."""

from __future__ import annotations

import numpy as np
import pytest

from stream.vision.geometry import ratios
from tests.heads import OTHERS, Camera, Points

FACE = Camera().sees(OTHERS["long"])


def turned(points: Points, degrees: float) -> Points:
    a = np.radians(degrees)
    rotation = np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
    moved: Points = (points @ rotation).astype(np.float32)
    return moved


def test_each_ratio_is_of_the_distances_that_its_name_says() -> None:
    points = np.zeros((68, 2), np.float32)
    points[0], points[16] = (0, 0), (200, 0)  # the ends of the jaw line
    points[17:27] = (100, -40)  # brows
    points[8] = (100, 210)  # chin
    points[36:42], points[42:48] = (60, 0), (140, 0)  # eyes
    points[4], points[12] = (20, 120), (180, 120)  # the angles of the jaw
    points[31], points[35] = (75, 90), (125, 90)  # nostrils
    assert ratios(points) == pytest.approx((200 / 250, 80 / 200, 160 / 200, 50 / 200))


@pytest.mark.parametrize("degrees", [-90, -20, 20, 180])
@pytest.mark.parametrize("scale", [0.5, 1, 2, 30])
def test_neither_size_nor_place_nor_roll_matter(degrees: float, scale: float) -> None:
    moved = turned(FACE * np.float32(scale), degrees) + np.float32(77)
    assert ratios(moved) == pytest.approx(ratios(FACE), rel=1e-3)


def test_a_broader_face_is_broader_in_the_ratio_of_width_and_height_alone() -> None:
    narrow, broad = ratios(FACE), ratios((FACE * (1.1, 1)).astype(np.float32))
    assert narrow is not None
    assert broad is not None
    assert broad.face_width_height == pytest.approx(narrow.face_width_height * 1.1, rel=1e-3)
    assert broad[1:] == pytest.approx(narrow[1:], rel=1e-3)


@pytest.mark.parametrize(
    "points",
    [
        np.zeros((68, 2)),
        np.full((68, 2), 9.0),
        np.full((68, 2), np.nan),
        np.full((68, 2), np.inf),
        np.column_stack([np.arange(68.0), np.zeros(68)]),
        np.zeros((0, 2)),
        np.zeros((106, 2)),
    ],
    ids=["zeros", "one place", "nan", "inf", "a line", "none", "106"],
)
def test_what_is_no_face_has_no_ratios(points: Points) -> None:
    assert ratios(points.astype(np.float32)) is None
