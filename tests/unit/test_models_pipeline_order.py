"""Only what an operation needs is run, on the faces that were asked for, in their order."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import orjson
import pytest
from numpy.typing import NDArray

from schemas.errors import InferenceFailed
from schemas.results import EmotionEngine, Liveness, ModelInfo
from stream.models.loading import FaceModels
from stream.models.protocols import Attributes, Detections, Enough, Floats, Image
from stream.models.settings import ModelSettings
from stream.photograph import Photograph
from stream.pipeline import Pipeline

IMAGE: NDArray[np.uint8] = np.random.default_rng(0).integers(0, 255, (100, 100, 3), np.uint8)
BOXES = [(0, 0, 30, 30), (38, 38, 62, 62), (70, 0, 95, 25)]  # the second is in the middle
SCORES = [0.9, 0.6, 0.7]


@dataclass
class Fake:
    """All six models; counts how often each is run."""

    engine: EmotionEngine = "onnx"
    boxes: list[tuple[int, int, int, int]] = field(default_factory=lambda: BOXES)
    points: bool = True
    scores: list[float] = field(default_factory=lambda: SCORES)
    embedding: float | None = 1.0
    live_score: float | None = 0.25
    calls: Counter[str] = field(default_factory=Counter)
    enough: Enough | None = None
    fails: str = ""
    probabilities: Floats = field(
        default_factory=lambda: np.array([0.05, 0.05, 0.1, 0.5, 0.1, 0.1, 0.1], np.float32)
    )

    def _called(self, name: str) -> None:
        self.calls[name] += 1
        if name == self.fails:
            raise RuntimeError("/somewhere/model.onnx: bad allocation")

    def detect(self, image: Image, enough: Enough | None = None) -> Detections:
        self._called("detect")
        self.enough = enough
        count = len(self.boxes)
        return Detections(
            np.array(self.boxes, np.float32).reshape(-1, 4),
            np.array(self.scores, np.float32)[:count],
            np.zeros((count, 5, 2), np.float32) if self.points else None,
        )

    def embed(self, image: Image, points: Floats) -> Floats | None:
        self._called("embed")
        return None if self.embedding is None else np.full(512, self.embedding, np.float32)

    def locate(self, image: Image, box: Floats, points_5: Floats | None = None) -> Floats:
        self._called("locate")
        return np.random.default_rng(1).uniform(0, 100, (106, 2)).astype(np.float32)

    def estimate(self, image: Image, box: Floats, points_106: Floats | None = None) -> Attributes:
        self._called("estimate")
        return Attributes(age_years=31, gender="female", gender_score=0.75)

    def emotions(self, face: Image) -> Floats:
        self._called("emotions")
        return self.probabilities

    def score(self, image: Image, points: Floats) -> float | None:
        self._called("score")
        return self.live_score


def models(fake: Fake) -> FaceModels:
    return FaceModels(
        detector=fake,
        recognizer=fake,
        landmarks_106=fake,
        landmarks_3d=None,
        genderage=fake,
        emotion=fake,
        liveness=None,
        mean_shape_68=np.random.default_rng(2).uniform(-1, 1, (68, 3)),
        info=ModelInfo(pack="fake", detector="d@0", recognizer="r@0", genderage="g@0"),
    )


def observing(fake: Fake) -> FaceModels:
    """With the liveness addon."""
    loaded = models(fake)
    info = loaded.info.model_copy(update={"liveness": "l@0"})
    return replace(loaded, liveness=fake, info=info)


def pipeline(fake: Fake, **settings: Any) -> Pipeline:
    return Pipeline(models(fake), ModelSettings(**settings))


def test_an_image_without_faces_has_none_and_runs_the_detector_alone() -> None:
    fake = Fake(boxes=[])
    timings: dict[str, float] = {}
    assert pipeline(fake).run(IMAGE, "analyze", 0, timings) == []
    assert fake.calls == {"detect": 1}
    assert set(timings) == {"detect"}


@pytest.mark.parametrize(
    ("operation", "calls"),
    [
        ("detect", {"detect": 1}),
        ("embed", {"detect": 1, "embed": 3}),
        ("analyze", {"detect": 1, "embed": 3, "locate": 3, "estimate": 3, "emotions": 3}),
    ],
)
def test_an_operation_runs_the_models_it_needs_once_a_face(
    operation: Any, calls: dict[str, int]
) -> None:
    fake = Fake()
    timings: dict[str, float] = {}
    assert len(pipeline(fake).run(IMAGE, operation, 0, timings)) == 3
    assert fake.calls == calls
    assert set(timings) <= {"detect", "embed", "analyze"}
    assert operation in timings


def test_faces_beyond_max_faces_are_neither_computed_nor_reported() -> None:
    fake = Fake()
    faces = pipeline(fake).run(IMAGE, "analyze", 1, {})
    assert [face.bbox for face in faces] == [(38, 38, 62, 62)]
    assert fake.calls["embed"] == fake.calls["emotions"] == 1


def test_the_most_prominent_face_is_first_and_not_the_most_confident() -> None:
    faces = pipeline(Fake()).run(IMAGE, "detect", 0, {})
    assert faces[0].bbox == (38, 38, 62, 62)


def test_the_most_confident_face_is_first_where_that_is_asked_for() -> None:
    faces = pipeline(Fake(), primary_face="confident").run(IMAGE, "detect", 0, {})
    assert [face.confidence for face in faces] == [0.9, 0.7, 0.6]


def test_it_pauses_after_detection_and_after_each_face() -> None:
    fake = Fake()
    steps = pipeline(fake).steps(Photograph.whole(IMAGE), "embed", 0, {})
    assert [fake.calls["embed"] for _ in steps] == [0, 1, 2, 3]


def test_it_pauses_between_the_embedding_and_the_analysis_of_a_face() -> None:
    fake = Fake()
    steps = pipeline(fake).steps(Photograph.whole(IMAGE), "analyze", 2, {})
    done = [(fake.calls["embed"], fake.calls["locate"]) for _ in steps]
    assert done == [(0, 0), (1, 0), (1, 1), (2, 1), (2, 2)]


def test_a_confidence_above_one_by_rounding_is_one() -> None:
    faces = pipeline(Fake(scores=[1.0000001, 0.5, 0.5])).run(IMAGE, "detect", 0, {})
    assert max(face.confidence for face in faces) == 1


def test_embeddings_keep_their_float32_in_the_fewest_digits() -> None:
    face = pipeline(Fake(embedding=0.1)).run(IMAGE, "embed", 1, {})[0]
    assert face.embedding == [0.1] * 512


def test_a_face_whose_points_cannot_be_aligned_has_no_embedding() -> None:
    face = pipeline(Fake(embedding=None)).run(IMAGE, "embed", 1, {})[0]
    assert face.embedding is None
    assert face.embedding_norm is None


def test_numbers_that_are_not_finite_fail_the_image() -> None:
    with pytest.raises(InferenceFailed):
        pipeline(Fake(embedding=float("nan"))).run(IMAGE, "embed", 0, {})
    with pytest.raises(InferenceFailed):
        pipeline(Fake(scores=[float("inf")] * 3)).run(IMAGE, "detect", 0, {})


@pytest.mark.parametrize("model", ["detect", "embed", "locate", "emotions", "score"])
def test_what_a_native_library_raises_fails_the_image_and_tells_nothing(model: str) -> None:
    with pytest.raises(InferenceFailed) as failed:
        Pipeline(observing(Fake(fails=model)), ModelSettings()).run(IMAGE, "analyze", 0, {})
    assert "somewhere" not in str(failed.value)


def test_what_the_pack_has_no_model_for_is_null() -> None:
    bare = replace(models(Fake()), landmarks_106=None, genderage=None, emotion=None)
    analysis = Pipeline(bare, ModelSettings()).run(IMAGE, "analyze", 1, {})[0].analysis
    assert analysis is not None
    measured = analysis.model_dump(exclude_none=True)
    assert set(measured) == {"quality"}


@pytest.mark.parametrize("evenness", [0.01, 0.3, 1, 30])
def test_emotions_sum_to_one_in_the_digits_that_are_published(evenness: float) -> None:
    random = np.random.default_rng(3)
    for probabilities in random.dirichlet([evenness] * 7, 40).astype(np.float32):
        fake = Fake(probabilities=probabilities)
        analysis = pipeline(fake).run(IMAGE, "analyze", 1, {})[0].analysis
        assert analysis is not None
        assert analysis.expression is not None
        published = orjson.loads(analysis.expression.model_dump_json())
        assert sum(published["emotions"].values()) == pytest.approx(1, abs=1e-6)
        assert published["confidence"] == published["emotions"][published["dominant"]]
        assert published["confidence"] == max(published["emotions"].values())
        assert published["engine"] == "onnx"


def test_liveness_is_reported_and_nothing_is_refused_for_it() -> None:
    for score in (0.0, None, 1.0):
        fake = Fake(live_score=score)
        faces = Pipeline(observing(fake), ModelSettings()).run(IMAGE, "analyze", 0, {})
        assert [face.analysis and face.analysis.liveness for face in faces] == [
            Liveness(score=score, model="l@0")
        ] * 3
        assert [face.embedding for face in faces] == [[1.0] * 512] * 3
        assert fake.calls["score"] == 3


def test_a_face_without_points_has_no_liveness_score() -> None:
    fake = Fake(points=False)
    face = Pipeline(observing(fake), ModelSettings()).run(IMAGE, "analyze", 1, {})[0]
    assert face.analysis is not None
    assert face.analysis.liveness == Liveness(score=None, model="l@0")
    assert fake.calls["score"] == 0


def test_a_result_names_only_the_models_that_computed_it() -> None:
    loaded = models(Fake())
    assert loaded.info_for("detect") == ModelInfo(pack="fake", detector="d@0")
    assert loaded.info_for("embed") == ModelInfo(pack="fake", detector="d@0", recognizer="r@0")
    assert loaded.info_for("analyze") == loaded.info


@pytest.mark.parametrize(
    ("max_faces", "sure", "enough"),
    [
        (1, [False, True, False], True),  # the middle one is the most prominent
        (1, [True, False, True], False),
        (2, [True, True, False], True),
        (2, [False, True, True], False),
        (3, [True, True, True], True),
        (0, [True, True, False], False),
    ],
)
def test_who_is_doubtful_does_not_matter_when_all_that_are_wanted_are_sure(
    max_faces: int, sure: list[bool], enough: bool
) -> None:
    fake = Fake()
    pipeline(fake).run(IMAGE, "detect", max_faces, {})
    assert fake.enough is not None
    assert fake.enough(fake.detect(IMAGE, fake.enough), np.array(sure)) == enough
