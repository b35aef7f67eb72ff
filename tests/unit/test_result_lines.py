"""A result as a line: what was measured, nothing where nothing was, the reason where it failed."""

from __future__ import annotations

import io
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console

from cli.tables import SYNTHETIC_NOTICE, Lines, Row, milliseconds, rows, unsent
from schemas.results import Result

GOLDEN = Path(__file__).parents[1] / "contract" / "golden"


def golden(name: str) -> Result:
    return Result.model_validate_json((GOLDEN / f"{name}.json").read_bytes())


def shown(*these: Row, width: int = 100, terminal: bool = True) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=terminal, color_system=None)
    lines = Lines(console)
    for row in these:
        lines.show(row)
    return out.getvalue().splitlines()


def test_an_analysed_face_shows_age_gender_and_emotion() -> None:
    (row,) = rows("a.jpg", golden("result_analysis"))
    assert row.cells == {
        "faces": "1",
        "ms": "46.5",
        "conf.": "0.88",
        "age": "47",
        "gender": "female",
        "emotion": "happy",
    }


def test_what_was_not_measured_is_left_empty() -> None:
    first, second = rows("a.jpg", golden("result_analysis_of_less"), most_faces=9)
    assert (first.cells["age"], first.cells["gender"]) == ("0", "male")
    assert "emotion" not in first.cells
    assert second == Row("", "", {"conf.": "0.88"})


def test_a_failure_shows_its_reason_in_place_of_faces() -> None:
    (row,) = rows("a.jpg", golden("result_failed"))
    assert row.error == "image_not_found: s3://bucket/key.jpg is not there"
    assert shown(row)[1].rstrip().endswith("failed   " + row.error)


def test_no_face_is_a_result_of_its_own() -> None:
    (row,) = rows("a.jpg", golden("result_no_face"))
    assert (row.status, row.cells["faces"], row.error) == ("no_face", "0", None)


def test_every_line_of_the_synthetic_pack_says_so() -> None:
    result = golden("result_analysis_of_less")
    assert result.model is not None
    model = result.model.model_copy(update={"pack": "synthetic"})
    for row in rows("a.jpg", result.model_copy(update={"model": model}), most_faces=9):
        assert SYNTHETIC_NOTICE in shown(row, width=200)[1]


def test_time_in_the_queue_is_not_the_workers() -> None:
    assert milliseconds(golden("result_no_face")) == 2.0 + 5.25 + 8.75


def test_columns_stand_below_their_headings() -> None:
    heading, line = shown(*rows("日本.jpg", golden("result_analysis")))
    assert cell_len(heading[: heading.rindex("age") + 3]) == cell_len(line[: line.index("47") + 2])


def test_a_name_that_is_too_long_keeps_its_end_on_a_terminal_and_all_elsewhere() -> None:
    name = "folder/" * 30 + "photograph.jpg"
    (row,) = rows(name, golden("result_no_face"))
    on_terminal = shown(row)[1]
    assert cell_len(on_terminal.rstrip()) <= 100
    assert "photograph.jpg" in on_terminal
    assert name in shown(row, terminal=False)[1]


def test_what_was_not_sent_says_why() -> None:
    assert "unsent   the file is empty" in shown(unsent("a.jpg", "the file is empty"))[1]


def test_names_are_not_markup() -> None:
    (row,) = rows("[red]a[/].jpg", golden("result_no_face"))
    assert "[red]a[/].jpg" in shown(row)[1]
    assert "[red]a[/].jpg" in shown(row, terminal=False)[1]
