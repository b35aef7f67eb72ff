"""The pack without weights goes through the real loading code and behaves as a pack should."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from stream.models import packs, synthetic
from stream.models.loading import load_models
from stream.models.settings import ModelSettings
from stream.pipeline import Pipeline

Image = NDArray[np.uint8]


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        settings = ModelSettings(model_pack="synthetic", liveness="observe")
        return Pipeline(load_models(settings), settings)


@pytest.fixture(scope="module")
def astronaut() -> Image:
    return np.ascontiguousarray(data.astronaut()[:, :, ::-1])


def _embedding(pipeline: Pipeline, image: Image) -> NDArray[np.float64]:
    embedding = np.array(pipeline.run(image, "embed", 1, {})[0].embedding)
    unit: NDArray[np.float64] = embedding / np.linalg.norm(embedding)
    return unit


@pytest.mark.parametrize("size", [(512, 512), (90, 400), (400, 90), (40, 30)])
def test_one_face_is_found_in_the_middle_of_any_picture(
    pipeline: Pipeline, astronaut: Image, size: tuple[int, int]
) -> None:
    (face,) = pipeline.run(np.asarray(cv2.resize(astronaut, size), np.uint8), "detect", 0, {})
    assert 0.5 < face.confidence < 1
    assert (face.bbox.x1 + face.bbox.x2) / 2 == pytest.approx(size[0] / 2, rel=0.05)
    assert (face.bbox.y1 + face.bbox.y2) / 2 == pytest.approx(size[1] / 2, rel=0.05)
    assert face.bbox.x2 - face.bbox.x1 == pytest.approx(0.4 * min(size), rel=0.1)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_flat_picture_has_no_face(pipeline: Pipeline, level: int) -> None:
    assert pipeline.run(np.full((200, 300, 3), level, np.uint8), "analyze", 0, {}) == []


def test_the_same_picture_gives_the_same_embedding_and_another_gives_another(
    pipeline: Pipeline, astronaut: Image
) -> None:
    first = _embedding(pipeline, astronaut)
    assert first @ _embedding(pipeline, astronaut) == pytest.approx(1)
    assert first @ _embedding(pipeline, np.ascontiguousarray(data.cat()[:, :, ::-1])) < 0.9


def test_every_part_of_an_analysis_is_there(pipeline: Pipeline, astronaut: Image) -> None:
    (face,) = pipeline.run(astronaut, "analyze", 0, {})
    assert face.analysis is not None
    assert None not in face.analysis.model_dump().values()
    assert face.analysis.pose is not None
    assert abs(face.analysis.pose.yaw) < 1
    assert face.analysis.expression is not None
    assert sum(face.analysis.expression.emotions.values()) == pytest.approx(1, abs=1e-6)


def test_a_line_of_pixels_is_an_image_without_faces(pipeline: Pipeline) -> None:
    line = np.random.default_rng(0).integers(0, 255, (1, 5000, 3), np.uint8)
    assert pipeline.run(line, "analyze", 0, {}) == []


def test_emotions_can_be_left_out(tmp_path: Path, astronaut: Image) -> None:
    settings = ModelSettings(model_pack="synthetic", emotion_engine="off")
    models = load_models(settings)
    assert models.info.emotion is None
    (face,) = Pipeline(models, settings).run(astronaut, "analyze", 0, {})
    assert face.analysis is not None
    assert face.analysis.expression is None


def test_the_synthetic_pack_is_written_once_and_always_the_same(tmp_path: Path) -> None:
    first, second = synthetic.ensure(tmp_path / "one"), synthetic.ensure(tmp_path / "two")
    hashes = {path.name: packs.sha256(path) for path in first.iterdir()}
    assert hashes == {path.name: packs.sha256(path) for path in second.iterdir()}
    assert sum(path.stat().st_size for path in first.iterdir()) < 1_000_000
    written = (first / "genderage.onnx").stat().st_mtime_ns
    assert synthetic.ensure(tmp_path / "one") == first
    assert (first / "genderage.onnx").stat().st_mtime_ns == written
    assert [path.name for path in (tmp_path / "one").iterdir()] == [first.name]
