"""Faces as a Parquet file: a row for each, embeddings as fixed-size lists of float32."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
from pydantic import ValidationError

from cli.following import Record
from schemas.results import Analysis, Face, Result

#: a row group: what is held in memory until it is written
_ROWS_AT_ONCE = 1024


class ParquetMissing(Exception):
    """pyarrow is not installed."""


class ParquetFile:
    """Written row group by row group, whole when the `with` block ends, however it ends.

    Raises `ParquetMissing`, `OSError`.
    """

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow as pa
            from pyarrow import parquet
        except ModuleNotFoundError:
            raise ParquetMissing(
                "a .parquet file needs pyarrow: pip install 'facestream[parquet]', "
                "or write to a .jsonl file"
            ) from None
        self._pa = pa
        self._path = path
        self._schema = _schema(pa)
        self._writer = parquet.ParquetWriter(path, self._schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._flush()
        finally:
            self._writer.close()

    def take(self, record: Record) -> bool:
        try:
            result = Result.model_validate_json(record.value or b"")
        except ValidationError:
            return False
        self._rows += [_row(result, index, face) for index, face in enumerate(result.faces)]
        if len(self._rows) >= _ROWS_AT_ONCE:
            self._flush()
        return True

    def told(self, came: int) -> str | None:
        return f"{came} events in {self._path}"

    def _flush(self) -> None:
        if self._rows:
            table = self._pa.Table.from_pylist(self._rows, schema=self._schema)
            self._writer.write_table(table)
            self._rows = []


def _schema(pa: Any) -> Any:
    """The columns; what was not measured is null."""
    text, real = pa.string(), pa.float32()
    return pa.schema(
        [
            pa.field("request_id", text, nullable=False),
            pa.field("result_id", text, nullable=False),
            ("operation", text),
            ("image_uri", text),
            ("image_sha256", text),
            ("image_width", pa.int32()),
            ("image_height", pa.int32()),
            ("metadata", text),  # JSON
            pa.field("face", pa.int32(), nullable=False),
            ("bbox", pa.list_(real, 4)),
            ("confidence", real),
            ("landmarks_5", pa.list_(real, 10)),
            ("embedding", pa.list_(real, 512)),
            ("embedding_norm", real),
            ("age", pa.int16()),
            ("gender", text),
            ("gender_score", real),
            ("emotion", text),
            ("emotion_confidence", real),
            ("emotion_engine", text),
            ("yaw", real),
            ("pitch", real),
            ("roll", real),
            ("blur_score", real),
            ("illumination", real),
            ("quality", real),
            ("face_size_px", real),
            ("frontal_alignment", real),
            ("in_frame", real),
            ("symmetry_score", real),
            ("skin_tone", text),
            ("individual_typology_angle", real),
            ("liveness_score", real),
            ("model_pack", text),
            ("detector", text),
            ("recognizer", text),
            ("engine", text),
            ("precision", text),
        ]
    )


def _row(result: Result, index: int, face: Face) -> dict[str, Any]:
    points = face.landmarks_5
    row: dict[str, Any] = {
        "request_id": result.request_id,
        "result_id": result.id,
        "operation": result.operation,
        "image_uri": result.image.uri,
        "image_sha256": result.image.sha256,
        "image_width": result.image.width,
        "image_height": result.image.height,
        "metadata": orjson.dumps(result.metadata).decode(),
        "face": index,
        "bbox": list(face.bbox),
        "confidence": face.confidence,
        "landmarks_5": None if points is None else [axis for point in points for axis in point],
        "embedding": face.embedding,
        "embedding_norm": face.embedding_norm,
    }
    if result.model is not None:
        row["model_pack"] = result.model.pack
        row["detector"] = result.model.detector
        row["recognizer"] = result.model.recognizer
        row["engine"] = result.model.engine
        row["precision"] = result.model.precision
    return row if face.analysis is None else row | _analysis_cells(face.analysis)


def _analysis_cells(analysis: Analysis) -> dict[str, Any]:
    cells: dict[str, Any] = {
        "age": analysis.age,
        "gender": analysis.gender,
        "gender_score": analysis.gender_score,
        "symmetry_score": analysis.symmetry_score,
    }
    if analysis.expression is not None:
        cells["emotion"] = analysis.expression.dominant
        cells["emotion_confidence"] = analysis.expression.confidence
        cells["emotion_engine"] = analysis.expression.engine
    if analysis.pose is not None:
        cells |= analysis.pose.model_dump()
    if analysis.quality is not None:
        cells["blur_score"] = analysis.quality.blur_score
        cells["illumination"] = analysis.quality.illumination
        cells["quality"] = analysis.quality.overall
        cells["face_size_px"] = analysis.quality.face_size_px
        cells["frontal_alignment"] = analysis.quality.frontal_alignment
        cells["in_frame"] = analysis.quality.in_frame
    if analysis.skin_tone is not None:
        cells["skin_tone"] = analysis.skin_tone.hex
        cells["individual_typology_angle"] = analysis.skin_tone.individual_typology_angle
    if analysis.liveness is not None:
        cells["liveness_score"] = analysis.liveness.score
    return cells
