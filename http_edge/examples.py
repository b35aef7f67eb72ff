"""Answers as the documentation shows them: made by the models, so that they cannot be wrong."""

from __future__ import annotations

from typing import Any

import orjson
from pydantic import BaseModel

from http_edge.errors import NO_FACE, codes_of
from schemas import wire
from schemas.http import (
    EXAMPLE_EMBEDDING,
    AnalysisAnswer,
    BatchAnswer,
    BatchFace,
    BatchFailure,
    CompareAnswer,
    EmbeddingAnswer,
    ErrorAnswer,
    HealthAnswer,
    HealthWorker,
    LiveFace,
    LiveMissed,
    LiveResult,
    LiveState,
    ReadyAnswer,
    VerifyAnswer,
)
from schemas.results import (
    Box,
    Expression,
    Geometry,
    Liveness,
    ModelInfo,
    Point,
    Pose,
    Quality,
    SkinTone,
)

_BOX = Box(112.5, 80.25, 297.0, 331.5)
_REQUEST_ID = "7f8a2c1e5b9d4f60a3c4e5d6f7a8b9c0"
_NO_FACE_WORDS = "No face detected in image"


def answers() -> dict[type[BaseModel], Any]:
    """An example of each answer, as JSON."""
    examples: list[BaseModel] = [
        VerifyAnswer(
            face_detected=True, confidence=0.87, bbox=_BOX, message="Face detected successfully"
        ),
        EmbeddingAnswer(
            face_detected=True, embedding=EXAMPLE_EMBEDDING, bbox=_BOX, confidence=0.87
        ),
        _analysis(),
        CompareAnswer(similarity=0.85, distance=0.15),
        BatchAnswer(
            results=[
                BatchFace(
                    index=0,
                    face_detected=True,
                    embedding=EXAMPLE_EMBEDDING,
                    bbox=_BOX,
                    confidence=0.87,
                ),
                BatchFailure(index=1, face_detected=False, error=_NO_FACE_WORDS, code=NO_FACE),
            ],
            total=2,
            successful=1,
            failed=1,
        ),
        HealthAnswer(
            status="healthy",
            model="insightface",
            model_loaded=True,
            version="1.0.0",
            model_pack="buffalo_l",
            workers=[_worker()],
            broker="up",
            uptime_s=3600.5,
        ),
        ReadyAnswer(ready=True),
        LiveState(following=True),
        LiveMissed(results=12),
        _live_result(),
    ]
    return {type(example): orjson.loads(wire.dumps(example)) for example in examples}


def errors(status: int) -> dict[str, Any]:
    """An example for each code that comes with a status, by the code."""
    return {
        code: {
            "value": ErrorAnswer(
                face_detected=False, error=_words(code), code=code, request_id=_REQUEST_ID
            ).model_dump(mode="json")
        }
        for code in codes_of(status)
    }


def _words(code: str) -> str:
    return _NO_FACE_WORDS if code == NO_FACE else code.replace("_", " ").capitalize()


def _analysis() -> AnalysisAnswer:
    return AnalysisAnswer(
        face_detected=True,
        embedding=EXAMPLE_EMBEDDING,
        bbox=_BOX,
        confidence=0.87,
        age=34,
        gender="female",
        gender_score=0.98,
        landmarks_5=_points(5),
        landmarks_68=_points(68),
        landmarks_106=_points(106),
        pose=Pose(yaw=-4.5, pitch=2.0, roll=1.25),
        quality=Quality(
            blur_score=0.61,
            illumination=0.74,
            overall=0.82,
            face_size_px=184.5,
            frontal_alignment=0.98,
            in_frame=1.0,
        ),
        symmetry_score=0.93,
        skin_tone=SkinTone(
            dominant_color_lab=(68.2, 14.1, 17.9),
            hex="#c99f86",
            individual_typology_angle=45.5,
        ),
        expression=Expression(
            dominant="happy",
            confidence=0.9,
            emotions={
                "angry": 0.01,
                "disgust": 0.0,
                "fear": 0.01,
                "happy": 0.9,
                "sad": 0.01,
                "surprise": 0.02,
                "neutral": 0.05,
            },
            engine="onnx",
        ),
        geometry=Geometry(
            face_width_height_ratio=0.76,
            eye_spacing_face_width=0.46,
            jawline_width_face_width=0.83,
            nose_width_face_width=0.27,
        ),
        liveness=Liveness(score=0.96, model="liveness@87a9ac1d"),
    )


def _live_result() -> LiveResult:
    attributes = dict(_analysis())
    return LiveResult(
        id="5b1c09e4",
        at_ms=1_764_000_000_500,
        operation="analyze",
        status="ok",
        error_code=None,
        width=640,
        height=480,
        faces_found=1,
        faces=[LiveFace(**{name: attributes[name] for name in LiveFace.model_fields})],
        timings_ms={"queue": 3.1, "fetch": 2.0, "decode": 5.2, "detect": 8.7, "embed": 9.9},
    )


def _points(count: int) -> list[Point]:
    """Down the box's diagonal."""
    left, top, right, bottom = _BOX
    return [
        Point(
            round(left + (right - left) * n / count, 1), round(top + (bottom - top) * n / count, 1)
        )
        for n in range(count)
    ]


def _worker() -> HealthWorker:
    return HealthWorker(
        id="host-1-0",
        state="running",
        partitions={"face.images": [0, 1, 2, 3], "face.requests": [0, 1, 2, 3]},
        models=ModelInfo(
            pack="buffalo_l", detector="det_10g@5838f7fe", recognizer="w600k_r50@4c06341c"
        ),
        last_heard_s=0.8,
    )
