"""How ONNX Runtime runs a model here: providers and threads."""

from __future__ import annotations

from typing import Any

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
