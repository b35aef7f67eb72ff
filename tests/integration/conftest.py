"""Real weights and photographs, loaded once for all tests that want them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from stream.models.loading import FaceModels, load_models
from stream.models.sessions import session_options
from stream.models.settings import ModelSettings
from stream.pipeline import Pipeline


@pytest.fixture(scope="session")
def models(shared: Path) -> FaceModels:
    return load_models(ModelSettings(model_pack="buffalo_s"))


@pytest.fixture(scope="session")
def pipeline(models: FaceModels) -> Pipeline:
    return Pipeline(models, ModelSettings(model_pack="buffalo_s"))


@pytest.fixture(scope="session")
def reference(shared: Path) -> Any:
    """InsightFace's own, which letterboxes every image to 640 × 640."""
    from insightface.app import FaceAnalysis

    reference = FaceAnalysis(
        name="buffalo_s",
        root=str(shared / "models/insightface"),
        allowed_modules=["detection", "recognition"],
        providers=["CPUExecutionProvider"],
        sess_options=session_options(os.cpu_count() or 1),  # threads that do not spin
    )
    reference.prepare(ctx_id=0, det_size=(640, 640))
    return reference


@pytest.fixture(scope="session")
def sure(reference: Any, shared: Path) -> dict[Path, NDArray[np.float32]]:
    """Of every photograph (N, 5): boxes and confidences of what the reference's detector finds
    with 0.6 and more."""
    found = {
        path: reference.det_model.detect(np.asarray(cv2.imread(str(path)), np.uint8))[0]
        for path in sorted((shared / "faces").rglob("*.jpg"))
    }
    assert len(found) > 800
    return {path: boxes[boxes[:, 4] >= 0.6] for path, boxes in found.items()}


class Photographs(Mapping[str, NDArray[np.uint8]]):
    """(H, W, 3) BGR, by file name, each read when it is asked for: all of them are large."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names = sorted(path.name for path in folder.glob("*.jpg"))

    def __getitem__(self, name: str) -> NDArray[np.uint8]:
        return np.asarray(cv2.imread(str(self._folder / name)), np.uint8)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@pytest.fixture(scope="session")
def photos(shared: Path) -> Photographs:
    return Photographs(shared / "faces" / "photos")
