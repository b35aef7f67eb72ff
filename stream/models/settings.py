"""What the models are, where they lie and how they run: one frozen object a process."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.results import Precision

InferenceEngine = Literal["onnxruntime", "openvino"]
ExecutionProvider = Literal["auto", "cpu", "cuda", "tensorrt"]
EmotionEngine = Literal["onnx", "tensorflow", "off"]
DetSizeMode = Literal["image", "fixed"]
Liveness = Literal["off", "observe"]
PrimaryFace = Literal["prominent", "confident"]

SYNTHETIC = "synthetic"
"""The name of the pack that is written here and needs no weights."""


class ModelSettings(BaseSettings):
    """The environment's names are the fields' names in capitals."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, protected_namespaces=()
    )

    model_pack: str = Field(
        default="buffalo_l",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="InsightFace's pack, or `synthetic` for a try without weights",
    )
    model_root: Path | None = Field(
        default=None, description="holds `models/<pack>/*.onnx`, or `<pack>/*.onnx`"
    )
    emotion_engine: EmotionEngine = Field(
        default="onnx", description="what DeepFace's emotions run on; `off`: none"
    )
    deepface_home: Path | None = Field(default=None, description="holds `.deepface/weights/`")
    liveness: Liveness = Field(
        default="off",
        description="`observe`: how live a face looks is reported, and nothing is refused for it",
    )
    det_size: int = Field(
        default=640,
        ge=128,
        le=4096,
        multiple_of=32,
        description="pixels of the longer side that detection sees at most",
    )
    det_size_mode: DetSizeMode = Field(
        default="image",
        description="`image`: never enlarged, the smallest multiple of 32 pixels; `fixed`: every "
        "image is letterboxed to `det_size`",
    )
    face_det_thresh: float = Field(default=0.5, gt=0, lt=1, description="least confidence")
    inference_engine: InferenceEngine = Field(
        default="onnxruntime",
        description="what the pack's models run on; `openvino`: the extra of that name",
    )
    precision: Precision = Field(
        default="fp32",
        description="of the pack's models; `bf16`: by OpenVINO, on a processor that has it",
    )
    execution_provider: ExecutionProvider = Field(
        default="auto",
        description="of ONNX Runtime; `auto`: CUDA where it can be had, else the processor",
    )
    threads_per_session: int = Field(default=1, ge=1, description="of each model's session")
    primary_face: PrimaryFace = Field(
        default="prominent", description="which face is the first: see stream/vision/prominence.py"
    )

    @model_validator(mode="after")
    def _engine_can_do_it(self) -> Self:
        """What is asked for is computed so, or nothing starts: never silently otherwise."""
        on_openvino = self.inference_engine == "openvino"
        if self.precision == "bf16" and not on_openvino:
            raise ValueError("PRECISION=bf16 needs INFERENCE_ENGINE=openvino")
        if self.execution_provider in {"cuda", "tensorrt"} and on_openvino:
            raise ValueError(
                f"EXECUTION_PROVIDER={self.execution_provider} needs INFERENCE_ENGINE=onnxruntime"
            )
        if self.execution_provider == "tensorrt" and self.det_size_mode != "fixed":
            raise ValueError(
                "EXECUTION_PROVIDER=tensorrt needs DET_SIZE_MODE=fixed: for each size of image "
                "TensorRT would build an engine anew, for minutes"
            )
        return self

    @property
    def enough_px(self) -> int | None:
        """Pixels of the longer side that an image may be decoded to; `None`: all that it has.

        `fixed` sees what InsightFace sees.
        """
        return self.det_size if self.det_size_mode == "image" else None
