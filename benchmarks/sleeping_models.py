"""Models that sleep: each image shows one face, with an embedding.

The sleep is where detection would be, in the compute thread.
"""

from __future__ import annotations

import os
import time

import numpy as np

from schemas.results import ModelInfo
from stream.models.loading import FaceModels
from stream.models.protocols import Detections, Enough, Floats, Image
from stream.models.settings import ModelSettings

#: in the worker's environment
SLEEP_MS = "BENCH_SLEEP_MS"


class SleepingDetector:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def detect(self, image: Image, _enough: Enough | None = None) -> Detections:
        """The image's middle."""
        if self._seconds:
            time.sleep(self._seconds)
        height, width = image.shape[:2]
        box = np.array([[width / 4, height / 4, width * 3 / 4, height * 3 / 4]], np.float32)
        points = np.repeat(box[:, None, :2], 5, axis=1)
        return Detections(boxes=box, scores=np.array([0.9], np.float32), points=points)


class ConstantRecognizer:
    def __init__(self) -> None:
        self._embedding = np.random.default_rng(7).standard_normal(512).astype(np.float32)

    def embed(self, _image: Image, _points: Floats) -> Floats:
        return self._embedding


def load_sleeping(_settings: ModelSettings) -> FaceModels:
    """In place of the models that the settings ask for."""
    return _sleeping(float(os.environ[SLEEP_MS]))


def load_sleepless(_settings: ModelSettings) -> FaceModels:
    """The same, which answer at once."""
    return _sleeping(0)


def _sleeping(sleep_ms: float) -> FaceModels:
    return FaceModels(
        detector=SleepingDetector(sleep_ms / 1000),
        recognizer=ConstantRecognizer(),
        landmarks_106=None,
        landmarks_3d=None,
        genderage=None,
        emotion=None,
        liveness=None,
        mean_shape_68=None,
        info=ModelInfo(pack="sleep", detector=f"sleep@{sleep_ms:g}ms", recognizer="constant"),
    )
