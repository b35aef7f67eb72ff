"""A face that is drawn: its 68 points and the colour of its skin are known."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stream.vision.landmarks import MIRROR_68
from tests.light import in_light

Image = NDArray[np.uint8]
Points = NDArray[np.float32]

SIDE_PX = 400
CENTRE_X, EYES_Y = 200.0, 175.0
_BACKGROUND = (120, 60, 20)


def landmarks() -> Points:
    """(68, 2) px, symmetric about `CENTRE_X`; the eyes are 100 px apart."""
    points = np.zeros((68, 2))
    turn = np.radians(np.linspace(180, 0, 17))
    points[0:17] = np.column_stack([95 * np.cos(turn), 145 * np.sin(turn) + 5])  # jaw
    points[17:22] = [(-80, -32), (-67, -42), (-52, -45), (-36, -43), (-20, -37)]
    points[27:31] = [(0, -5), (0, 18), (0, 40), (0, 62)]
    points[31:34] = [(-25, 75), (-12, 80), (0, 83)]
    points[36:42] = [(-70, 0), (-58, -8), (-42, -8), (-30, 0), (-42, 7), (-58, 7)]
    points[48:52] = [(-38, 108), (-24, 102), (-10, 99), (0, 101)]
    points[57:60] = [(0, 124), (-13, 123), (-26, 117)]
    points[60:63] = [(-33, 108), (-10, 106), (0, 107)]
    points[66:68] = [(0, 114), (-10, 113)]  # what is left is the mirror image
    unset = (points == 0).all(axis=1)
    points[unset] = (points[MIRROR_68] * (-1, 1))[unset]
    return np.asarray(points + np.array([CENTRE_X, EYES_Y]), np.float32)


def draw(
    bgr: tuple[int, int, int],
    *,
    shaded: float = 0.0,
    highlights: bool = False,
    fringe: bool = False,
    glasses: bool = False,
    beard: bool = False,
    noise: float = 2.0,
) -> Image:
    """(SIDE_PX, SIDE_PX, 3) BGR: an oval of `bgr` with hair, brows, eyes, nostrils and a mouth.

    shaded: the share of the face's width, from the right, that has a third of the light.
    highlights: white spots with soft edges on cheeks, nose and forehead. noise: levels.
    """
    points = landmarks()
    image = np.full((SIDE_PX, SIDE_PX, 3), _BACKGROUND, np.uint8)
    middle = (int(CENTRE_X), int(EYES_Y) + 5)
    cv2.ellipse(image, (middle[0], middle[1] - 20), (115, 150), 0, 0, 360, (15, 20, 30), -1)  # hair
    cv2.ellipse(image, middle, (95, 145), 0, 0, 180, bgr, -1)
    cv2.ellipse(image, middle, (95, 130), 0, 180, 360, bgr, -1)
    if beard:
        cv2.ellipse(image, (middle[0], middle[1] + 100), (85, 50), 0, 0, 360, (20, 25, 35), -1)
    image = _lit(image, shaded)
    if highlights:
        image = _shining(image)
    for outline in (points[36:42], points[42:48]):
        cv2.fillPoly(image, [outline.astype(np.int32)], (240, 240, 240))
        cv2.circle(image, _whole(outline.mean(axis=0)), 7, (40, 30, 20), -1)
    for brow in (points[17:22], points[22:27]):
        cv2.polylines(image, [brow.astype(np.int32)], False, (15, 20, 30), 8)
    cv2.fillPoly(image, [points[48:60].astype(np.int32)], (60, 50, 170))
    for nostril in (32, 34):
        cv2.circle(image, _whole(points[nostril]), 4, (20, 20, 40), -1)
    if fringe:
        cv2.rectangle(image, (100, 40), (260, 125), (15, 20, 30), -1)
    if glasses:
        for outline in (points[36:42], points[42:48]):
            cv2.circle(image, _whole(outline.mean(axis=0)), 38, (10, 10, 10), 6)
    noisy = image + np.random.default_rng(0).normal(0, noise, image.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def _lit(image: Image, shaded: float) -> Image:
    """The edge of the shadow is 12 px soft."""
    if not shaded:
        return image
    edge = CENTRE_X + 95 - 190 * shaded
    light = 1 - 0.67 / (1 + np.exp(-(np.arange(SIDE_PX) - edge) / 3))
    return in_light(image, light[np.newaxis, :, np.newaxis])


def _shining(image: Image) -> Image:
    spots = np.zeros((SIDE_PX, SIDE_PX), np.float64)
    for x, y, radius in ((145, 215, 12), (250, 220, 9), (200, 225, 10), (205, 110, 20)):
        cv2.circle(spots, (x, y), radius, 1.0, -1)
    white = cv2.GaussianBlur(spots, (0, 0), 4)[:, :, np.newaxis]
    return np.asarray(np.rint(image * (1 - white) + 255 * white), np.uint8)


def _whole(point: Points) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))
