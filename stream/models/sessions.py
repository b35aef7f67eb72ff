"""How ONNX Runtime runs a model here: providers and threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stream.models.download import PackUnavailable

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


def providers() -> list[str]:
    """CUDA where this build of ONNX Runtime has it, and the CPU."""
    import onnxruntime

    cuda = "CUDAExecutionProvider"
    found = [cuda] if cuda in onnxruntime.get_available_providers() else []
    return [*found, "CPUExecutionProvider"]


def session(path: Path, threads: int) -> Any:
    """`InferenceSession`. Raises `PackUnavailable` for a file that is damaged, or no model."""
    import onnxruntime

    with loading(path):
        return onnxruntime.InferenceSession(
            str(path), sess_options=session_options(threads), providers=providers()
        )


@contextmanager
def loading(path: Path) -> Iterator[None]:
    """Whatever a library raises over a file becomes `PackUnavailable`, which names it."""
    try:
        yield
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise PackUnavailable(f"{path} cannot be loaded: {reason}") from error
