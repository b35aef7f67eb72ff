"""A result drawn on its photograph: thin boxes, five points, labels that can be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from cli.labels import Area, place
from cli.tables import SYNTHETIC, SYNTHETIC_NOTICE
from schemas.results import Box, Face, Result

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]  # RGB

#: a smaller photograph is drawn larger, so that letters have room beside the faces
LEAST_LONG_SIDE = 800
#: letters, as a part of the long side, and their bounds in pixels
_LETTER_SHARE = 1 / 58
_LEAST_LETTERS = 14
#: letters of a small face in a crowd, as a part of the face's width
_LETTER_SHARE_OF_FACE = 1 / 4
_LINE_SHARE = 1 / 520
_LINE_SHARE_OF_FACE = 1 / 40
_MOST_ON_FACES = 0.15
_SUBPIXEL_BITS = 4

PRIMARY: Colour = (255, 196, 61)
OTHER: Colour = (94, 214, 255)
_SHADE: Colour = (12, 16, 22)
_WHITE: Colour = (255, 255, 255)
_NOTICE: Colour = (255, 120, 220)


@dataclass(frozen=True, slots=True)
class _Scale:
    """Sizes in pixels of the picture that is drawn."""

    factor: float
    letters: int
    line: int

    @classmethod
    def of(cls, width: int, height: int) -> _Scale:
        factor = max(1.0, LEAST_LONG_SIDE / max(width, height))
        long_side = max(width, height) * factor
        return cls(
            factor=factor,
            letters=max(_LEAST_LETTERS, round(long_side * _LETTER_SHARE)),
            line=max(1, round(long_side * _LINE_SHARE)),
        )


def annotate(image: Pixels, result: Result, footer: str | None = None) -> Pixels:
    """The photograph with what was found, and a footer below it.

    image: (H, W, 3) uint8 BGR, upright; it is left as it is. Returns such an array, of another
    size: small photographs are enlarged, and the footer is added below. A result of the synthetic
    pack says so across the picture, whatever the footer says.
    """
    height, width = image.shape[:2]
    scale = _Scale.of(width, height)
    size = (round(width * scale.factor), round(height * scale.factor))
    canvas = image.copy()
    if scale.factor > 1:
        canvas = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    boxes = [_scaled(face.bbox, scale.factor) for face in result.faces]
    for index in reversed(range(len(boxes))):  # the most prominent comes to lie on top
        _draw_face(canvas, boxes[index], result.faces[index], index, scale)
    picture = Image.fromarray(np.ascontiguousarray(canvas[:, :, ::-1]))
    _draw_labels(picture, boxes, result.faces, scale)
    if result.model is not None and result.model.pack == SYNTHETIC:
        _draw_notice(picture, scale)
        footer = f"{footer}  ·  {SYNTHETIC_NOTICE}" if footer else SYNTHETIC_NOTICE
    if footer:
        picture = _with_footer(picture, footer, scale)
    return np.ascontiguousarray(np.asarray(picture, np.uint8)[:, :, ::-1])


def label(face: Face) -> str:
    """What stands beside a face: age, gender and emotion as far as they are known."""
    words: list[str] = []
    if face.analysis is not None:
        gender, age = face.analysis.gender, face.analysis.age
        expression = face.analysis.expression
        person = [str(known) for known in (gender, age) if known is not None]
        words = [" ".join(person)] if person else []
        words += [expression.dominant] if expression is not None else []
    return "  ".join([*words, f"{face.confidence:.2f}"])


def _draw_face(canvas: Pixels, box: Area, face: Face, index: int, scale: _Scale) -> None:
    colour = PRIMARY if index == 0 else OTHER
    # A dark line below the bright one: it is seen on snow and in shadow.
    thin = max(1, min(scale.line, round((box.right - box.left) * _LINE_SHARE_OF_FACE)))
    for shade, line in ((_SHADE, thin + 2), (colour, thin)):
        cv2.rectangle(
            canvas,
            _subpixel(box.left, box.top),
            _subpixel(box.right, box.bottom),
            shade[::-1],
            line,
            cv2.LINE_AA,
            _SUBPIXEL_BITS,
        )
    radius = min(2.0 * scale.line, max(1.0, (box.right - box.left) / 40))
    for point in face.landmarks_5 or ():
        centre = _subpixel(point.x * scale.factor, point.y * scale.factor)
        for shade, more in ((_SHADE, 1.0), (colour, 0.0)):
            size = round((radius + more) * 2**_SUBPIXEL_BITS)
            cv2.circle(canvas, centre, size, shade[::-1], -1, cv2.LINE_AA, _SUBPIXEL_BITS)


def _draw_labels(
    picture: Image.Image, boxes: Sequence[Area], faces: Sequence[Face], scale: _Scale
) -> None:
    draw = ImageDraw.Draw(picture, "RGBA")
    bounds = Area(0, 0, picture.width, picture.height)
    taken: list[Area] = []
    for index, (box, face) in enumerate(zip(boxes, faces, strict=True)):
        wanted = round((box.right - box.left) * _LETTER_SHARE_OF_FACE)
        font = _font(max(_LEAST_LETTERS, min(scale.letters, wanted)))
        # Where there is no room for words that leaves other faces free: its number.
        for text, most_on_faces in ((label(face), _MOST_ON_FACES), (str(index + 1), 1.0)):
            size = _size(font, text)
            area = place(
                size, box, bounds, taken, boxes, gap=scale.line + 1, most_on_faces=most_on_faces
            )
            if area is not None:
                break
        else:
            continue
        taken.append(area)
        colour = PRIMARY if index == 0 else OTHER
        draw.rectangle(area.corners, fill=(*_SHADE, 205))
        pad = _padding(font)
        draw.rectangle((area.left, area.top, area.left + pad / 2, area.bottom), fill=colour)
        draw.text((area.left + 1.5 * pad, area.middle), text, _WHITE, font, anchor="lm")


def _draw_notice(picture: Image.Image, scale: _Scale) -> None:
    draw = ImageDraw.Draw(picture, "RGBA")
    text = SYNTHETIC_NOTICE
    font = _fitting(text, picture.width * 0.92, round(scale.letters * 1.8))
    middle = picture.height / 2
    reach = font.size * 0.9
    draw.rectangle((0, middle - reach, picture.width, middle + reach), fill=(*_SHADE, 150))
    draw.text((picture.width / 2, middle), text, (*_NOTICE, 235), font, anchor="mm")


def _with_footer(picture: Image.Image, footer: str, scale: _Scale) -> Image.Image:
    pad = round(scale.letters * 0.8)
    font = _fitting(footer, picture.width - 2 * pad, scale.letters)
    strip = round(scale.letters * 2.2)
    whole = Image.new("RGB", (picture.width, picture.height + strip), _SHADE)
    whole.paste(picture, (0, 0))
    middle = picture.height + strip / 2
    ImageDraw.Draw(whole).text((pad, middle), footer, (205, 212, 220), font, anchor="lm")
    return whole


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return font


def _fitting(text: str, width: float, most: int) -> ImageFont.FreeTypeFont:
    """Letters of at most `most` pixels by which the text is no wider than `width`."""
    length = _font(most).getlength(text)
    return _font(most if length <= width else max(6, int(most * width / length)))


def _size(font: ImageFont.FreeTypeFont, text: str) -> tuple[float, float]:
    pad = _padding(font)
    return font.getlength(text) + 2.5 * pad, font.size * 1.35


def _padding(font: ImageFont.FreeTypeFont) -> int:
    return round(font.size * 0.3)


def _scaled(box: Box, factor: float) -> Area:
    return Area(*(side * factor for side in box))


def _subpixel(x: float, y: float) -> tuple[int, int]:
    return round(x * 2**_SUBPIXEL_BITS), round(y * 2**_SUBPIXEL_BITS)
