"""Every kind of image comes out as upright 8-bit BGR, and nothing else comes out at all."""

from __future__ import annotations

import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps, WebPImagePlugin

from schemas.errors import DamagedImage, NotAnImage, TooManyPixels
from stream.image_headers import read_header
from stream.images import decode

LIMIT = 1_000_000
WHITE = 255


def _photo(height: int = 60, width: int = 80) -> NDArray[np.uint8]:
    noise = np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8)
    smooth: NDArray[np.uint8] = cv2.GaussianBlur(noise, (0, 0), 3)
    low, high = smooth.min(), smooth.max()
    stretched: NDArray[np.uint8] = ((smooth - low) * (255 / (high - low))).astype(np.uint8)
    return stretched


PHOTO = _photo()
PIL_PHOTO = Image.fromarray(PHOTO[:, :, ::-1])


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


def bgr(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image.convert("RGB"))[:, :, ::-1]


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_of(width: int, height: int, *, depth: int = 8, colour: int = 2) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", head)
        + png_chunk(b"IDAT", zlib.compress(bytes(1000)))
        + png_chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_has_the_pixels_of_cv2_imread(
    orientation: int, progressive: bool, tmp_path: Path
) -> None:
    data = encoded(PIL_PHOTO, "JPEG", quality=92, progressive=progressive, exif=exif(orientation))
    path = tmp_path / "photo.jpg"
    path.write_bytes(data)
    pixels = decode(data, LIMIT)
    expected = cv2.imread(str(path))
    assert expected is not None
    assert np.array_equal(pixels, expected)
    assert pixels.shape == ((60, 80, 3) if orientation < 5 else (80, 60, 3))
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True})])
def test_png_and_webp_are_turned_upright_too(
    orientation: int, mode: str, kind: str, options: dict[str, Any]
) -> None:
    image = PIL_PHOTO.convert(mode)
    if mode == "RGBA":
        image.putpixel((0, 0), (*image.getpixel((0, 0))[:3], 254))  # type: ignore[index]  # a tuple
    data = encoded(image, kind, exif=exif(orientation), **options)
    expected = bgr(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    difference = np.abs(decode(data, LIMIT).astype(int) - expected)
    assert difference[1:-1, 1:-1].max() == 0


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("L", "JPEG"),
        ("L", "PNG"),
        ("1", "PNG"),
        ("P", "PNG"),
        ("RGB", "PNG"),
        ("1", "BMP"),
        ("L", "BMP"),
        ("P", "BMP"),
        ("RGB", "BMP"),
        ("P", "GIF"),
        ("L", "GIF"),
    ],
)
def test_grey_palette_and_plain_images_are_what_pillow_says(mode: str, kind: str) -> None:
    data = encoded(PIL_PHOTO.convert(mode), kind)
    pixels = decode(data, LIMIT)
    assert np.array_equal(pixels, bgr(Image.open(io.BytesIO(data))))
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous


def test_lossy_webp_is_close_to_the_photograph() -> None:
    data = encoded(PIL_PHOTO, "WEBP", quality=95)
    assert np.abs(decode(data, LIMIT).astype(int) - PHOTO).mean() < 4


def test_cmyk_jpegs_are_not_inverted() -> None:
    data = encoded(PIL_PHOTO.convert("CMYK"), "JPEG", quality=98)
    pixels = decode(data, LIMIT).astype(int)
    assert np.abs(pixels - bgr(Image.open(io.BytesIO(data)))).max() <= 2
    assert np.abs(pixels - PHOTO).mean() < 4


def test_sixteen_bits_keep_their_upper_eight() -> None:
    deep = PHOTO.astype(np.uint16) * 256 + 255
    for image, expected in [
        (deep, PHOTO),
        (deep[:, :, 0], np.repeat(PHOTO[:, :, :1], 3, axis=2)),
    ]:
        ok, data = cv2.imencode(".png", image)
        assert ok
        assert np.array_equal(decode(data.tobytes(), LIMIT), expected)


def test_sixteen_bits_with_transparency_are_laid_over_white() -> None:
    deep = np.dstack([PHOTO, np.full(PHOTO.shape[:2], 255, np.uint8)]).astype(np.uint16) * 257
    deep[:30, :, 3] = 0
    ok, data = cv2.imencode(".png", deep)
    assert ok
    pixels = decode(data.tobytes(), LIMIT)
    assert (pixels[:30] == WHITE).all()
    assert np.array_equal(pixels[30:], PHOTO[30:])


@pytest.mark.parametrize(
    ("mode", "kind", "options"),
    [
        ("RGBA", "PNG", {}),
        ("LA", "PNG", {}),
        ("RGBA", "WEBP", {"lossless": True, "exact": True}),
        ("P", "PNG", {"transparency": 0}),
        ("P", "GIF", {"transparency": 0}),
        ("L", "PNG", {"transparency": 0}),
    ],
)
def test_what_is_transparent_is_white(mode: str, kind: str, options: dict[str, Any]) -> None:
    if mode in ("RGBA", "LA"):
        image = PIL_PHOTO.convert(mode)
        alpha = np.full(PHOTO.shape[:2], 255, np.uint8)
        alpha[:30] = 0
        image.putalpha(Image.fromarray(alpha))
    else:
        grey = np.full(PHOTO.shape[:2], 7, np.uint8)
        grey[:30] = 0
        image = Image.fromarray(grey)
        if mode == "P":
            image = image.convert("P")
    pixels = decode(encoded(image, kind, **options), LIMIT)
    assert (pixels[:30] == WHITE).all()
    assert not (pixels[30:] == WHITE).all()


def test_half_transparent_pixels_are_mixed_with_white() -> None:
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 128))
    assert decode(encoded(image, "PNG"), LIMIT)[0, 0].tolist() == [127, 127, 127]


@pytest.mark.parametrize(
    ("kind", "options"), [("GIF", {}), ("PNG", {}), ("WEBP", {"lossless": True})]
)
def test_of_an_animation_the_first_image_counts(kind: str, options: dict[str, Any]) -> None:
    first, second = Image.new("RGB", (40, 30), (250, 0, 0)), Image.new("RGB", (40, 30), (0, 0, 250))
    data = encoded(first, kind, save_all=True, append_images=[second], duration=100, **options)
    pixels = decode(data, LIMIT)
    assert pixels.shape == (30, 40, 3)
    assert pixels[15, 20].tolist() == [0, 0, 250]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"hello, this is no image",
        b"BMW is a make of cars, and this a text about it",
        b"<html><body>404</body></html>",
        b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        bytes(range(256)) * 8,
        b"\xff\xd8",
        b"RIFF\x00\x00\x00\x00WAVE",
        b"GIF88a" + bytes(50),
        b"\x89PNG",
    ],
)
def test_what_is_no_image_is_called_none(data: bytes) -> None:
    with pytest.raises(NotAnImage):
        decode(data, LIMIT)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00", "HEIC"),
        (b"\x00\x00\x00\x18ftypavif\x00\x00\x00\x00", "AVIF"),
        (encoded(PIL_PHOTO, "TIFF"), "TIFF"),
        (b"%PDF-1.7", "PDF"),
    ],
)
def test_formats_that_are_not_decoded_are_named(data: bytes, name: str) -> None:
    with pytest.raises(NotAnImage, match=name):
        decode(data, LIMIT)


WHOLE = {
    "jpeg": encoded(PIL_PHOTO, "JPEG", quality=90),
    "jpeg with a preview": encoded(PIL_PHOTO, "JPEG", exif=exif(1) + b"\xff\xd8\xff\xd9"),
    "progressive jpeg": encoded(PIL_PHOTO, "JPEG", quality=90, progressive=True),
    "cmyk jpeg": encoded(PIL_PHOTO.convert("CMYK"), "JPEG"),
    "png": encoded(PIL_PHOTO, "PNG"),
    "png with alpha": encoded(PIL_PHOTO.convert("RGBA"), "PNG"),
    "webp": encoded(PIL_PHOTO, "WEBP"),
    "webp with alpha": encoded(
        Image.merge("RGBA", (*PIL_PHOTO.split(), PIL_PHOTO.convert("L"))), "WEBP"
    ),
    "gif": encoded(PIL_PHOTO, "GIF"),
    "bmp": encoded(PIL_PHOTO, "BMP"),
}


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("share", [0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.97, 0.99])
def test_an_image_that_is_cut_off_is_damaged(name: str, share: float) -> None:
    data = WHOLE[name]
    decode(data, LIMIT)
    cut = data[: max(int(len(data) * share), 20)]
    with pytest.raises(DamagedImage):
        decode(cut, LIMIT)


@pytest.mark.parametrize("name", [name for name in WHOLE if "jpeg" in name or "png" in name])
@pytest.mark.parametrize("missing", [1, 2, 3, 4])
def test_the_last_bytes_are_missed_too(name: str, missing: int) -> None:
    with pytest.raises(DamagedImage):
        decode(WHOLE[name][:-missing], LIMIT)


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("tail", [b"\x00", b"trailing notes " * 50, WHOLE["jpeg"][:300]])
def test_bytes_behind_the_end_do_no_harm(name: str, tail: bytes) -> None:
    assert np.array_equal(decode(WHOLE[name] + tail, LIMIT), decode(WHOLE[name], LIMIT))


@pytest.mark.parametrize("name", WHOLE)
def test_no_corruption_escapes_as_another_error(name: str) -> None:
    random_ = np.random.default_rng(11)
    for _ in range(60):
        data = bytearray(WHOLE[name])
        for at in random_.integers(0, min(len(data), 400), 4):
            data[at] = random_.integers(0, 256)
        try:
            pixels = decode(bytes(data), LIMIT)
        except (DamagedImage, NotAnImage, TooManyPixels):
            continue
        assert pixels.shape[0] * pixels.shape[1] <= LIMIT


@pytest.fixture
def _nothing_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("decoded before its size was looked at")

    monkeypatch.setattr(cv2, "imdecode", fail)
    monkeypatch.setattr(Image.Image, "load", fail)
    monkeypatch.setattr(WebPImagePlugin.WebPImageFile, "_open", fail)


@pytest.mark.usefixtures("_nothing_is_decoded")
@pytest.mark.parametrize(
    "data",
    [
        png_of(30_000, 30_000),
        png_of(30_000, 30_000, depth=1, colour=0),
        png_of(2**31 - 1, 2**31 - 1, colour=6),
        encoded(Image.new("L", (1001, 1000)), "JPEG"),
        encoded(Image.new("RGB", (1001, 1000)), "WEBP"),
        encoded(Image.new("RGB", (1001, 1000)), "WEBP", lossless=True),
        encoded(Image.new("RGBA", (1001, 1000)), "WEBP"),
        b"RIFF\x1a\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x10\x00\x00\x00" + b"\xff" * 6,
        encoded(Image.new("L", (1001, 1000)), "GIF"),
        b"GIF89a\xff\xff\xff\xff" + encoded(Image.new("L", (8, 8)), "GIF")[10:],
        encoded(Image.new("1", (1001, 1000)), "BMP"),
        b"BM" + bytes(12) + struct.pack("<IiiHHI", 40, 60_000, -60_000, 1, 24, 0) + bytes(30),
    ],
)
def test_too_many_pixels_are_refused_by_the_header_alone(data: bytes) -> None:
    with pytest.raises(TooManyPixels):
        decode(data, LIMIT)


def test_a_gif_image_larger_than_its_screen_is_refused() -> None:
    data = bytearray(encoded(Image.new("L", (1001, 1000)), "GIF"))
    data[6:10] = struct.pack("<HH", 1, 1)
    with pytest.raises(TooManyPixels):
        decode(bytes(data), LIMIT)


def test_the_limit_itself_is_allowed() -> None:
    assert decode(encoded(Image.new("L", (1000, 1000)), "PNG"), LIMIT).shape == (1000, 1000, 3)


@pytest.mark.parametrize("size", [(0, 10), (10, 0)])
def test_an_image_without_pixels_is_damaged(size: tuple[int, int]) -> None:
    with pytest.raises(DamagedImage):
        decode(png_of(*size), LIMIT)


def test_an_image_of_many_strips_is_put_together_again() -> None:
    tall = PIL_PHOTO.resize((1200, 2500)).convert("RGBA")
    tall.putalpha(PIL_PHOTO.convert("L").resize(tall.size))
    flat = Image.new("RGB", tall.size, "white")
    flat.paste(tall, mask=tall.getchannel("A"))
    assert np.array_equal(decode(encoded(tall, "PNG"), 3 * LIMIT), bgr(flat))


@pytest.mark.parametrize("compression", [1, 2, 4, 5])
def test_a_compressed_bmp_is_not_decoded(compression: int) -> None:
    data = bytearray(encoded(PIL_PHOTO.convert("P"), "BMP"))
    data[30] = compression
    with pytest.raises(NotAnImage, match="compressed BMP"):
        decode(bytes(data), LIMIT)


def test_a_png_whose_checksum_differs_is_damaged() -> None:
    data = bytearray(WHOLE["png"])
    data[data.index(b"IDAT") + 20] ^= 1
    with pytest.raises(DamagedImage, match="checksum"):
        decode(bytes(data), LIMIT)


def test_a_jpeg_made_of_markers_alone_is_given_up_on() -> None:
    with pytest.raises(DamagedImage):
        read_header(b"\xff\xd8" + b"\xff\xe0\x00\x02" * 1_000_000)


def test_a_jpeg_is_measured_by_its_frame_and_not_by_its_preview() -> None:
    preview = encoded(Image.new("L", (8, 8)), "JPEG")
    note = b"\xff\xe1" + struct.pack(">H", len(preview) + 2) + preview
    header = read_header(b"\xff\xd8" + note + WHOLE["jpeg"][2:])
    assert (header.width, header.height) == (80, 60)


def test_many_threads_decode_at_once() -> None:
    data = list(WHOLE.values()) * 4
    with ThreadPoolExecutor(4) as threads:
        shapes = [pixels.shape for pixels in threads.map(lambda one: decode(one, LIMIT), data)]
    assert shapes == [(60, 80, 3)] * len(data)
