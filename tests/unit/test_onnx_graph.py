"""A network without PRelu computes what it computed with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from stream.models.onnx_graph import write_without_prelu

_CHANNELS = 6


def network(path: Path, operator: str, slopes: NDArray[np.float32] | None) -> Path:
    """Of one operator; with `slopes` it has them as its second input."""
    shape = ["batch", _CHANNELS, 5, 4]
    graph = helper.make_graph(
        [helper.make_node(operator, ["x"] if slopes is None else ["x", "slopes"], ["y"])],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [] if slopes is None else [numpy_helper.from_array(slopes, "slopes")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def computed(path: Path, x: NDArray[np.float32]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {"x": x})
    return np.asarray(y, np.float32)


@pytest.mark.parametrize(
    "slopes",
    [
        np.array([-0.8, 0, 0.25, 1, 1.5, 3], np.float32).reshape(_CHANNELS, 1, 1),
        np.array([0.25], np.float32),
    ],
    ids=["by channel", "one for all"],
)
def test_it_computes_the_same(tmp_path: Path, slopes: NDArray[np.float32]) -> None:
    path = network(tmp_path / "prelu.onnx", "PRelu", slopes)
    (tmp_path / "copies").mkdir()
    copy = write_without_prelu(path, tmp_path / "copies")
    assert "PRelu" not in {node.op_type for node in onnx.load(copy).graph.node}
    x = np.random.default_rng(3).normal(0, 10, (2, _CHANNELS, 5, 4)).astype(np.float32)
    x[0, :, 0, 0] = 0
    np.testing.assert_allclose(computed(copy, x), computed(path, x), rtol=1e-6)


def test_where_no_copy_can_be_written_the_network_is_as_it_was(tmp_path: Path) -> None:
    path = network(tmp_path / "prelu.onnx", "PRelu", np.array([0.25], np.float32))
    assert write_without_prelu(path, tmp_path / "missing") == path


def test_a_network_without_it_stays_where_it_is(tmp_path: Path) -> None:
    path = network(tmp_path / "relu.onnx", "Relu", None)
    assert write_without_prelu(path, tmp_path) == path
