"""A PNG's chunks: what it says of itself, and the few of them that its pixels depend on.

Only those reach a decoder. The others, compressed texts and profiles, unfold to a thousand times
their size, and a decoder that unfolds each of them to find it of no use takes a minute for it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from schemas.errors import DamagedImage

_SIGNATURE_BYTES = 8
_ESSENTIAL = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
#: encoders write pieces of 8 KiB and more; a file of empty ones would keep the interpreter busy
_MAX_CHUNKS = 100_000


@dataclass(frozen=True, slots=True)
class Png:
    """Sizes in pixels, as stored."""

    width: int
    height: int
    #: the chunks that the pixels depend on, as a PNG of its own
    essential: bytes
    #: the EXIF note; empty where there is none
    exif: bytes
    #: the end is there
    whole: bool


def read_png(data: bytes) -> Png:
    """Raises `DamagedImage`; `IndexError` where the data ends within the header."""
    if data[12:16] != b"IHDR":
        raise DamagedImage("the PNG does not begin with its header")
    if len(data) < _SIGNATURE_BYTES + 25:
        raise IndexError
    pieces = [data[:_SIGNATURE_BYTES]]
    exif = b""
    kind = b""
    for kind, start, end in _chunks(data):
        if kind in _ESSENTIAL:
            if zlib.crc32(data[start + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
                raise DamagedImage(f"the PNG's {kind.decode()} is corrupt: its checksum differs")
            pieces.append(data[start:end])
        elif kind == b"eXIf":
            exif = data[start + 8 : end - 4]
    return Png(
        width=int.from_bytes(data[16:20], "big"),
        height=int.from_bytes(data[20:24], "big"),
        essential=b"".join(pieces),
        exif=exif,
        whole=kind == b"IEND",
    )


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, begin and end of each chunk that is wholly there, up to the end mark."""
    at = _SIGNATURE_BYTES
    for _ in range(_MAX_CHUNKS):
        end = at + int.from_bytes(data[at : at + 4], "big") + 12
        if len(data) < end:
            return
        kind = data[at + 4 : at + 8]
        yield kind, at, end
        if kind == b"IEND":
            return
        at = end
    raise DamagedImage(f"the PNG has more than {_MAX_CHUNKS} chunks")
