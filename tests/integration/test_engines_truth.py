"""Whatever computes, no face is lost, embeddings stay InsightFace's and tell persons apart.

One pass of each engine over all photographs of `faces`, beside `FaceAnalysis`, which letterboxes
them to 640 pixels.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.pairs import cosine, pair_accuracy, read_pairs
from schemas.results import Face
from stream.images import open_photograph
from stream.models.loading import load_models
from stream.models.settings import ModelSettings
from stream.pipeline import Pipeline
from tests.integration.boxes import same
from tests.integration.openvino_here import need_openvino

Boxes = NDArray[np.float32]
MAX_PIXELS = 50_000_000

pytestmark = [
    pytest.mark.timeout(300),  # of each engine the first test waits for all photographs
    # InsightFace's alignment calls what scikit-image has deprecated
    pytest.mark.filterwarnings("ignore:`estimate` is deprecated:FutureWarning"),
]


@pytest.fixture(scope="module", params=["onnxruntime fp32", "openvino bf16"])
def seen(request: pytest.FixtureRequest, sure: Mapping[Path, Boxes]) -> dict[Path, list[Face]]:
    """What the engine finds in each photograph, as workers decode them; all faces are embedded."""
    engine, precision = request.param.split()
    if engine == "openvino":
        need_openvino("bf16")
    settings = ModelSettings(
        model_pack="buffalo_s",
        emotion_engine="off",
        inference_engine=engine,
        precision=precision,
        threads_per_session=os.cpu_count() or 1,
    )
    models = load_models(settings)
    assert (models.info.engine, models.info.precision) == (engine, precision)
    pipeline = Pipeline(models, settings)
    return {
        path: pipeline.run(
            open_photograph(path.read_bytes(), MAX_PIXELS, settings.enough_px), "embed", 0, {}
        )
        for path in sure
    }


def _embedding(face: Face) -> NDArray[np.float32]:
    return np.array(face.embedding, np.float32)


def test_no_face_is_lost(seen: Mapping[Path, list[Face]], sure: Mapping[Path, Boxes]) -> None:
    lost = [
        (path.name, float(face[4]))
        for path, faces in seen.items()
        for face in sure[path]
        if same(faces, face[:4]) is None
    ]
    assert lost == []


@pytest.mark.parametrize(("folder", "every"), [("lfw", 12), ("photos", 3)])
def test_embeddings_are_those_of_face_analysis(
    seen: Mapping[Path, list[Face]], reference: Any, shared: Path, folder: str, every: int
) -> None:
    """Of one photograph in `every`, where both see the face."""
    paths = [path for path in seen if path.is_relative_to(shared / "faces" / folder)]
    cosines = []
    for path in paths[::every]:
        for theirs in reference.get(np.asarray(cv2.imread(str(path)), np.uint8)):
            ours = same(seen[path], theirs.bbox)
            if ours is not None:
                cosines.append(cosine(_embedding(ours), theirs.embedding))
    assert len(cosines) >= len(paths) // every
    assert np.mean(cosines) >= 0.98


def test_persons_are_told_apart(seen: Mapping[Path, list[Face]], shared: Path) -> None:
    lfw = shared / "faces" / "lfw"
    embeddings = {
        path.relative_to(lfw).as_posix(): _embedding(faces[0])
        for path, faces in seen.items()
        if faces and path.is_relative_to(lfw)
    }
    accuracy, usable = pair_accuracy(read_pairs(lfw / "pairs.csv"), embeddings)
    assert usable >= 790
    assert accuracy >= 0.991
