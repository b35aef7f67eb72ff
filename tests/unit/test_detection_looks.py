"""What the detector lets the network see: how large, and how often."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from stream.models.detection import ScrfdDetector
from stream.models.settings import DetSizeMode

Size = tuple[int, int]

THRESHOLD = 0.5
SURE, DOUBTFUL, UNLIKELY = 0.8, 0.4, 0.2


@dataclass
class Network:
    """In the place of InsightFace's SCRFD: one face on all of what is not black, with the next of
    `scores`, unless that is below the threshold."""

    scores: list[float]
    static_input_size: Size | None = None
    seen: list[Size | None] = field(default_factory=list)
    """Width and height of the input, `None` for the letterbox."""
    lit: list[Size] = field(default_factory=list)
    """Width and height of what was not black."""

    def prepare(self, ctx_id: int, *, input_size: Size, det_thresh: float) -> None:
        self.threshold = det_thresh

    def detect(
        self, image: NDArray[np.uint8], input_size: Size | None = None, det_thresh: float = 0
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        assert input_size in (None, image.shape[1::-1]), "the network's letterbox changes the image"
        rows, columns = np.nonzero(image.any(axis=2))
        left, top, right, bottom = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        self.seen.append(input_size)
        self.lit.append((int(right - left), int(bottom - top)))
        score = self.scores[len(self.seen) - 1]
        found = np.array([[left, top, right, bottom, score]], np.float32)
        points = np.array([[[left, top]] * 4 + [[right, bottom]]], np.float32)
        sure = slice(0, int(score >= (det_thresh or self.threshold)))
        return found[sure], points[sure]

    def nms(self, faces: NDArray[np.float32]) -> list[int]:
        return [int(faces[:, 4].argmax())] if len(faces) else []


def _detect(network: Network, size: Size, mode: DetSizeMode = "image") -> NDArray[np.float32]:
    """The boxes that are found in a white image of this width and height."""
    model: Any = network
    detector = ScrfdDetector(model, size_px=640, mode=mode, threshold=THRESHOLD)
    found = detector.detect(np.full((size[1], size[0], 3), 255, np.uint8))
    assert found.points is not None
    assert len(found.points) == len(found.boxes) == len(found.scores)
    if len(found.boxes):
        assert found.points[0, 0] == pytest.approx(found.boxes[0, :2])
        assert found.points[0, 4] == pytest.approx(found.boxes[0, 2:])
    return found.boxes


@pytest.mark.parametrize(
    ("size", "canvas", "lit"),
    [
        ((250, 250), (256, 256), (250, 250)),
        ((64, 32), (64, 32), (64, 32)),
        ((1, 1), (32, 32), (1, 1)),
        ((640, 641), (640, 640), (639, 640)),
        ((4000, 3000), (640, 480), (640, 480)),
        ((1000, 3), (640, 32), (640, 1)),
    ],
)
def test_an_image_is_seen_at_its_size_or_reduced_in_the_smallest_multiple_of_32(
    size: Size, canvas: Size, lit: Size
) -> None:
    network = Network([SURE])
    boxes = _detect(network, size)
    assert network.seen == [canvas]
    assert network.lit == [lit]
    assert boxes == pytest.approx(np.array([[0, 0, *size]]))


@pytest.mark.parametrize(("mode", "static"), [("fixed", None), ("image", (640, 640))])
def test_fixed_and_a_network_of_one_size_letterbox_and_look_once(
    mode: DetSizeMode, static: Size | None
) -> None:
    network = Network([UNLIKELY], static_input_size=static)
    assert len(_detect(network, (250, 250), mode)) == 0
    assert network.seen == [None]


def test_where_nobody_is_found_the_image_is_seen_once_more_from_twice_as_far() -> None:
    network = Network([UNLIKELY, SURE])
    boxes = _detect(network, (250, 180))
    assert network.seen == [(256, 192), (256, 192)]
    assert network.lit[1] == (125, 90)
    assert boxes == pytest.approx(np.array([[0, 0, 250, 180]]))


@pytest.mark.parametrize("enlarged", [SURE, UNLIKELY])
def test_a_doubtful_face_is_found_when_the_enlarged_image_shows_it(enlarged: float) -> None:
    network = Network([DOUBTFUL, enlarged, UNLIKELY])
    boxes = _detect(network, (250, 250))
    assert network.seen[:2] == [(256, 256), None]
    assert len(boxes) == (enlarged == SURE)


def test_of_a_reduced_image_there_is_no_enlarged_look() -> None:
    network = Network([DOUBTFUL, UNLIKELY])
    assert len(_detect(network, (1280, 1280))) == 0
    assert None not in network.seen


def test_an_image_too_narrow_to_leave_a_row_is_not_looked_at() -> None:
    network = Network([])
    model: Any = network
    detector = ScrfdDetector(model, size_px=640, mode="image", threshold=THRESHOLD)
    assert len(detector.detect(np.full((1, 641, 3), 255, np.uint8)).boxes) == 0
    assert network.seen == []
