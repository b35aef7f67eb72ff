"""A GIF's blocks: its first image, alone. What stands before and behind it reaches no decoder."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.errors import DamagedImage

_SCREEN_BYTES = 13
_IMAGE, _EXTENSION, _END = 0x2C, 0x21, 0x3B
_GRAPHIC_CONTROL = 0xF9
#: 255 bytes each where an encoder fills them; a file of empty ones would keep the interpreter busy
_MAX_BLOCKS = 200_000


@dataclass(frozen=True, slots=True)
class Gif:
    """The screen, in pixels, drawn as large as its first image where that is larger."""

    width: int
    height: int
    #: the first image as a GIF of its own
    first_image: bytes


def read_gif(data: bytes) -> Gif:
    """Raises `DamagedImage`; `IndexError` where the data ends before its first image does."""
    blocks = _Blocks(data)
    graphic_control = b""
    while True:
        start = blocks.at
        kind = blocks.byte()
        if kind == _IMAGE:
            return _first_image(blocks, start, graphic_control)
        if kind == _EXTENSION:
            label = blocks.byte()
            blocks.skip_pieces()
            if label == _GRAPHIC_CONTROL:
                graphic_control = data[start : blocks.at]
        elif kind == _END:
            raise DamagedImage("the GIF holds no image")
        elif kind:
            raise DamagedImage("the GIF is corrupt: a block of no known kind")


def _first_image(blocks: _Blocks, start: int, graphic_control: bytes) -> Gif:
    left, top, width, height = (blocks.number(start + 1 + 2 * index) for index in range(4))
    flags = blocks.data[start + 9]
    blocks.at = start + 10 + _table_bytes(flags) + 1
    blocks.skip_pieces()
    image = blocks.data[start : blocks.at]
    return Gif(
        width=max(blocks.number(6), left + width),
        height=max(blocks.number(8), top + height),
        first_image=blocks.head + graphic_control + image + bytes([_END]),
    )


class _Blocks:
    """A place in the file, and how many more blocks may be passed."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = _SCREEN_BYTES + _table_bytes(data[10])
        self.head = data[: self.at]
        self._left = _MAX_BLOCKS

    def byte(self) -> int:
        self._count()
        self.at += 1
        return self.data[self.at - 1]

    def number(self, at: int) -> int:
        return self.data[at] | self.data[at + 1] << 8

    def skip_pieces(self) -> None:
        """Over the pieces of a block, each behind its length, and the empty one at their end."""
        while length := self.byte():
            self.at += length

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise DamagedImage(f"the GIF has more than {_MAX_BLOCKS} blocks")


def _table_bytes(flags: int) -> int:
    """Of a colour table, by the byte that announces it."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
