"""What the detector lets the network see: how large, and how often."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from stream.models.detection import ScrfdDetector
from stream.models.protocols import Detections
from stream.models.settings import DetSizeMode

Size = tuple[int, int]

THRESHOLD = 0.5
SURE, DOUBTFUL, UNLIKELY = 0.8, 0.4, 0.2


@dataclass
class Network:
    """In the place of InsightFace's SCRFD: one face on all that is bright, with the next of
    `scores`, unless that is below the threshold."""

    scores: list[float]
    static_input_size: Size | None = None
    seen: list[Size | None] = field(default_factory=list)
    """Width and height of the input, `None` for the letterbox."""
    lit: list[Size] = field(default_factory=list)
    """Width and height of what was bright."""

    def prepare(self, ctx_id: int, *, input_size: Size, det_thresh: float) -> None:
        self.threshold = det_thresh

    def detect(
        self, image: NDArray[np.uint8], input_size: Size | None = None, det_thresh: float = 0
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        assert input_size in (None, image.shape[1::-1]), "the network's letterbox changes the image"
        rows, columns = np.nonzero(image[:, :, 0] > 127)
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
    """The boxes that are found in an image of this width and height, whose middle half is white."""
    model: Any = network
    detector = ScrfdDetector(model, size_px=640, mode=mode, threshold=THRESHOLD)
    width, height = size
    image = np.zeros((height, width, 3), np.uint8)
    image[height // 4 : height - height // 4, width // 4 : width - width // 4] = 255
    found = detector.detect(image)
    assert found.points is not None
    assert len(found.points) == len(found.boxes) == len(found.scores)
    if len(found.boxes):
        assert found.points[0, 0] == pytest.approx(found.boxes[0, :2])
        assert found.points[0, 4] == pytest.approx(found.boxes[0, 2:])
    return found.boxes


def _middle_half(size: Size) -> Any:
    """Within what reducing an image to 640 px may move it by."""
    (width, height), off_px = size, max(size) / 640 + 1
    box = np.array([[width, height, 3 * width, 3 * height]]) / 4
    return pytest.approx(box, abs=off_px)


@pytest.mark.parametrize(
    ("size", "canvas"),
    [
        ((250, 250), (256, 256)),
        ((64, 32), (64, 32)),
        ((65, 31), (96, 32)),
        ((640, 641), (640, 640)),
        ((4000, 3000), (640, 480)),
        ((300, 4000), (64, 640)),
    ],
)
def test_an_image_is_seen_at_its_size_or_reduced_in_the_smallest_multiple_of_32(
    size: Size, canvas: Size
) -> None:
    network = Network([SURE])
    boxes = _detect(network, size)
    assert network.seen == [canvas]
    assert boxes == _middle_half(size)
    reduced = min(1, 640 / max(size))
    assert network.lit[0] == pytest.approx(np.multiply(size, reduced / 2), abs=2)


def test_an_image_of_one_pixel_is_seen() -> None:
    network = Network([SURE])
    _detect(network, (1, 1))
    assert network.seen == [(32, 32)]


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
    assert network.lit[1] == pytest.approx((250 / 4, 180 / 4), abs=2)
    assert boxes == _middle_half((250, 180))


@pytest.mark.parametrize("enlarged", [SURE, UNLIKELY])
def test_a_doubtful_face_is_found_when_the_enlarged_image_shows_it(enlarged: float) -> None:
    network = Network([DOUBTFUL, enlarged, UNLIKELY])
    boxes = _detect(network, (250, 250))
    assert network.seen[:2] == [(256, 256), None]
    assert len(boxes) == (enlarged == SURE)


@pytest.mark.parametrize("matters", [True, False])
def test_a_doubtful_face_that_does_not_matter_is_not_looked_at_again(matters: bool) -> None:
    network = Network([DOUBTFUL, UNLIKELY, UNLIKELY])
    model: Any = network
    asked: list[NDArray[np.bool_]] = []

    def enough(found: Detections, sure: NDArray[np.bool_]) -> bool:
        assert found.scores == pytest.approx([DOUBTFUL])
        asked.append(sure)
        return not matters

    detector = ScrfdDetector(model, size_px=640, mode="image", threshold=THRESHOLD)
    detector.detect(np.full((250, 250, 3), 255, np.uint8), enough)
    assert [sure.tolist() for sure in asked] == [[False]]
    assert (None in network.seen) == matters


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
