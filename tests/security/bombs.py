"""Small files that ask for much: memory, time, or room in a log. Each of at most 10 MiB."""

from __future__ import annotations

import struct
import zlib
from itertools import chain

from tests.security.mutations import sound_images

_MIB = 1024 * 1024
_SIDE = 7000  # squared, a little below the limit of 50 megapixels
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png(
    width: int, height: int, *, colour: int = 2, before: bytes = b"", rows: bytes | None = None
) -> bytes:
    """`before`: chunks before the rows. `rows`: as they are packed; empty ones where None."""
    channels = {0: 1, 2: 3, 6: 4}[colour]
    if rows is None:
        rows = zlib.compress(bytes(height * (1 + width * channels)), 9)
    return (
        _PNG_SIGNATURE
        + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0))
        + before
        + png_chunk(b"IDAT", rows)
        + png_chunk(b"IEND", b"")
    )


def _unfolding(packed_bytes: int) -> bytes:
    """A deflate stream of zeros, a thousand times as long when it is unpacked."""
    packer = zlib.compressobj(9)
    start = packer.compress(bytes(_MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(bytes(_MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return start + again * ((packed_bytes - len(start)) // len(again))


def _texts(kind: bytes, before_text: bytes) -> bytes:
    packed = zlib.compress(bytes(7_900_000), 9)  # libpng unpacks up to 8 MB of each
    return b"".join(png_chunk(kind, b"k%d\0" % n + before_text + packed) for n in range(1000))


def _exif(entries: int, size: int) -> bytes:
    """A note whose every entry claims nearly all of its bytes."""
    start = 8 + 2 + 12 * entries + 4
    tags = b"".join(
        struct.pack("<HHII", 0x1000 + n, 7, size - start, start) for n in range(entries)
    )
    head = b"II*\0" + struct.pack("<IH", 8, entries) + tags
    return head + bytes(size - len(head))


def _jpeg_with_scans(side: int, scans: int) -> bytes:
    """A grey progressive JPEG. Each scan says of all blocks that they hold nothing more."""
    blocks = ((side + 7) // 8) ** 2
    runs = ("0" + "1" * 14) * (blocks // 32767 + 1)  # one code of one bit: 32767 empty blocks
    runs += "1" * (-len(runs) % 8)
    packed = bytes(int(runs[at : at + 8], 2) for at in range(0, len(runs), 8))
    one_code = bytes([1] + [0] * 15)
    scan = b"\xff\xda\0\x08\1\1\0\1\x3f\0" + packed.replace(b"\xff", b"\xff\0")
    return b"".join(
        (
            b"\xff\xd8\xff\xdb\0\x43\0" + bytes([1] * 64),
            b"\xff\xc2" + struct.pack(">HBHHB", 11, 8, side, side, 1) + b"\1\x11\0",
            b"\xff\xc4\0\x14\0" + one_code + b"\0",
            b"\xff\xc4\0\x14\x10" + one_code + b"\xe0",
            b"\xff\xda\0\x08\1\1\0\0\0\0" + bytes(blocks // 8 + 1),
            scan * scans,
            b"\xff\xd9",
        )
    )


def _jpeg_with_markers(marker: bytes, count: int) -> bytes:
    whole = sound_images()["jpeg"]
    return whole[:2] + marker * count + whole[2:]


def _gif_with(blocks: bytes) -> bytes:
    """Before its first image."""
    whole = sound_images()["gif"]
    at = 13 + (3 << (whole[10] & 7) + 1)
    return whole[:at] + blocks + whole[at:]


def _gif_with_frames(count: int) -> bytes:
    whole = sound_images()["gif animated"]
    at = 13 + (3 << (whole[10] & 7) + 1)
    return whole[:at] + whole[at:-1] * count + b";"


def _bmp_in_runs(width: int, height: int, runs: bytes) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(runs), 0, 0, 256, 0)
    start = 14 + 40 + 1024
    return b"BM" + struct.pack("<IHHI", start + len(runs), 0, 0, start) + head + bytes(1024) + runs


def _webp(kind: bytes, body: bytes, *more: tuple[bytes, bytes]) -> bytes:
    chunks = b"".join(
        name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
        for name, content in chain([(kind, body)], more)
    )
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def _webp_canvas(width: int, height: int, flags: int) -> bytes:
    return bytes([flags, 0, 0, 0]) + b"".join(
        (side - 1).to_bytes(3, "little") for side in (width, height)
    )


def _webp_with_frames(count: int) -> bytes:
    whole = sound_images()["webp animated"]
    start = whole.find(b"ANMF")
    frame = whole[start : start + 8 + int.from_bytes(whole[start + 4 : start + 8], "little")]
    body = whole[12:start] + (frame + b"\0" * (len(frame) % 2)) * count
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _tiff(directory: bytes, rest: bytes = b"") -> bytes:
    return b"II*\0" + struct.pack("<I", 8) + directory + rest


#: each bomb → the code that it settles with
BOMBS: dict[str, tuple[bytes, str]] = {
    # sizes that a header says
    "png of 50,000 × 50,000": (_png(50_000, 50_000, rows=b""), "too_many_pixels"),
    "png of 2³¹ × 2³¹": (_png(2**31 - 1, 2**31 - 1, rows=b""), "too_many_pixels"),
    "png of a sound size and nothing in it": (_png(_SIDE, _SIDE, rows=b""), "damaged_image"),
    "webp of a giant canvas": (
        _webp(b"VP8X", _webp_canvas(2**24, 2**24, 0x10)),
        "too_many_pixels",
    ),
    "webp of a small canvas around a large image": (
        _webp(
            b"VP8X",
            _webp_canvas(8, 8, 0x10),
            (b"VP8L", b"\x2f" + (16382 | 16382 << 14).to_bytes(4, "little") + bytes(9)),
        ),
        "damaged_image",
    ),
    "gif of a giant screen": (
        b"GIF89a\xff\xff\xff\xff" + sound_images()["gif"][10:],
        "too_many_pixels",
    ),
    "bmp of a sound size and nothing in it": (
        b"BM" + bytes(12) + struct.pack("<IiiHHI", 40, _SIDE, _SIDE, 1, 24, 0) + bytes(24),
        "damaged_image",
    ),
    # what unfolds
    "png of empty rows": (_png(_SIDE, _SIDE, colour=6), "ok"),
    "png with texts": (_png(8, 8, before=_texts(b"zTXt", b"\0")), "ok"),
    "png with international texts": (_png(8, 8, before=_texts(b"iTXt", b"\1\0\0\0")), "ok"),
    "png with a profile": (
        _png(8, 8, before=png_chunk(b"iCCP", b"p\0\0" + _unfolding(9 * _MIB))),
        "ok",
    ),
    "png with ten gigabytes behind its last row": (_png(8, 8, rows=_unfolding(9 * _MIB)), "ok"),
    # the same again and again
    "png of chunks": (_png(8, 8, before=png_chunk(b"gAMA", b"") * 700_000), "damaged_image"),
    "png of empty rows' chunks": (
        _png(8, 8, before=png_chunk(b"IDAT", b"") * 700_000),
        "damaged_image",
    ),
    "jpeg of scans": (_jpeg_with_scans(_SIDE, 130_000), "damaged_image"),
    "jpeg of a thousand scans": (_jpeg_with_scans(_SIDE, 1000), "damaged_image"),
    "jpeg of comments": (_jpeg_with_markers(b"\xff\xfe\0\2", 2_000_000), "damaged_image"),
    "jpeg of EXIF": (_jpeg_with_markers(b"\xff\xe1\0\x08Exif\0\0", 9000), "ok"),
    "gif of frames": (_gif_with_frames(1900), "ok"),
    "gif of comments": (_gif_with(b"\x21\xfe\1c\0" * 1_900_000), "damaged_image"),
    "gif of a comment in pieces of a byte": (
        _gif_with(b"\x21\xfe" + b"\1c" * 4_900_000 + b"\0"),
        "damaged_image",
    ),
    "gif of a long comment": (_gif_with(b"\x21\xfe" + b"\xff" * 256 * 39_000 + b"\0"), "ok"),
    "gif of nothing": (_gif_with(bytes(9_900_000)), "damaged_image"),
    "webp of frames": (_webp_with_frames(9000), "ok"),
    "webp of too many frames": (_webp_with_frames(15_000), "damaged_image"),
    # runs, which Pillow unpacks in Python
    "bmp of runs": (_bmp_in_runs(_SIDE, _SIDE, b"\1\0" * 4_900_000), "not_an_image"),
    "bmp of ends of lines": (_bmp_in_runs(49_000_000, 1, b"\1\0\0\0" * 10), "not_an_image"),
    # notes
    "png with EXIF": (_png(8, 8, before=png_chunk(b"eXIf", _exif(60_000, 3 * _MIB))), "ok"),
    "webp with EXIF": (
        _webp(
            b"VP8X",
            _webp_canvas(40, 30, 0x18),
            (b"VP8L", sound_images()["webp lossless"][20:]),
            (b"EXIF", _exif(60_000, 3 * _MIB)),
        ),
        "ok",
    ),
    # TIFF is told by its first bytes and not read: strips, directories in a circle, a giant
    "tiff whose directory follows itself": (
        _tiff(struct.pack("<HHHIIH", 1, 256, 4, 1, 8, 0) + struct.pack("<I", 8)),
        "not_an_image",
    ),
    "tiff of 2³² × 2³² in one strip": (
        _tiff(
            struct.pack("<H", 4)
            + b"".join(struct.pack("<HHII", tag, 4, 1, 2**32 - 1) for tag in (256, 257, 273, 279))
        ),
        "not_an_image",
    ),
    # what is no image, whatever it begins as
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg" width="1e9" height="1e9"/>', "not_an_image"),
    "svg behind a JPEG's first bytes": (b"\xff\xd8\xff<svg/>", "damaged_image"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not_an_image"),
    "zip": (b"PK\3\4" + bytes(100), "not_an_image"),
    "gzip": (b"\x1f\x8b\x08" + _unfolding(_MIB), "not_an_image"),
    "openexr": (b"v/1\1" + bytes(100), "not_an_image"),
    "jpeg 2000": (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(100), "not_an_image"),
    "radiance": (b"#?RADIANCE\n-Y 50000 +X 50000\n", "not_an_image"),
    "portable pixmap": (b"P6 50000 50000 255\n", "not_an_image"),
    "sun raster": (b"\x59\xa6\x6a\x95" + b"\0\0\xff\xff" * 7, "not_an_image"),
    "pickle": (b"\x80\4\x95" + bytes(50), "not_an_image"),
}
