"""A crop is what the image shows there, whatever the image's size."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.transform import SimilarityTransform

from stream.vision.warp import aligned, square_around, warp

Image = NDArray[np.uint8]
RANDOM: Image = np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8)


def similarity(scale: float, degrees: float, x: float, y: float) -> NDArray[np.float64]:
    """Turns and scales about the origin, then shifts."""
    a, b = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    return np.array([[a, -b, x], [b, a, y]])


def waves(side_px: int) -> Image:
    """A smooth picture, the same at every size: at most three waves along a side."""
    at = (np.arange(side_px) + 0.5) / side_px * 2 * np.pi
    x, y = np.meshgrid(at, at)
    channels = [np.sin(x + 2 * y), np.cos(3 * x - y), np.sin(2 * x) * np.cos(y)]
    return np.asarray(np.stack(channels, axis=2) * 100 + 128, np.uint8)


@pytest.mark.parametrize("scale", [1.0, 1.4, 5.0])
def test_an_image_that_is_not_made_smaller_is_what_opencv_gives(scale: float) -> None:
    to_crop = similarity(scale, 20, -7.3, -11.8)
    crop = warp(RANDOM, to_crop, 64)
    assert crop is not None
    assert np.array_equal(crop, cv2.warpAffine(RANDOM, to_crop, (64, 64)))


@pytest.mark.parametrize("side_px", [100, 250, 400, 777, 1600])
@pytest.mark.parametrize("degrees", [0, 33])
def test_the_crop_of_a_larger_copy_is_the_same_crop(side_px: int, degrees: float) -> None:
    small, large = waves(80), waves(side_px)
    to_crop = similarity(0.8, degrees, 20.25, -3.5)
    grown = side_px / 80
    middle = np.full(2, 0.5 / grown - 0.5)  # a pixel's place is its middle
    linear, shift = to_crop[:, :2], to_crop[:, 2]
    of_large = np.column_stack([linear / grown, linear @ middle + shift])
    one, other = warp(small, to_crop, 48), warp(large, of_large, 48)
    assert one is not None
    assert other is not None
    inside = slice(2, -2)
    both_see = np.minimum(one, other).min(axis=2) > 0
    off = np.abs(one.astype(int) - other)[both_see]
    assert both_see[inside].mean() > 0.4
    assert np.percentile(off, 95) <= 4


@pytest.mark.parametrize("side_px", [300, 1000, 3000])
def test_what_is_finer_than_a_pixel_of_the_crop_becomes_its_mean(side_px: int) -> None:
    x, y = np.meshgrid(np.arange(side_px), np.arange(side_px))
    chequered = np.repeat(((x + y) % 2 * 255).astype(np.uint8)[:, :, np.newaxis], 3, axis=2)
    crop = warp(chequered, similarity(96 / side_px, 0, 0, 0), 96)
    assert crop is not None
    assert np.abs(crop[2:-2, 2:-2].astype(float) - 127.5).max() < 30


def covered_mean(image: Image, to_crop: NDArray[np.float64], side_px: int) -> NDArray[np.float64]:
    """Each pixel of the crop as the mean of 16 × 16 places in it, of single pixels of the image."""
    places = (np.arange(16) + 0.5) / 16 - 0.5
    total = np.zeros((side_px, side_px, 3))
    for x in places:
        for y in places:
            moved = to_crop - [[0, 0, x], [0, 0, y]]
            total += cv2.warpAffine(image, moved, (side_px, side_px), flags=cv2.INTER_NEAREST)
    return np.asarray(total / 256)


@pytest.mark.parametrize("shrinks", [1.2, 1.7, 2.6, 3.3, 3.9, 4.5, 7.4])
@pytest.mark.parametrize("degrees", [0, 25])
def test_each_pixel_is_the_mean_over_what_it_covers(shrinks: float, degrees: float) -> None:
    """Of a picture with noise of some 16 levels, within 2 in the mean square."""
    noise = np.random.default_rng(1).normal(0, 40, (500, 500, 3))
    image = np.clip(cv2.GaussianBlur(noise, (0, 0), 0.8) + waves(500), 0, 255).astype(np.uint8)
    to_crop = similarity(1 / shrinks, degrees, 0, 0)
    to_crop[:, 2] = 24 - to_crop[:, :2] @ (250, 250)
    crop = warp(image, to_crop, 48)
    assert crop is not None
    wanted = covered_mean(image, to_crop, 48)
    inside = cv2.warpAffine(np.ones_like(image), to_crop, (48, 48)).min(axis=2) == 1
    off = np.sqrt(np.mean((crop[inside] - wanted[inside]) ** 2))
    assert inside.mean() > 0.5
    assert off < 2


@pytest.mark.parametrize("scale", [1.0, 0.3, 0.02])
def test_beyond_the_edges_it_is_black(scale: float) -> None:
    crop = warp(np.full((50, 50, 3), 200, np.uint8), similarity(scale, 0, 32, 32), 64)
    assert crop is not None
    assert crop[33, 33].min() > 0
    assert crop[:31].max() == 0
    assert crop[:, :31].max() == 0


def test_a_crop_far_from_the_image_is_black() -> None:
    crop = warp(RANDOM, similarity(0.1, 0, 900, 900), 32)
    assert crop is not None
    assert crop.max() == 0


def test_a_box_goes_into_the_middle_of_the_square() -> None:
    to_crop = square_around(np.array([10, 20, 50, 100], np.float32), 96, 1.5)
    assert to_crop is not None
    corners = np.array([[10, 20, 1], [50, 100, 1]]) @ to_crop.T
    assert corners == pytest.approx(np.array([[32, 16], [64, 80]]))


@pytest.mark.parametrize("box", [(5, 5, 5, 5), (9, 9, 3, 3), (0, 0, np.nan, 9), (0, 0, np.inf, 9)])
def test_a_box_without_extent_has_no_square(box: tuple[float, ...]) -> None:
    assert square_around(np.array(box, np.float32), 96, 1.5) is None


@pytest.mark.parametrize(
    ("image", "to_crop"),
    [
        (RANDOM[:0], similarity(1, 0, 0, 0)),
        (RANDOM, np.zeros((2, 3))),
        (RANDOM, similarity(np.nan, 0, 0, 0)),
    ],
)
def test_nothing_to_see_gives_no_crop(image: Image, to_crop: NDArray[np.float64]) -> None:
    assert warp(image, to_crop, 32) is None


@pytest.mark.parametrize("seed", range(5))
def test_points_are_aligned_as_scikit_image_aligns_them(seed: int) -> None:
    random = np.random.default_rng(seed)
    points = random.uniform(0, 500, (5, 2)).astype(np.float32)
    target = random.uniform(0, 112, (5, 2)).astype(np.float32)
    found = aligned(points, target)
    assert found is not None
    reference = SimilarityTransform.from_estimate(np.float64(points), np.float64(target))
    assert found == pytest.approx(reference.params[:2], abs=1e-9)


def test_points_that_are_only_turned_scaled_and_shifted_are_met_exactly() -> None:
    points = np.array([[38, 51], [73, 51], [56, 71], [41, 92], [70, 92]], np.float64)
    moved = similarity(2.5, 130, 40, -7)
    target = points @ moved[:, :2].T + moved[:, 2]
    assert aligned(points, target) == pytest.approx(moved)


@pytest.mark.parametrize("points", [np.full((5, 2), 7.0), np.full((5, 2), np.nan)])
def test_points_in_one_place_or_nowhere_are_aligned_with_nothing(
    points: NDArray[np.float64],
) -> None:
    assert aligned(points, np.arange(10.0).reshape(5, 2)) is None
