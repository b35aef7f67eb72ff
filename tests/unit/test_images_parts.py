"""Of a file, only what its pixels depend on is passed on, and of its EXIF only how it was held."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image

from schemas.errors import DamagedImage
from stream.exif import orientation
from stream.gif_blocks import read_gif
from stream.image_headers import read_header
from stream.images import decode
from stream.png_chunks import read_png

LIMIT = 100_000


def encoded(kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((40, 30)).convert("P").save(buffer, kind, **options)
    return buffer.getvalue()


def exif(orientation_: int, order: str = "<", *, kind: int = 3, others: int = 3) -> bytes:
    tags = [(0x0100 + n, 4, 1, 7) for n in range(others)]
    entries = b"".join(struct.pack(order + "HHII", *tag) for tag in tags)
    value = struct.pack(order + "H", orientation_) + b"\0\0"
    entries += struct.pack(order + "HHI", 0x0112, kind, 1) + value
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(order + "IH", 8, others + 1) + entries + bytes(4)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
def test_the_orientation_is_read_in_either_byte_order(order: str, prefix: bytes) -> None:
    for value in range(1, 9):
        assert orientation(prefix + exif(value, order)) == value


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"Exif\0\0",
        b"II*\0",
        b"MM\0*\xff\xff\xff\xff",
        b"II*\0\x08\0\0\0\xff\xff",
        b"XX" + exif(6)[2:],
        exif(0),
        exif(9),
        exif(6, kind=4),
        exif(6)[:30],
        exif(6, others=2000),
    ],
)
def test_a_note_that_says_nothing_leaves_the_image_as_it_is(note: bytes) -> None:
    assert orientation(note) == 1


def test_of_a_png_notes_and_later_frames_are_left_out() -> None:
    frame = Image.new("RGB", (40, 30), (9, 0, 0))
    options: dict[str, Any] = {"save_all": True, "append_images": [frame], "dpi": (72, 72)}
    data = encoded("PNG", exif=exif(3), icc_profile=bytes(500), **options)
    png = read_png(data)
    assert png.exif == exif(3)
    assert png.whole
    for kind in (b"acTL", b"fcTL", b"fdAT", b"iCCP", b"pHYs", b"eXIf"):
        assert kind in data
        assert kind not in png.essential
    turned = np.rot90(decode(encoded("PNG"), LIMIT), 2)
    assert np.array_equal(decode(data, LIMIT), turned)


def test_a_png_without_its_end_is_not_whole() -> None:
    data = encoded("PNG")
    assert not read_png(data[:-12]).whole
    assert read_png(data + b"more").whole


def test_of_a_gif_the_first_image_alone_is_left() -> None:
    more = [Image.new("P", (40, 30), colour) for colour in (1, 2)]
    data = encoded("GIF", save_all=True, append_images=more, comment=b"a comment", duration=50)
    gif = read_gif(data)
    assert (gif.width, gif.height) == (40, 30)
    assert b"a comment" in data
    assert b"a comment" not in gif.first_image
    assert gif.first_image.count(b"\0\x3b") == 1
    assert len(gif.first_image) < len(data)
    assert np.array_equal(decode(data, LIMIT), decode(gif.first_image, LIMIT))


def test_zeros_between_the_blocks_of_a_gif_are_passed_over_and_other_bytes_are_not() -> None:
    data = encoded("GIF")
    at = data.index(b"\x2c\0\0\0\0")
    assert np.array_equal(decode(data[:at] + bytes(5) + data[at:], LIMIT), decode(data, LIMIT))
    with pytest.raises(DamagedImage, match="no known kind"):
        decode(data[:at] + b"\x07" + data[at:], LIMIT)


def test_a_gif_without_an_image_is_damaged() -> None:
    data = encoded("GIF")
    with pytest.raises(DamagedImage, match="no image"):
        read_gif(data[: data.index(b"\x2c\0\0\0\0")] + b"\x3b")


def test_a_jpeg_of_as_many_scans_as_encoders_write_is_decoded() -> None:
    """And 0xFF 0xDA within a note, as in a preview, is not counted as one."""
    buffer = io.BytesIO()
    note = (b"\xff\xda" * 300) + b"\xff"
    Image.effect_noise((200, 200), 90).convert("RGB").save(
        buffer, "JPEG", progressive=True, comment=note
    )
    data = buffer.getvalue()
    assert data.count(b"\xff\xda") > 300
    assert decode(data, LIMIT).shape == (200, 200, 3)


def test_a_jpeg_of_more_scans_is_refused_and_what_follows_its_end_is_not_counted() -> None:
    buffer = io.BytesIO()
    Image.linear_gradient("L").save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    start, end = data.rindex(b"\xff\xda"), data.rindex(b"\xff\xd9")
    last_scan = data[start:end]
    read_header(data + last_scan * 200)
    with pytest.raises(DamagedImage, match="more than 100 scans"):
        read_header(data[:end] + last_scan * 200 + data[end:])


def test_a_png_whose_chunk_claims_four_gigabytes_is_cut_off() -> None:
    data = encoded("PNG")
    at = data.index(b"IDAT") - 4
    with pytest.raises(DamagedImage, match="cut off"):
        decode(data[:at] + b"\xff" * 4 + data[at + 4 :], LIMIT)
