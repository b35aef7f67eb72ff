"""A large JPEG is decoded to what is needed of it, and to more where a face is small."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from schemas.errors import DamagedImage, TooManyPixels
from stream import decoding
from stream.decoding import decode, open_photograph
from stream.photograph import Photograph, Pixels

LIMIT = 10_000_000


def _jpeg(width: int, height: int, orientation: int = 1, **options: Any) -> bytes:
    """Bright in its upper left quarter, as it is stored."""
    pixels = np.full((height, width, 3), 40, np.uint8)
    pixels[: height // 2, : width // 2] = 200
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95, exif=exif.tobytes(), **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("size", "reduced_by"),
    [
        ((1279, 900), 1),
        ((1280, 900), 2),
        ((2559, 900), 2),
        ((900, 2560), 4),
        ((5120, 17), 8),
        ((20_000, 10), 8),
    ],
)
def test_a_jpeg_is_reduced_as_far_as_its_longer_side_has_enough(
    size: tuple[int, int], reduced_by: int
) -> None:
    photograph = open_photograph(_jpeg(*size), LIMIT, 640)
    assert (photograph.width, photograph.height) == size
    assert photograph.reduced_by == reduced_by
    assert photograph.seen.shape[1::-1] == tuple(-(-side // reduced_by) for side in size)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(401, 303), (402, 402)])
def test_a_reduced_jpeg_is_upright_as_the_whole_one_is(
    size: tuple[int, int], orientation: int
) -> None:
    data = _jpeg(*size, orientation)
    whole, photograph = decode(data, LIMIT), open_photograph(data, LIMIT, 100)
    assert photograph.reduced_by == 4
    assert (photograph.height, photograph.width) == whole.shape[:2]
    small = cv2.resize(whole, photograph.seen.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - photograph.seen).mean() < 3
    assert np.array_equal(photograph.pixels(1), whole)


def test_a_jpeg_whose_reduced_sides_are_equal_is_reduced_less() -> None:
    """Nothing would tell then whether EXIF laid it on its side."""
    photograph = open_photograph(_jpeg(1600, 1598), LIMIT, 400)
    assert photograph.reduced_by == 2


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP"])
def test_other_formats_are_whole(kind: str) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (640, 200)).save(buffer, kind)
    assert open_photograph(buffer.getvalue(), LIMIT, 100).reduced_by == 1


def test_without_a_size_that_is_enough_a_jpeg_is_whole() -> None:
    assert open_photograph(_jpeg(2000, 100), LIMIT).reduced_by == 1


@pytest.mark.parametrize("options", [{"progressive": True}, {"subsampling": 0}])
def test_every_kind_of_jpeg_is_reduced(options: dict[str, Any]) -> None:
    seen = open_photograph(_jpeg(800, 600, **options), LIMIT, 200).seen
    assert seen.shape == (150, 200, 3)
    assert abs(int(seen[30, 30, 0]) - 200) < 5
    assert abs(int(seen[120, 170, 0]) - 40) < 5


def test_limits_are_those_of_the_whole_image() -> None:
    with pytest.raises(TooManyPixels):
        open_photograph(_jpeg(2000, 1000), 1_999_999, 250)
    with pytest.raises(DamagedImage):
        open_photograph(_jpeg(2000, 1000)[:-300], LIMIT, 250)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What each decoding was reduced by."""
    done: list[int] = []
    sound = decoding._decode_with_opencv

    def noted(data: bytes, reduced_by: int) -> Pixels:
        done.append(reduced_by)
        return sound(data, reduced_by)

    monkeypatch.setattr(decoding, "_decode_with_opencv", noted)
    return done


def test_finer_pixels_are_decoded_once_and_only_when_they_are_asked_for(
    decoded: list[int],
) -> None:
    photograph = open_photograph(_jpeg(1600, 800), LIMIT, 200)
    assert photograph.pixels(8) is photograph.seen
    assert decoded == [8]
    assert photograph.pixels(2).shape == (400, 800, 3)
    assert photograph.pixels(2) is photograph.pixels(2)
    assert decoded == [8, 2]


@pytest.mark.parametrize(
    ("length_px", "reduction"), [(100, 8), (99, 4), (50, 4), (49, 2), (25, 2), (24, 1), (1, 1)]
)
def test_a_length_is_seen_in_the_fewest_pixels_that_are_enough(
    length_px: float, reduction: int
) -> None:
    photograph = open_photograph(_jpeg(1600, 800), LIMIT, 200)
    assert photograph.reduction(length_px, 100) == reduction


def test_of_a_whole_image_there_is_nothing_finer() -> None:
    pixels = np.zeros((4, 6, 3), np.uint8)
    photograph = Photograph.whole(pixels)
    assert (photograph.height, photograph.width) == (4, 6)
    assert photograph.reduction(1, 100) == 1
    assert photograph.pixels(1) is pixels
