"""A result drawn on its photograph: thin boxes, five points, labels that can be read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from cli.labels import Area, place
from cli.lettering import Colour, Lettering
from cli.tables import SYNTHETIC, SYNTHETIC_NOTICE
from schemas.results import Box, Face, Result

Pixels = NDArray[np.uint8]

#: a smaller photograph is drawn larger, so that letters have room beside the faces
LEAST_LONG_SIDE = 800
#: letters and lines, as parts of the mean side: what shows the picture scales it to its own size
_LETTER_SHARE = 1 / 48
_LEAST_LETTERS = 16
_LINE_SHARE = 1 / 450
#: letters of a small face in a crowd: their least, and as a part of the face's width
_CROWD_LETTER_SHARE = 1 / 100
_LEAST_CROWD_LETTERS = 14
_LETTER_SHARE_OF_FACE = 1 / 4
_LINE_SHARE_OF_FACE = 1 / 40
#: pixels: points would hide a face that is less wide
_LEAST_FACE_WITH_POINTS = 48
_MOST_ON_FACES = 0.15
_SUBPIXEL_BITS = 4

PRIMARY: Colour = (255, 196, 61)
OTHER: Colour = (94, 214, 255)
_SHADE: Colour = (12, 16, 22)
_SHADE_SHARE = 0.6
_WHITE: Colour = (255, 255, 255)
_FOOTER: Colour = (205, 212, 220)
_NOTICE: Colour = (255, 120, 220)


@dataclass(frozen=True, slots=True)
class _Scale:
    """Sizes in pixels of the picture that is drawn."""

    factor: float
    letters: int
    least_letters: int
    line: int

    @classmethod
    def of(cls, width: int, height: int) -> _Scale:
        factor = max(1.0, LEAST_LONG_SIDE / max(width, height))
        mean_side = math.sqrt(width * height) * factor
        return cls(
            factor=factor,
            letters=max(_LEAST_LETTERS, round(mean_side * _LETTER_SHARE)),
            least_letters=max(_LEAST_CROWD_LETTERS, round(mean_side * _CROWD_LETTER_SHARE)),
            line=max(1, round(mean_side * _LINE_SHARE)),
        )


def annotate(image: Pixels, result: Result, below: str | None = None) -> Pixels:
    """The photograph with what was found, and a line below it, such as `footer` makes.

    image: (H, W, 3) uint8 BGR, upright; it is left as it is. Returns such an array, of another
    size: small photographs are enlarged, and the line is added. A result of the synthetic pack says
    so across the picture, and below it.
    """
    height, width = image.shape[:2]
    scale = _Scale.of(width, height)
    size = (round(width * scale.factor), round(height * scale.factor))
    canvas = image.copy()
    if scale.factor > 1:
        canvas = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    boxes = [_scaled(face.bbox, scale.factor) for face in result.faces]
    canvas = _with_faces(canvas, boxes, result.faces, scale)
    picture = Image.fromarray(np.ascontiguousarray(canvas[:, :, ::-1]))
    _draw_labels(picture, boxes, result.faces, scale)
    if result.model is not None and result.model.pack == SYNTHETIC:
        _draw_notice(picture, scale)
        below = f"{below}  ·  {SYNTHETIC_NOTICE}" if below else SYNTHETIC_NOTICE
    if below:
        picture = _with_footer(picture, below, scale)
    return np.ascontiguousarray(np.asarray(picture, np.uint8)[:, :, ::-1])


def footer(name: str, result: Result) -> str:
    """What stands below: the photograph, how many faces, and which models found them."""
    faces = f"{len(result.faces)} face{'' if len(result.faces) == 1 else 's'}"
    return "  ·  ".join((name, faces, result.model.pack if result.model else "no model"))


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


def _with_faces(
    canvas: Pixels, boxes: Sequence[Area], faces: Sequence[Face], scale: _Scale
) -> Pixels:
    """Boxes and points, with a shade below the bright lines: they are seen on snow and at night."""
    shaded = canvas.copy()
    for box, face in zip(boxes, faces, strict=True):
        _draw_face(shaded, box, face, _SHADE, scale, wider=1)
    canvas = np.asarray(
        cv2.addWeighted(shaded, _SHADE_SHARE, canvas, 1 - _SHADE_SHARE, 0), np.uint8
    )
    for index in reversed(range(len(boxes))):  # the most prominent comes to lie on top
        colour = PRIMARY if index == 0 else OTHER
        _draw_face(canvas, boxes[index], faces[index], colour, scale)
    return canvas


def _draw_face(
    canvas: Pixels, box: Area, face: Face, colour: Colour, scale: _Scale, *, wider: int = 0
) -> None:
    """wider: pixels by which lines and points are wider on each side."""
    width = box.right - box.left
    line = max(1, min(scale.line, round(width * _LINE_SHARE_OF_FACE))) + 2 * wider
    cv2.rectangle(
        canvas,
        _subpixel(box.left, box.top),
        _subpixel(box.right, box.bottom),
        colour[::-1],
        line,
        cv2.LINE_AA,
        _SUBPIXEL_BITS,
    )
    if width < _LEAST_FACE_WITH_POINTS:
        return
    radius = min(2.0 * scale.line, width / 40) + wider
    for point in face.landmarks_5 or ():
        centre = _subpixel(point.x * scale.factor, point.y * scale.factor)
        size = round(radius * 2**_SUBPIXEL_BITS)
        cv2.circle(canvas, centre, size, colour[::-1], -1, cv2.LINE_AA, _SUBPIXEL_BITS)


def _draw_labels(
    picture: Image.Image, boxes: Sequence[Area], faces: Sequence[Face], scale: _Scale
) -> None:
    draw = ImageDraw.Draw(picture, "RGBA")
    bounds = Area(0, 0, picture.width, picture.height)
    taken: list[Area] = []
    for index, (box, face) in enumerate(zip(boxes, faces, strict=True)):
        wanted = round((box.right - box.left) * _LETTER_SHARE_OF_FACE)
        letters = max(scale.least_letters, min(scale.letters, wanted))
        # Where there is no room for words that leaves other faces free: its number.
        for text, most_on_faces in ((label(face), _MOST_ON_FACES), (str(index + 1), 1.0)):
            lettering = Lettering(text, letters)
            area = place(
                _size(lettering),
                box,
                bounds,
                taken,
                boxes,
                gap=scale.line + 1,
                most_on_faces=most_on_faces,
            )
            if area is not None:
                break
        else:
            continue
        taken.append(area)
        colour = PRIMARY if index == 0 else OTHER
        draw.rectangle(area.corners, fill=(*_SHADE, 205))
        pad = _padding(letters)
        # At its face's edge, or where that cannot be, on the side where its face is.
        at_right = area.left != box.left and area.left + area.right < box.left + box.right
        bar = area.right - pad / 2 if at_right else area.left
        draw.rectangle((bar, area.top, bar + pad / 2, area.bottom), fill=colour)
        lettering.write(picture, area.left + (1 if at_right else 1.5) * pad, area.middle, _WHITE)


def _draw_notice(picture: Image.Image, scale: _Scale) -> None:
    lettering = Lettering.fitting(
        SYNTHETIC_NOTICE, picture.width * 0.92, round(scale.letters * 1.8)
    )
    middle = picture.height / 2
    reach = lettering.size * 0.9
    band = (0, middle - reach, picture.width, middle + reach)
    ImageDraw.Draw(picture, "RGBA").rectangle(band, fill=(*_SHADE, 150))
    lettering.write(picture, (picture.width - lettering.width) / 2, middle, _NOTICE)


def _with_footer(picture: Image.Image, text: str, scale: _Scale) -> Image.Image:
    pad = round(scale.letters * 0.8)
    strip = round(scale.letters * 2.2)
    whole = Image.new("RGB", (picture.width, picture.height + strip), _SHADE)
    whole.paste(picture, (0, 0))
    lettering = Lettering.fitting(text, picture.width - 2 * pad, scale.letters)
    lettering.write(whole, pad, picture.height + strip / 2, _FOOTER)
    return whole


def _size(lettering: Lettering) -> tuple[float, float]:
    return lettering.width + 2.5 * _padding(lettering.size), lettering.size * 1.35


def _padding(letters: int) -> int:
    return round(letters * 0.3)


def _scaled(box: Box, factor: float) -> Area:
    return Area(*(side * factor for side in box))


def _subpixel(x: float, y: float) -> tuple[int, int]:
    return round(x * 2**_SUBPIXEL_BITS), round(y * 2**_SUBPIXEL_BITS)
