"""The pack's models on the engine that the settings ask for: that one, or nothing starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from schemas.results import Engine
from stream.models import insightface_pack
from stream.models.download import PackUnavailable
from stream.models.sessions import CPU, CUDA, TENSORRT, candidates, chain
from stream.models.settings import ModelSettings

_ON_ONNXRUNTIME: dict[str, Engine] = {
    CPU: "onnxruntime",
    CUDA: "onnxruntime-cuda",
    TENSORRT: "onnxruntime-tensorrt",
}


def load(folder: Path, settings: ModelSettings) -> tuple[dict[str, Any], Engine]:
    """InsightFace's model objects by their task, and what they run on.

    Raises `PackUnavailable` for a file that is damaged, and where this machine has not what the
    settings ask for.
    """
    if settings.inference_engine == "openvino":
        return _on_openvino(folder, settings), "openvino"
    return _on_onnxruntime(folder, settings)


def _on_onnxruntime(folder: Path, settings: ModelSettings) -> tuple[dict[str, Any], Engine]:
    import onnxruntime

    wanted, available = settings.execution_provider, onnxruntime.get_available_providers()
    for provider in candidates(wanted, available):
        models = insightface_pack.load(
            folder,
            settings.threads_per_session,
            chain(provider),
            rewritten=provider == CPU,
        )
        # a build may have a provider that this machine has no device or no libraries for
        if all(model.session.get_providers()[0] == provider for model in models.values()):
            return models, _ON_ONNXRUNTIME[provider]
    raise PackUnavailable(
        f"EXECUTION_PROVIDER={wanted} is not to be had: the ONNX Runtime that is installed can use "
        f"{', '.join(available)} at most. Install onnxruntime-gpu in its place, with the libraries "
        f"that it needs, or leave EXECUTION_PROVIDER at auto."
    )


def _on_openvino(folder: Path, settings: ModelSettings) -> dict[str, Any]:
    """InsightFace picks its classes over sessions of ONNX Runtime, which give way at once."""
    from stream.models.openvino_session import OpenVinoSession, require

    require(settings.precision)
    models = insightface_pack.load(folder, settings.threads_per_session, chain(CPU))
    for model in models.values():
        model.session = OpenVinoSession(
            Path(model.model_file), settings.threads_per_session, settings.precision
        )
    return models
