"""Letters: in a font that has them, as wide as they say, and never a box in their place."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from cli.lettering import Lettering

WHITE = (255, 255, 255)


def written(text: str, size: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    picture = Image.new("RGB", (1200, 4 * size))
    Lettering(text, size).write(picture, 10, 2 * size, WHITE)
    return np.asarray(picture)[:, :, 0]


@pytest.mark.parametrize("size", [8, 14, 40, 120])
def test_a_line_is_as_wide_as_it_says_and_stays_in_its_height(size: int) -> None:
    text = "female 27  happy"
    ink = written(text, size) > 40
    columns, rows = np.flatnonzero(ink.any(axis=0)), np.flatnonzero(ink.any(axis=1))
    assert columns[0] >= 10
    assert columns[-1] <= 10 + Lettering(text, size).width + 1
    assert columns[-1] >= 10 + 0.9 * Lettering(text, size).width
    assert rows[0] >= 1.2 * size
    assert rows[-1] <= 2.8 * size


@pytest.mark.parametrize("text", ["a b", "1 face", "male 35  happy"])
def test_words_stand_apart_at_every_size(text: str) -> None:
    widths = [Lettering(text, size).width / size for size in (12, 14, 16, 40, 120)]
    assert max(widths) - min(widths) < 0.05 * max(widths)


def test_text_that_is_too_wide_is_written_smaller() -> None:
    text = "a rather long name of a photograph.jpg"
    assert Lettering.fitting(text, 10_000, 40).size == 40
    narrow = Lettering.fitting(text, 300, 40)
    assert narrow.size < 40
    assert narrow.width <= 300


def test_what_no_font_has_is_a_question_mark() -> None:
    assert Lettering("a\uffff\U0010fffeb", 20).text == "a??b"
    assert Lettering("plain ASCII (1)", 20).text == "plain ASCII (1)"
