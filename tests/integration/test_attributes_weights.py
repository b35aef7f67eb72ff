"""Age, gender and emotion on photographs: whose numbers they are, and that size does not make them.

A pack that lacks models leaves out what they give, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from schemas.results import Analysis, Face
from stream.models import synthetic
from stream.models.loading import FaceModels, load_models
from stream.models.settings import ModelSettings
from stream.pipeline import Pipeline

Image = NDArray[np.uint8]
OF_LANDMARKS = {"landmarks_68", "pose", "symmetry_score", "skin_tone", "geometry"}
OF_GENDERAGE = {"age", "gender", "gender_score"}
MAX_PIXELS = 50_000_000  # more are refused: MAX_IMAGE_PIXELS


def _analysis(face: Face) -> Analysis:
    assert face.analysis is not None
    return face.analysis


def _scaled(image: Image, factor: float) -> Image:
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=how), np.uint8)


def _longer_side_px(face: Face) -> float:
    return max(face.bbox.x2 - face.bbox.x1, face.bbox.y2 - face.bbox.y1)


def _theirs(models: FaceModels, image: Image, box: NDArray[np.float32]) -> tuple[int, str]:
    from insightface.app.common import Face as TheirFace

    face: Any = TheirFace(bbox=box)
    models.genderage._model.get(image, face)  # type: ignore[union-attr]  # InsightFace's own
    return face.age, {"M": "male", "F": "female"}[face.sex]


def test_by_the_box_alone_age_and_gender_are_insightfaces_own_where_the_face_is_not_made_smaller(
    models: FaceModels, pipeline: Pipeline, photos: Mapping[str, Image]
) -> None:
    assert models.genderage is not None
    compared = 0
    for image in photos.values():
        face = pipeline.run(image, "detect", 1, {})[0]
        small = _scaled(image, 60 / _longer_side_px(face))  # the network sees 64 px of the box
        for found in pipeline.run(small, "detect", 0, {}):
            if _longer_side_px(found) > 64:
                continue
            box = np.array(found.bbox, np.float32)
            ours = models.genderage.estimate(small, box)
            assert ours is not None
            assert (ours.age_years, ours.gender) == _theirs(models, small, box)
            compared += 1
    assert compared > 40


def test_the_score_behind_the_gender_is_the_softmax_of_the_networks_outputs(
    models: FaceModels, photos: Mapping[str, Image]
) -> None:
    assert models.genderage is not None
    network = models.genderage._model  # type: ignore[attr-defined]  # InsightFace's own
    image = _scaled(photos["couple.jpg"], 0.06)
    for box in models.detector.detect(image).boxes:
        from insightface.utils import face_align

        middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        scale = 96 / (max(box[2] - box[0], box[3] - box[1]) * 1.5)
        crop, _ = face_align.transform(image, middle, 96, scale, 0)
        blob = cv2.dnn.blobFromImage(crop, 1.0, (96, 96), swapRB=True)
        (outputs,) = network.session.run(None, {network.input_name: blob})
        shares = np.exp(outputs[0, :2]) / np.exp(outputs[0, :2]).sum()
        ours = models.genderage.estimate(image, box)
        assert ours is not None
        assert ours.gender == ("female", "male")[int(shares.argmax())]
        assert ours.gender_score == pytest.approx(shares.max(), abs=1e-5)


@pytest.mark.timeout(240)
def test_the_age_stays_within_three_years_when_the_photograph_is_scaled(
    pipeline: Pipeline, photos: Mapping[str, Image]
) -> None:
    off: dict[tuple[str, float], int] = {}
    for name, image in photos.items():
        face = pipeline.run(image, "analyze", 1, {})[0]
        age = _analysis(face).age
        for factor in (0.5, 2):
            if factor < 1 and _longer_side_px(face) <= 150:
                continue
            if image.size / 3 * factor**2 > MAX_PIXELS:
                continue
            scaled = pipeline.run(_scaled(image, factor), "analyze", 1, {})[0]
            other = _analysis(scaled).age
            assert age is not None
            assert other is not None
            off[name, factor] = other - age
    assert len(off) > 1.8 * len(photos)
    assert {case: years for case, years in off.items() if abs(years) > 3} == {}


def test_the_seven_emotions_sum_to_one_and_the_dominant_is_the_largest(
    pipeline: Pipeline, photos: Mapping[str, Image]
) -> None:
    for name in ("couple.jpg", "img1.jpg", "img12.jpg", "selfie-many-people.jpg"):
        for face in pipeline.run(photos[name], "analyze", 0, {}):
            expression = _analysis(face).expression
            assert expression is not None
            assert sum(expression.emotions.values()) == pytest.approx(1, abs=1e-6)
            assert expression.confidence == max(expression.emotions.values())
            assert expression.emotions[expression.dominant] == expression.confidence
            assert expression.engine == "onnx"


def _linked(folder: Path, pack: Path, *names: str) -> ModelSettings:
    """A pack of some of the files of another, and DeepFace's emotions."""
    folder = folder / "models" / "some"
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).symlink_to(pack / name)
    return ModelSettings(model_pack="some", model_root=folder.parents[1])


def _unknown(analysis: Analysis) -> set[str]:
    return {name for name, value in dict(analysis).items() if value is None}


@pytest.mark.parametrize(
    ("files", "unknown"),
    [
        (["2d106det.onnx", "genderage.onnx"], set()),
        (["genderage.onnx"], OF_LANDMARKS | {"landmarks_106"}),
        (["2d106det.onnx"], OF_GENDERAGE),
        ([], OF_LANDMARKS | {"landmarks_106"} | OF_GENDERAGE),
    ],
)
def test_what_a_pack_has_no_model_for_is_null_and_the_rest_is_not(
    shared: Path, photos: Mapping[str, Image], tmp_path: Path, files: list[str], unknown: set[str]
) -> None:
    pack = shared / "models/insightface/models/buffalo_s"
    settings = _linked(tmp_path, pack, "det_500m.onnx", "w600k_mbf.onnx", *files)
    faces = Pipeline(load_models(settings), settings).run(photos["couple.jpg"], "analyze", 0, {})
    assert len(faces) == 2
    for face in faces:
        assert face.embedding is not None
        assert face.landmarks_5 is not None
        assert _unknown(_analysis(face)) == unknown | {"liveness"}


def test_a_pack_with_3d_landmarks_takes_its_68_points_from_them_as_insightface_has_them(
    monkeypatch: pytest.MonkeyPatch, photos: Mapping[str, Image], tmp_path: Path
) -> None:
    from insightface.app.common import Face as TheirFace

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    detection, recognition = "det_synthetic.onnx", "rec_synthetic.onnx"
    settings = _linked(tmp_path, synthetic.ensure(), detection, recognition, "1k3d68.onnx")
    settings = settings.model_copy(update={"emotion_engine": "off"})
    models = load_models(settings)
    assert models.landmarks_3d is not None
    image = _scaled(photos["img10.jpg"], 0.5)
    face = Pipeline(models, settings).run(image, "analyze", 1, {})[0]
    assert _longer_side_px(face) <= 128, "it is not made smaller"
    analysis = _analysis(face)
    assert _unknown(analysis) & {"landmarks_68", "landmarks_106", "pose"} == {"landmarks_106"}
    box = np.array(face.bbox, np.float32)
    network = models.landmarks_3d._model  # type: ignore[attr-defined]  # InsightFace's own
    theirs = network.get(image, TheirFace(bbox=box))
    assert models.landmarks_3d.locate(image, box) == pytest.approx(theirs, abs=1e-3)
    assert np.array(analysis.landmarks_68) == pytest.approx(theirs[:, :2], abs=1e-3)
