"""The engine that is asked for computes, or nothing starts, and its name is what computed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest
from pydantic import ValidationError

from stream.models import engines, insightface_pack, openvino_session
from stream.models.download import PackUnavailable
from stream.models.grouped_weights import in_pairs
from stream.models.sessions import CPU, CUDA, TENSORRT, candidates, chain
from stream.models.settings import ExecutionProvider, ModelSettings


@pytest.mark.parametrize(
    ("asked", "missing"),
    [
        ({"precision": "bf16"}, "PRECISION=bf16 needs INFERENCE_ENGINE=openvino"),
        (
            {"execution_provider": "cuda", "inference_engine": "openvino"},
            "EXECUTION_PROVIDER=cuda needs INFERENCE_ENGINE=onnxruntime",
        ),
        (
            {"execution_provider": "tensorrt"},
            "EXECUTION_PROVIDER=tensorrt needs DET_SIZE_MODE=fixed",
        ),
    ],
)
def test_settings_that_no_engine_can_follow_are_refused(
    asked: dict[str, Any], missing: str
) -> None:
    with pytest.raises(ValidationError, match=missing):
        ModelSettings(**asked)


@pytest.mark.parametrize(
    ("wanted", "available", "tried"),
    [
        ("auto", [CPU], [CPU]),
        ("auto", [TENSORRT, CUDA, CPU], [CUDA, CPU]),
        ("cpu", [TENSORRT, CUDA, CPU], [CPU]),
        ("cuda", [TENSORRT, CUDA, CPU], [CUDA]),
        ("cuda", [CPU], []),
        ("tensorrt", [TENSORRT, CUDA, CPU], [TENSORRT]),
        ("tensorrt", [CUDA, CPU], []),
    ],
)
def test_cuda_is_taken_by_itself_and_tensorrt_only_where_it_is_asked_for(
    wanted: ExecutionProvider, available: list[str], tried: list[str]
) -> None:
    assert candidates(wanted, available) == tried


@pytest.mark.parametrize(
    ("first", "names"), [(CPU, [CPU]), (CUDA, [CUDA, CPU]), (TENSORRT, [TENSORRT, CUDA, CPU])]
)
def test_what_a_provider_cannot_compute_falls_to_the_next(first: str, names: list[str]) -> None:
    assert [one if isinstance(one, str) else one[0] for one in chain(first)] == names


def test_cuda_computes_in_fp32_and_tensorrt_keeps_what_it_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    options = dict(one for one in chain(TENSORRT) if isinstance(one, tuple))
    assert options[CUDA]["use_tf32"] == "0"
    assert options[TENSORRT]["trt_engine_cache_path"] == str(tmp_path / "facestream/tensorrt")


class Machine:
    """ONNX Runtime of a build with these providers, on a machine where these work."""

    def __init__(self, built: list[str], working: list[str]) -> None:
        self._built, self._working = built, working

    def stand_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: self._built)
        monkeypatch.setattr(insightface_pack, "load", self._load)

    def _load(
        self, _folder: Path, _threads: int, providers: list[Any], *, rewritten: bool
    ) -> dict[str, Any]:
        asked = [one if isinstance(one, str) else one[0] for one in providers]
        assert rewritten == (asked[0] == CPU)
        used = [name for name in asked if name in self._working]
        session = SimpleNamespace(get_providers=lambda: used)
        return {"detection": SimpleNamespace(session=session)}


@pytest.mark.parametrize(
    ("wanted", "working", "engine"),
    [
        ("auto", [CUDA, CPU], "onnxruntime-cuda"),
        ("auto", [CPU], "onnxruntime"),
        ("cpu", [CUDA, CPU], "onnxruntime"),
        ("tensorrt", [TENSORRT, CUDA, CPU], "onnxruntime-tensorrt"),
    ],
)
def test_the_engine_is_named_after_the_provider_that_works_and_not_the_one_that_was_built_in(
    monkeypatch: pytest.MonkeyPatch, wanted: ExecutionProvider, working: list[str], engine: str
) -> None:
    Machine([TENSORRT, CUDA, CPU], working).stand_in(monkeypatch)
    settings = ModelSettings(execution_provider=wanted, det_size_mode="fixed")
    assert engines.load(Path(), settings)[1] == engine


@pytest.mark.parametrize("wanted", ["cuda", "tensorrt"])
@pytest.mark.parametrize("built", [[CPU], [TENSORRT, CUDA, CPU]])
def test_a_provider_that_is_asked_for_and_does_not_work_is_no_reason_to_take_another(
    monkeypatch: pytest.MonkeyPatch, wanted: ExecutionProvider, built: list[str]
) -> None:
    Machine(built, [CPU]).stand_in(monkeypatch)
    settings = ModelSettings(execution_provider=wanted, det_size_mode="fixed")
    with pytest.raises(PackUnavailable, match=f"EXECUTION_PROVIDER={wanted} is not to be had"):
        engines.load(Path(), settings)


@pytest.fixture
def _core_anew() -> Iterator[None]:
    openvino_session._core.cache_clear()
    yield
    openvino_session._core.cache_clear()


@pytest.mark.usefixtures("_core_anew")
def test_without_openvino_one_sentence_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(PackUnavailable, match=r"not installed: install facestream\[openvino\]"):
        engines.load(Path(), ModelSettings(inference_engine="openvino"))


@pytest.mark.parametrize(
    ("cpuinfo", "has"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16 avx512vl\n", True),
        ("processor\t: 0\nflags\t\t: fpu amx_bf16 amx_tile\n", True),
        ("processor\t: 0\nflags\t\t: fpu avx2 avx512f avx512bw avx512_vnni\n", False),
        ("processor\t: 0\nFeatures\t: fp asimd bf16\n", True),
        ("processor\t: 0\nFeatures\t: fp asimd\n", False),
        ("processor\t: 0\n", False),
    ],
)
def test_a_processor_has_bf16_by_its_flags(cpuinfo: str, has: bool) -> None:
    assert openvino_session.has_bf16(cpuinfo) is has


@pytest.mark.parametrize(
    ("flags", "capabilities"),
    [("avx512f", ["BF16", "FP32"]), ("avx512_bf16", ["FP32"]), ("avx2", ["FP32"])],
)
def test_bf16_without_a_processor_for_it_is_refused_and_not_imitated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, capabilities: list[str]
) -> None:
    (tmp_path / "cpuinfo").write_text(f"flags\t\t: fpu {flags}\n")
    core = SimpleNamespace(get_property=lambda _device, _name: capabilities)
    monkeypatch.setattr(openvino_session, "_CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(openvino_session, "_core", lambda: core)
    openvino_session.require("fp32")
    with pytest.raises(PackUnavailable, match=r"PRECISION=bf16 needs a processor.*PRECISION=fp32"):
        openvino_session.require("bf16")


def test_two_channels_a_group_are_the_sum_of_each_by_itself() -> None:
    """At one pixel: what a channel has of itself and of its partner."""
    random = np.random.default_rng(0)
    weights = random.standard_normal((16, 2, 2, 3, 3), np.float32)
    inputs = random.standard_normal((32, 3, 3), np.float32)
    pairs = in_pairs(weights)
    assert pairs is not None

    def outputs(of: Any, inputs: Any) -> Any:
        groups = inputs.reshape(len(of), -1, *of.shape[3:])
        return np.einsum("goihw,gihw->go", of, groups).ravel()

    exchanged = np.einsum("goihw,giyx->goyx", pairs.exchange, inputs.reshape(2, 16, 3, 3))
    apart = outputs(pairs.own, inputs) + outputs(pairs.other, exchanged.reshape(32, 3, 3))
    assert apart == pytest.approx(outputs(weights, inputs), abs=1e-5)


@pytest.mark.parametrize(
    "shape",
    [(16, 1, 1, 3, 3), (16, 4, 4, 3, 3), (16, 2, 1, 3, 3), (16, 1, 2, 3, 3), (4, 2, 2, 3, 3)],
)
def test_other_groups_stay_as_they_are(shape: tuple[int, ...]) -> None:
    """Of one channel or four, of more outputs or inputs, and of eight channels in all."""
    assert in_pairs(np.ones(shape, np.float32)) is None
