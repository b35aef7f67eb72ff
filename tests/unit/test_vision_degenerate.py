"""What cannot be measured has no number: every public function of stream/vision, fed with nothing,
with what is broken and with what is no face, answers None, an empty array, False or a ValueError.

Functions are found by looking and fed by the names of their parameters, so that a new one is fed
too, or fails for want of cases.
"""

from __future__ import annotations

import importlib
import inspect
import math
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import stream.vision
from tests.unit.drawn_face import draw, landmarks

Function = Callable[..., Any]

_IMAGE = draw((100, 130, 180))
_FACE = landmarks()
_FACE_106 = np.random.default_rng(0).uniform(50, 350, (106, 2)).astype(np.float32)
_FIVE = np.array([[160, 150], [240, 150], [200, 200], [170, 250], [230, 250]], np.float32)
_BOX = np.array([100, 40, 300, 330], np.float32)
_TURN = np.array([[0.5, 0, 0], [0, 0.5, 0]])

SANE: dict[str, Any] = {
    "image": _IMAGE,
    "face": _IMAGE,
    "points": _FACE,
    "points_5": _FIVE,
    "points_106": _FACE_106,
    "box": _BOX,
    "boxes": np.stack([_BOX, _BOX / 2]),
    "pixels": _IMAGE[0],
    "lab": np.array([60.0, 12.0, 18.0]),
    "yaw": 5.0,
    "pitch": -5.0,
    "scores": 0.5,
    "height": 400,
    "width": 400,
    "to_crop": _TURN,
    # what the code says and no image does
    "side_px": 96,
    "margin": 1.5,
    "target": _FACE[::-1] / 2,
    "head": None,
    "mean_shape": np.column_stack([_FACE - 200, np.cos(np.arange(68))]),
}
OUTSIDE = "outside of the image"
FIXED = {"side_px", "margin", "target", "head", "mean_shape"}


def _spoilt(array: Any, value: float) -> Any:
    spoilt = np.array(array, np.result_type(array, np.float32))
    spoilt.flat[0] = value
    return spoilt


def _broken_images() -> dict[str, Any]:
    return {
        "no pixels": np.empty((0, 0, 3), np.uint8),
        "no rows": np.empty((0, 9, 3), np.uint8),
        "one channel": _IMAGE[:, :, 0],
        "four channels": np.zeros((9, 9, 4), np.uint8),
        "floats": _IMAGE.astype(np.float32),
    }


def _broken_array(sane: Any, *, shorter: bool = True) -> dict[str, Any]:
    cases = {
        "NaN in it": _spoilt(sane, math.nan),
        "infinity in it": _spoilt(sane, math.inf),
        "one axis too many": np.stack([sane, sane]),
        "numbers in a row": np.ravel(sane)[:2],
    }
    if shorter:
        cases |= {"nothing": sane[:0], "one too few": sane[:-1]}
    return cases


def _no_face(sane: Any) -> dict[str, Any]:
    line = np.arange(len(sane), dtype=np.float32)
    return {
        "all in one place": np.full_like(sane, 7),
        "on a line": np.column_stack([line, 2 * line]),
    }


BROKEN: dict[str, dict[str, Any]] = {
    "image": _broken_images(),
    "face": _broken_images(),
    "points": _broken_array(_FACE),
    "points_5": _broken_array(_FIVE),
    "points_106": _broken_array(_FACE_106),
    "box": _broken_array(_BOX),
    "boxes": _broken_array(SANE["boxes"], shorter=False) | {"three edges": np.zeros((2, 3))},
    "pixels": {"floats": np.zeros((5, 3)), "four channels": np.zeros((5, 4), np.uint8)},
    "lab": _broken_array(SANE["lab"]) | {"brighter than white": np.array([150.0, 0, 5])},
    "yaw": {"NaN": math.nan, "infinity": math.inf},
    "pitch": {"NaN": math.nan, "infinity": math.inf},
    "scores": {"NaN": math.nan, "too high": 1.5, "too low": -0.5, "not measured": None},
    "height": {"zero": 0, "negative": -4},
    "width": {"zero": 0, "negative": -4},
    "to_crop": {"NaN in it": _spoilt(_TURN, math.nan), "no extent": np.zeros((2, 3))},
}
"""What is no value of its kind."""

DEGENERATE: dict[str, dict[str, Any]] = {
    "image": {
        "one pixel": _IMAGE[:1, :1],
        "black": np.zeros_like(_IMAGE),
        "white": np.full_like(_IMAGE, 255),
    },
    "face": {
        "one pixel": _IMAGE[:1, :1],
        "one long row": np.repeat(_IMAGE[:1, :1], 5000, axis=1),
        "black": np.zeros_like(_IMAGE),
        "white": np.full_like(_IMAGE, 255),
        "grey": np.full_like(_IMAGE, 128),
    },
    "points": _no_face(_FACE) | {OUTSIDE: _FACE + np.float32(1e6)},
    "points_5": _no_face(_FIVE),
    "points_106": _no_face(_FACE_106),
    "box": {
        "no area": np.full(4, 5, np.float32),
        "inside out": _BOX[[2, 3, 0, 1]],
        OUTSIDE: _BOX + np.float32(1e6),
    },
    "boxes": {"none": np.empty((0, 4), np.float32)},
    "pixels": {"none": np.empty((0, 3), np.uint8)},
}
"""What is a value of its kind, and shows no face."""

REARRANGING = {
    *("crop", "warp", "to_68", "from_bgr", "demand_bgr"),
    *("square_around", "square_by_five", "upright_square", "aligned"),
}
"""Give back what they were given, elsewhere: nothing is measured."""

MEASURED: dict[tuple[str, str], Any] = {
    # no light and no contrast are what is seen there
    ("illumination", "one pixel"): 0.0,
    ("illumination", "one long row"): 0.0,
    ("illumination", "black"): 0.0,
    ("illumination", "white"): 0.0,
    ("illumination", "grey"): 0.0,
    ("in_frame", OUTSIDE): 0.0,
    # a distance of points, whatever they are
    ("eye_distance", "all in one place"): 0.0,
    ("eye_distance", "on a line"): 6 * math.sqrt(5),
    # of as many points as there are
    ("span_a_plane", "one too few"): True,
}
"""And yet this is the answer."""


def _public() -> Iterator[Function]:
    for found in pkgutil.iter_modules(stream.vision.__path__):
        module = importlib.import_module(f"stream.vision.{found.name}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__ and not name.startswith("_"):
                yield function


FUNCTIONS = {function.__name__: function for function in _public()}


def _cases(kind: dict[str, dict[str, Any]]) -> list[Any]:
    return [
        pytest.param(function, parameter, case, id=f"{name}-{parameter}-{case}")
        for name, function in FUNCTIONS.items()
        for parameter in inspect.signature(function).parameters
        for case in kind.get(parameter, {})
        # where a face is does not matter to what sees no image
        if not (case == OUTSIDE and not {"image", "height"} & _parameters(function))
    ]


def _parameters(function: Function) -> set[str]:
    return set(inspect.signature(function).parameters)


def _answer(function: Function, parameter: str, value: Any) -> Any:
    """With everything else sane; a ValueError is no answer."""
    named: dict[str, Any] = {}
    listed: list[Any] = []
    for name, described in inspect.signature(function).parameters.items():
        given = value if name == parameter else SANE[name]
        if described.kind is described.VAR_POSITIONAL:
            listed = [given]
        else:
            named[name] = given
    try:
        return function(*listed, **named)
    except ValueError:
        return None


def _says_nothing(answer: Any) -> bool:
    return (
        answer is None or answer is False or (isinstance(answer, np.ndarray) and answer.size == 0)
    )


def test_every_parameter_has_cases() -> None:
    parameters = set().union(*map(_parameters, FUNCTIONS.values()))
    assert len(FUNCTIONS) > 10
    assert parameters - FIXED == set(BROKEN)
    assert parameters == set(SANE)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_what_is_sane_is_answered(name: str) -> None:
    """Otherwise the tests below would pass for a function that never answers."""
    function = FUNCTIONS[name]
    first = next(iter(inspect.signature(function).parameters))
    if name != "demand_bgr":  # whose answer is that it raises nothing
        assert not _says_nothing(_answer(function, first, SANE[first]))


@pytest.mark.parametrize(("function", "parameter", "case"), _cases(BROKEN))
def test_what_is_broken_has_no_number(function: Function, parameter: str, case: str) -> None:
    answer = _answer(function, parameter, BROKEN[parameter][case])
    if (function.__name__, case) in MEASURED:
        assert answer == pytest.approx(MEASURED[function.__name__, case])
    else:
        assert _says_nothing(answer)


@pytest.mark.parametrize(("function", "parameter", "case"), _cases(DEGENERATE))
def test_what_shows_no_face_has_no_number_but_what_is_measured(
    function: Function, parameter: str, case: str
) -> None:
    name = function.__name__
    answer = _answer(function, parameter, DEGENERATE[parameter][case])
    if (name, case) in MEASURED:
        assert answer == pytest.approx(MEASURED[name, case])
    elif name in REARRANGING:
        assert answer is None or np.isfinite(answer).all()
    else:
        assert _says_nothing(answer)
