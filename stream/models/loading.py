"""All models of a process, loaded once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.results import Engine, ModelInfo
from schemas.topics import Operation
from stream.models import emotions, engines, insightface_pack, liveness, packs, weights
from stream.models.detection import ScrfdDetector
from stream.models.download import PackUnavailable
from stream.models.protocols import (
    AttributeModel,
    Detector,
    EmotionModel,
    Landmarker,
    LivenessModel,
    Recognizer,
)
from stream.models.settings import SYNTHETIC, ModelSettings
from stream.models.weights import Weights


@dataclass(frozen=True, slots=True, eq=False)
class FaceModels:
    """What computes. `None` where the pack has no such model."""

    detector: Detector
    recognizer: Recognizer
    landmarks_106: Landmarker | None
    landmarks_3d: Landmarker | None
    genderage: AttributeModel | None
    emotion: EmotionModel | None
    liveness: LivenessModel | None
    mean_shape_68: NDArray[np.float64] | None
    """(68, 3): what head pose is measured against."""
    info: ModelInfo
    """Every loaded model."""

    def info_for(self, operation: Operation) -> ModelInfo:
        """The models that compute this operation, and no other."""
        if operation == "analyze":
            return self.info
        recognizer = None if operation == "detect" else self.info.recognizer
        return ModelInfo(
            pack=self.info.pack,
            detector=self.info.detector,
            recognizer=recognizer,
            engine=self.info.engine,
            precision=self.info.precision,
        )


def load_models(settings: ModelSettings) -> FaceModels:
    """Find (or download) what the settings ask for and load every model of it.

    Takes seconds; nothing is left to be loaded by the first image. Raises `PackUnavailable`.
    """
    files = weights.ensure(settings)
    threads = settings.threads_per_session
    loaded, engine = engines.load(files.pack, settings)
    for task in (insightface_pack.DETECTION, insightface_pack.RECOGNITION):
        if task not in loaded:
            raise PackUnavailable(f"The model pack in {files.pack} has no model for {task}.")
    detector = ScrfdDetector(
        loaded[insightface_pack.DETECTION],
        size_px=settings.det_size,
        mode=settings.det_size_mode,
        threshold=settings.face_det_thresh,
    )
    landmarks_106 = loaded.get(insightface_pack.LANDMARKS_106)
    landmarks_3d = loaded.get(insightface_pack.LANDMARKS_3D)
    genderage = loaded.get(insightface_pack.GENDERAGE)
    models = FaceModels(
        detector=detector,
        recognizer=insightface_pack.ArcFaceRecognizer(loaded[insightface_pack.RECOGNITION]),
        landmarks_106=landmarks_106 and insightface_pack.UprightLandmarker(landmarks_106),
        landmarks_3d=landmarks_3d and insightface_pack.CropLandmarker(landmarks_3d),
        genderage=genderage and insightface_pack.GenderAge(genderage),
        emotion=_emotion(settings, files.emotion),
        liveness=None if files.liveness is None else liveness.load(files.liveness, threads),
        mean_shape_68=insightface_pack.mean_shape_68(),
        info=_info(settings, engine, loaded, files),
    )
    _warm_up(models)
    return models


def _warm_up(models: FaceModels) -> None:
    """Run each model once: the first image must not pay for imports and first allocations."""
    side_px = 256
    blank = np.zeros((side_px, side_px, 3), np.uint8)
    box = np.array([64, 64, 192, 192], np.float32)
    points = np.array([[96, 96], [160, 96], [128, 128], [100, 160], [156, 160]], np.float32)
    models.detector.detect(blank)
    models.recognizer.embed(blank, points)
    for landmarker in (models.landmarks_106, models.landmarks_3d):
        if landmarker is not None:
            landmarker.locate(blank, box, points)
    if models.genderage is not None:
        models.genderage.estimate(blank, box)
    if models.emotion is not None:
        models.emotion.emotions(blank)
    if models.liveness is not None:
        models.liveness.score(blank, points)


def _emotion(settings: ModelSettings, path: Path | None) -> EmotionModel | None:
    if path is None:
        return None
    # of the pack without weights there are none for TensorFlow
    on_tensorflow = settings.emotion_engine == "tensorflow" and settings.model_pack != SYNTHETIC
    load = emotions.load_tensorflow if on_tensorflow else emotions.load_onnx
    return load(path, settings.threads_per_session)


def _info(
    settings: ModelSettings, engine: Engine, loaded: dict[str, Any], files: Weights
) -> ModelInfo:
    def named(task: str) -> str | None:
        model = loaded.get(task)
        return None if model is None else packs.identity(Path(model.model_file))

    detector = named(insightface_pack.DETECTION)
    assert detector is not None
    return ModelInfo(
        pack=settings.model_pack,
        detector=detector,
        recognizer=named(insightface_pack.RECOGNITION),
        landmarks=named(insightface_pack.LANDMARKS_106),
        landmarks_3d=named(insightface_pack.LANDMARKS_3D),
        genderage=named(insightface_pack.GENDERAGE),
        emotion=files.emotion and packs.identity(files.emotion),
        liveness=files.liveness and packs.identity(files.liveness),
        engine=engine,
        precision=settings.precision,
    )
