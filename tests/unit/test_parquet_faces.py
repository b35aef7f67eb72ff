"""A Parquet file of faces says what the results said."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from pyarrow import parquet

from cli.following import Record
from cli.parquet import ParquetFile
from schemas.results import Result

GOLDEN = Path(__file__).parents[1] / "contract/golden"


def test_a_face_has_a_column_for_each_number_of_its_analysis(tmp_path: Path) -> None:
    document = orjson.loads((GOLDEN / "result_analysis.json").read_bytes())
    analysis = document["faces"][0]["analysis"]
    analysis["liveness"] = {"score": 0.25, "model": "liveness@87a9ac1d"}
    Result.model_validate(document)
    with ParquetFile(tmp_path / "faces.parquet") as file:
        assert file.take(Record("t", 0, 0, 0, None, orjson.dumps(document), ()))
    (row,) = parquet.read_table(tmp_path / "faces.parquet").to_pylist()
    said = {
        "age": analysis["age"],
        "gender": analysis["gender"],
        "gender_score": analysis["gender_score"],
        "symmetry_score": analysis["symmetry_score"],
        "liveness_score": analysis["liveness"]["score"],
        "emotion": analysis["expression"]["dominant"],
        "emotion_confidence": analysis["expression"]["confidence"],
        "emotion_engine": analysis["expression"]["engine"],
        "skin_tone": analysis["skin_tone"]["hex"],
        "individual_typology_angle": analysis["skin_tone"]["individual_typology_angle"],
        **analysis["pose"],
        **{name: value for name, value in analysis["quality"].items() if name != "overall"},
        "quality": analysis["quality"]["overall"],
    }
    assert {name: row[name] for name in said} == pytest.approx(said)  # float32


def test_what_was_not_measured_is_null(tmp_path: Path) -> None:
    result = (GOLDEN / "result_analysis_of_less.json").read_bytes()
    with ParquetFile(tmp_path / "faces.parquet") as file:
        assert file.take(Record("t", 0, 0, 0, None, result, ()))
    *_, row = parquet.read_table(tmp_path / "faces.parquet").to_pylist()
    for name in ("age", "gender_score", "emotion_engine", "yaw", "face_size_px", "liveness_score"):
        assert row[name] is None
