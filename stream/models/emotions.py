"""DeepFace's emotion network behind the protocol, on ONNX Runtime or on TensorFlow.

Both run DeepFace's own client with DeepFace's own preprocessing, so the numbers are those of
`DeepFace.analyze(face, actions=["emotion"], detector_backend="skip")`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.results import Emotion, EmotionEngine
from stream.models import download
from stream.models.download import PackUnavailable
from stream.models.packs import SHARED_MODELS
from stream.models.sessions import loading, session

if TYPE_CHECKING:  # whoever only asks where the weights are needs no NumPy
    from stream.models.protocols import Floats, Image

EMOTIONS: tuple[Emotion, ...] = (
    "angry",
    "disgust",
    "fear",
    "happy",
    "sad",
    "surprise",
    "neutral",
)
"""The order of the network's outputs (deepface.models.demography.DemographyUtils)."""

ENGINES: tuple[EmotionEngine, ...] = ("onnx", "tensorflow")

_SUFFIX = {"onnx": ".onnx", "tensorflow": ".h5"}
_SIDE_PX = 224  # DeepFace pads and scales a face to this before the client scales it to 48


def home(deepface_home: Path | None) -> Path:
    """The folder that holds `.deepface/weights`: the one that is set, else the one beside the
    checkout if it is there, else DeepFace's default."""
    if deepface_home is not None:
        return deepface_home.expanduser()
    shared = SHARED_MODELS / "deepface"
    return shared if shared.is_dir() else Path.home()


def weights(engine: EmotionEngine, deepface_home: Path | None) -> Path:
    """Where the engine's weights lie, or would lie."""
    name = f"facial_expression_model_weights{_SUFFIX[engine]}"
    return home(deepface_home) / ".deepface" / "weights" / name


def ensure(engine: EmotionEngine, deepface_home: Path | None) -> Path:
    """The weights' file: found, or else downloaded once.

    Raises `PackUnavailable`, whose one sentence names the ways out.
    """
    path = weights(engine, deepface_home)
    if path.is_file():
        return path
    release = "https://github.com/serengil/deepface_models/releases/download/v1.0"
    mirror = "https://huggingface.co/serengil/deepface/resolve/main"
    try:
        download.file([f"{release}/{path.name}", f"{mirror}/{path.name}"], path)
    except PackUnavailable as error:
        raise PackUnavailable(
            f"DeepFace's emotion weights are not on this machine and could not be downloaded "
            f"({error}): set DEEPFACE_HOME to a folder that holds .deepface/weights/{path.name}, "
            f"or copy the file to {path}, or set EMOTION_ENGINE=off to do without emotions."
        ) from error
    return path


class DeepFaceEmotions:
    """`client` is one of DeepFace's emotion clients, `engine` what it runs on."""

    def __init__(self, client: Any, engine: EmotionEngine) -> None:
        self._client = client
        self.engine = engine

    def emotions(self, face: Image) -> Floats:
        import numpy as np
        from deepface.modules.preprocessing import resize_image

        padded = resize_image(face.astype(np.float32) / 255, (_SIDE_PX, _SIDE_PX))
        probabilities: Floats = np.array(self._client.predict(padded), np.float32).reshape(-1)
        probabilities /= probabilities.sum()
        return probabilities


def load_onnx(path: Path, threads: int) -> DeepFaceEmotions:
    """Emotions on ONNX Runtime, with this project's session in the place of DeepFace's own,
    which cannot be told how many threads to take."""
    from deepface.models.demography.onnx.Emotion import EmotionClient

    client = EmotionClient.__new__(EmotionClient)
    client.model_name = "Emotion"
    client.model = session(path, threads)
    return DeepFaceEmotions(client, "onnx")


def load_tensorflow(path: Path, threads: int) -> DeepFaceEmotions:
    """Emotions on TensorFlow, which must be installed (the extra `tensorflow`).

    Raises `PackUnavailable` where it is not.
    """
    # DeepFace and TensorFlow read these when they are imported and when weights are loaded
    os.environ["DEEPFACE_BACKEND_ENGINE"] = "tensorflow"
    os.environ["DEEPFACE_HOME"] = str(path.parents[2])
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        import tensorflow as tf
    except ModuleNotFoundError as error:
        raise PackUnavailable(
            "EMOTION_ENGINE=tensorflow needs TensorFlow, which is not installed: install "
            "facestream[tensorflow], or leave EMOTION_ENGINE at onnx, which gives the same numbers."
        ) from error
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from deepface.models.demography.tf.Emotion import EmotionClient

    with loading(path):
        return DeepFaceEmotions(EmotionClient(), "tensorflow")
