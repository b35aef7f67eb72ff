"""Results of the stream → answers in the shapes of the old API."""

from __future__ import annotations

from http_edge.errors import NO_FACE, FailedResult
from schemas.http import (
    AnalysisAnswer,
    AnalyzedFace,
    BatchFace,
    EmbeddedFace,
    EmbeddingAnswer,
    VerifiedFace,
    VerifyAnswer,
)
from schemas.results import Analysis, Embedding, Face, Result

_FOUND = "Face detected successfully"
_NOT_MEASURED = dict.fromkeys(Analysis.model_fields)


def faces_of(result: Result, *, uploaded: bool) -> list[Face]:
    """The faces of a result, at least one. Raises `FailedResult` where there is none."""
    if result.error is not None:
        raise FailedResult(result.error.code, result.error.message, uploaded=uploaded)
    if not result.faces:
        raise FailedResult(NO_FACE, "No face detected in image", uploaded=uploaded)
    return result.faces


def verification(faces: list[Face], *, all_faces: bool) -> VerifyAnswer:
    """all_faces: `faces` is there and holds every one, the first of which is the answer's own."""
    verified = [VerifiedFace(confidence=face.confidence, bbox=face.bbox) for face in faces]
    return VerifyAnswer(
        face_detected=True,
        confidence=verified[0].confidence,
        bbox=verified[0].bbox,
        message=_FOUND,
        faces=verified if all_faces else None,
    )


def embedding(faces: list[Face], *, all_faces: bool) -> EmbeddingAnswer:
    """As `verification`, with embeddings. Raises `FailedResult` where the first has none."""
    embedded = [_embedded(face) for face in faces]
    return EmbeddingAnswer(
        face_detected=True,
        embedding=_measured(faces[0]),
        bbox=faces[0].bbox,
        confidence=faces[0].confidence,
        faces=embedded if all_faces else None,
    )


def analysis(faces: list[Face], *, all_faces: bool) -> AnalysisAnswer:
    """As `verification`, with embeddings and attributes, flat."""
    analyzed = [_analyzed(face) for face in faces]
    return AnalysisAnswer(
        face_detected=True,
        **dict(analyzed[0]),
        faces=analyzed if all_faces else None,
    )


def batch_face(index: int, faces: list[Face]) -> BatchFace:
    """The most prominent face of a batch's image. Raises as `embedding` does."""
    face = faces[0]
    return BatchFace(
        index=index,
        face_detected=True,
        embedding=_measured(face),
        bbox=face.bbox,
        confidence=face.confidence,
    )


def _embedded(face: Face) -> EmbeddedFace:
    return EmbeddedFace(embedding=face.embedding, bbox=face.bbox, confidence=face.confidence)


def _analyzed(face: Face) -> AnalyzedFace:
    attributes = dict(face.analysis) if face.analysis is not None else _NOT_MEASURED
    return AnalyzedFace(**dict(_embedded(face)), landmarks_5=face.landmarks_5, **attributes)


def _measured(face: Face) -> Embedding:
    if face.embedding is None:
        raise FailedResult("inference_failed", "The face has no embedding", uploaded=True)
    return face.embedding
