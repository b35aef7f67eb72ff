"""Rounds → what `facestream bench` says, as a document of plain numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.comparison import Measured, Round
from benchmarks.machine import Machine
from schemas.topics import Operation


@dataclass(frozen=True, slots=True)
class Spread:
    """The rounds' values, the middle one and the ends."""

    median: float
    min: float
    max: float
    rounds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SideReport:
    """One side of a comparison. Images and faces are those of a round."""

    images_per_s: Spread
    #: user and system time of the side's processes
    cpu_s_per_image: Spread
    #: cores that others of the machine kept busy meanwhile: much of it, and the rates say little
    others_cores: Spread
    #: resident in the side's processes together, the most in any round
    peak_rss_bytes: int
    images: int
    failed: int
    faces: int
    #: the mean over the images of the last round: where the time of one goes, waiting included
    stage_ms: dict[str, float]


@dataclass(frozen=True, slots=True)
class OperationReport:
    """The stream beside the loop, for one operation."""

    operation: Operation
    #: images a second of the stream over those of the loop, round by round
    ratio: Spread
    stream: SideReport
    loop: SideReport
    #: each image had as many faces on both sides, or failed on both, in every round
    same_faces: bool
    #: beside the workers' own, while the stream ran; null where the broker is not the embedded one
    broker_cpu_s_per_image: float | None
    client_cpu_s_per_image: float
    #: used by all that a turn had no need of, in seconds, the most in any round
    idle_cpu_s: float
    model: dict[str, str] | None


@dataclass(frozen=True, slots=True)
class Setup:
    """What was run, the same on both sides."""

    photographs: str
    #: different ones
    files: int
    #: computed in a round, by each side
    images: int
    workers: int
    rounds: int
    max_faces: int
    det_size: int
    det_size_mode: str
    threads_per_session: int
    engine: str
    broker: str
    partitions: int


@dataclass(frozen=True, slots=True)
class Report:
    at: str
    machine: Machine
    setup: Setup
    operations: tuple[OperationReport, ...]


def summarize(operation: Operation, rounds: Sequence[Round]) -> OperationReport:
    """At least one round is wanted."""
    streams, loops = [one.stream for one in rounds], [one.loop for one in rounds]
    expected = loops[0].run.faces
    model = streams[-1].run.model
    images = len(expected)
    broker_s = [one.broker_cpu_s for one in streams if one.broker_cpu_s is not None]
    return OperationReport(
        operation=operation,
        ratio=spread([one.ratio for one in rounds]),
        stream=_side(streams),
        loop=_side(loops),
        same_faces=all(one.run.faces == expected for one in (*streams, *loops)),
        broker_cpu_s_per_image=median(broker_s) / images if broker_s else None,
        client_cpu_s_per_image=median(one.client_cpu_s for one in streams) / images,
        idle_cpu_s=max(one.idle_cpu_s for one in rounds),
        model=None if model is None else model.model_dump(exclude_none=True),
    )


def spread(values: Sequence[float]) -> Spread:
    return Spread(median(values), min(values), max(values), tuple(values))


def _side(measured: Sequence[Measured]) -> SideReport:
    def over_rounds(value: Callable[[Measured], float]) -> Spread:
        return spread([value(one) for one in measured])

    last = measured[-1].run
    return SideReport(
        images_per_s=over_rounds(lambda one: one.run.images_per_s),
        cpu_s_per_image=over_rounds(lambda one: one.cpu_s / len(one.run.faces)),
        others_cores=over_rounds(lambda one: one.others_cpu_s / one.run.elapsed_s),
        peak_rss_bytes=max(one.peak_rss_bytes for one in measured),
        images=len(last.faces),
        failed=max(one.run.failed for one in measured),
        faces=sum(count or 0 for count in last.faces),
        stage_ms=last.stage_ms,
    )
