"""The colour of drawn skin is found, whatever else is in the face; and its typology angle."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.color import deltaE_cie76, rgb2lab

from stream.vision.skin import individual_typology_angle, skin_patches, skin_tone
from tests.unit.drawn_face import draw, landmarks

# Monk Skin Tone scale, Ellis Monk and Google, 2022: its ten tones
MONK_SCALE = [
    "#f6ede4",
    "#f3e7db",
    "#f7ead0",
    "#eadaba",
    "#d7bd96",
    "#a07e56",
    "#825c43",
    "#604134",
    "#3a312a",
    "#292420",
]
BESIDE_SKIN: dict[str, dict[str, Any]] = {
    "nothing": {},
    "highlights": {"highlights": True},
    "a shadow on a third": {"shaded": 0.33},
    "a shadow on half": {"shaded": 0.5},
    "a fringe": {"fringe": True},
    "glasses": {"glasses": True},
    "a beard": {"beard": True},
    "all but a fringe at once": {
        "highlights": True,
        "shaded": 0.33,
        "glasses": True,
        "beard": True,
    },
}


def _rgb(name: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(name.removeprefix("#"))
    return red, green, blue


def _lab(name: str) -> NDArray[np.float64]:
    """By scikit-image, which shares no code with what is tested."""
    return np.asarray(rgb2lab(np.array([[_rgb(name)]], np.uint8))[0, 0], np.float64)


CASES = [
    (tone, beside)
    for tone in MONK_SCALE
    for beside, drawn in BESIDE_SKIN.items()
    # the darkest tone's shadow is but 7 ΔE from it, as far as a cheek's own shades are
    if not (tone == "#292420" and "shaded" in drawn)
]


@pytest.mark.parametrize(("tone", "beside"), CASES)
def test_a_drawn_faces_skin_is_found_within_2_delta_e(tone: str, beside: str) -> None:
    """CIE 1976, of the colour and of its hex; with noise of two levels all over."""
    red, green, blue = _rgb(tone)
    skin = skin_tone(draw((blue, green, red), **BESIDE_SKIN[beside]), landmarks())
    assert skin is not None
    assert deltaE_cie76(np.array(skin.lab), _lab(tone)) < 2
    assert deltaE_cie76(_lab(skin.hex), np.array(skin.lab)) < 0.7  # the rounding to 8 bits
    assert skin.hex == skin.hex.lower()


def test_the_patches_lie_on_skin_alone() -> None:
    skin = (90, 120, 180)
    image = draw(skin, noise=0)
    patches = skin_patches(landmarks())
    assert patches is not None
    for patch in patches:
        for x, y in np.rint(patch).astype(int):
            assert tuple(image[y, x].tolist()) == skin


def test_a_cheek_that_turns_away_weighs_less() -> None:
    """The jaw's end on that side moves in, and the patch narrows with it."""
    turned = landmarks()
    turned[2:5, 0] += 45
    patches = skin_patches(turned)
    assert patches is not None
    left, right, _ = patches
    assert np.ptp(left[:, 0]) < 0.7 * np.ptp(right[:, 0])


@pytest.mark.parametrize("shift", [500, -500, 265])
def test_a_face_that_is_mostly_outside_the_image_has_no_skin_tone(shift: float) -> None:
    image = draw((90, 120, 180))
    assert skin_tone(image, landmarks() + np.array([shift, 0], np.float32)) is None


def test_a_burnt_out_face_has_no_skin_tone() -> None:
    assert skin_tone(np.full((400, 400, 3), 255, np.uint8), landmarks()) is None


def test_a_face_of_a_few_pixels_has_no_skin_tone() -> None:
    image = np.full((400, 400, 3), 120, np.uint8)
    assert skin_tone(image, landmarks() / np.float32(25)) is None


def test_patches_without_a_common_colour_have_no_skin_tone() -> None:
    image = np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8)
    assert skin_tone(image, landmarks()) is None


@pytest.mark.parametrize(
    ("lab", "degrees"),
    [
        ((70.0, 12.0, 20.0), 45.0),
        ((50.0, 12.0, 20.0), 0.0),
        ((30.0, 12.0, 20.0), -45.0),
        ((65.0, 10.0, 15 * math.sqrt(3)), 30.0),
    ],
)
def test_the_typology_angle_is_that_above_lightness_50(
    lab: tuple[float, float, float], degrees: float
) -> None:
    assert individual_typology_angle(lab) == pytest.approx(degrees)


def test_the_monk_scale_falls_from_very_light_to_dark() -> None:
    angles = [individual_typology_angle(tuple(_lab(tone))) for tone in MONK_SCALE]
    measured = [angle for angle in angles if angle is not None]
    assert len(measured) == 10
    assert measured[0] > 55
    assert measured[-1] < -30
    assert sorted(measured[3:], reverse=True) == measured[3:]


@pytest.mark.parametrize("yellowness", [0.0, -0.01, -20.0, math.nan])
def test_grey_and_bluish_skin_has_no_typology_angle(yellowness: float) -> None:
    assert individual_typology_angle((60.0, 5.0, yellowness)) is None
