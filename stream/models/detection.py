"""SCRFD at a size that follows the image, through InsightFace's own class, which gets the network's
outputs read sooner."""

from __future__ import annotations

from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stream.models.network_input import network_input
from stream.models.protocols import Detections, Enough, Floats, Image
from stream.models.settings import DetSizeMode

FINEST_STRIDE_PX = 8
STRIDE_PX = 32  # the network's coarsest: both sides of its input are multiples of it
DOUBT = 0.75  # of the threshold; what 640 px find with 0.6 in LFW's 250 px has 0.49 and more


class ScrfdDetector:
    """`image`: the network sees the image in the smallest multiples of 32 pixels that hold it, and
    reduced to `size_px` where its longer side is longer. Twice it looks again: enlarged to
    `size_px`, where a face stays a little below the threshold, unless `enough` says that it does
    not matter; from twice as far, where it found nobody, since it overlooks a face that fills the
    frame.

    `fixed`: every image is letterboxed to `size_px` × `size_px`, up as well as down, as
    `FaceAnalysis` does it. So it is with a network that takes one size of input alone.
    """

    def __init__(self, model: Any, *, size_px: int, mode: DetSizeMode, threshold: float) -> None:
        model.prepare(0, input_size=(size_px, size_px), det_thresh=threshold)
        model.forward = partial(forward, model)
        self._model = model
        self._size_px = size_px
        self._threshold = threshold
        self._letterboxes = mode == "fixed" or model.static_input_size is not None

    def detect(self, image: Image, enough: Enough | None = None) -> Detections:
        longer_px = max(image.shape[:2])
        # of a narrower image no row or no column would be left, and so no face
        if min(image.shape[:2]) * self._size_px < longer_px:
            return Detections(
                np.empty((0, 4), np.float32),
                np.empty(0, np.float32),
                np.empty((0, 5, 2), np.float32),
            )
        if self._letterboxes:
            return self._letterboxed(image)
        if longer_px <= self._size_px:
            return self._found(image, enough)
        # bilinear, as InsightFace does it: INTER_AREA costs four times as much and finds no more
        seen = _resized(image, self._size_px)
        return _placed(self._found(seen, enough), _scale(seen, image))

    def _found(self, image: Image, enough: Enough | None) -> Detections:
        found = self._look(image)
        sure = found.scores >= self._threshold
        doubtful = not sure.all() and max(image.shape[:2]) < self._size_px
        settled = doubtful and enough is not None and enough(found, sure)
        found = _only(found, sure)
        if doubtful and not settled:
            found = self._joined(found, self._letterboxed(image))
        return found if len(found.boxes) else self._from_afar(image)

    def _look(self, image: Image) -> Detections:
        """Doubtful faces too. The last pixels of a small image go on beyond its edges: at a black
        border faces that the edge cuts are overlooked. A large one lies where the letterbox would
        have it: moved by pixels the points, and with them the embeddings, would be others."""
        size, corner, border = _whole(image), (0, 0), cv2.BORDER_CONSTANT
        if max(image.shape[:2]) < self._size_px:
            corner, border = _middle(image, size), cv2.BORDER_REPLICATE
        canvas = _on_canvas(image, size, corner, border)
        found, points = self._model.detect(
            canvas, input_size=canvas.shape[1::-1], det_thresh=self._threshold * DOUBT
        )
        return _placed(_detections(found, points), np.ones(2, np.float32), corner)

    def _from_afar(self, image: Image) -> Detections:
        """At half the size, in the middle of the same canvas, in black."""
        half, size = _resized(image, max(image.shape[:2]) // 2), _whole(image)
        corner = _middle(half, size)
        canvas = _on_canvas(half, size, corner, cv2.BORDER_CONSTANT)
        found, points = self._model.detect(canvas, input_size=canvas.shape[1::-1])
        return _placed(_detections(found, points), _scale(half, image), corner)

    def _letterboxed(self, image: Image) -> Detections:
        return _detections(*self._model.detect(image))

    def _joined(self, one: Detections, other: Detections) -> Detections:
        """The faces of both, each once; those of `one` stay as they are."""
        boxes = np.concatenate([one.boxes, other.boxes])
        scores = np.concatenate([one.scores, other.scores])
        points = None
        if one.points is not None and other.points is not None:
            points = np.concatenate([one.points, other.points])
        first = np.concatenate([one.scores + 1, other.scores])  # scores end at 1
        kept = np.array(self._model.nms(np.column_stack([boxes, first])), np.intp)
        return _only(Detections(boxes, scores, points), kept)


def forward(
    model: Any, canvas: Image, threshold: float
) -> tuple[list[Floats], list[Floats], list[Floats]]:
    """What `SCRFD.forward` returns, sooner: only what reaches the threshold is made a face.

    canvas: (H, W, 3) uint8 BGR, sides multiples of 32. Returns for each stride of the network the
    scores, (N, 1); the boxes, (N, 4) px of the canvas; the five points, (N, 5, 2) px, where the
    network has them, else no array at all.
    """
    blob = network_input([canvas], model.input_mean, model.input_std)
    outputs = model.session.run(model.output_names, {model.input_name: blob})
    scores: list[Floats] = []
    boxes: list[Floats] = []
    points: list[Floats] = []
    for level in range(model.fmc):
        stride = FINEST_STRIDE_PX << level
        rows, columns = canvas.shape[0] // stride, canvas.shape[1] // stride
        sure, edges, *offsets = (
            output[0] if model.batched else output for output in outputs[level :: model.fmc]
        )
        chosen = np.flatnonzero(sure >= threshold)
        anchors = len(sure) // (rows * columns)
        row, column = np.divmod(chosen // anchors, columns)
        centres = np.stack([column, row], axis=1).astype(np.float32) * stride
        distances = edges[chosen] * stride
        scores.append(sure[chosen])
        boxes.append(np.hstack([centres - distances[:, :2], centres + distances[:, 2:]]))
        if model.use_kps:
            moved = offsets[0][chosen].reshape(-1, 5, 2) * stride
            points.append(centres[:, np.newaxis] + moved)
    return scores, boxes, points


def _detections(found: Floats, points: Floats | None) -> Detections:
    """found: (N, 5), InsightFace's boxes and scores. points: (N, 5, 2)."""
    return Detections(found[:, :4], found[:, 4], points)


def _only(found: Detections, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Detections:
    points = None if found.points is None else found.points[chosen]
    return Detections(found.boxes[chosen], found.scores[chosen], points)


def _placed(found: Detections, scale: Floats, corner: tuple[int, int] = (0, 0)) -> Detections:
    """In the pixels of an image that was multiplied by `scale` and put at `corner`: left, top."""
    origin = np.array(corner, np.float32)
    corners = (found.boxes.reshape(-1, 2, 2) - origin) / scale
    points = None if found.points is None else (found.points - origin) / scale
    return Detections(corners.reshape(-1, 4), found.scores, points)


def _resized(image: Image, longer_px: int) -> Image:
    height, width = (max(side * longer_px // max(image.shape[:2]), 1) for side in image.shape[:2])
    return np.asarray(cv2.resize(image, (width, height)), np.uint8)


def _scale(reduced: Image, image: Image) -> Floats:
    """(2,): what x and y were multiplied by."""
    (height, width), (old_height, old_width) = reduced.shape[:2], image.shape[:2]
    return np.array([width / old_width, height / old_height], np.float32)


def _whole(image: Image) -> tuple[int, int]:
    """Rows and columns of the smallest canvas that holds the image."""
    height, width = (-(-side // STRIDE_PX) * STRIDE_PX for side in image.shape[:2])
    return height, width


def _middle(image: Image, size: tuple[int, int]) -> tuple[int, int]:
    """Left and top of the image in the middle of a canvas. size: rows, columns."""
    return (size[1] - image.shape[1]) // 2, (size[0] - image.shape[0]) // 2


def _on_canvas(image: Image, size: tuple[int, int], corner: tuple[int, int], border: int) -> Image:
    """size: rows, columns. corner: the image's left and top. border: OpenCV's."""
    (height, width), (left, top) = image.shape[:2], corner
    bottom, right = size[0] - height - top, size[1] - width - left
    canvas = cv2.copyMakeBorder(image, top, bottom, left, right, border)
    return np.asarray(canvas, np.uint8)
