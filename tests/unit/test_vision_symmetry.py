"""Symmetry is the face's, not the photograph's: it does not follow the turn of the head."""

from __future__ import annotations

import numpy as np
import pytest

from stream.vision.pose import fit_head
from stream.vision.symmetry import MOST_YAW, symmetry
from tests.heads import (
    MEAN,
    OTHERS,
    Camera,
    Points,
    Shape,
    crooked,
    crooked_to_the_other_side,
    head_pose,
    rotation,
)

YAWS = (-24.0, -15.0, -8.0, 0.0, 8.0, 15.0, 24.0)
CROOKED = {
    "to the left": crooked(OTHERS["broad"]),
    "to the right": crooked_to_the_other_side(OTHERS["broad"]),
    "long, to the left": crooked(OTHERS["long"]),
}


def score(points: Points) -> float:
    """By the yaw that is measured on the points themselves."""
    angles = head_pose(points)
    assert angles is not None
    measured = symmetry(points, np.clip(angles.yaw, -MOST_YAW, MOST_YAW))
    assert measured is not None
    return measured


@pytest.mark.parametrize("head", [MEAN, *OTHERS.values()], ids=["mean", *OTHERS])
@pytest.mark.parametrize("pitch", [-15, 0, 15])
def test_a_symmetric_head_is_symmetric_however_it_is_turned(head: Shape, pitch: float) -> None:
    for yaw in YAWS:
        for roll in (-20, 0, 30):
            assert score(Camera().sees(head, yaw=yaw, pitch=pitch, roll=roll)) > 0.9


@pytest.mark.parametrize("head", CROOKED.values(), ids=CROOKED)
@pytest.mark.parametrize("pitch", [-15, 0, 15])
def test_a_crooked_head_has_clearly_less_at_every_yaw(head: Shape, pitch: float) -> None:
    for yaw in YAWS:
        assert score(Camera().sees(head, yaw=yaw, pitch=pitch)) < 0.85


@pytest.mark.parametrize("head", CROOKED.values(), ids=CROOKED)
def test_a_crooked_head_keeps_its_score_when_it_turns(head: Shape) -> None:
    straight = score(Camera().sees(head))
    for yaw in YAWS:
        assert score(Camera().sees(head, yaw=yaw)) == pytest.approx(straight, abs=0.08)


def test_mirrored_it_has_the_same_score() -> None:
    one, other = CROOKED["to the left"], CROOKED["to the right"]
    for yaw in YAWS:
        seen, mirrored = Camera().sees(one, yaw=yaw), Camera().sees(other, yaw=-yaw)
        assert score(mirrored) == pytest.approx(score(seen), abs=1e-3)


def test_place_and_size_do_not_matter() -> None:
    points = Camera().sees(CROOKED["to the left"], yaw=5)
    assert score((points * 3 + (50, -700)).astype(np.float32)) == pytest.approx(
        score(points), abs=1e-3
    )


@pytest.mark.parametrize("yaw", [MOST_YAW + 0.1, -MOST_YAW - 0.1, 90, float("nan"), None])
def test_too_far_turned_or_turned_nobody_knows_how_it_has_no_symmetry(yaw: float | None) -> None:
    assert symmetry(Camera().sees(MEAN), yaw) is None


def test_of_points_in_space_the_turn_is_known() -> None:
    for yaw, pitch, roll in ((0, 0, 0), (24, 10, -30), (-20, -15, 5)):
        turned = rotation(yaw, pitch, roll).T * 120
        symmetric = (OTHERS["long"] @ turned + 300).astype(np.float32)
        skewed = (CROOKED["long, to the left"] @ turned + 300).astype(np.float32)
        assert symmetry(symmetric, yaw) == pytest.approx(1, abs=1e-4)
        assert symmetry(skewed, yaw) == pytest.approx(
            symmetry((CROOKED["long, to the left"] * 50).astype(np.float32), 0), abs=1e-3
        )


def test_a_head_that_is_known_already_is_not_looked_for_again() -> None:
    points, another = (Camera().sees(CROOKED["to the left"], yaw=yaw) for yaw in (8, 20))
    assert symmetry(points, 8, fit_head(points)) == symmetry(points, 8)
    assert symmetry(points, 8, fit_head(another)) != symmetry(points, 8)


@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize("fill", [0.0, 7.0, np.nan, np.inf])
def test_what_is_no_face_has_no_symmetry(fill: float, axes: int) -> None:
    assert symmetry(np.full((68, axes), fill, np.float32), 0) is None
    assert symmetry(np.full((0, axes), fill, np.float32), 0) is None
