"""Rounds → what `facestream bench` says of its comparison, as a document of plain numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import median

from benchmarks.batches import mean_by_stage, percentile
from benchmarks.cells import Cell, SideName
from benchmarks.comparison import Measured, Round
from benchmarks.ratios import OperationRatios, ratios_of
from benchmarks.spread import Spread, spread
from schemas.topics import Operation


@dataclass(frozen=True, slots=True)
class CellReport:
    """One cell, over the rounds. Images, faces and failures are those of a round."""

    photographs: str
    operation: Operation
    side: SideName
    callers: int | None
    images: int
    failed: int
    faces: int
    images_per_s: Spread
    #: milliseconds of an image, over all rounds; of the loop: what computing it took.
    #: None where all are asked for at once: an image then waits for those before it
    p50_ms: float | None
    p95_ms: float | None
    #: user and system time of the side's processes
    cpu_s_per_image: Spread
    #: beside them; None where the side has no need of the broker, or it is not the embedded one
    broker_cpu_s_per_image: float | None
    client_cpu_s_per_image: float
    #: of the side's processes together, the most after any round
    pss_bytes: int
    #: cores that others of the machine kept busy meanwhile: much of it, and the rates say little
    others_cores: Spread
    #: cores that were used by what the cell had no need of, the most in any round
    idle_cores: float
    #: the mean over the images of the last round: where the time of one goes, waiting included
    stage_ms: dict[str, float]


@dataclass(frozen=True, slots=True)
class ComparisonReport:
    cells: tuple[CellReport, ...]
    ratios: tuple[OperationRatios, ...]
    #: sides that found other faces than the loop in the same photographs, but for the afternoon,
    #: which looks at another size
    other_faces: tuple[str, ...]
    #: what computed them, as the stream says
    model: dict[str, str] | None


def summarize(rounds: Sequence[Round]) -> ComparisonReport:
    """At least one round is wanted."""
    cells = list(dict.fromkeys(chain.from_iterable(rounds)))
    by_cell = {cell: [one[cell] for one in rounds if cell in one] for cell in cells}
    models = [one.run.model for each in by_cell.values() for one in each if one.run.model]
    widest = max(models, key=lambda model: len(model.model_dump(exclude_none=True)), default=None)
    return ComparisonReport(
        cells=tuple(_cell(cell, measured) for cell, measured in by_cell.items()),
        ratios=tuple(ratios_of(rounds)),
        other_faces=tuple(_other_faces(by_cell)),
        model=None if widest is None else widest.model_dump(exclude_none=True),
    )


def _cell(cell: Cell, measured: Sequence[Measured]) -> CellReport:
    def over_rounds(value: Callable[[Measured], float]) -> Spread:
        return spread([value(one) for one in measured])

    last = measured[-1].run
    images = len(last.faces)
    waits_ms = [wait for one in measured for wait in one.run.waits_ms]
    costs = [one.costs for one in measured]
    broker_s = [one.broker_cpu_s for one in costs if one.broker_cpu_s is not None]
    meaningful = cell.callers is not None or cell.side == "loop"
    return CellReport(
        photographs=cell.photographs,
        operation=cell.operation,
        side=cell.side,
        callers=cell.callers,
        images=images,
        failed=max(one.run.failed for one in measured),
        faces=sum(count or 0 for count in last.faces),
        images_per_s=over_rounds(lambda one: one.run.images_per_s),
        p50_ms=percentile(waits_ms, 50) if meaningful else None,
        p95_ms=percentile(waits_ms, 95) if meaningful else None,
        cpu_s_per_image=over_rounds(lambda one: one.costs.cpu_s / one.run.computed),
        broker_cpu_s_per_image=median(broker_s) / last.computed if broker_s else None,
        client_cpu_s_per_image=median(one.client_cpu_s for one in costs) / last.computed,
        pss_bytes=max(one.pss_bytes for one in measured),
        others_cores=over_rounds(lambda one: one.costs.others_cpu_s / one.costs.lasted_s),
        idle_cores=max(one.idle_cpu_s / one.lasted_s for one in costs),
        stage_ms=mean_by_stage(last.stages_ms),
    )


def _other_faces(by_cell: dict[Cell, list[Measured]]) -> list[str]:
    """`side: operation, set` of each whose faces are others than those that were found first."""
    found: dict[tuple[str, Operation], dict[Path, int | None]] = {}
    different: dict[str, None] = {}
    for cell, each in by_cell.items():
        if cell.side == "afternoon":
            continue
        first = found.setdefault((cell.photographs, cell.operation), {})
        for one in each:
            for path, faces in zip(one.batch.paths, one.run.faces, strict=True):
                if first.setdefault(path, faces) != faces:
                    different[f"{cell.side}: {cell.operation}, {cell.photographs}"] = None
    return list(different)
