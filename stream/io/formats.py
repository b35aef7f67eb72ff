"""Which image format bytes begin as: all that is looked at before the rest of them is there."""

from __future__ import annotations

from typing import Literal

Format = Literal["jpeg", "png", "webp", "gif", "bmp"]

#: the longest beginning that a format is known by: BMP's, with the size of its second header
HEAD_BYTES = 18

_BMP_HEADER_SIZES = (b"\x0c\0\0\0", b"\x28\0\0\0", b"\x6c\0\0\0", b"\x7c\0\0\0")

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


def format_of(head: bytes) -> Format | None:
    """By the first `HEAD_BYTES`. `None` for what is not decoded here, whatever it is."""
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "gif"
    if head[:2] == b"BM" and head[14:18] in _BMP_HEADER_SIZES:
        return "bmp"
    return None


def why_not_decoded(head: bytes) -> str:
    """A sentence for bytes whose format is `None`."""
    for offset, mark, name in _NOT_DECODED:
        if head.startswith(mark, offset):
            return f"{name} is not decoded here: send JPEG, PNG, WebP, GIF or BMP"
    return "the bytes are no JPEG, PNG, WebP, GIF or BMP image"
