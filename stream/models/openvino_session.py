"""A network on OpenVINO, with what InsightFace's classes use of ONNX Runtime's session: `run`."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from schemas.results import Precision
from stream.models.download import PackUnavailable
from stream.models.openvino_graph import part_pairs
from stream.models.protocols import Floats
from stream.models.sessions import loading

_DEVICE = "CPU"
_HINTS: dict[Precision, str] = {"fp32": "f32", "bf16": "bf16"}
# what is kept for sizes that come again: of SCRFD-500M 50 entries and 5 MB a size. By default 5000
_CACHED_PRIMITIVES = 2000
_CPUINFO = Path("/proc/cpuinfo")
_BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # x86, x86, Arm
_CONVERTER = "openvino.tools.ovc"


class OpenVinoSession:
    """One compiled network for every size of input. Safe to call from several threads: they take
    turns.

    Of a size the first input costs up to 130 ms more. A network compiled for each size would be
    faster by 4 % of what an image takes, and cost 300 ms and 20 MB a size.
    """

    def __init__(self, path: Path, threads: int, precision: Precision) -> None:
        """Raises `PackUnavailable` for a file that is damaged, or no model."""
        core = _core()
        hint = _HINTS[precision]
        with loading(path):
            network = core.read_model(str(path))
            part_pairs(network)
            self._compiled = core.compile_model(
                network,
                _DEVICE,
                {
                    "INFERENCE_PRECISION_HINT": hint,
                    "INFERENCE_NUM_THREADS": threads,
                    "NUM_STREAMS": 1,
                    # processes that share the cores would all be pinned to the first of them
                    "ENABLE_CPU_PINNING": False,
                    "CPU_RUNTIME_CACHE_CAPACITY": _CACHED_PRIMITIVES,
                },
            )
        if self.precision != precision:
            raise PackUnavailable(f"OpenVINO would not compute {path} in {precision}.")
        self._request = self._compiled.create_infer_request()
        self._turn = threading.Lock()

    @property
    def precision(self) -> Precision | None:
        """That is in effect; `None` for one that is not asked for here."""
        in_effect = self._compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        return next((name for name, hint in _HINTS.items() if hint == in_effect), None)

    def run(self, output_names: Sequence[str], feed: Mapping[str, Floats]) -> list[Floats]:
        """The outputs of these names, each in memory of its own."""
        with self._turn:
            found = self._request.infer(feed, share_inputs=True)
        return [found[name] for name in output_names]


def require(precision: Precision) -> None:
    """Raises `PackUnavailable` where OpenVINO is not installed, or the processor has not what the
    precision needs: OpenVINO would imitate it, more slowly than it computes fp32."""
    capable = "BF16" in _core().get_property(_DEVICE, "OPTIMIZATION_CAPABILITIES")
    if precision == "bf16" and not (capable and _processor_has_bf16()):
        raise PackUnavailable(
            "PRECISION=bf16 needs a processor that computes with bfloat16 (avx512_bf16 or amx_bf16 "
            "among its flags), and this one does not: set PRECISION=fp32."
        )


def _processor_has_bf16() -> bool:
    """By its flags where the system tells them; elsewhere OpenVINO's word has to do."""
    if not _CPUINFO.is_file():
        return True
    return has_bf16(_CPUINFO.read_text(encoding="utf-8", errors="replace"))


def has_bf16(cpuinfo: str) -> bool:
    """cpuinfo: Linux's `/proc/cpuinfo`."""
    flags = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo, re.MULTILINE)
    return flags is not None and not _BF16_FLAGS.isdisjoint(flags[1].split())


@cache
def _core() -> Any:
    """OpenVINO's entry, one a process. Raises `PackUnavailable` where it is not installed."""
    # imported with its converter, it tells Google Analytics so: None stands for "not installed"
    sys.modules.setdefault(_CONVERTER, None)  # type: ignore[arg-type]
    try:
        import openvino
    except ModuleNotFoundError as error:
        raise PackUnavailable(
            "INFERENCE_ENGINE=openvino needs OpenVINO, which is not installed: install "
            "facestream[openvino], or leave INFERENCE_ENGINE at onnxruntime."
        ) from error
    return openvino.Core()
