"""Pixels and an operation → faces. No I/O."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from schemas import results
from schemas.errors import FacestreamError, InferenceFailed
from schemas.topics import Operation
from stream.analysis import SeenFace, analyze_face
from stream.models.loading import FaceModels
from stream.models.protocols import Detections, Floats, Image
from stream.models.settings import ModelSettings
from stream.numbers import numbers
from stream.photograph import Photograph
from stream.vision.prominence import most_prominent_first

#: the longer side of a face's box, at least: in the crops for landmarks and for the recogniser it
#: has some 130, so that each of their pixels is made of several
FINE_PX = 256


class Pipeline:
    """Safe to call from several threads at once."""

    def __init__(self, models: FaceModels, settings: ModelSettings) -> None:
        self._models = models
        self._settings = settings

    def run(
        self,
        image: Image | Photograph,
        operation: Operation,
        max_faces: int,
        timings_ms: dict[str, float],
    ) -> list[results.Face]:
        """All of `steps` at once. image: also (H, W, 3) uint8 BGR."""
        photograph = image if isinstance(image, Photograph) else Photograph.whole(image)
        steps = self.steps(photograph, operation, max_faces, timings_ms)
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                faces: list[results.Face] = stop.value
                return faces

    def steps(
        self,
        photograph: Photograph,
        operation: Operation,
        max_faces: int,
        timings_ms: dict[str, float],
    ) -> Generator[None, None, list[results.Face]]:
        """The faces of an image, the most prominent first, in steps of one unit of work.

        Yields after detection, after each face and before its analysis, so that more urgent work
        can run in between, and returns the faces, in the pixels of the whole image: with
        `max_faces` above 0 at most so many, and the others cost nothing. A face that is small in
        what detection saw is computed in finer pixels. Adds the milliseconds of the stages that ran
        (`detect`, `embed`, `analyze`, and `decode` for finer pixels) to `timings_ms`. Raises
        `InferenceFailed`, and what decoding raises.
        """
        image = photograph.seen

        def enough(found: Detections, sure: NDArray[np.bool_]) -> bool:
            """The first faces, as many as are wanted, are sure."""
            return max_faces > 0 and bool(sure[self._order(found, image)[:max_faces]].all())

        with _stage("detect", timings_ms):
            found = self._models.detector.detect(image, enough)
            _demand_finite(found)
            order = self._order(found, image)
            chosen = order[:max_faces] if max_faces > 0 else order
        yield
        faces = []
        for index in chosen:
            face = yield from self._face(photograph, operation, found, int(index), timings_ms)
            faces.append(face)
            if operation != "detect":
                yield
        return faces

    def _order(self, found: Detections, image: Image) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
        if self._settings.primary_face == "confident":
            return np.argsort(-found.scores, kind="stable")
        height, width = image.shape[:2]
        return most_prominent_first(found.boxes, height, width)

    def _face(
        self,
        photograph: Photograph,
        operation: Operation,
        found: Detections,
        index: int,
        timings_ms: dict[str, float],
    ) -> Generator[None, None, results.Face]:
        box, points = found.boxes[index], None if found.points is None else found.points[index]
        embedding: Floats | None = None
        analysis: results.Analysis | None = None
        if operation != "detect":
            seen = _seen(photograph, box, points, timings_ms)
            with _stage("embed", timings_ms):
                embedding = self._embedding(seen)
        if operation == "analyze":
            yield
            with _stage("analyze", timings_ms):
                analysis = analyze_face(self._models, seen)
        box = box * photograph.reduced_by
        points = None if points is None else points * photograph.reduced_by
        return results.Face(
            bbox=results.Box(*numbers(box)),
            confidence=min(numbers(found.scores[index : index + 1])[0], 1.0),
            landmarks_5=None if points is None else numbers(points),
            embedding=None if embedding is None else numbers(embedding),
            embedding_norm=None if embedding is None else _norm(embedding),
            analysis=analysis,
        )

    def _embedding(self, seen: SeenFace) -> Floats | None:
        if seen.points is None:
            return None
        embedding = self._models.recognizer.embed(seen.image, seen.points)
        if embedding is not None and not np.isfinite(embedding).all():
            raise InferenceFailed("the recogniser gave numbers that are not finite")
        return embedding


def _seen(
    photograph: Photograph, box: Floats, points: Floats | None, timings_ms: dict[str, float]
) -> SeenFace:
    """In pixels that are fine enough for it. box, points: in those that detection saw."""
    longer_px = float(max(box[2] - box[0], box[3] - box[1]))
    reduced_by = photograph.reduction(longer_px, FINE_PX)
    if reduced_by == photograph.reduced_by:
        return SeenFace(photograph.seen, reduced_by, box, points)
    with _stage("decode", timings_ms):
        image = photograph.pixels(reduced_by)
    finer = photograph.reduced_by // reduced_by
    return SeenFace(image, reduced_by, box * finer, None if points is None else points * finer)


def _norm(embedding: Floats) -> float:
    norm: list[float] = numbers(np.linalg.norm(embedding, axis=0, keepdims=True))
    return norm[0]


def _demand_finite(found: Detections) -> None:
    for array in (found.boxes, found.scores, found.points):
        if array is not None and not np.isfinite(array).all():
            raise InferenceFailed("the detector gave numbers that are not finite")


@contextmanager
def _stage(name: str, timings_ms: dict[str, float]) -> Iterator[None]:
    """Measures, and turns whatever a native library raises into `InferenceFailed`."""
    started = time.perf_counter()
    try:
        yield
    except FacestreamError:
        raise
    except Exception as error:  # the libraries' exceptions share no base class
        raise InferenceFailed(f"{name} failed on this image ({type(error).__name__})") from error
    finally:
        elapsed_ms = (time.perf_counter() - started) * 1000
        timings_ms[name] = round(timings_ms.get(name, 0.0) + elapsed_ms, 3)
