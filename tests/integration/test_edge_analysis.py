"""A whole analysis as an HTTP caller gets it: of the pack without weights as golden JSON, and of a
photograph with real weights as numbers that can be true."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from skimage import data

from schemas.http import AnalyzedFace
from stream.models import synthetic
from tests.brokers import Broker
from tests.integration.test_edge_http import edge_on, golden

ROUTE = "analyze-face-advanced"
OF_LANDMARKS = {
    "landmarks_68",
    "landmarks_106",
    "pose",
    "symmetry_score",
    "skin_tone",
    "geometry",
}


def _picture() -> bytes:
    """A PNG: the part of scikit-image's astronaut in whose middle the face is."""
    encoded, png = cv2.imencode(".png", data.astronaut()[30:230, 130:330, ::-1])
    assert encoded
    return png.tobytes()


def _without_landmarks(folder: Path) -> dict[str, str]:
    """The settings of a pack of the synthetic files but for those, the others where they belong."""
    pack = synthetic.ensure()
    places = {
        "models/bare/det.onnx": "det_synthetic.onnx",
        "models/bare/genderage.onnx": "genderage.onnx",
        "models/bare/rec.onnx": "rec_synthetic.onnx",
        "addons/liveness.onnx": synthetic.LIVENESS_FILE,
        ".deepface/weights/facial_expression_model_weights.onnx": synthetic.EMOTION_FILE,
    }
    for place, name in places.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(pack / name)
    return {"MODEL_PACK": "bare", "MODEL_ROOT": str(folder), "DEEPFACE_HOME": str(folder)}


def _same(got: Any, expected: Any, where: str = "") -> None:
    """The same fields in the same order, and numbers as near as other machines come."""
    if isinstance(expected, dict):
        assert list(got) == list(expected), where
        for name, value in expected.items():
            _same(got[name], value, f"{where}.{name}")
    elif isinstance(expected, list):
        assert len(got) == len(expected), where
        for index, value in enumerate(expected):
            _same(got[index], value, f"{where}[{index}]")
    elif isinstance(expected, float):
        assert got == pytest.approx(expected, rel=1e-3, abs=1e-3), where
    elif isinstance(expected, str) and expected.startswith("#"):
        assert list(bytes.fromhex(got[1:])) == pytest.approx(
            list(bytes.fromhex(expected[1:])), abs=1
        )
    else:
        assert got == expected, where


@pytest.mark.timeout(120)
async def test_every_field_of_an_analysis_is_the_golden_one(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    settings = {"MODEL_PACK": "synthetic", "LIVENESS": "observe"}
    async with edge_on(embedded_broker, tmp_path, **settings) as caller:
        status, answer = await caller.raw(ROUTE, _picture())
    assert status == 200, answer
    assert set(AnalyzedFace.model_fields) < set(answer)
    assert "null" not in repr(answer).replace("None", "null"), "with every model, all is measured"
    _same(answer, golden(f"{ROUTE}.synthetic"))


@pytest.mark.timeout(120)
async def test_what_a_pack_without_landmarks_cannot_know_is_null_in_the_golden_answer(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    settings = _without_landmarks(tmp_path / "root") | {"LIVENESS": "observe"}
    async with edge_on(embedded_broker, tmp_path, **settings) as caller:
        status, answer = await caller.raw(ROUTE, _picture())
    assert status == 200, answer
    assert {name for name, value in answer.items() if value is None} == OF_LANDMARKS
    assert answer["quality"]["frontal_alignment"] is None
    _same(answer, golden(f"{ROUTE}.without-landmarks"))


@pytest.mark.timeout(120)
async def test_a_photograph_of_a_woman_and_a_man_is_analysed_as_one(
    embedded_broker: Broker, shared: Path, tmp_path: Path
) -> None:
    photograph = (shared / "faces/photos/couple.jpg").read_bytes()
    async with edge_on(embedded_broker, tmp_path) as caller:
        status, answer = await caller.raw(f"{ROUTE}?max_faces=0", photograph)
    assert status == 200, answer
    faces = sorted(answer["faces"], key=lambda face: face["bbox"][0])
    assert [face["gender"] for face in faces] == ["female", "male"], "from the left"
    assert faces[0]["age"] < faces[1]["age"]
    for face in faces:
        _plausible(face)


def _plausible(face: dict[str, Any]) -> None:
    left, top, right, bottom = face["bbox"]
    assert 18 <= face["age"] <= 90
    assert 0.9 < face["gender_score"] <= 1
    assert np.linalg.norm(face["embedding"]) > 5
    box, size = np.array([left, top]), np.array([right - left, bottom - top])
    for name, count in (("landmarks_68", 68), ("landmarks_106", 106)):
        points = (np.array(face[name]) - box) / size
        assert points.shape == (count, 2)
        assert (points > -0.25).all()
        assert (points < 1.25).all()
    assert all(abs(face["pose"][angle]) < 60 for angle in ("yaw", "pitch", "roll"))
    quality = face["quality"]
    assert 0.3 < quality["blur_score"] <= 1, "the photograph is sharp"
    assert 0.5 < quality["illumination"] <= 1, "and well lit"
    assert quality["face_size_px"] == pytest.approx(size.min(), rel=1e-3)
    lightness, a, b = face["skin_tone"]["dominant_color_lab"]
    assert 30 < lightness < 90
    assert 0 < a < 40, "skin is reddish"
    assert 0 < b < 45, "and yellowish"
    expression = face["expression"]
    assert sum(expression["emotions"].values()) == pytest.approx(1, abs=1e-6)
    assert expression["emotions"][expression["dominant"]] == expression["confidence"]
    assert expression["engine"] == "onnx"
    geometry = face["geometry"]
    assert 0.5 < geometry["face_width_height_ratio"] < 1.5
    assert 0.3 < geometry["eye_spacing_face_width"] < 0.7
    assert 0.5 < geometry["jawline_width_face_width"] < 1.1
    assert 0.1 < geometry["nose_width_face_width"] < 0.5
    assert face["liveness"] is None, "LIVENESS is off"
