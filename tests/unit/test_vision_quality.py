"""Sharpness, light and alignment are what their definitions say, and what is not there is None."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.measure import blur_effect

from stream.vision.quality import blur_score, frontal_alignment, illumination, overall
from tests.unit.drawn_face import draw

Image = NDArray[np.uint8]


def _face() -> Image:
    return draw((100, 130, 190), highlights=True, glasses=True)[40:330, 100:300]


def _resized(face: Image, factor: float) -> Image:
    flags = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(face, None, fx=factor, fy=factor, interpolation=flags), np.uint8)


def _measured(score: float | None) -> float:
    assert score is not None
    return score


def test_sharpness_is_the_published_blur_effect_from_one() -> None:
    """As scikit-image computes it, on an image of the size at which ours measures."""
    grey = np.random.default_rng(0).integers(0, 256, (112, 112), np.uint8)
    blurred = np.asarray(cv2.GaussianBlur(grey, (0, 0), 1.5), np.uint8)
    for image in (grey, blurred):
        theirs = 1 - blur_effect(image.astype(np.float64), h_size=11)
        assert blur_score(np.dstack([image] * 3)) == pytest.approx(theirs, abs=1e-3)


def test_the_more_a_face_is_blurred_the_lower_its_score() -> None:
    sigmas = (0.5, 1.0, 2.0, 4.0, 8.0)
    blurred = [cv2.GaussianBlur(_face(), (0, 0), sigma) for sigma in sigmas]
    scores = [_measured(blur_score(face)) for face in (_face(), *blurred)]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == len(scores)


def test_motion_in_one_direction_is_blur() -> None:
    across = np.asarray(cv2.blur(_face(), (15, 1)), np.uint8)
    down = np.asarray(cv2.blur(_face(), (1, 15)), np.uint8)
    for moved in (across, down):
        assert _measured(blur_score(moved)) < 0.75 * _measured(blur_score(_face()))


@pytest.mark.parametrize("factor", [0.75, 2, 5])
def test_sharpness_does_not_depend_on_the_size_of_the_photograph(factor: float) -> None:
    scaled = _measured(blur_score(_resized(_face(), factor)))
    assert scaled == pytest.approx(_measured(blur_score(_face())), rel=0.05)


def test_a_face_without_detail_scores_low_at_whatever_size() -> None:
    thumbnail = _resized(_face(), 0.1)
    for face in (thumbnail, _resized(thumbnail, 10)):
        assert _measured(blur_score(face)) < 0.7 * _measured(blur_score(_face()))


def test_sharpness_does_not_depend_on_brightness() -> None:
    dim = (_face() * 0.4).astype(np.uint8)
    assert blur_score(dim) == pytest.approx(_measured(blur_score(_face())), rel=0.03)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_flat_face_is_badly_lit_and_neither_sharp_nor_blurred(level: int) -> None:
    flat = np.full((50, 40, 3), level, np.uint8)
    assert blur_score(flat) is None
    assert illumination(flat) == 0


def test_light_is_measured_on_the_face_and_not_in_the_corners() -> None:
    face = _face()[:60, :60].copy()
    dazzling = face.copy()
    for rows in (slice(0, 8), slice(52, 60)):
        for columns in (slice(0, 8), slice(52, 60)):
            dazzling[rows, columns] = 255
    assert illumination(dazzling) == illumination(face)


@pytest.mark.parametrize(("low", "high", "score"), [(80, 180, 1.0), (20, 60, 0.25), (0, 160, 0.5)])
def test_light_falls_with_exposure_contrast_and_what_is_black(
    low: int, high: int, score: float
) -> None:
    """Half low, half high: mean and standard deviation are by hand."""
    face = np.full((200, 200, 3), low, np.uint8)
    face[:, 100:] = high
    assert illumination(face) == pytest.approx(score, abs=0.005)


@pytest.mark.parametrize(
    ("yaw", "pitch", "score"),
    [(0, 0, 1), (30, 0, 0.75), (0, -30, 0.75), (45, 0, 0.5), (60, 60, 1 / 16), (90, 0, 0)],
)
def test_alignment_is_the_squared_cosine_to_the_camera(
    yaw: float, pitch: float, score: float
) -> None:
    for sign in (1, -1):
        assert frontal_alignment(sign * yaw, pitch) == pytest.approx(score, abs=1e-9)


@pytest.mark.parametrize(("yaw", "pitch"), [(120, 0), (180, 180), (0, 100)])
def test_a_head_seen_from_behind_has_no_alignment_left(yaw: float, pitch: float) -> None:
    assert frontal_alignment(yaw, pitch) == 0


def test_overall_is_the_geometric_mean_of_what_was_measured() -> None:
    assert overall(0.25, 1.0) == pytest.approx(0.5)
    assert overall(0.25, None) == pytest.approx(0.25)
    assert overall(0.0, 1.0) == 0
    assert overall(None, None) is None


@pytest.mark.parametrize("score", [-0.1, 1.1, math.nan])
def test_what_is_no_score_has_no_mean(score: float) -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        overall(0.5, score)
