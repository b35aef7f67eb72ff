"""Letters on a picture: smooth and evenly spaced at every size, in a font that has them."""

from __future__ import annotations

import math
from functools import cache

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]  # RGB

#: looked for where the system keeps its fonts; Pillow's own has ASCII and little more
_SYSTEM_FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "Arial.ttf",
    "NotoSansCJK-Regular.ttc",
    "Arial Unicode.ttf",
)
_NO_CHARACTER = "\uffff"
_REPLACEMENT = "?"
#: a font's advances are whole pixels: drawn so much larger and reduced, they are even
_OVERSAMPLING = 4
_HEIGHT = 1.5


class Lettering:
    """A line of text at a size in pixels. What no font has a letter for is a question mark."""

    def __init__(self, text: str, size: int) -> None:
        name = _font_for(text)
        self.size = size
        self.text = "".join(c if _has(name, c) else _REPLACEMENT for c in text)
        self._font = _font(name, size * _OVERSAMPLING)

    @classmethod
    def fitting(cls, text: str, width: float, most: int) -> Lettering:
        """Letters of at most `most` pixels by which the text is no wider than `width`."""
        wanted = cls(text, most)
        if wanted.width <= width:
            return wanted
        return cls(text, max(6, int(most * width / wanted.width)))

    @property
    def width(self) -> float:
        """Pixels."""
        return self._font.getlength(self.text) / _OVERSAMPLING

    def write(self, picture: Image.Image, left: float, middle: float, colour: Colour) -> None:
        """From `left` on, its lower-case letters around the height `middle`."""
        size = (math.ceil(self.width) + self.size, math.ceil(self.size * _HEIGHT))
        mask = Image.new("L", (size[0] * _OVERSAMPLING, size[1] * _OVERSAMPLING))
        place = (0, mask.height / 2)
        ImageDraw.Draw(mask).text(place, self.text, 255, self._font, anchor="lm")
        mask = mask.resize(size, Image.Resampling.BOX)
        picture.paste(colour, (round(left), round(middle - size[1] / 2)), mask)


@cache
def _font(name: str | None, size: int) -> ImageFont.FreeTypeFont:
    """The system's of this name; `None`: Pillow's own."""
    font = ImageFont.load_default(size) if name is None else ImageFont.truetype(name, size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return font


@cache
def _font_for(text: str) -> str | None:
    """The first font that has the most of the text's letters."""
    return min(_fonts(), key=lambda name: sum(not _has(name, character) for character in text))


@cache
def _fonts() -> tuple[str | None, ...]:
    found: list[str | None] = [None]
    for name in _SYSTEM_FONTS:
        try:
            _font(name, 16)
        except OSError:
            continue
        found.append(name)
    return tuple(found)


@cache
def _has(name: str | None, character: str) -> bool:
    font = _font(name, 16)
    return character.isspace() or bytes(font.getmask(character)) != _missing(name)


@cache
def _missing(name: str | None) -> bytes:
    """What a font draws for a character that it has not."""
    return bytes(_font(name, 16).getmask(_NO_CHARACTER))
