"""A head of known angles before a known camera gives these angles; what is no head gives none."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from insightface.utils import transform

from stream.models.insightface_pack import mean_shape_68
from stream.vision.landmarks import MIRROR_68, NOSE_TIP
from stream.vision.pose import insightface_pose
from tests.heads import MEAN, OTHERS, Camera, Points, Shape, head_pose, rotation

WITHIN = 3.0  # degrees
CAMERAS = {
    "at arm's length": Camera(focal_px=600, distance=10, principal=(320, 240)),
    "two metres away": Camera(focal_px=4000, distance=32, principal=(1900, 1400)),
}
GRID = list(itertools.product((-40, -20, 0, 20, 40), (-25, -10, 0, 10, 25), (-30, 0, 30)))


@pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS)
@pytest.mark.parametrize("head", OTHERS.values(), ids=OTHERS)
def test_another_head_before_another_camera_has_the_angles_it_was_turned_by(
    head: Shape, camera: Camera
) -> None:
    for yaw, pitch, roll in GRID:
        angles = head_pose(camera.sees(head, yaw=yaw, pitch=pitch, roll=roll))
        assert angles is not None
        assert angles == pytest.approx((pitch, yaw, roll), abs=WITHIN), (yaw, pitch, roll)


@pytest.mark.parametrize(("yaw", "pitch", "roll"), GRID[::7])
def test_a_mirrored_head_has_the_same_pitch_and_the_other_yaw_and_roll(
    yaw: float, pitch: float, roll: float
) -> None:
    points = Camera().sees(OTHERS["long"], yaw=yaw, pitch=pitch, roll=roll)
    angles, mirrored = (
        head_pose(points),
        head_pose((points * [-1, 1])[MIRROR_68].astype(np.float32)),
    )
    assert angles is not None
    assert mirrored == pytest.approx((angles.pitch, -angles.yaw, -angles.roll), abs=0.01)


def test_yaw_is_positive_when_the_nose_moves_to_the_right_of_the_image() -> None:
    straight, turned = Camera().sees(MEAN), Camera().sees(MEAN, yaw=20)
    assert turned[NOSE_TIP, 0] > straight[NOSE_TIP, 0]
    assert head_pose(turned) == pytest.approx((0, 20, 0), abs=1)


def test_pitch_is_positive_when_the_nose_moves_up() -> None:
    straight, raised = Camera().sees(MEAN), Camera().sees(MEAN, pitch=20)
    assert raised[NOSE_TIP, 1] < straight[NOSE_TIP, 1]
    assert head_pose(raised) == pytest.approx((20, 0, 0), abs=1)


def test_roll_is_positive_when_the_right_of_the_image_goes_down() -> None:
    straight, tilted = Camera().sees(MEAN), Camera().sees(MEAN, roll=20)
    assert tilted[16, 1] > straight[16, 1]
    assert head_pose(tilted) == pytest.approx((0, 0, 20), abs=1)


@pytest.mark.parametrize("distance", [6, 60])
def test_how_far_the_camera_is_hardly_matters(distance: float) -> None:
    camera = Camera(focal_px=100 * distance, distance=distance)
    for pitch in (-15, 0, 15):
        angles = head_pose(camera.sees(MEAN, pitch=pitch, yaw=10))
        assert angles == pytest.approx((pitch, 10, 0), abs=2)


def test_of_points_in_space_the_angles_are_insightface_s_own() -> None:
    """The reference is its own code: the affine fit, the decomposition, the angles."""
    mean_shape = mean_shape_68()
    random = np.random.default_rng(5)
    for yaw, pitch, roll in GRID:
        turned = mean_shape @ rotation(yaw, pitch, roll).T * 90 + 200
        points = (turned + random.normal(scale=2, size=(68, 3))).astype(np.float32)
        affine = transform.estimate_affine_matrix_3d23d(mean_shape, points)
        _, matrix, _ = transform.P2sRt(affine)
        angles = insightface_pose(points, mean_shape)
        assert angles == pytest.approx(transform.matrix2angle(matrix), abs=1e-3)
        assert angles == pytest.approx((pitch, yaw, roll), abs=2)  # and so their signs are ours


@pytest.mark.parametrize(
    "points",
    [
        np.zeros((68, 2)),
        np.full((68, 2), 7.0),
        np.full((68, 2), np.nan),
        np.full((68, 2), np.inf),
        np.column_stack([np.arange(68.0), np.arange(68.0)]),
        np.random.default_rng(3).uniform(0, 200, (68, 2)),
        np.zeros((0, 2)),
        np.zeros((106, 2)),
    ],
    ids=["zeros", "one place", "nan", "inf", "a line", "anywhere", "none", "106"],
)
def test_what_is_no_head_has_no_pose(points: Points) -> None:
    assert head_pose(points.astype(np.float32)) is None


@pytest.mark.parametrize("points", [np.zeros((68, 3)), np.full((68, 3), np.nan), np.zeros((0, 3))])
def test_what_is_no_head_in_space_has_no_pose(points: Points) -> None:
    assert insightface_pose(points.astype(np.float32), mean_shape_68()) is None
