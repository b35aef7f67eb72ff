"""What a run of `facestream bench` measured, as one document: written, and read again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import orjson

from benchmarks.brokers import kind_of
from benchmarks.footprint import FootprintReport
from benchmarks.lanes import LanesReport
from benchmarks.machine import Machine
from benchmarks.report import ComparisonReport
from benchmarks.scale import ScaleReport
from benchmarks.stages import ProfileReport
from stream.settings import WorkerSettings


class UnreadableDocument(Exception):
    """A file that no run of `facestream bench` wrote; the message names it."""


@dataclass(frozen=True, slots=True)
class PhotographsUsed:
    name: str
    files: int


@dataclass(frozen=True, slots=True)
class Setup:
    """What was run, the same on all sides."""

    sets: tuple[PhotographsUsed, ...]
    workers: int
    rounds: int
    max_faces: int
    pack: str
    det_size: int
    det_size_mode: str
    threads_per_session: int
    engine: str
    broker: str
    frugal: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """Parts are None that were not asked for."""

    at: str
    machine: Machine
    setup: Setup
    comparison: ComparisonReport | None = None
    profile: tuple[ProfileReport, ...] | None = None
    lanes: LanesReport | None = None
    footprint: FootprintReport | None = None
    scale: ScaleReport | None = None


def setup_of(
    settings: WorkerSettings,
    *,
    sets: Sequence[PhotographsUsed],
    rounds: int,
    max_faces: int,
    broker: str,
    frugal: bool,
) -> Setup:
    return Setup(
        sets=tuple(sets),
        workers=settings.max_workers,
        rounds=rounds,
        max_faces=max_faces,
        pack=settings.model_pack,
        det_size=settings.det_size,
        det_size_mode=settings.det_size_mode,
        threads_per_session=settings.threads_per_session,
        engine=_engine(settings),
        broker=kind_of(broker),
        frugal=frugal,
    )


def _engine(settings: WorkerSettings) -> str:
    if settings.inference_engine == "openvino":
        return f"openvino {settings.precision}"
    import onnxruntime

    from stream.models.sessions import candidates

    available = onnxruntime.get_available_providers()
    return f"onnxruntime {candidates(settings.execution_provider, available)[0]}"


def write(document: Document, path: Path) -> None:
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))


def read(paths: Sequence[Path]) -> Document:
    """Several are put together: of each part, the last. Raises `UnreadableDocument`, also when
    they are of different machines.
    """
    documents = [_read(path) for path in paths]
    if len({(one.machine.cpu, one.machine.cores) for one in documents}) > 1:
        raise UnreadableDocument("measured on different machines: they are not put together")
    parts = {field.name: getattr(documents[-1], field.name) for field in fields(Document)}
    for document in documents[-2::-1]:
        for name, value in parts.items():
            if value is None:
                parts[name] = getattr(document, name)
    return Document(**parts)


def _read(path: Path) -> Document:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(Document).validate_json(path.read_bytes())
    except ValidationError as error:
        raise UnreadableDocument(f"{path}: no document of `facestream bench`: {error}") from None
