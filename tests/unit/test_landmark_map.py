"""The picture of both schemes shows each landmark where it is, and which of the 106 are picked."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cli.landmark_map import PANEL_PX, landmark_map
from stream.vision.landmarks import TO_68
from tests.heads import MEAN, Camera

Pixels = NDArray[np.uint8]

BLACK: Pixels = np.zeros((400, 400, 3), np.uint8)


def face_106() -> NDArray[np.float32]:
    """The mean head's 68 points; of the others, those of the jaw between theirs."""
    points_68 = Camera(focal_px=1500, principal=(200, 200)).sees(MEAN)
    points = np.empty((106, 2), np.float32)
    points[:] = points_68.mean(axis=0) + np.arange(106)[:, np.newaxis] % 7
    points[33:43], points[87:97] = points_68[36:42].mean(axis=0), points_68[42:48].mean(axis=0)
    points[TO_68] = points_68
    return points


def _coloured(picture: Pixels) -> NDArray[np.bool_]:
    channels = picture.astype(int)
    coloured: NDArray[np.bool_] = channels.max(axis=2) - channels.min(axis=2) > 60
    return coloured


def test_it_is_two_panels_of_one_face_with_colour_on_both() -> None:
    picture = landmark_map(BLACK, face_106())
    assert picture.shape[1] == 2 * PANEL_PX
    left, right = picture[:, :PANEL_PX], picture[:, PANEL_PX:]
    assert _coloured(left).sum() > 68 * 30
    assert _coloured(right).sum() > _coloured(left).sum()  # the same marks, and lines


def test_however_the_head_is_tilted_it_stands_upright() -> None:
    points = face_106()
    turned = (points[:, ::-1] * (-1, 1) + (400, 0)).astype(np.float32)
    straight, upright = landmark_map(BLACK, points), landmark_map(BLACK, turned)
    assert (_coloured(straight) == _coloured(upright)).mean() > 0.99


def test_points_that_are_no_face_are_refused() -> None:
    with pytest.raises(ValueError, match="no face"):
        landmark_map(BLACK, np.zeros((106, 2), np.float32))
