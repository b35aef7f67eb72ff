"""What is measured on a face follows it, and what cannot be measured is None."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from stream.vision.geometry import ratios
from stream.vision.landmarks import MIRROR_68, TO_68, to_68
from stream.vision.pose import head_pose
from stream.vision.symmetry import symmetry

Points = NDArray[np.float32]


def mean_shape() -> NDArray[np.float64]:
    """A face of its own: symmetric, the nose towards the viewer, x right and y down."""
    x = np.linspace(0.1, 0.6, 68)
    x = (x - x[MIRROR_68]) / 2 + np.sign(np.arange(68) - MIRROR_68) * -0.1
    y = np.cos(np.arange(68)) + np.cos(MIRROR_68)
    z = np.exp(-(x**2) * 4) + 0.2 * np.sin(y * 3)
    return np.column_stack([x, y / 4, z])


def turned(yaw: float = 0, pitch: float = 0, roll: float = 0) -> Points:
    """The mean face turned by degrees and seen from the front, 100 px a unit."""
    a, b, c = np.radians([yaw, pitch, roll])
    across = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    nod = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    tilt = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    shape = mean_shape() @ (tilt @ across @ nod).T * 100 + 200
    flat: Points = shape[:, :2].astype(np.float32)
    return flat


def frontal() -> Points:
    return turned()


def test_the_map_to_68_points_takes_68_different_ones() -> None:
    assert len(set(TO_68.tolist())) == 68
    points = np.arange(212, dtype=np.float32).reshape(106, 2)
    mapped = to_68(points)
    assert mapped is not None
    assert mapped[30].tolist() == points[86].tolist()


def test_mirroring_twice_gives_the_same_point() -> None:
    assert MIRROR_68[MIRROR_68].tolist() == list(range(68))


@pytest.mark.parametrize("broken", [np.full((106, 2), np.nan), np.zeros((68, 2))])
def test_points_that_are_no_106_landmarks_give_no_68(broken: Points) -> None:
    assert to_68(broken.astype(np.float32)) is None


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll"), [(0, 0, 0), (20, 0, 0), (0, -15, 0), (0, 0, 30), (-10, 5, -20)]
)
def test_a_turned_face_gives_the_angles_it_was_turned_by(
    yaw: float, pitch: float, roll: float
) -> None:
    angles = head_pose(turned(yaw, pitch, roll), mean_shape())
    assert angles is not None
    assert angles == pytest.approx((pitch, yaw, roll), abs=0.01)


def test_yaw_is_positive_when_the_nose_moves_to_the_right_of_the_image() -> None:
    nearest = int(np.argmax(mean_shape()[:, 2]))
    assert turned(yaw=20)[nearest, 0] > frontal()[nearest, 0]


def test_pitch_is_positive_when_the_nose_moves_up() -> None:
    nearest = int(np.argmax(mean_shape()[:, 2]))
    assert turned(pitch=20)[nearest, 1] < frontal()[nearest, 1]


def test_roll_is_positive_when_the_right_of_the_image_goes_down() -> None:
    rightmost = int(np.argmax(mean_shape()[:, 0]))
    assert turned(roll=20)[rightmost, 1] > frontal()[rightmost, 1]


def test_points_in_one_place_have_no_pose_no_ratios_and_no_symmetry() -> None:
    point = np.full((68, 2), 7, np.float32)
    assert head_pose(point, mean_shape()) is None
    assert ratios(point) is None
    assert symmetry(point) is None


def test_symmetry_is_full_for_a_mirrored_face_whatever_its_roll_and_size() -> None:
    assert symmetry(frontal()) == pytest.approx(1, abs=1e-4)
    assert symmetry(turned(roll=35) * 3) == pytest.approx(1, abs=1e-4)


def test_symmetry_falls_when_one_side_is_moved() -> None:
    crooked = frontal()
    crooked[48] += (0, 10)
    score = symmetry(crooked)
    assert score is not None
    assert score < 0.99


def test_ratios_do_not_depend_on_the_size_of_the_face() -> None:
    small, large = ratios(frontal()), ratios(frontal() * 4)
    assert small is not None
    assert large == pytest.approx(small, rel=1e-4)
