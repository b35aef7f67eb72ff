"""Both schemes of landmarks on one face: the 106 as they are located, the 68 that are picked."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from stream.vision.landmarks import TO_68, upright_square

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]  # RGB

PANEL_PX = 1000
_HEADING_PX = 56
_SHADE: Colour = (12, 16, 22)
_WHITE: Colour = (255, 255, 255)
_GREY: Colour = (150, 158, 166)
_LETTERS_PX = 17
_DOT_PX = 4
_AWAY_PX = 17  # a number from its point
_CLOSER = 1.75  # than the crop of the landmarks' model, whose half is margin
_LIGHT = 0.62  # of the photograph's, so that numbers are read on it


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of the face by the 68 scheme; numbers stand outside of it, or within."""

    points: range
    colour: Colour
    closed: bool = False
    inward: bool = False


_PARTS = (
    _Part(range(17), (255, 196, 61)),  # jaw
    _Part(range(17, 22), (140, 233, 154)),  # brows
    _Part(range(22, 27), (140, 233, 154)),
    _Part(range(27, 31), (255, 120, 220)),  # nose
    _Part(range(31, 36), (255, 120, 220)),
    _Part(range(36, 42), (94, 214, 255), closed=True),  # eyes
    _Part(range(42, 48), (94, 214, 255), closed=True),
    _Part(range(48, 60), (255, 130, 110), closed=True),  # lips
    _Part(range(60, 68), (255, 130, 110), closed=True, inward=True),
)


def landmark_map(image: Pixels, points_106: NDArray[np.float32]) -> Pixels:
    """Side by side: all 106 with their numbers, coloured where one of the 68 is picked; the 68 with
    theirs.

    image: (H, W, 3) uint8 BGR; points_106: (106, 2) px. Returns such an array. Raises ValueError
    for points that are no face.
    """
    to_panel = upright_square(points_106, PANEL_PX)
    if to_panel is None:
        raise ValueError("the points are no face")
    middle = (PANEL_PX - 1) / 2
    to_panel = to_panel * _CLOSER
    placed = points_106 @ to_panel[:, :2].T
    to_panel[:, 2] = middle - (placed.min(axis=0) + placed.max(axis=0)) / 2
    photo = cv2.warpAffine(image, to_panel, (PANEL_PX, PANEL_PX), flags=cv2.INTER_CUBIC)
    grey = cv2.cvtColor(photo, cv2.COLOR_BGR2GRAY).astype(np.float32) * _LIGHT
    canvas = Image.new("RGB", (2 * PANEL_PX, PANEL_PX + _HEADING_PX), _SHADE)
    points = placed + to_panel[:, 2]
    panels = (
        (f"{len(points)} landmarks of 2d106det, colour: picked", _all_106(points)),
        (f"{len(TO_68)} landmarks in iBUG's order", _picked_68(points)),
    )
    for number, (heading, marks) in enumerate(panels):
        panel = Image.fromarray(np.dstack([grey.astype(np.uint8)] * 3))
        draw = ImageDraw.Draw(panel)
        if number == 1:
            _draw_lines(draw, points[TO_68])
        for mark in marks:
            _draw_mark(draw, *mark)
        canvas.paste(panel, (number * PANEL_PX, _HEADING_PX))
        place = (number * PANEL_PX + 20, _HEADING_PX / 2)
        ImageDraw.Draw(canvas).text(place, heading, _WHITE, _font(26), anchor="lm")
    return np.ascontiguousarray(np.asarray(canvas, np.uint8)[:, :, ::-1])


_Mark = tuple[NDArray[np.float64], int, Colour, NDArray[np.float64]]
"""A point, its number, its colour, and the direction to its number: (2,)."""


def _picked_68(points: NDArray[np.float64]) -> list[_Mark]:
    picked = points[TO_68]
    marks: list[_Mark] = []
    for part in _PARTS:
        for index in part.points:
            outward = _outward(picked, part, index)
            marks.append((picked[index], index, part.colour, outward))
    return marks


def _all_106(points: NDArray[np.float64]) -> list[_Mark]:
    numbered = [
        (point, int(TO_68[index]), colour, outward)
        for point, index, colour, outward in _picked_68(points)
    ]
    picked = set(TO_68.tolist())
    middle = points.mean(axis=0)
    for index in sorted(set(range(len(points))) - picked):
        nearest = min(picked, key=lambda one: float(np.linalg.norm(points[one] - points[index])))
        away = _unit(points[index] - (points[nearest] if index > 32 else middle))
        if any(np.linalg.norm(point - points[index]) < _AWAY_PX / 2 for point, *_ in numbered):
            away = -away  # each pupil has two
        numbered.append((points[index], index, _GREY, away))
    return numbered


def _outward(points: NDArray[np.float64], part: _Part, index: int) -> NDArray[np.float64]:
    if part.points.start == 27:  # the bridge of the nose is a line: numbers beside it
        return np.array([1.0, 0.0])
    if part.points.start in {17, 22}:
        return np.array([0.0, -1.0])
    if part.points.start == 31:
        return np.array([0.0, 1.0])
    group = points if part.points.start == 0 else points[list(part.points)]
    away = _unit(points[index] - group.mean(axis=0))
    return -away if part.inward else away


def _draw_lines(draw: ImageDraw.ImageDraw, points: NDArray[np.float64]) -> None:
    for part in _PARTS:
        line = [tuple(points[index]) for index in part.points]
        draw.line([*line, line[0]] if part.closed else line, fill=part.colour, width=1)


def _draw_mark(
    draw: ImageDraw.ImageDraw,
    point: NDArray[np.float64],
    number: int,
    colour: Colour,
    outward: NDArray[np.float64],
) -> None:
    x, y = point
    box = (x - _DOT_PX, y - _DOT_PX, x + _DOT_PX, y + _DOT_PX)
    draw.ellipse(box, fill=colour, outline=_SHADE)
    place = tuple(point + outward * _AWAY_PX)
    font = _font(_LETTERS_PX)
    draw.text(place, str(number), colour, font, anchor="mm", stroke_width=2, stroke_fill=_SHADE)


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    unit: NDArray[np.float64] = vector / max(float(np.linalg.norm(vector)), 1e-9)
    return unit


def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return font
