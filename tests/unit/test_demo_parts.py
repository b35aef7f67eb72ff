"""What the demo takes for granted of what is installed, and what its table says."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from cli.demonstration import _models, _table, photographs
from schemas.results import Result

GOLDEN = Path(__file__).parents[1] / "contract" / "golden"


def test_the_photographs_come_with_the_dependencies() -> None:
    assert all(path.is_file() for path in photographs())
    assert len({path.name for path in photographs()}) == 3


def test_the_table_has_a_line_for_each_face_and_says_what_has_no_result() -> None:
    result = Result.model_validate_json((GOLDEN / "result_analysis_of_less.json").read_bytes())
    out = io.StringIO()
    paths = [Path("two.jpg"), Path("none.jpg")]
    Console(file=out, width=160).print(_table(paths, {"two.jpg": result}))
    heading, first, second, none = out.getvalue().splitlines()
    assert heading.split() == ["image", "faces", "conf.", "age", "gender", "emotion", "ms"]
    assert first.split() == ["two.jpg", "2", "0.88", "0", "male", "16.0"]
    assert second.split() == ["0.88"]
    assert none.split() == ["none.jpg", "no", "result"]


def test_each_line_of_synthetic_faces_says_so() -> None:
    result = Result.model_validate_json((GOLDEN / "result_analysis_of_less.json").read_bytes())
    assert result.model is not None
    model = result.model.model_copy(update={"pack": "synthetic"})
    out = io.StringIO()
    table = _table([Path("a.jpg")], {"a.jpg": result.model_copy(update={"model": model})})
    Console(file=out, width=80).print(table)
    _heading, *lines = out.getvalue().splitlines()
    assert [line.split()[-1] for line in lines] == ["synthetic", "synthetic"]


def test_what_synthetic_means_is_said_before_anything_runs() -> None:
    out = io.StringIO()
    told = _models(Console(file=out, width=160), {"MODEL_PACK": "synthetic"})
    assert told == {"MODEL_PACK": "synthetic"}
    assert out.getvalue().count("the stream is real, the faces are not") == 1
