"""The graphs of the synthetic pack, in ONNX's text format, and the numbers they are given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.models import insightface_pack
from stream.vision.landmarks import TO_68

_OPSET, _IR_VERSION = 17, 8
_SEED = 112  # any number: it makes the graphs the same everywhere
_STRIDE, _SILENT_STRIDES = 32, (8, 16)
_ROW_SHAPES = {"to_1": 1, "to_4": 4, "to_10": 10}
_BLACK = (1 - 127.5) / 128  # level 1 of 255, as SCRFD normalises it
_BOX = np.array([-0.2, -0.25, 0.2, 0.25])  # from the image's middle, in its shorter sides
_POINTS = np.array([(-0.08, -0.05), (0.08, -0.05), (0, 0.05), (-0.06, 0.13), (0.06, 0.13)])
_GROUPS_106 = (
    range(33),  # jaw
    range(33, 43),  # eye
    range(43, 52),  # brow
    range(52, 72),  # mouth
    range(72, 87),  # nose
    range(87, 97),  # eye
    range(97, 106),  # brow
)

# An image's content ends where the letterbox's black begins. Its contrast makes the confidence,
# std / (std + 0.1): none for a flat image, 0.7 to 0.85 for a photograph. `{zeros}` fills the
# outputs of the strides 8 and 16, which find nothing.
_DETECTOR = """
synthetic_detector (float[1, 3, height, width] data) => (
    float[a8, 1] score_8, float[a16, 1] score_16, float[a32, 1] score_32,
    float[a8, 4] box_8, float[a16, 4] box_16, float[a32, 4] box_32,
    float[a8, 10] points_8, float[a16, 10] points_16, float[a32, 10] points_32)
{
    grey = ReduceMean <axes = [0, 1], keepdims = 0> (data)
    size = Shape (grey)
    size_float = Cast <to = 1> (size)
    rows, columns = Split <axis = 0> (size_float)
    rows_0d = Squeeze (rows)
    columns_0d = Squeeze (columns)
    row_numbers = Range (one, rows_0d, one)
    column_numbers = Range (one, columns_0d, one)
    lit = Greater (grey, black)
    content = Cast <to = 1> (lit)
    row_lit = ReduceMax <axes = [1], keepdims = 0> (content)
    column_lit = ReduceMax <axes = [0], keepdims = 0> (content)
    row_lit_1 = Slice (row_lit, first, last)
    column_lit_1 = Slice (column_lit, first, last)
    lit_rows = Mul (row_lit_1, row_numbers)
    lit_columns = Mul (column_lit_1, column_numbers)
    bottom = ReduceMax <keepdims = 1> (lit_rows)
    right = ReduceMax <keepdims = 1> (lit_columns)
    extent = Concat <axis = 0> (right, bottom)

    pixels = ReduceSum <keepdims = 0> (content)
    pixels_1 = Max (pixels, one)
    lit_grey = Mul (grey, content)
    total = ReduceSum <keepdims = 0> (lit_grey)
    mean = Div (total, pixels_1)
    centred = Sub (grey, mean)
    lit_centred = Mul (centred, content)
    squares = Mul (lit_centred, lit_centred)
    squared = ReduceSum <keepdims = 0> (squares)
    variance = Div (squared, pixels_1)
    std = Sqrt (variance)
    std_more = Add (std, tenth)
    confidence = Div (std, std_more)

    middle = Mul (extent, half)
    shorter = ReduceMin <axes = [0], keepdims = 1> (extent)
    box_offsets = Mul (shorter, box_template)
    middle_2 = Concat <axis = 0> (middle, middle)
    box = Add (middle_2, box_offsets)
    points_offsets = Mul (shorter, points_template)
    middle_5 = Concat <axis = 0> (middle, middle, middle, middle, middle)
    points = Add (middle_5, points_offsets)

    grid = Div (size, stride_int)
    grid_float = Cast <to = 1> (grid)
    grid_rows, grid_columns = Split <axis = 0> (grid_float)
    grid_rows_0d = Squeeze (grid_rows)
    grid_columns_0d = Squeeze (grid_columns)
    place_rows = Range (zero, grid_rows_0d, one)
    place_columns = Range (zero, grid_columns_0d, one)
    place_y = Unsqueeze (place_rows, axis_1)
    place_x = Unsqueeze (place_columns, axis_0)
    flat_y = Mul (place_x, zero)
    flat_x = Mul (place_y, zero)
    all_y = Add (place_y, flat_y)
    all_x = Add (place_x, flat_x)
    all_x_3d = Unsqueeze (all_x, axis_2)
    all_y_3d = Unsqueeze (all_y, axis_2)
    places = Concat <axis = 2> (all_x_3d, all_y_3d)

    middle_strides = Div (middle, stride)
    nearest = Floor (middle_strides)
    off = Sub (places, nearest)
    off_squares = Mul (off, off)
    off_by = ReduceSum <keepdims = 1> (off_squares, axis_2)
    here = Less (off_by, half)
    here_float = Cast <to = 1> (here)
    score = Mul (here_float, confidence)
    score_none = Mul (score, zero)
    score_pair = Concat <axis = 2> (score, score_none)
    score_32 = Reshape (score_pair, to_1)

    places_2 = Concat <axis = 2> (places, places)
    box_strides = Div (box, stride)
    box_from = Sub (box_strides, places_2)
    box_outward = Mul (box_from, outward)
    box_pair = Concat <axis = 2> (box_outward, box_outward)
    box_32 = Reshape (box_pair, to_4)

    places_5 = Concat <axis = 2> (places, places, places, places, places)
    points_strides = Div (points, stride)
    points_from = Sub (points_strides, places_5)
    points_pair = Concat <axis = 2> (points_from, points_from)
    points_32 = Reshape (points_pair, to_10)
    {zeros}
}
"""

_NOTHING = """
    cells_{stride} = Div (size, stride_{stride})
    cell_count_{stride} = ReduceProd <axes = [0], keepdims = 1> (cells_{stride})
    anchors_{stride} = Mul (cell_count_{stride}, to_2)
    score_shape_{stride} = Concat <axis = 0> (anchors_{stride}, axis_1)
    box_shape_{stride} = Concat <axis = 0> (anchors_{stride}, four)
    points_shape_{stride} = Concat <axis = 0> (anchors_{stride}, ten)
    score_{stride} = ConstantOfShape (score_shape_{stride})
    box_{stride} = ConstantOfShape (box_shape_{stride})
    points_{stride} = ConstantOfShape (points_shape_{stride})
"""

_RECOGNIZER = """
synthetic_recognizer (float[n, 3, 112, 112] data) => (float[n, 512] embedding)
{
    cells = AveragePool <kernel_shape = [16, 16], strides = [16, 16]> (data)
    flat = Flatten (cells)
    embedding = Gemm (flat, weights, bias)
}
"""

_MEAN_TO = """
synthetic (float[n, 3, {size}, {size}] data) => (float[n, {outputs}] fc1)
{{
    mean = GlobalAveragePool (data)
    flat = Flatten (mean)
    fc1 = Gemm (flat, weights, bias)
}}
"""

_EMOTION = """
synthetic_emotion (float[n, 48, 48, 1] input) => (float[n, 7] output)
{
    channels_first = Transpose <perm = [0, 3, 1, 2]> (input)
    cells = AveragePool <kernel_shape = [16, 16], strides = [16, 16]> (channels_first)
    flat = Flatten (cells)
    logits = Gemm (flat, weights, bias)
    output = Softmax <axis = 1> (logits)
}
"""

_LIVENESS = """
synthetic_liveness (float[n, 3, 80, 80] data) => (float[n] probability)
{
    mean = GlobalAveragePool (data)
    flat = Flatten (mean)
    logit = Gemm (flat, weights, bias)
    share = Sigmoid (logit)
    probability = Squeeze (share, axis_1)
}
"""


def _save(path: Path, text: str, constants: Mapping[str, Any]) -> None:
    """The graph of ONNX's text format with `constants` as its initializers."""
    import onnx
    from onnx import helper, numpy_helper, parser

    graph = parser.parse_graph(text)
    graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()
    )
    model = helper.make_model(
        graph,
        producer_name="facestream",
        ir_version=_IR_VERSION,
        opset_imports=[helper.make_opsetid("", _OPSET)],
    )
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def detector(path: Path) -> None:
    """SCRFD with five points: nine outputs, three strides."""
    strides = {f"stride_{stride}": np.array([stride], np.int64) for stride in _SILENT_STRIDES}
    zeros = "".join(_NOTHING.replace("{stride}", str(stride)) for stride in _SILENT_STRIDES)
    integers = {"axis_0": 0, "axis_1": 1, "axis_2": 2, "to_2": 2, "four": 4, "ten": 10}
    _save(
        path,
        _DETECTOR.replace("{zeros}", zeros),
        {name: np.array([number], np.int64) for name, number in integers.items()}
        | {name: np.array([-1, number], np.int64) for name, number in _ROW_SHAPES.items()}
        | strides
        | {
            "zero": np.float32(0),
            "one": np.float32(1),
            "half": np.float32(0.5),
            "tenth": np.float32(0.1),
            "black": np.float32(_BLACK),
            "stride": np.float32(_STRIDE),
            "stride_int": np.array([_STRIDE], np.int64),
            "first": np.array([1], np.int64),
            "last": np.array([np.iinfo(np.int64).max], np.int64),
            "box_template": _BOX.astype(np.float32),
            "points_template": _POINTS.astype(np.float32).ravel(),
            "outward": np.array([-1, -1, 1, 1], np.float32),
        },
    )


def recognizer(path: Path) -> None:
    """ArcFace: a 112 px crop to 512 numbers."""
    random = np.random.default_rng(_SEED)
    cells = 7 * 7 * 3
    weights = random.normal(scale=0.2, size=(cells, 512))
    _save(
        path,
        _RECOGNIZER,
        {
            # without the mean of all cells, or the brightness alone would make all faces alike
            "weights": (weights - weights.mean(axis=0)).astype(np.float32),
            "bias": random.normal(scale=0.01, size=512).astype(np.float32),
        },
    )


def genderage(path: Path) -> None:
    """A 96 px crop to two scores and an age in centuries."""
    weights = np.array([[1, -1, 0.1], [-2, 2, 0.1], [1, -1, 0.1]], np.float32)
    bias = np.array([0, 0, 0.4], np.float32)
    _save(path, _MEAN_TO.format(size=96, outputs=3), {"weights": weights, "bias": bias})


def landmarks_106(path: Path) -> None:
    """A 192 px crop to 106 points."""
    shape = _template()[:, :2]
    points = np.empty((106, 2))
    for group in _GROUPS_106:
        known = [index for index in range(106) if index in group and index in TO_68]
        points[list(group)] = np.mean([shape[index == TO_68] for index in known], axis=(0, 1))
    points[TO_68] = shape
    _save_landmarks(path, points.ravel())


def landmarks_3d(path: Path) -> None:
    """A 192 px crop to 1,103 points of three axes."""
    points = np.zeros((1103, 3))  # as in 1k3d68, the last 68 are those that count
    points[-68:] = _template()
    _save_landmarks(path, points.ravel())


def _save_landmarks(path: Path, coordinates: NDArray[np.float64]) -> None:
    nudge = np.full((3, len(coordinates)), 0.005, np.float32)  # so that the pixels matter
    _save(
        path,
        _MEAN_TO.format(size=192, outputs=len(coordinates)),
        {"weights": nudge, "bias": coordinates.astype(np.float32)},
    )


def _template() -> NDArray[np.float64]:
    """(68, 3): the mean face in a crop whose sides are -1 and 1 and whose middle two thirds are
    the box, as InsightFace cuts it."""
    return insightface_pack.mean_shape_68() * 0.8 + (0.0, 0.17, 0.0)


def emotion(path: Path) -> None:
    """DeepFace's: a grey 48 px face to seven probabilities."""
    random = np.random.default_rng(_SEED)
    weights = random.normal(scale=3, size=(9, 7)).astype(np.float32)
    _save(path, _EMOTION, {"weights": weights, "bias": np.zeros(7, np.float32)})


def liveness(path: Path) -> None:
    """InsightFace's addon: an 80 px RGB crop in [0, 1] to the probability that it is live."""
    weights = np.array([[4], [-3], [2]], np.float32)
    bias, axis_1 = np.array([-1], np.float32), np.array([1], np.int64)
    _save(path, _LIVENESS, {"weights": weights, "bias": bias, "axis_1": axis_1})
