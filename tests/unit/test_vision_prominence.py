"""The first face is InsightFace's."""

from __future__ import annotations

import numpy as np

from stream.vision.prominence import most_prominent_first, prominence


def _boxes(
    *boxes: tuple[float, float, float, float],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.array(boxes, np.float32).reshape(-1, 4)


def test_no_faces_have_no_order() -> None:
    assert most_prominent_first(_boxes(), 100, 100).tolist() == []


def test_a_smaller_face_in_the_middle_comes_before_a_larger_one_at_the_edge() -> None:
    edge, middle = (0, 0, 30, 30), (38, 38, 62, 62)
    assert most_prominent_first(_boxes(edge, middle), 100, 100).tolist() == [1, 0]


def test_prominence_is_area_minus_twice_the_squared_distance_from_the_middle() -> None:
    assert prominence(_boxes((10, 20, 30, 60)), 100, 50).tolist() == [800 - 2 * (25 + 100)]


def test_equally_prominent_faces_keep_their_order() -> None:
    same = (10, 10, 20, 20)
    assert most_prominent_first(_boxes(same, same, same), 30, 30).tolist() == [0, 1, 2]
