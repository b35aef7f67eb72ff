"""InsightFace's models behind the protocols, through InsightFace's own classes.

Its classes read the files and say how a face is normalised, so from the same points come the
embeddings of `FaceAnalysis(...).get`. What is not taken over: it runs every model on every face; it
cuts large faces out by single pixels (see stream/vision/warp.py), so that the 3-D landmarks are its
own only for a face that is hardly made smaller; for the 106 landmarks see `UprightLandmarker`, for
age and gender `GenderAge`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stream.models.network_input import network_input
from stream.models.onnx_graph import write_faster
from stream.models.protocols import Attributes, Floats, Image
from stream.models.sessions import Provider, loading, session_options
from stream.vision.landmarks import MIRROR_106, square_by_five, upright_square
from stream.vision.warp import aligned, square_around, warp

DETECTION = "detection"
RECOGNITION = "recognition"
LANDMARKS_106 = "landmark_2d_106"
LANDMARKS_3D = "landmark_3d_68"
GENDERAGE = "genderage"

CROP_MARGIN = 1.5  # landmark.py and attribute.py: the crop's side in the box's longer ones


def load(
    folder: Path, threads: int, providers: list[Provider], *, rewritten: bool = False
) -> dict[str, Any]:
    """InsightFace's model objects by their task; of two with one task the first by file name,
    as in `FaceAnalysis`. Each has its file in `model_file`, and in `session` what computes it.

    `rewritten`: see stream/models/onnx_graph.py.
    Raises `PackUnavailable` for a file that is damaged.
    """
    defer_imports()
    from insightface.model_zoo import get_model

    models: dict[str, Any] = {}
    # One session for every input size: those that InsightFace would build for each are no faster.
    whole = {"static_shape_sessions": False, "providers": providers}
    with TemporaryDirectory(prefix="facestream-") as copies:
        for path in sorted(folder.glob("*.onnx")):
            with loading(path):
                network = write_faster(path, Path(copies)) if rewritten else path
                model = get_model(str(network), sess_options=session_options(threads), **whole)
            if model is not None:
                model.model_file = str(path)
                models.setdefault(model.taskname, model)
    return models


def defer_imports() -> None:
    """Let what InsightFace imports for work that is not done here wait until it is done:
    scikit-image and SciPy, downloads, `FaceAnalysis`. They are a fifth of a worker's start."""
    if "insightface" not in sys.modules:
        import_module("skimage").transform = _deferred("skimage.transform")  # type: ignore[attr-defined]
        _deferred("requests")
        _deferred("gdown")  # DeepFace's
        _deferred("insightface.app")


def _deferred(name: str) -> ModuleType:
    """Stands in for a module until something of it is asked for."""
    if name in sys.modules:
        return sys.modules[name]
    stand_in = ModuleType(name)

    def of_the_module(attribute: str) -> Any:
        if attribute.startswith("__") and attribute != "__path__":
            raise AttributeError(attribute)  # `inspect` asks every module for its file
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]
        return getattr(import_module(name), attribute)

    stand_in.__getattr__ = of_the_module  # type: ignore[method-assign]
    sys.modules[name] = stand_in
    return stand_in


def mean_shape_68() -> NDArray[np.float64]:
    """(68, 3): the mean face that InsightFace measures head pose against."""
    from insightface.data import get_object

    return np.asarray(get_object("meanshape_68.pkl"), dtype=np.float64)


class ArcFaceRecognizer:
    def __init__(self, model: Any) -> None:
        self._model = model

    def embed(self, image: Image, points: Floats) -> Floats | None:
        from insightface.utils.face_align import arcface_dst

        side_px = self._model.input_size[0]
        to_crop = aligned(points, arcface_dst * (side_px / 112))
        if to_crop is None:
            return None
        face = cv2.warpAffine(image, to_crop, (side_px, side_px), borderValue=0.0)
        embedding: Floats = self._model.get_feat(face).reshape(-1)
        return embedding


class CropLandmarker:
    """`1k3d68`: (68, 3) of the box's crop, as InsightFace has them."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def locate(
        self,
        image: Image,
        box: Floats,
        points_5: Floats | None = None,  # noqa: ARG002 - the protocol gives it
    ) -> Floats | None:
        to_crop = square_around(box, self._model.input_size[0], CROP_MARGIN)
        return None if to_crop is None else _located_in(self._model, image, to_crop)


class UprightLandmarker:
    """`2d106det`: (106, 2), the same however the photograph is turned, mirrored and scaled.

    The network's own points depend on how the box lies on the face, and are not the mirrored
    photograph's mirrored ones: by 3 % in the ratios of a face, by 3° in its pose. So it looks
    first at a crop that stands upright by the detector's five points, or else at the box's, and
    that only says where the face is and how it stands. What is returned is of a crop that follows
    those points, the mean of what the network sees in it and in its mirror image.
    """

    def __init__(self, model: Any) -> None:
        self._model = model

    def locate(self, image: Image, box: Floats, points_5: Floats | None = None) -> Floats | None:
        side_px = self._model.input_size[0]
        first = (
            square_around(box, side_px, CROP_MARGIN)
            if points_5 is None
            else square_by_five(points_5, side_px)
        )
        rough = None if first is None else _located_in(self._model, image, first)
        to_crop = None if rough is None else upright_square(rough, side_px)
        crop = None if to_crop is None else warp(image, to_crop, side_px)
        if crop is None or to_crop is None:
            return None
        to_mirror = to_crop * [[-1], [1]] + [[0, 0, side_px - 1], [0, 0, 0]]
        outputs, of_mirror = _outputs(self._model, [crop, _mirrored(crop)])
        seen = _located(self._model, outputs, to_crop)
        mirrored = _located(self._model, of_mirror, to_mirror)
        points: Floats = (seen + mirrored[MIRROR_106]) / 2
        return points


class GenderAge:
    """Age and gender of a face's crop: upright, by its landmarks, where they are known.

    A detector's box lies a little otherwise on every copy of a photograph. That alone moves the
    network's age, by up to 14 years on a photograph and its half, and that of the mirror image by
    as much again. Where there are landmarks, the crop follows them, and the mean with its mirror
    image is taken. Of a box alone the numbers are InsightFace's own, but for large faces (see
    stream/vision/warp.py).
    """

    def __init__(self, model: Any) -> None:
        self._model = model

    def estimate(
        self, image: Image, box: Floats, points_106: Floats | None = None
    ) -> Attributes | None:
        """The network's outputs are two logits, female and male, and the age in centuries."""
        side_px = self._model.input_size[0]
        upright = None if points_106 is None else upright_square(points_106, side_px)
        to_crop = square_around(box, side_px, CROP_MARGIN) if upright is None else upright
        crop = None if to_crop is None else warp(image, to_crop, side_px)
        if crop is None:
            return None
        views = [crop] if upright is None else [crop, _mirrored(crop)]
        return _attributes(_outputs(self._model, views).mean(axis=0, dtype=np.float32))


def _attributes(outputs: Floats) -> Attributes:
    female, male, centuries = (float(number) for number in outputs)
    return Attributes(
        age_years=round(centuries * 100),
        gender="male" if male > female else "female",
        gender_score=1 / (1 + math.exp(-abs(male - female))),
    )


def _mirrored(crop: Image) -> Image:
    return np.asarray(cv2.flip(crop, 1), np.uint8)


def _outputs(model: Any, crops: Sequence[Image]) -> Floats:
    """What the network says of crops: (side, side, 3) uint8 BGR each, normalised as its class does.
    Returns (N, numbers): of all at once, unless the network takes but one."""
    blob = network_input(crops, model.input_mean, model.input_std)
    batches = np.split(blob, len(crops)) if model.input_shape[0] == 1 else [blob]
    found = [model.session.run(model.output_names, {model.input_name: each}) for each in batches]
    return np.concatenate([outputs for (outputs,) in found])


def _located_in(model: Any, image: Image, to_crop: NDArray[np.float64]) -> Floats | None:
    """to_crop: (2, 3): pixels of the image → pixels of the crop that the model is fed."""
    crop = warp(image, to_crop, model.input_size[0])
    return None if crop is None else _located(model, _outputs(model, [crop])[0], to_crop)


def _located(model: Any, outputs: Floats, to_crop: NDArray[np.float64]) -> Floats:
    """The points that the network's outputs of a crop say, in the image's pixels. Source:
    `Landmark.get`, which would cut the crop out of itself, and measure a pose."""
    points = outputs.reshape(-1, model.lmk_dim)[-model.lmk_num :]
    half_px = model.input_size[0] // 2
    to_image = cv2.invertAffineTransform(to_crop)
    located = points * np.float32(half_px)
    located[:, :2] = (located[:, :2] + half_px) @ to_image[:, :2].T + to_image[:, 2]
    located[:, 2:] *= np.linalg.norm(to_image[0, :2])
    return located
