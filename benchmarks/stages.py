"""Where an image's time goes: what it waits for and what is done to it, and which threads do it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.batches import Batch, Run, percentile
from benchmarks.cells import enough
from benchmarks.ground import Given, ground
from benchmarks.photographs import PhotographSet
from benchmarks.processes import Processes
from benchmarks.stream_side import StreamSide
from schemas.topics import Operation

#: in the order in which an image meets them. queue: from its publication until a worker takes it
#: up; waiting: in the worker, for places and for the compute thread; publish: from its result's
#: sending until it is read here
STAGES = ("queue", "fetch", "decode", "detect", "embed", "analyze", "waiting", "publish")
_WARM_UP_IMAGES = 16
#: threads that used less are put together
_LEAST_CPU_MS = 0.005


@dataclass(frozen=True, slots=True)
class ProfileOrder:
    operations: Sequence[Operation]
    sets: Sequence[PhotographSet]
    callers: Sequence[int]
    images: int | None
    seconds: float
    max_faces: int


@dataclass(frozen=True, slots=True)
class StageReport:
    """Milliseconds of an image, over all images; 0 where a stage did not run."""

    mean_ms: float
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class ProfileReport:
    """Of one operation on one set with so many requests in flight."""

    photographs: str
    operation: Operation
    callers: int
    images: int
    #: by stage, and `whole`: from publication to the result's arrival
    stages: dict[str, StageReport]
    #: CPU milliseconds of an image by thread, of all workers together
    thread_cpu_ms: dict[str, float]


async def measure_profile(order: ProfileOrder, given: Given) -> list[ProfileReport]:
    """Raises `BenchmarkFailed`, `WorkersFailed`, and what the broker raises."""
    folders = [folder for photographs in order.sets for folder in photographs.folders]
    reports = []
    with ground(given, folders) as at:
        stream = StreamSide(at.deployment())
        async with stream.home.awake():
            for photographs in order.sets:
                for operation in order.operations:
                    for callers in order.callers:
                        given.on_step(f"{operation}, {photographs.name}, {callers} in flight")
                        reports.append(
                            await _profile(order, stream, photographs, operation, callers)
                        )
    return reports


async def _profile(
    order: ProfileOrder,
    stream: StreamSide,
    photographs: PhotographSet,
    operation: Operation,
    callers: int,
) -> ProfileReport:
    warm_up = Batch(operation, photographs.sample(_WARM_UP_IMAGES), order.max_faces)
    rate = (await stream.run(warm_up, callers)).images_per_s
    images = order.images or enough(rate, order.seconds, len(photographs.paths))
    workers = Processes(stream.pids)
    before_s = workers.thread_cpu_s()
    batch = Batch(operation, photographs.sample(images), order.max_faces)
    run = await stream.run(batch, callers)
    after_s = workers.thread_cpu_s()
    used_ms = {
        name: (seconds - before_s.get(name, 0.0)) * 1000 / run.computed
        for name, seconds in after_s.items()
    }
    return ProfileReport(
        photographs=photographs.name,
        operation=operation,
        callers=callers,
        images=images,
        stages=stages_of(run),
        thread_cpu_ms=largest_first(used_ms),
    )


def stages_of(run: Run) -> dict[str, StageReport]:
    """Every stage that ran, in their order, and the whole; what no stage tells of is waiting."""
    told = [
        {**timings, "waiting": max(0.0, whole_ms - sum(timings.values()))}
        for timings, whole_ms in zip(run.stages_ms, run.waits_ms, strict=True)
    ]
    by_stage = {
        stage: [timings.get(stage, 0.0) for timings in told]
        for stage in STAGES
        if any(stage in timings for timings in told)
    }
    return {stage: _stage(each) for stage, each in {**by_stage, "whole": run.waits_ms}.items()}


def _stage(each_ms: Sequence[float]) -> StageReport:
    mean_ms = sum(each_ms) / len(each_ms)
    return StageReport(mean_ms, percentile(each_ms, 50), percentile(each_ms, 95))


def largest_first(used_ms: Mapping[str, float]) -> dict[str, float]:
    """Without threads that did next to nothing."""
    ordered = sorted(used_ms.items(), key=lambda one: one[1], reverse=True)
    return {name: round(ms, 3) for name, ms in ordered if ms >= _LEAST_CPU_MS}
