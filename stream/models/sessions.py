"""How ONNX Runtime runs a model here: providers and threads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from stream.models.download import PackUnavailable
from stream.models.settings import ExecutionProvider

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"

Provider = str | tuple[str, dict[str, str]]
"""Its name, or its name and its options."""

_ERROR = 3  # ONNX Runtime's severity: graphs of the packs warn harmlessly at every load


def session_options(threads: int) -> Any:
    """`SessionOptions` with `threads` threads that sleep when idle.

    The separate sessions' pools spin by default and fight over the cores: a face then takes
    nearly twice the sum of its models.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERROR
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def candidates(wanted: ExecutionProvider, available: Sequence[str]) -> list[str]:
    """The providers that may come first, in the order in which they are tried.

    `auto` never takes TensorRT, which builds an engine for minutes before the first image.
    """
    named = {"cpu": [CPU], "cuda": [CUDA], "tensorrt": [TENSORRT], "auto": [CUDA, CPU]}
    return [provider for provider in named[wanted] if provider in available]


def chain(first: str) -> list[Provider]:
    """`first`, and those that take what it cannot compute."""
    cuda: Provider = (
        CUDA,
        {
            # the exhaustive search would begin anew with each size of image
            "cudnn_conv_algo_search": "HEURISTIC",
            # fp32 is what a result says: TensorFloat-32 has 10 bits of fraction
            "use_tf32": "0",
        },
    )
    if first == TENSORRT:
        built = user_cache_path("facestream") / "tensorrt"
        options = {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(built)}
        return [(TENSORRT, options), cuda, CPU]
    return [cuda, CPU] if first == CUDA else [CPU]


def session(path: Path, threads: int) -> Any:
    """`InferenceSession` on the processor. Raises `PackUnavailable` for a file that is damaged, or
    no model."""
    import onnxruntime

    with loading(path):
        return onnxruntime.InferenceSession(
            str(path), sess_options=session_options(threads), providers=chain(CPU)
        )


@contextmanager
def loading(path: Path) -> Iterator[None]:
    """Whatever a library raises over a file becomes `PackUnavailable`, which names it."""
    try:
        yield
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise PackUnavailable(f"{path} cannot be loaded: {reason}") from error
