"""With real weights the numbers are InsightFace's and DeepFace's own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from schemas.results import Face
from stream.models.loading import load_models
from stream.models.settings import ModelSettings
from stream.pipeline import Pipeline
from tests.integration.boxes import iou

Image = NDArray[np.uint8]

# InsightFace's alignment calls what scikit-image has deprecated; ours does not
pytestmark = pytest.mark.filterwarnings("ignore:`estimate` is deprecated:FutureWarning")


@pytest.fixture(scope="module")
def letterboxing(shared: Path) -> Pipeline:
    settings = ModelSettings(model_pack="buffalo_s", det_size_mode="fixed")
    return Pipeline(load_models(settings), settings)


def _same(ours: Face, theirs: Any) -> None:
    embedding = np.array(ours.embedding)
    cosine = embedding @ theirs.embedding / np.linalg.norm(embedding) / theirs.embedding_norm
    assert cosine >= 0.9999
    assert ours.embedding_norm == pytest.approx(theirs.embedding_norm, rel=1e-3)
    assert np.array(ours.bbox) == pytest.approx(theirs.bbox, abs=0.1)
    assert np.array(ours.landmarks_5) == pytest.approx(theirs.kps, abs=0.1)
    assert ours.confidence == pytest.approx(theirs.det_score, abs=1e-3)


def test_letterboxed_boxes_points_and_embeddings_are_those_of_face_analysis(
    letterboxing: Pipeline, photos: Mapping[str, Image], reference: Any
) -> None:
    compared = 0
    for image in photos.values():
        ours, theirs = letterboxing.run(image, "embed", 0, {}), reference.get(image)
        assert len(ours) == len(theirs)
        for face in ours:
            box = np.array(face.bbox)
            _same(face, max(theirs, key=lambda other: iou(box, other.bbox)))
            compared += 1
    assert compared >= len(photos)


def test_the_first_face_is_the_one_insightface_picks(
    letterboxing: Pipeline, photos: Mapping[str, Image], reference: Any
) -> None:
    for name in ("couple.jpg", "selfie-many-people.jpg", "img1.jpg"):
        picked, _ = reference.det_model.detect(photos[name], max_num=1)
        first = letterboxing.run(photos[name], "detect", 0, {})[0]
        assert np.array(first.bbox) == pytest.approx(picked[0, :4])


def test_max_faces_gives_exactly_the_first_of_all(
    pipeline: Pipeline, photos: Mapping[str, Image]
) -> None:
    crowd = photos["selfie-many-people.jpg"]
    assert pipeline.run(crowd, "analyze", 1, {}) == pipeline.run(crowd, "analyze", 0, {})[:1]


def _yaw(pipeline: Pipeline, image: Image) -> float:
    analysis = pipeline.run(image, "analyze", 1, {})[0].analysis
    assert analysis is not None
    assert analysis.pose is not None
    return analysis.pose.yaw


def test_a_face_that_turns_to_its_own_left_has_a_positive_yaw_and_its_mirror_image_not(
    pipeline: Pipeline, photos: Mapping[str, Image]
) -> None:
    image = photos["couple.jpg"]  # she looks at him, to the right of the image
    assert _yaw(pipeline, image) > 10
    assert _yaw(pipeline, np.ascontiguousarray(image[:, ::-1])) < -10


def test_a_photograph_of_three_hundred_faces_goes_through_whole(
    pipeline: Pipeline, photos: Mapping[str, Image]
) -> None:
    person = photos["img10.jpg"]
    face = pipeline.run(person, "detect", 1, {})[0]
    middle_x, middle_y = (face.bbox.x1 + face.bbox.x2) / 2, (face.bbox.y1 + face.bbox.y2) / 2
    scale = 22 / (face.bbox.y2 - face.bbox.y1)  # the face's height in the tile, px
    shift = np.array([[scale, 0, 16 - middle_x * scale], [0, scale, 16 - middle_y * scale]])
    tile = cv2.warpAffine(person, shift, (32, 32), flags=cv2.INTER_AREA)
    crowd = np.asarray(np.tile(tile, (18, 20, 1)), np.uint8)  # 360 faces
    found = pipeline.run(crowd, "detect", 0, {})
    assert len(found) >= 300
    assert len(pipeline.run(crowd, "embed", 5, {})) == 5


_EMOTIONS = """
import json, sys
import numpy as np
from pathlib import Path
engine, faces = sys.argv[1], np.load(sys.argv[2])
from stream.models import emotions
path = emotions.ensure({"deepface": "onnx"}.get(engine, engine), None)
if engine == "deepface":
    import os
    os.environ["DEEPFACE_BACKEND_ENGINE"] = "onnx"
    os.environ["DEEPFACE_HOME"] = str(path.parents[2])
    from deepface import DeepFace
    def probabilities(face):
        found = DeepFace.analyze(face, ["emotion"], detector_backend="skip", silent=True)[0]
        return [float(found["emotion"][name]) / 100 for name in emotions.EMOTIONS]
else:
    load = {"onnx": emotions.load_onnx, "tensorflow": emotions.load_tensorflow}[engine]
    model = load(path, 1)
    def probabilities(face):
        return model.emotions(face).tolist()
print(json.dumps([probabilities(faces[name]) for name in faces.files]))
"""


def _emotions_in_a_process(engine: str, faces: Path) -> NDArray[np.float64]:
    """Apart, so that TensorFlow and DeepFace's settings stay out of the tests' own process."""
    run = subprocess.run(
        [sys.executable, "-c", _EMOTIONS, engine, str(faces)],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
        cwd=Path(__file__).parents[2],
    )
    assert run.returncode == 0, run.stderr
    return np.array(json.loads(run.stdout.splitlines()[-1]))


@pytest.mark.parametrize("other", ["tensorflow", "deepface"])
def test_emotions_are_the_same_on_both_engines_and_as_deepface_gives_them(
    pipeline: Pipeline, photos: Mapping[str, Image], tmp_path: Path, other: str
) -> None:
    """Within 1e-5 of a probability: float32, summed in another order."""
    crops = {}
    for name in ("img1.jpg", "couple.jpg", "img12.jpg", "selfie-many-people.jpg"):
        box = pipeline.run(photos[name], "detect", 1, {})[0].bbox
        left, top, right, bottom = (max(round(edge), 0) for edge in box)
        crops[name] = photos[name][top:bottom, left:right]
    np.savez(tmp_path / "faces.npz", **crops)  # type: ignore[arg-type]  # numpy's stub
    ours = _emotions_in_a_process("onnx", tmp_path / "faces.npz")
    assert ours == pytest.approx(_emotions_in_a_process(other, tmp_path / "faces.npz"), abs=1e-5)
    assert ours.sum(axis=1) == pytest.approx(1, abs=1e-6)
