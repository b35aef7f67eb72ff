"""What an image file says of itself before it is decoded: size, transparency, wholeness.

Read here and not by Pillow, whose readers refuse some files that the decoders take, and which
would parse every photograph a second time. The walk over a JPEG's markers does what libjpeg's
does, so that the size that is checked is the size that is allocated, and the scans that are
counted are those that are decoded. Of a PNG and a GIF, whose files can hold much besides the one
image that is wanted, only what its pixels depend on is passed on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from schemas.errors import DamagedImage, NotAnImage
from stream.exif import orientation
from stream.gif_blocks import read_gif
from stream.io.formats import Format, format_of, why_not_decoded
from stream.png_chunks import read_png

_JPEG_END_MARK = b"\xff\xd9"
_JPEG_END = 0xD9
_JPEG_SCAN = 0xDA
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_WITHOUT_LENGTH = frozenset({0x00, 0x01, *range(0xD0, 0xD8)})
#: the next marker: within a scan, 0xFF before a zero or a restart's number is data
_JPEG_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])")
#: a photograph has some dozens; a file of nothing else would keep the interpreter busy
_MAX_JPEG_MARKERS = 10_000
#: progressive encoders write ten, the most thorough some sixty. Each is a pass over all pixels,
#: and one of a few bytes is enough for it
_MAX_JPEG_SCANS = 100

_WEBP_FLAGS_ALPHA_AND_ANIMATION = 0x12
_MAX_WEBP_CHUNKS = 10_000

_BMP_UNCOMPRESSED = frozenset({0, 3})  # plain, and with masks that say which bits are which colour


@dataclass(frozen=True, slots=True)
class Header:
    """Sizes in pixels, as stored: before EXIF turns the image."""

    format: Format
    width: int
    height: int
    #: what a decoder is to be given
    data: bytes
    #: pixels may be transparent, or the file may hold several images
    layered: bool = False
    #: the file's own end mark is there
    whole: bool = True
    #: EXIF's, 1 to 8; read for what the decoder does not turn upright itself
    orientation: int = 1


def read_header(data: bytes) -> Header:
    """Raises `NotAnImage` for unknown formats, `DamagedImage` for known ones cut off early."""
    kind = format_of(data)
    if kind is None:
        raise NotAnImage(why_not_decoded(data))
    try:
        return _READERS[kind](data)
    except IndexError:
        raise DamagedImage(f"the image is cut off after {len(data)} bytes") from None


def _jpeg(data: bytes) -> Header:
    size: tuple[int, int] | None = None
    for marker, at in _jpeg_markers(data):
        if marker in _JPEG_FRAMES and size is None:
            size = _big(data, at + 5, 2), _big(data, at + 3, 2)
        if marker == _JPEG_SCAN:
            if size is None:
                break
            first_scan = at + _big(data, at, 2)
            whole = data.rfind(_JPEG_END_MARK) >= first_scan
            _count_scans(data, first_scan)
            return Header("jpeg", *size, data, whole=whole)
    raise DamagedImage("the JPEG holds no image")


def _jpeg_markers(data: bytes) -> Iterator[tuple[int, int]]:
    """Before the first scan, that one included: each marker, and where its length stands."""
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
        if marker == _JPEG_END:
            return
        yield marker, at
        at += _big(data, at, 2)
    raise DamagedImage(f"the JPEG has more than {_MAX_JPEG_MARKERS} markers")


def _count_scans(data: bytes, at: int) -> None:
    """From the first one's data on. Raises `DamagedImage` where there are too many."""
    scans = 1
    for _ in range(_MAX_JPEG_MARKERS):
        found = _JPEG_MARKER.search(data, at)
        if found is None or found[1][0] == _JPEG_END or found.end() + 2 > len(data):
            return
        scans += found[1][0] == _JPEG_SCAN
        if scans > _MAX_JPEG_SCANS:
            raise DamagedImage(f"the JPEG has more than {_MAX_JPEG_SCANS} scans")
        at = found.end() + _big(data, found.end(), 2)
    raise DamagedImage(f"the JPEG has more than {_MAX_JPEG_MARKERS} markers")


def _png(data: bytes) -> Header:
    png = read_png(data)
    return Header(
        "png",
        png.width,
        png.height,
        png.essential,
        whole=png.whole,
        layered=True,
        orientation=orientation(png.exif),
    )


def _webp(data: bytes) -> Header:
    whole = len(data) >= _little(data, 4, 4) + 8
    kind = data[12:16]
    if kind == b"VP8X":
        layered = bool(data[20] & _WEBP_FLAGS_ALPHA_AND_ANIMATION)
        turned = orientation(_webp_exif(data)) if layered else 1
        width, height = _little(data, 24, 3) + 1, _little(data, 27, 3) + 1
        return Header("webp", width, height, data, layered, whole, turned)
    if kind == b"VP8L":
        bits = _little(data, 21, 4)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        return Header("webp", width, height, data, bool(bits >> 28 & 1), whole)
    if kind == b"VP8 ":
        width, height = _little(data, 26, 2) & 0x3FFF, _little(data, 28, 2) & 0x3FFF
        return Header("webp", width, height, data, whole=whole)
    raise DamagedImage("the WebP file holds no image")


def _webp_exif(data: bytes) -> bytes:
    """The note, empty where there is none."""
    at = 12
    for _ in range(_MAX_WEBP_CHUNKS):
        if at + 8 > len(data):
            return b""
        length = _little(data, at + 4, 4)
        if data[at : at + 4] == b"EXIF":
            return data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    raise DamagedImage(f"the WebP file has more than {_MAX_WEBP_CHUNKS} chunks")


def _gif(data: bytes) -> Header:
    gif = read_gif(data)
    return Header("gif", gif.width, gif.height, gif.first_image, layered=True)


def _bmp(data: bytes) -> Header:
    if data[14] == 12:
        width, height, bits = (_little(data, at, 2) for at in (18, 20, 24))
    else:
        width, bits = _little(data, 18, 4), _little(data, 28, 2)
        # negative: stored from the top
        height = abs(int.from_bytes(_exactly(data, 22, 4), "little", signed=True))
        if _little(data, 30, 4) not in _BMP_UNCOMPRESSED:
            raise NotAnImage("a compressed BMP is not decoded here: send it as PNG")
    row_bytes = (width * bits + 31) // 32 * 4
    whole = len(data) >= _little(data, 10, 4) + row_bytes * height
    return Header("bmp", width, height, data, layered=True, whole=whole)


_READERS: dict[Format, Callable[[bytes], Header]] = {
    "jpeg": _jpeg,
    "png": _png,
    "webp": _webp,
    "gif": _gif,
    "bmp": _bmp,
}


def _big(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(_exactly(data, at, size), "big")


def _little(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(_exactly(data, at, size), "little")


def _exactly(data: bytes, at: int, size: int) -> bytes:
    piece = data[at : at + size]
    if len(piece) < size:
        raise IndexError
    return piece
