"""The two schemes of landmarks, and the crop that the 106 are located in."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from stream.vision.landmarks import (
    MIRROR_68,
    MIRROR_106,
    TO_68,
    eye_distance,
    square_by_five,
    to_68,
    upright_square,
)

Points = NDArray[np.float32]
SIDE_PX = 192


def some_106() -> Points:
    """Eyes level, 60 px apart; the rest anywhere around them."""
    points = np.random.default_rng(4).uniform(0, 200, (106, 2)).astype(np.float32)
    points[33:43], points[87:97] = (70, 80), (130, 80)
    return points


def seen(points: Points, to_crop: NDArray[np.float64]) -> NDArray[np.float64]:
    placed: NDArray[np.float64] = points @ to_crop[:, :2].T + to_crop[:, 2]
    return placed


def test_the_map_to_68_points_takes_68_different_ones() -> None:
    assert len(set(TO_68.tolist())) == 68
    points = np.arange(212, dtype=np.float32).reshape(106, 2)
    mapped = to_68(points)
    assert mapped is not None
    assert mapped[30].tolist() == points[86].tolist()


def test_mirroring_twice_gives_the_same_point() -> None:
    assert MIRROR_68[MIRROR_68].tolist() == list(range(68))
    assert MIRROR_106[MIRROR_106].tolist() == list(range(106))


def test_to_mirror_and_then_to_map_is_to_map_and_then_to_mirror() -> None:
    assert MIRROR_106[TO_68].tolist() == TO_68[MIRROR_68].tolist()


@pytest.mark.parametrize(
    "broken", [np.full((106, 2), np.nan), np.zeros((68, 2)), np.zeros((0, 2)), np.zeros((106, 3))]
)
def test_points_that_are_no_106_landmarks_give_no_68(broken: Points) -> None:
    assert to_68(broken.astype(np.float32)) is None


def test_the_distance_of_the_eyes_is_between_their_middles() -> None:
    points = np.zeros((68, 2), np.float32)
    points[36:42] += np.array([[-9, 5], [9, -5]] * 3)
    points[42:48] += (30, 40)
    assert eye_distance(points) == pytest.approx(50)


def test_in_the_upright_square_the_eyes_are_level_and_all_points_inside() -> None:
    points = some_106()
    to_crop = upright_square(points, SIDE_PX)
    assert to_crop is not None
    placed = seen(points, to_crop)
    assert placed[33:43, 1].mean() == pytest.approx(placed[87:97, 1].mean())
    assert placed.min() > 0
    assert placed.max() < SIDE_PX


@pytest.mark.parametrize("degrees", [-160, -20, 45])
@pytest.mark.parametrize("scale", [0.5, 3])
def test_a_face_is_the_same_in_it_however_it_is_turned_and_scaled(
    degrees: float, scale: float
) -> None:
    a = np.radians(degrees)
    rotation = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) * scale
    points = some_106()
    moved = (points @ rotation.T + (500, 20)).astype(np.float32)
    one, other = upright_square(points, SIDE_PX), upright_square(moved, SIDE_PX)
    assert one is not None
    assert other is not None
    assert seen(moved, other) == pytest.approx(seen(points, one), abs=0.01)


def test_a_mirrored_face_is_mirrored_in_it() -> None:
    points = some_106()
    mirrored = (points * (-1, 1) + (300, 0)).astype(np.float32)[MIRROR_106]
    one, other = upright_square(points, SIDE_PX), upright_square(mirrored, SIDE_PX)
    assert one is not None
    assert other is not None
    expected = (seen(points, one) * (-1, 1) + (SIDE_PX - 1, 0))[MIRROR_106]
    assert seen(mirrored, other) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("fill", [0.0, 5.0, np.nan, np.inf])
def test_points_in_no_place_or_one_have_no_square(fill: float) -> None:
    assert upright_square(np.full((106, 2), fill, np.float32), SIDE_PX) is None
    assert upright_square(np.full((0, 2), fill, np.float32), SIDE_PX) is None


@pytest.mark.parametrize("degrees", [0, -100, 180])
def test_by_five_points_a_face_stands_in_the_middle_of_the_square(degrees: float) -> None:
    a = np.radians(degrees)
    rotation = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    five = np.array([[70, 80], [130, 80], [100, 115], [74, 142], [126, 142]], np.float32)
    turned = (five @ rotation.T + (500, 20)).astype(np.float32)
    to_crop = square_by_five(turned, SIDE_PX)
    assert to_crop is not None
    placed = seen(turned, to_crop)
    assert placed[0, 1] == pytest.approx(placed[1, 1], abs=0.01)
    assert placed[:, 0].mean() == pytest.approx((SIDE_PX - 1) / 2, abs=0.01)
    assert placed[0, 0] < placed[1, 0]
    assert placed[0, 1] < placed[2, 1] < placed[3, 1]
    assert placed.min() > SIDE_PX / 4
    assert placed.max() < SIDE_PX * 3 / 4
