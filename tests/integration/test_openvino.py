"""OpenVINO computes what ONNX Runtime computes, in the precision that is said, and tells nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from schemas.results import Precision
from stream.models import packs, synthetic
from stream.models.loading import FaceModels, load_models
from stream.models.openvino_session import OpenVinoSession
from stream.models.sessions import session
from stream.models.settings import ModelSettings
from stream.pipeline import Pipeline
from tests.integration.openvino_here import need_openvino

Image = NDArray[np.uint8]


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    need_openvino("fp32")


@pytest.fixture(scope="module")
def on_openvino(shared: Path) -> FaceModels:
    return load_models(ModelSettings(model_pack="buffalo_s", inference_engine="openvino"))


def test_in_fp32_the_faces_are_those_of_onnx_runtime(
    on_openvino: FaceModels, pipeline: Pipeline, photos: Mapping[str, Image]
) -> None:
    """Within float32, summed in another order. An embedding also has what OpenCV rounds: points
    that differ in their last digits may cut a face out by a 32nd of a pixel elsewhere."""
    ours = Pipeline(on_openvino, ModelSettings())
    sizes = set()
    for name in list(photos)[::6]:
        image = photos[name]
        sizes.add(image.shape)
        found, expected = (one.run(image, "embed", 3, {}) for one in (ours, pipeline))
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert one.bbox == pytest.approx(other.bbox, abs=0.01)
            assert one.confidence == pytest.approx(other.confidence, abs=1e-4)
            assert np.array(one.landmarks_5) == pytest.approx(np.array(other.landmarks_5), abs=0.01)
            a, b = np.array(one.embedding), np.array(other.embedding)
            assert np.linalg.norm(a - b) < 5e-3 * np.linalg.norm(b)
    assert len(sizes) > 5


def test_in_fp32_the_same_points_have_the_same_embedding(
    on_openvino: FaceModels, models: FaceModels, photos: Mapping[str, Image]
) -> None:
    image = photos["img1.jpg"]
    points = models.detector.detect(image).points
    assert points is not None
    ours = on_openvino.recognizer.embed(image, points[0])
    theirs = models.recognizer.embed(image, points[0])
    assert ours is not None
    assert theirs is not None
    assert ours == pytest.approx(theirs, abs=1e-4)


def test_in_fp32_the_attributes_are_those_of_onnx_runtime(
    on_openvino: FaceModels, models: FaceModels, photos: Mapping[str, Image]
) -> None:
    image = photos["img1.jpg"]
    box = models.detector.detect(image).boxes[0]
    for one, other in [
        (on_openvino.landmarks_106, models.landmarks_106),
        (on_openvino.landmarks_3d, models.landmarks_3d),
    ]:
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert one.locate(image, box) == pytest.approx(other.locate(image, box), abs=0.01)
    assert on_openvino.genderage is not None
    assert models.genderage is not None
    ours = on_openvino.genderage.estimate(image, box)
    theirs = models.genderage.estimate(image, box)
    assert ours is not None
    assert theirs is not None
    assert (ours.age_years, ours.gender) == (theirs.age_years, theirs.gender)
    assert ours.gender_score == pytest.approx(theirs.gender_score, abs=1e-4)


def test_a_result_says_so_of_each_operation(on_openvino: FaceModels) -> None:
    for operation in ("detect", "embed", "analyze"):
        assert on_openvino.info_for(operation).engine == "openvino"
    assert on_openvino.info.emotion is not None
    assert on_openvino.emotion is not None
    assert on_openvino.emotion.engine == "onnx"


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_precision_that_is_asked_for_is_that_of_every_convolution(
    shared: Path, precision: Precision
) -> None:
    need_openvino(precision)
    pack = packs.find("buffalo_s", None)
    assert pack is not None
    for file in sorted(pack.glob("*.onnx")):
        network = OpenVinoSession(file, 1, precision)
        assert network.precision == precision
        told = [node.get_rt_info() for node in network._compiled.get_runtime_model().get_ops()]
        computed = {
            node["runtimePrecision"].astype(str)
            for node in told
            if node["layerType"].astype(str) == "Convolution"
        }
        assert computed == {{"fp32": "f32", "bf16": "bf16"}[precision]}


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A network that needs no weights, of (1, 3, 96, 96)."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return synthetic.ensure() / "genderage.onnx"


def test_threads_are_as_many_as_are_asked_for_and_pinned_to_no_core(small: Path) -> None:
    for threads in (1, 2):
        compiled = OpenVinoSession(small, threads, "fp32")._compiled
        assert compiled.get_property("INFERENCE_NUM_THREADS") == threads
        assert compiled.get_property("NUM_STREAMS") == 1
        assert compiled.get_property("ENABLE_CPU_PINNING") is False


def test_callers_from_several_threads_each_have_their_own_answer(small: Path) -> None:
    network, reference = OpenVinoSession(small, 1, "fp32"), session(small, 1)
    (input_name,) = (one.name for one in reference.get_inputs())
    (output_name,) = (one.name for one in reference.get_outputs())
    blobs = np.random.default_rng(0).standard_normal((40, 1, 3, 96, 96), np.float32)

    def answer(of: Any, blob: NDArray[np.float32]) -> NDArray[np.float32]:
        (found,) = of.run([output_name], {input_name: blob})
        return np.asarray(found)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda blob: answer(network, blob), blobs))
    expected = [answer(reference, blob) for blob in blobs]
    assert len({tuple(outputs.ravel()) for outputs in expected}) == len(blobs)
    assert np.array(found) == pytest.approx(np.array(expected), abs=1e-4)


_LOADING = """
import sys
import socket
def refused(*_):
    raise SystemExit("a connection")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refused
from stream.models.loading import load_models
from stream.models.settings import ModelSettings
load_models(ModelSettings(model_pack="synthetic", emotion_engine="off"))
assert "openvino" not in sys.modules, "the default engine loads it too"
models = load_models(
    ModelSettings(model_pack="synthetic", emotion_engine="off", inference_engine="openvino")
)
assert models.info.engine == "openvino"
print([name for name in sys.modules if "telemetry" in name])
"""


def test_it_is_imported_only_where_it_is_asked_for_and_tells_nobody_so(tmp_path: Path) -> None:
    """Left alone, `import openvino` writes an id to the home folder and reports to Google."""
    environ = {name: value for name, value in os.environ.items() if name not in {"CI", "TF_BUILD"}}
    run = subprocess.run(
        [sys.executable, "-c", _LOADING],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        cwd=Path(__file__).parents[2],
        env={**environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")},
    )
    assert (run.returncode, run.stdout) == (0, "[]\n"), run.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
