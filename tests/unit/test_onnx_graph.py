"""A network that is put otherwise computes what it computed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from stream.models.onnx_graph import write_faster

_CHANNELS = 6


def saved(
    path: Path,
    nodes: list[onnx.NodeProto],
    constants: dict[str, NDArray[np.float32]],
    outputs: dict[str, int],
    *,
    version: int = 13,
) -> Path:
    """A network of `x`, whose outputs have so many channels."""
    graph = helper.make_graph(
        nodes,
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", None, 5, 4])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", channels, None, None])
            for name, channels in outputs.items()
        ],
        [numpy_helper.from_array(numbers, name) for name, numbers in constants.items()],
    )
    opset = helper.make_opsetid("", version)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def network(path: Path, operator: str, slopes: NDArray[np.float32] | None) -> Path:
    """Of one operator; with `slopes` it has them as its second input."""
    inputs = ["x"] if slopes is None else ["x", "slopes"]
    constants = {} if slopes is None else {"slopes": slopes}
    return saved(path, [helper.make_node(operator, inputs, ["y"])], constants, {"y": _CHANNELS})


def computed(path: Path, x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return [np.asarray(y, np.float32) for y in session.run(None, {"x": x})]


def operators(path: Path) -> list[str]:
    return [node.op_type for node in onnx.load(path).graph.node]


def numbers(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(3).normal(0, 1, shape).astype(np.float32)


@pytest.mark.parametrize(
    "slopes",
    [
        np.array([-0.8, 0, 0.25, 1, 1.5, 3], np.float32).reshape(_CHANNELS, 1, 1),
        np.array([-0.8, 0, 0.25, 0.5, 0.9, 1], np.float32).reshape(_CHANNELS, 1, 1),
        np.array([0.25], np.float32),
    ],
    ids=["by channel", "by channel, none above 1", "one for all"],
)
def test_without_prelu_it_computes_the_same(tmp_path: Path, slopes: NDArray[np.float32]) -> None:
    path = network(tmp_path / "prelu.onnx", "PRelu", slopes)
    (tmp_path / "copies").mkdir()
    copy = write_faster(path, tmp_path / "copies")
    assert "PRelu" not in operators(copy)
    x = numbers(2, _CHANNELS, 5, 4) * 10
    x[0, :, 0, 0] = 0
    np.testing.assert_allclose(computed(copy, x), computed(path, x), rtol=1e-6)


def grouped(*, bias: bool, after: str | None = None) -> list[onnx.NodeProto]:
    """A convolution of two channels a group, and an addition of `after` to what it gives."""
    inputs, output = ["x", "w", "b"][: 3 if bias else 2], "y" if after is None else "grouped"
    node = helper.make_node("Conv", inputs, [output], group=16, pads=[1, 1, 1, 1])
    rest = [] if after is None else [helper.make_node("Add", [output, after], ["y"])]
    return [node, *rest]


@pytest.mark.parametrize(
    ("nodes", "outputs", "wanted"),
    [
        (grouped(bias=False), ["y"], ["Conv", "Conv", "Conv", "Add"]),
        (grouped(bias=True), ["y"], ["Conv", "Conv", "Conv", "Add"]),
        (grouped(bias=False, after="added"), ["y"], ["Conv", "Conv", "Conv", "Add", "Add"]),
        (grouped(bias=True, after="x"), ["y"], ["Conv", "Conv", "Conv", "Add", "Add"]),
        (grouped(bias=True, after="grouped"), ["y"], ["Conv", "Conv", "Conv", "Add", "Add"]),
        (
            grouped(bias=True, after="added"),
            ["y", "grouped"],
            ["Conv", "Conv", "Conv", "Add", "Add"],
        ),
    ],
    ids=["bare", "bias", "bias after it", "residual", "twice itself", "a result of its own"],
)
def test_of_two_channels_a_group_each_is_computed_by_itself(
    tmp_path: Path, nodes: list[onnx.NodeProto], outputs: list[str], wanted: list[str]
) -> None:
    constants = {"w": numbers(32, 2, 3, 3)}
    used = {name for node in nodes for name in node.input}
    constants |= {"b": numbers(32)} if "b" in used else {}
    constants |= {"added": numbers(32, 1, 1)} if "added" in used else {}
    path = saved(tmp_path / "grouped.onnx", nodes, constants, dict.fromkeys(outputs, 32))
    (tmp_path / "copies").mkdir()
    copy = write_faster(path, tmp_path / "copies")
    assert operators(copy) == wanted
    x = numbers(2, 32, 5, 4)
    for got, was in zip(computed(copy, x), computed(path, x), strict=True):
        np.testing.assert_allclose(got, was, rtol=1e-4, atol=1e-5)


def test_a_bias_that_follows_is_added_before_the_partners_are(tmp_path: Path) -> None:
    """ONNX Runtime makes a bias of an addition only where it follows the convolution."""
    path = saved(
        tmp_path / "grouped.onnx",
        grouped(bias=False, after="added"),
        {"w": numbers(32, 2, 3, 3), "added": numbers(32, 1, 1)},
        {"y": 32},
    )
    (tmp_path / "copies").mkdir()
    nodes = onnx.load(write_faster(path, tmp_path / "copies")).graph.node
    biased, summed = nodes[-2:]
    assert "added" in biased.input
    assert biased.input[0] == nodes[-3].output[0]
    assert biased.output[0] in summed.input


@pytest.mark.parametrize("version", [11, 13])
def test_convolutions_of_one_input_become_one(tmp_path: Path, version: int) -> None:
    def convolution(name: str, **said: object) -> onnx.NodeProto:
        pads = said.pop("pads", [1, 1, 1, 1])
        return helper.make_node("Conv", ["x", f"w{name}", f"b{name}"], [name], pads=pads, **said)

    constants = {
        name: numbers(*shape)
        for name, shape in {
            "wscore": (2, 6, 3, 3),
            "wbox": (8, 6, 3, 3),
            "wapart": (6, 1, 3, 3),
            "wsmall": (4, 6, 1, 1),
            "wbare": (3, 6, 3, 3),
            "bscore": (2,),
            "bbox": (8,),
            "bapart": (6,),
            "bsmall": (4,),
        }.items()
    }
    nodes = [
        convolution("score"),
        convolution("apart", group=6),
        convolution("box"),
        convolution("small", pads=[0, 0, 0, 0]),
        helper.make_node("Conv", ["x", "wbare"], ["bare"], pads=[1, 1, 1, 1]),
    ]
    outputs = {"box": 8, "score": 2, "apart": 6, "small": 4, "bare": 3}
    path = saved(tmp_path / "heads.onnx", nodes, constants, outputs, version=version)
    (tmp_path / "copies").mkdir()
    copy = write_faster(path, tmp_path / "copies")
    assert sorted(operators(copy)) == ["Conv", "Conv", "Conv", "Conv", "Split"]
    x = numbers(2, 6, 5, 4)
    for got, wanted in zip(computed(copy, x), computed(path, x), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


def test_where_no_copy_can_be_written_the_network_is_as_it_was(tmp_path: Path) -> None:
    path = network(tmp_path / "prelu.onnx", "PRelu", np.array([0.25], np.float32))
    assert write_faster(path, tmp_path / "missing") == path


def test_a_network_with_nothing_to_gain_stays_where_it_is(tmp_path: Path) -> None:
    path = network(tmp_path / "relu.onnx", "Relu", None)
    assert write_faster(path, tmp_path) == path
