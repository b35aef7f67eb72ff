"""Detection at the image's own size finds what InsightFace finds at 640 pixels, and more.

Over all photographs of `faces`; the reference is `FaceAnalysis`' own detector.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from insightface.model_zoo import get_model
from numpy.typing import NDArray

from stream.models.detection import forward
from stream.models.loading import FaceModels
from stream.pipeline import Pipeline
from tests.integration.boxes import iou, same

Image = NDArray[np.uint8]


def test_no_face_is_lost(pipeline: Pipeline, sure: Mapping[Path, NDArray[np.float32]]) -> None:
    lost = []
    for path, expected in sure.items():
        faces = pipeline.run(np.asarray(cv2.imread(str(path)), np.uint8), "detect", 0, {})
        lost += [(path.name, float(box[4])) for box in expected if same(faces, box[:4]) is None]
    assert lost == []


@pytest.mark.parametrize("inset", [-0.1, 0.0, 0.1])
def test_a_face_that_fills_the_frame_is_found_where_the_letterbox_finds_nobody(
    models: FaceModels,
    pipeline: Pipeline,
    reference: Any,
    photos: Mapping[str, Image],
    inset: float,
) -> None:
    """inset: what is cut off at each side of the face's box, in its sides."""
    missed = 0
    for name in list(photos)[::5]:
        image = photos[name]
        box = np.array(pipeline.run(image, "detect", 1, {})[0].bbox)
        width, height = box[2:] - box[:2]
        shift = inset * np.array([width, height])
        left, top = np.maximum(box[:2] + shift, 0).astype(int)
        corner = np.array([left, top, left, top])
        right, bottom = (box[2:] - shift).astype(int)
        close_up = np.ascontiguousarray(image[top:bottom, left:right])
        missed += not reference.det_model.detect(close_up)[0].size
        found = models.detector.detect(close_up).boxes
        assert any(iou(face + corner, box) > 0.4 for face in found), name
    assert missed > 0


@pytest.mark.parametrize("size", [(1, 1), (33, 7), (31, 32), (640, 1), (641, 2), (7, 900)])
def test_an_image_of_any_shape_can_be_looked_at(models: FaceModels, size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8)
    assert len(models.detector.detect(noise).boxes) == 0


def test_boxes_and_points_of_a_reduced_photograph_are_in_its_own_pixels(
    models: FaceModels, photos: Mapping[str, Image]
) -> None:
    image = photos["img3.jpg"]
    assert max(image.shape) > 1280
    half = np.asarray(cv2.resize(image, None, fx=0.5, fy=0.5), np.uint8)
    whole, halved = models.detector.detect(image), models.detector.detect(half)
    assert whole.points is not None
    assert halved.points is not None
    side_px = float(whole.boxes[0, 2] - whole.boxes[0, 0])
    assert whole.boxes[0] == pytest.approx(halved.boxes[0] * 2, abs=0.02 * side_px)
    assert whole.points[0] == pytest.approx(halved.points[0] * 2, abs=0.02 * side_px)


@pytest.mark.parametrize("threshold", [0.05, 0.5, 1.1])
def test_the_network_s_answers_are_read_as_insightface_reads_them(
    reference: Any, photos: Mapping[str, Image], threshold: float
) -> None:
    """The same numbers, also where there are many faces and where there is none."""
    network = get_model(reference.det_model.model_file, static_shape_sessions=False)
    read = 0
    for name in list(photos)[::8]:
        canvas = np.ascontiguousarray(cv2.resize(photos[name], (320, 256)))
        ours, theirs = forward(network, canvas, threshold), network.forward(canvas, threshold)
        for one, other in zip(ours, theirs, strict=True):
            assert [array.dtype for array in one] == [array.dtype for array in other]
            assert all(np.array_equal(*pair) for pair in zip(one, other, strict=True))
        read += sum(len(scores) for scores in ours[0])
    assert (read > 0) == (threshold < 1)
