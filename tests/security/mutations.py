"""Image files as nobody's encoder writes them: from small sound ones, by seeded changes.

Only changing bits would stop at the first checksum. So most PNGs get their checksums anew,
and what a decoder multiplies by, sizes, lengths and repeats, is changed where it stands.
"""

from __future__ import annotations

import functools
import io
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PIL import Image

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_ODD_NUMBERS = (0, 1, 2, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)

Mutation = Callable[[bytearray, random.Random], None]


@functools.cache
def sound_images() -> dict[str, bytes]:
    """Small images of every kind that is decoded, and TIFF, which is not; by name."""
    photo = _photo()
    alpha = photo.convert("RGBA")
    alpha.putalpha(photo.convert("L"))
    frames = [photo, photo.rotate(90), photo.rotate(180)]
    note = Image.Exif()
    note[0x0112] = 6
    profile = bytes(300)
    animated: dict[str, Any] = {"save_all": True, "append_images": frames[1:], "duration": 40}
    deep = Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * 257)
    kinds: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
        "jpeg": (photo, "JPEG", {}),
        "jpeg progressive": (photo, "JPEG", {"progressive": True, "subsampling": 0}),
        "jpeg grey": (photo.convert("L"), "JPEG", {"restart_marker_blocks": 3}),
        "jpeg cmyk": (photo.convert("CMYK"), "JPEG", {}),
        "jpeg notes": (photo, "JPEG", {"exif": note, "icc_profile": profile, "comment": "c"}),
        "png": (photo, "PNG", {"exif": note, "icc_profile": profile}),
        "png alpha": (alpha, "PNG", {}),
        "png palette": (photo.convert("P"), "PNG", {"transparency": 3}),
        "png bits": (photo.convert("1"), "PNG", {}),
        "png deep": (deep, "PNG", {}),
        "png animated": (photo, "PNG", animated),
        "webp": (photo, "WEBP", {}),
        "webp lossless": (photo, "WEBP", {"lossless": True}),
        "webp alpha": (alpha, "WEBP", {"exif": note, "icc_profile": profile}),
        "webp animated": (photo, "WEBP", animated),
        "gif": (photo.convert("P"), "GIF", {"comment": b"c"}),
        "gif animated": (photo.convert("P"), "GIF", {**animated, "transparency": 1}),
        "bmp": (photo, "BMP", {}),
        "bmp palette": (photo.convert("P"), "BMP", {}),
        "bmp alpha": (alpha, "BMP", {}),
        "tiff": (photo, "TIFF", {}),
        "tiff packed": (photo, "TIFF", {"compression": "tiff_lzw"}),
        "tiff pages": (photo, "TIFF", {"save_all": True, "append_images": frames[1:]}),
    }
    return {name: _encoded(*how) for name, how in kinds.items()}


def mutated(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """`count` files with what each is made of. The same seed gives the same files."""
    images = sound_images()
    names = list(images)
    chance = random.Random(seed)
    for number in range(count):
        name = names[number % len(names)]
        data = bytearray(images[name])
        done = []
        for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
            if not data:
                break
            mutation = chance.choice(_MUTATIONS)
            mutation(data, chance)
            done.append(mutation.__name__.strip("_"))
        if data.startswith(_PNG_SIGNATURE) and chance.random() < 0.8:
            data = _with_checksums(data)
        yield f"{number} of seed {seed}: {name}, {' and '.join(done)}", bytes(data)


def _photo() -> Image.Image:
    across = np.linspace(0, 255, 40)
    noise = np.random.default_rng(5).integers(0, 60, (30, 40, 3))
    return Image.fromarray(np.clip(across[None, :, None] + noise, 0, 255).astype(np.uint8))


def _encoded(image: Image.Image, kind: str, options: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _somewhere(data: bytearray, chance: random.Random) -> int:
    """The first bytes, where a file is described, as often as all the others."""
    return chance.randrange(min(len(data), chance.choice((40, 200, len(data)))))


def _flip_bits(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 2, 8, 32))):
        data[_somewhere(data, chance)] ^= 1 << chance.randrange(8)


def _set_bytes(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 2, 8))):
        data[_somewhere(data, chance)] = chance.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF))


def _truncate(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


def _remove(data: bytearray, chance: random.Random) -> None:
    start = _somewhere(data, chance)
    del data[start : start + chance.choice((1, 2, 4, 16, 200))]


def _repeat(data: bytearray, chance: random.Random) -> None:
    start = _somewhere(data, chance)
    piece = data[start : start + chance.choice((1, 4, 12, 60, 400))]
    data[start:start] = piece * chance.choice((1, 2, 10, 300))


def _insert_noise(data: bytearray, chance: random.Random) -> None:
    start = _somewhere(data, chance)
    data[start:start] = chance.randbytes(chance.choice((1, 2, 4, 100)))


def _splice(data: bytearray, chance: random.Random) -> None:
    """It ends as another one does, of its own kind or not."""
    start = chance.randrange(len(data))
    other = chance.choice(list(sound_images().values()))
    data[start:] = other[chance.randrange(len(other)) :]


def _odd_number(data: bytearray, chance: random.Random) -> None:
    size = chance.choice((2, 2, 4, 4, 3))
    number = chance.choice(_ODD_NUMBERS) & ((1 << 8 * size) - 1)
    start = _somewhere(data, chance)
    data[start : start + size] = number.to_bytes(size, chance.choice(("big", "little")))


def _odd_size(data: bytearray, chance: random.Random) -> None:
    """Other dimensions where the format says them."""
    width, height = (chance.choice((0, 1, 41, 500, 5000, 16383, 50_000, 65_535)) for _ in range(2))
    if data.startswith(_PNG_SIGNATURE):
        data[16:24] = struct.pack(">II", width, height)
    elif data.startswith(b"GIF"):
        where = chance.choice((6, data.find(b",") + 5))
        data[where : where + 4] = struct.pack("<HH", width, height)
    elif data.startswith(b"BM"):
        data[18:26] = struct.pack("<ii", width, chance.choice((height, -height)))
    elif data.startswith(b"RIFF"):
        where = chance.choice((24, 26, 21))
        data[where : where + 6] = struct.pack("<IH", width, height)
    else:
        frame = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"), 0)
        data[frame + 5 : frame + 9] = struct.pack(">HH", height, width)


def _repack(data: bytearray, chance: random.Random) -> None:
    """A PNG's rows, unpacked, changed and packed again: the decoder sees the change."""
    start = data.find(b"IDAT")
    if not data.startswith(_PNG_SIGNATURE) or start < 0:
        _odd_number(data, chance)
        return
    length = int.from_bytes(data[start - 4 : start], "big")
    try:
        rows = bytearray(zlib.decompress(data[start + 4 : start + 4 + length]))
    except zlib.error:
        return
    if rows:
        chance.choice((_flip_bits, _set_bytes, _truncate, _repeat))(rows, chance)
    data[start - 4 : start + 8 + length] = _chunk(b"IDAT", zlib.compress(rows))


_MUTATIONS: tuple[Mutation, ...] = (
    _flip_bits,
    _set_bytes,
    _truncate,
    _remove,
    _repeat,
    _insert_noise,
    _splice,
    _odd_number,
    _odd_size,
    _repack,
)


def _chunk(kind: bytes, body: bytes | bytearray) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _with_checksums(data: bytearray) -> bytearray:
    """A PNG whose chunks, as far as they can be told apart, have the checksums that they should."""
    at = len(_PNG_SIGNATURE)
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if end > len(data):
            break
        data[end - 4 : end] = struct.pack(">I", zlib.crc32(data[at + 4 : end - 4]))
        at = end
    return data
