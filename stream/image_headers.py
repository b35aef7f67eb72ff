"""What an image file says of itself before it is decoded: format, size, transparency, wholeness.

Read here and not by Pillow, whose readers refuse some files that the decoders take, and which
would parse every photograph a second time. The walk over a JPEG's markers does what libjpeg's
does, so that the size that is checked is the size that is allocated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schemas.errors import DamagedImage, NotAnImage

Format = Literal["jpeg", "png", "webp", "gif", "bmp"]

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_START = b"\xff\xd8\xff"
_JPEG_END = b"\xff\xd9"
_JPEG_SCAN = 0xDA
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_WITHOUT_LENGTH = frozenset({0x00, 0x01, *range(0xD0, 0xD8)})
#: a photograph has some dozens; a file of nothing else would keep the interpreter busy
_MAX_JPEG_MARKERS = 10_000

#: said by name, since people have such files and wonder
_NOT_DECODED: tuple[tuple[int, bytes, str], ...] = (
    (4, b"ftypheic", "HEIC"),
    (4, b"ftypheix", "HEIC"),
    (4, b"ftypmif1", "HEIF"),
    (4, b"ftypavif", "AVIF"),
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (0, b"%PDF", "PDF"),
)


@dataclass(frozen=True, slots=True)
class Header:
    """Sizes in pixels, as stored: before EXIF turns the image."""

    format: Format
    width: int
    height: int
    #: pixels may be transparent, or the file may hold several images
    layered: bool = False
    #: the file's own end mark is there
    whole: bool = True


def read_header(data: bytes) -> Header:
    """Raises `NotAnImage` for unknown formats, `DamagedImage` for known ones cut off early."""
    try:
        if data.startswith(_JPEG_START):
            return _jpeg(data)
        if data.startswith(_PNG_SIGNATURE):
            return _png(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
        if data[:6] in (b"GIF87a", b"GIF89a"):
            return Header("gif", _little(data, 6, 2), _little(data, 8, 2), layered=True)
        if data[:2] == b"BM" and data[14:18] in (
            b"\x0c\0\0\0",
            b"\x28\0\0\0",
            b"\x6c\0\0\0",
            b"\x7c\0\0\0",
        ):
            return _bmp(data)
    except IndexError:
        raise DamagedImage(f"the image ends within its header, after {len(data)} bytes") from None
    for offset, mark, name in _NOT_DECODED:
        if data.startswith(mark, offset):
            raise NotAnImage(f"{name} is not decoded here: send JPEG, PNG, WebP, GIF or BMP")
    raise NotAnImage("the bytes are no JPEG, PNG, WebP, GIF or BMP image")


def _jpeg(data: bytes) -> Header:
    size: tuple[int, int] | None = None
    at = 2
    for _ in range(_MAX_JPEG_MARKERS):
        at = data.find(b"\xff", at)
        if at < 0:
            raise IndexError
        while data[at] == 0xFF:
            at += 1
        marker = data[at]
        at += 1
        if marker in _JPEG_WITHOUT_LENGTH:
            continue
        if marker == _JPEG_END[1]:
            break
        length = _big(data, at, 2)
        if marker == _JPEG_SCAN:
            if size is None:
                break
            whole = data.rfind(_JPEG_END) >= at + length
            return Header("jpeg", *size, whole=whole)
        if marker in _JPEG_FRAMES and size is None:
            size = _big(data, at + 5, 2), _big(data, at + 3, 2)
        at += length
    raise DamagedImage("the JPEG holds no image")


def _png(data: bytes) -> Header:
    if data[12:16] != b"IHDR":
        raise DamagedImage("the PNG does not begin with its header")
    depth, colour = data[24], data[25]
    # Transparency of one 16-bit colour is not looked at: no camera and no editor writes it.
    keyed = depth <= 8 and b"tRNS" in data[: max(data.find(b"IDAT"), 0)]
    return Header(
        "png",
        _big(data, 16, 4),
        _big(data, 20, 4),
        layered=colour in (4, 6) or keyed,
        whole=0 < data.rfind(b"IEND") <= len(data) - 8,  # its name and its checksum
    )


def _webp(data: bytes) -> Header:
    whole = len(data) >= _little(data, 4, 4) + 8
    kind = data[12:16]
    if kind == b"VP8X":
        animated_or_alpha = bool(data[20] & 0x12)
        return Header(
            "webp", _little(data, 24, 3) + 1, _little(data, 27, 3) + 1, animated_or_alpha, whole
        )
    if kind == b"VP8L":
        bits = _little(data, 21, 4)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        return Header("webp", width, height, bool(bits >> 28 & 1), whole)
    if kind == b"VP8 ":
        width, height = _little(data, 26, 2) & 0x3FFF, _little(data, 28, 2) & 0x3FFF
        return Header("webp", width, height, whole=whole)
    raise DamagedImage("the WebP file holds no image")


def _bmp(data: bytes) -> Header:
    if data[14] == 12:
        return Header("bmp", _little(data, 18, 2), _little(data, 20, 2), layered=True)
    height = int.from_bytes(data[22:26], "little", signed=True)  # negative: stored from the top
    return Header("bmp", _little(data, 18, 4), abs(height), layered=True)


def _big(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(_exactly(data, at, size), "big")


def _little(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(_exactly(data, at, size), "little")


def _exactly(data: bytes, at: int, size: int) -> bytes:
    piece = data[at : at + size]
    if len(piece) < size:
        raise IndexError
    return piece
