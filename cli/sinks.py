"""Where consumed events go: lines for people, JSON lines, a Parquet file of faces."""

from __future__ import annotations

import base64
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self

import click
import orjson
from pydantic import ValidationError
from rich.console import Console

from cli import tables
from cli.following import Record
from schemas.results import Result, WorkerStatus


class Sink(Protocol):
    """Takes events while its `with` block lasts."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def take(self, record: Record) -> bool:
        """False for what is not of this topic's kind: it is left out."""

    def told(self, came: int) -> str | None:
        """What is said at the end of so many events; `None`: nothing."""


class Screen:
    """A line for each result, dead letter or heartbeat."""

    def __init__(self, topic: str) -> None:
        self._console = Console(highlight=False)
        self._lines = tables.Lines(self._console)
        self._show = {"rejected": self._show_rejected, "workers": self._show_worker}.get(
            topic, self._show_result
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def take(self, record: Record) -> bool:
        try:
            self._show(record)
        except ValidationError:
            return False
        return True

    def told(self, came: int) -> str | None:  # noqa: ARG002 - the protocol gives it
        return None

    def _show_result(self, record: Record) -> None:
        result = Result.model_validate_json(record.value or b"")
        for row in tables.rows(name_of(result), result, most_faces=1):
            self._lines.show(row)

    def _show_rejected(self, record: Record) -> None:
        letter = dead_letter(record)
        place = f"{letter['topic']}[{letter['partition']}]@{letter['offset']}"
        size = "no value" if record.value is None else f"{len(record.value)} bytes"
        self._print(f"{letter['time']}  {place}  {letter['code']}: {letter['message']}  ({size})")

    def _show_worker(self, record: Record) -> None:
        status = WorkerStatus.model_validate_json(record.value or b"")
        held = ", ".join(f"{topic} {numbers}" for topic, numbers in status.partitions.items())
        pack = status.models.pack if status.models else "no models"
        self._print(
            f"{status.id}  {status.state}  {pack}  {status.settled} settled, "
            f"{status.in_flight} in flight  {held}"
        )

    def _print(self, line: str) -> None:
        self._console.print(line, soft_wrap=True, markup=False)


class JsonLines:
    """The events' own JSON, a line each; a dead letter's reason beside its bytes."""

    def __init__(self, topic: str, file: IO[bytes]) -> None:
        self._rejected = topic == "rejected"
        self._file = file

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.flush()

    def take(self, record: Record) -> bool:
        if self._rejected:
            line = orjson.dumps(dead_letter(record))
        else:
            try:
                line = orjson.dumps(orjson.loads(record.value or b""))  # in one line, surely
            except ValueError:
                return False
        self._file.write(line + b"\n")
        self._file.flush()
        return True

    def told(self, came: int) -> str | None:  # noqa: ARG002 - the protocol gives it
        return None


def open_sink(topic: str, *, as_json: bool, out: Path | None) -> Sink:
    """Raises `ParquetMissing` for a .parquet file without pyarrow, `OSError`."""
    if out is None:
        return JsonLines(topic, click.get_binary_stream("stdout")) if as_json else Screen(topic)
    if out.suffix == ".parquet":
        from cli.parquet import ParquetFile

        return ParquetFile(out)
    return _JsonFile(topic, out)


class _JsonFile(JsonLines):
    def __init__(self, topic: str, path: Path) -> None:
        super().__init__(topic, path.open("wb"))
        self._path = path

    def told(self, came: int) -> str | None:
        return f"{came} events in {self._path}"

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def name_of(result: Result) -> str:
    """What people know an image by: its file's name, its address, else the request's id."""
    return str(result.metadata.get("file") or result.image.uri or result.request_id)


def dead_letter(record: Record) -> dict[str, Any]:
    """Why and from where, the key, and the original bytes: as text where UTF-8, else base64."""
    headers = dict(record.headers)
    letter: dict[str, Any] = {
        field: _text(headers.get(f"facestream_error_{field}"))
        for field in ("code", "message", "topic", "partition", "offset", "time", "source")
    }
    letter["key"] = _text(record.key)
    try:
        letter["value"] = None if record.value is None else record.value.decode()
    except UnicodeDecodeError:
        letter["value_base64"] = base64.b64encode(record.value or b"").decode()
    return letter


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")
