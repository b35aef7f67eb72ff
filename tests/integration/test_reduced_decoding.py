"""A photograph that is decoded to a half or a quarter says the same of its faces as the whole one.

Over all of `faces/photos`; the reference is `FaceAnalysis`, which sees every pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from schemas.results import Analysis, Face
from stream.images import open_photograph
from stream.models.settings import ModelSettings
from stream.pipeline import Pipeline
from tests.integration.boxes import iou

LIMIT = 50_000_000
ENOUGH_PX = ModelSettings().enough_px

# InsightFace's alignment calls what scikit-image has deprecated; ours does not
pytestmark = pytest.mark.filterwarnings("ignore:`estimate` is deprecated:FutureWarning")


@dataclass(frozen=True)
class Seen:
    """The same photograph, reduced and whole: the most prominent face of each."""

    name: str
    reduced: Face
    whole: Face


@pytest.fixture(scope="module")
def seen(pipeline: Pipeline, shared: Path) -> list[Seen]:
    """Of those photographs that are reduced."""
    found = []
    for path in sorted((shared / "faces/photos").glob("*.jpg")):
        data = path.read_bytes()
        photograph = open_photograph(data, LIMIT, ENOUGH_PX)
        if photograph.reduced_by > 1:
            reduced = pipeline.run(photograph, "analyze", 1, {})[0]
            whole = pipeline.run(open_photograph(data, LIMIT), "analyze", 1, {})[0]
            found.append(Seen(path.name, reduced, whole))
    assert len(found) > 25
    return found


def test_boxes_and_points_are_in_the_pixels_of_the_whole_image(seen: list[Seen]) -> None:
    for one in seen:
        assert iou(np.array(one.reduced.bbox), np.array(one.whole.bbox)) > 0.95, one.name
        side_px = one.whole.bbox.y2 - one.whole.bbox.y1
        assert one.reduced.landmarks_5 is not None
        assert np.array(one.reduced.landmarks_5) == pytest.approx(
            np.array(one.whole.landmarks_5), abs=0.03 * side_px
        ), one.name


def test_attributes_are_those_of_the_whole_image(seen: list[Seen]) -> None:
    for one in seen:
        reduced, whole = one.reduced.analysis, one.whole.analysis
        assert reduced is not None
        assert whole is not None
        _same(reduced, whole, one.name)


def _same(reduced: Analysis, whole: Analysis, name: str) -> None:
    assert reduced.age == pytest.approx(whole.age, abs=2), name
    assert reduced.gender == whole.gender, name
    assert reduced.pose is not None
    assert whole.pose is not None
    assert reduced.pose.yaw == pytest.approx(whole.pose.yaw, abs=1), name
    assert reduced.pose.pitch == pytest.approx(whole.pose.pitch, abs=1), name
    assert reduced.pose.roll == pytest.approx(whole.pose.roll, abs=1), name
    assert reduced.quality is not None
    assert whole.quality is not None
    assert reduced.quality.blur_score == pytest.approx(whole.quality.blur_score, abs=0.02), name
    assert reduced.quality.face_size_px == pytest.approx(whole.quality.face_size_px, rel=0.05), name
    assert reduced.symmetry_score == pytest.approx(whole.symmetry_score, abs=0.02), name
    if whole.skin_tone is not None:
        assert reduced.skin_tone is not None, name
        assert reduced.skin_tone.dominant_color_lab == pytest.approx(
            whole.skin_tone.dominant_color_lab, abs=1
        ), name
    assert reduced.landmarks_106 is not None
    assert np.array(reduced.landmarks_106) == pytest.approx(
        np.array(whole.landmarks_106), abs=0.02 * (whole.quality.face_size_px or 0)
    ), name


def test_embeddings_are_as_near_to_face_analysis_as_detection_at_the_images_size_leaves_them(
    pipeline: Pipeline, reference: Any, shared: Path
) -> None:
    cosines = []
    for path in sorted((shared / "faces/photos").glob("*.jpg")):
        faces = pipeline.run(open_photograph(path.read_bytes(), LIMIT, ENOUGH_PX), "embed", 0, {})
        for theirs in reference.get(np.asarray(cv2.imread(str(path)), np.uint8)):
            if theirs.det_score < 0.6:
                continue
            ours = max(faces, key=lambda face: iou(np.array(face.bbox), theirs.bbox))
            assert iou(np.array(ours.bbox), theirs.bbox) > 0.4, path.name
            embedding = np.array(ours.embedding)
            cosines.append(embedding @ theirs.normed_embedding / np.linalg.norm(embedding))
    assert len(cosines) > 60
    assert np.mean(cosines) >= 0.98
