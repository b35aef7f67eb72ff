"""A face and its mirror image are computed at once, or one after the other: the same numbers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from stream.models.insightface_pack import GenderAge, UprightLandmarker
from stream.models.protocols import Floats, Image
from tests.heads import MEAN

SIDE_PX = 96
IMAGE: Image = np.random.default_rng(5).integers(0, 256, (200, 220, 3), np.uint8)
BOX = np.array([50, 40, 150, 160], np.float32)
FIVE = np.array([[80, 80], [120, 80], [100, 105], [84, 130], [116, 130]], np.float32)
SEEN = np.random.default_rng(6).uniform(-0.5, 0.5, 212).astype(np.float32)


class Network:
    """Says more of a brighter image; `batches`: how many images it was given, one call each."""

    def __init__(self, batch: int | str, outputs: Floats) -> None:
        self.input_shape = [batch, 3, SIDE_PX, SIDE_PX]
        self.input_size = (SIDE_PX, SIDE_PX)
        self.input_mean, self.input_std = 127.5, 128.0
        self.input_name, self.output_names = "data", ["fc1"]
        self.lmk_dim, self.lmk_num = 2, 106
        self.session = SimpleNamespace(run=self._run)
        self.batches: list[int] = []
        self._outputs = outputs

    def _run(self, _names: list[str], feed: dict[str, Floats]) -> list[Floats]:
        data = feed["data"]
        self.batches.append(len(data))
        brightness = data[:, :, :, : SIDE_PX // 2].mean(axis=(1, 2, 3))
        return [(self._outputs + brightness[:, np.newaxis]).astype(np.float32)]


def landmarks(network: Any) -> Floats:
    points = UprightLandmarker(network).locate(IMAGE, BOX, FIVE)
    assert points is not None
    return points


def test_landmarks_of_both_views_are_found_at_once() -> None:
    several, one = Network("None", SEEN), Network(1, SEEN)
    at_once, in_turn = landmarks(several), landmarks(one)
    assert several.batches == [1, 2]
    assert one.batches == [1, 1, 1]
    assert at_once == pytest.approx(in_turn, abs=1e-4)


def test_age_and_gender_of_both_views_are_found_at_once() -> None:
    points = (MEAN[np.arange(106) % 68, :2] * 20 + 100).astype(np.float32)
    outputs = np.array([0.3, 0.7, 0.4], np.float32)
    several, one = Network("None", outputs), Network(1, outputs)
    found = [GenderAge(network).estimate(IMAGE, BOX, points) for network in (several, one)]
    assert several.batches == [2]
    assert one.batches == [1, 1]
    assert found[0] is not None
    assert found[0] == found[1]
