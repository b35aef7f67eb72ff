"""The liveness addon through InsightFace's own class.

Its weights are InsightFace's to give. A graph of the same inputs and outputs stands in for them:
the alignment, the gate and the way into the result are shown here, and not how well the model tells
a face from a picture of one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from insightface.addons import Liveness as TheirLiveness
from numpy.typing import NDArray
from skimage import data

from schemas import wire
from stream.models import liveness, packs, synthetic, synthetic_graphs
from stream.models.download import PackUnavailable
from stream.models.loading import FaceModels, load_models
from stream.models.settings import ModelSettings
from stream.pipeline import Pipeline

Image = NDArray[np.uint8]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def astronaut() -> Image:
    return np.ascontiguousarray(data.astronaut()[:, :, ::-1])


def observing() -> FaceModels:
    settings = ModelSettings(model_pack="synthetic", liveness="observe", emotion_engine="off")
    return load_models(settings)


def test_the_score_is_the_addons_own_and_names_its_file(astronaut: Image) -> None:
    models = observing()
    file = synthetic.ensure() / synthetic.LIVENESS_FILE
    face = Pipeline(models, ModelSettings()).run(astronaut, "analyze", 1, {})[0]
    assert face.analysis is not None
    assert face.analysis.liveness is not None
    theirs = TheirLiveness(file).predict(astronaut, np.array(face.landmarks_5, np.float32))
    assert theirs["status"] == "ok"
    assert face.analysis.liveness.score == pytest.approx(theirs["live_score"], abs=1e-6)
    assert 0 < theirs["live_score"] < 1
    assert face.analysis.liveness.model == models.info.liveness == packs.identity(file)


def test_a_face_too_close_to_the_edge_has_no_score_and_keeps_its_embedding(
    astronaut: Image,
) -> None:
    models = observing()
    points = models.detector.detect(astronaut).points
    assert points is not None
    left, top = np.ceil(points[0].min(axis=0)).astype(int)
    right, bottom = np.floor(points[0].max(axis=0)).astype(int)
    inside = np.ascontiguousarray(astronaut[top:bottom, left:right])
    assert models.liveness is not None
    assert models.liveness.score(inside, points[0] - np.array([left, top], np.float32)) is None
    assert models.liveness.score(astronaut, points[0]) is not None


def test_points_that_span_no_face_have_no_score(astronaut: Image) -> None:
    addon = observing().liveness
    assert addon is not None
    assert addon.score(astronaut, np.full((5, 2), 100, np.float32)) is None


def test_what_observes_liveness_has_result_ids_of_its_own() -> None:
    off = load_models(ModelSettings(model_pack="synthetic", emotion_engine="off")).info
    on = observing().info
    assert off.liveness is None
    assert wire.result_id("r", "analyze", off) != wire.result_id("r", "analyze", on)


def test_another_model_in_the_addons_place_is_named_at_the_start(tmp_path: Path) -> None:
    other = tmp_path / liveness.FILE
    synthetic_graphs.emotion(other)
    with pytest.raises(PackUnavailable, match=r"liveness\.onnx is not InsightFace's liveness"):
        liveness.load(other, 1)
