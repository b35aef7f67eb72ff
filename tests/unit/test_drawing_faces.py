"""Pictures: boxes where the faces are, labels beside them, and the truth about synthetic ones."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from cli.drawing import LEAST_LONG_SIDE, OTHER, PRIMARY, Pixels, annotate, footer, label
from cli.labels import Area, place
from schemas.results import Box, Face, Point, Result

GOLDEN = Path(__file__).parents[1] / "contract" / "golden"
GREY = 120
BOUNDS = Area(0, 0, 1000, 1000)


def golden(name: str) -> Result:
    return Result.model_validate_json((GOLDEN / f"{name}.json").read_bytes())


def grey(width: int, height: int) -> Pixels:
    return np.full((height, width, 3), GREY, np.uint8)


def face(box: Box) -> Face:
    points = [Point(box.x1 + 10 + i, box.y1 + 20) for i in range(5)]
    return Face(bbox=box, confidence=0.9, landmarks_5=points)


def result(*boxes: Box, pack: str = "buffalo_s") -> Result:
    base = golden("result_ok")
    assert base.model is not None
    return base.model_copy(
        update={
            "faces": [face(box) for box in boxes],
            "model": base.model.model_copy(update={"pack": pack}),
        }
    )


def has_colour(picture: Pixels, rgb: tuple[int, int, int]) -> bool:
    return bool((picture == np.array(rgb[::-1], np.uint8)).all(axis=2).any())


def test_the_photograph_itself_is_left_as_it_is() -> None:
    image = grey(900, 600)
    annotate(image, result(Box(10, 10, 200, 200)), "footer")
    assert (image == GREY).all()


def test_the_first_face_has_a_colour_of_its_own() -> None:
    boxes = Box(100, 100, 250, 300), Box(500, 100, 650, 300)
    picture = annotate(grey(900, 600), result(*boxes))
    assert has_colour(picture[:, 90:270], PRIMARY)
    assert not has_colour(picture[:, 490:660], PRIMARY)
    assert has_colour(picture[:, 490:660], OTHER)


@pytest.mark.parametrize(("width", "height"), [(8, 8), (112, 112), (250, 250), (300, 40)])
def test_a_small_photograph_is_drawn_larger(width: int, height: int) -> None:
    picture = annotate(grey(width, height), result(Box(1, 1, 6, 6)))
    assert max(picture.shape[:2]) == LEAST_LONG_SIDE
    assert picture.dtype == np.uint8


def test_a_large_photograph_keeps_its_size_and_the_footer_stands_below() -> None:
    image = grey(1200, 900)
    assert annotate(image, result(Box(10, 10, 200, 200))).shape == (900, 1200, 3)
    assert annotate(image, result(Box(10, 10, 200, 200)), "footer").shape[0] > 900


def test_without_faces_the_photograph_is_unchanged() -> None:
    assert (annotate(grey(900, 600), golden("result_no_face")) == GREY).all()


def test_a_box_that_reaches_beyond_the_edges_is_drawn_as_far_as_it_goes() -> None:
    picture = annotate(grey(900, 600), result(Box(-50, -50, 2000, 300)))
    assert has_colour(picture, PRIMARY)


def test_a_synthetic_face_is_called_so_across_the_picture() -> None:
    real = annotate(grey(900, 600), result())
    synthetic = annotate(grey(900, 600), result(pack="synthetic"))
    middle = slice(290, 310)
    assert (real[middle] == GREY).all()
    assert (synthetic[middle] != GREY).mean() > 0.9
    assert synthetic.shape[0] > real.shape[0], "and in a footer, although none was asked for"


def test_a_label_says_what_is_known_and_no_more() -> None:
    assert label(golden("result_analysis").faces[0]) == "female 47  happy  0.88"
    assert [label(f) for f in golden("result_analysis_of_less").faces] == ["male 0  0.88", "0.88"]


def test_the_line_below_says_what_it_is() -> None:
    assert footer("a.jpg", result()) == "a.jpg  ·  0 faces  ·  buffalo_s"
    assert footer("a.jpg", result(Box(1, 1, 6, 6))) == "a.jpg  ·  1 face  ·  buffalo_s"
    nothing = golden("result_failed").model_copy(update={"model": None})
    assert footer("a.jpg", nothing) == "a.jpg  ·  0 faces  ·  no model"


def test_a_picture_looks_the_same_whatever_its_size() -> None:
    small = annotate(grey(1200, 900), result(Box(300, 300, 500, 550)))
    large = annotate(grey(4800, 3600), result(Box(1200, 1200, 2000, 2200)))
    reduced = cv2.resize(large, (1200, 900), interpolation=cv2.INTER_AREA)
    difference = np.abs(reduced.astype(int) - small.astype(int)).mean(axis=2)
    drawn_on = (small != GREY).any(axis=2)
    assert drawn_on.mean() > 0.005
    assert ((difference > 60) & drawn_on).sum() < 0.25 * drawn_on.sum()
    assert (difference > 60).sum() < 0.3 * drawn_on.sum()


def test_points_do_not_hide_a_small_face() -> None:
    small, large = Box(300, 300, 340, 350), Box(300, 300, 400, 425)
    inside = (slice(305, 335), slice(305, 335))
    assert (annotate(grey(1200, 900), result(small))[inside] == GREY).all()
    assert not (annotate(grey(1200, 900), result(large))[inside] == GREY).all()


def test_three_hundred_faces_are_drawn() -> None:
    boxes = [Box(x * 70, y * 65, x * 70 + 40, y * 65 + 50) for x in range(20) for y in range(15)]
    assert has_colour(annotate(grey(1400, 975), result(*boxes)), PRIMARY)


def test_a_label_goes_above_its_face_and_into_the_picture() -> None:
    box = Area(100, 100, 200, 250)
    assert place((80, 20), box, BOUNDS, [], [box], gap=2, most_on_faces=0) == Area(100, 78, 180, 98)
    corner = Area(950, 0, 1000, 60)
    found = place((80, 20), corner, BOUNDS, [], [corner], gap=2, most_on_faces=0)
    assert found is not None
    assert found.left >= 0
    assert found.right <= BOUNDS.right
    assert found.shared(corner) == 0


def test_labels_do_not_lie_on_labels_or_on_other_faces() -> None:
    boxes = [Area(100 + 110 * n, 300, 200 + 110 * n, 420) for n in range(5)]
    taken: list[Area] = []
    for box in boxes:
        found = place((150, 24), box, BOUNDS, taken, boxes, gap=2, most_on_faces=0)
        if found is not None:
            assert not any(found.shared(other) for other in [*taken, *boxes])
            taken.append(found)
    assert len(taken) >= 4


def test_where_there_is_no_room_there_is_no_label() -> None:
    box = Area(400, 400, 600, 600)
    assert place((80, 20), box, BOUNDS, [BOUNDS], [box], gap=2, most_on_faces=1) is None
