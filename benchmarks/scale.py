"""How throughput grows with processes and partitions, and what an event costs beside inference.

The models sleep, so that one machine can hold as many workers as a cluster would. A sleep of 200 ms
leaves 5 images a second to each: what is missing of that was lost around it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from benchmarks.batches import Batch
from benchmarks.brokers import kind_of
from benchmarks.comparison import Side
from benchmarks.edge_side import EdgeSide
from benchmarks.ground import Given, Ground, ground
from benchmarks.loop_side import LoopSide
from benchmarks.processes import Processes
from benchmarks.sleeping_models import SLEEP_MS, load_sleepless
from benchmarks.stream_side import StreamSide
from schemas.topics import Operation

_WORKER = ("benchmarks.sleeping_worker",)
_SIDE_PX = 64
#: at the edge, while a worker is saturated
_CALLERS = 16
_WARM_UP_EVENTS = 100


@dataclass(frozen=True, slots=True)
class ScaleOrder:
    #: how many workers, one size of the group after the other
    processes: Sequence[int]
    sleep_ms: float
    #: that each worker sleeps at each size
    seconds: float
    #: in workers that do not sleep, without and with the edge
    events: int
    operation: Operation


@dataclass(frozen=True, slots=True)
class Growth:
    """Of one size of the group."""

    processes: int
    partitions: int
    events: int
    #: from the start of the processes until all are at work
    start_s: float
    events_per_s: float
    #: over what so many sleepers could do at most
    ratio: float
    #: of the workers, for each event
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class EventCost:
    """CPU milliseconds an event, of saturated workers that do not sleep: of as many as there would
    be, for what an event costs depends on whether each has processors of its own."""

    processes: int
    events: int
    events_per_s: float
    worker_cpu_ms: float
    #: of the edge; None without it
    edge_cpu_ms: float | None

    @property
    def cpu_ms(self) -> float:
        return self.worker_cpu_ms + (self.edge_cpu_ms or 0.0)


@dataclass(frozen=True, slots=True)
class ScaleReport:
    operation: Operation
    sleep_ms: float
    broker: str
    growth: tuple[Growth, ...]
    #: of a bare loop over the same models: what decoding the image and making a face takes
    loop: EventCost
    stream: EventCost
    edge: EventCost

    def around_ms(self, cost: EventCost) -> float:
        """CPU milliseconds of an event that the bare loop does without."""
        return cost.cpu_ms - self.loop.cpu_ms


async def measure_scale(order: ScaleOrder, given: Given) -> ScaleReport:
    """Raises `BenchmarkFailed`, `WorkersFailed`, and what the broker and the edge raise."""
    with tempfile.TemporaryDirectory(prefix="facestream-bench-") as folder:
        image = Path(folder) / "tiny.jpg"
        pixels = np.random.default_rng(7).integers(0, 256, (_SIDE_PX, _SIDE_PX, 3), np.uint8)
        cv2.imwrite(str(image), pixels)
        growth = [await _growth(order, given, image, count) for count in order.processes]
        batch = Batch(order.operation, (image,) * order.events, 1)
        with ground(given, [image.parent], **{SLEEP_MS: "0"}) as at:
            loop = await _loop_cost(at, given, batch)
            stream = await _cost(at, given, batch, None)
            edge = await _cost(at, given, batch, _CALLERS)
    return ScaleReport(
        operation=order.operation,
        sleep_ms=order.sleep_ms,
        broker=kind_of(given.broker),
        growth=tuple(growth),
        loop=loop,
        stream=stream,
        edge=edge,
    )


async def _growth(order: ScaleOrder, given: Given, image: Path, processes: int) -> Growth:
    changes = {"MAX_WORKERS": str(processes), SLEEP_MS: str(order.sleep_ms)}
    with ground(given, [image.parent], **changes) as at:
        side = StreamSide(at.deployment(worker=_WORKER))
        # as many for each partition: the last to come is not late for being dealt unevenly
        rounds = max(
            1, round(order.seconds * 1000 / order.sleep_ms * processes / at.broker.partitions)
        )
        batch = Batch(order.operation, (image,) * (rounds * at.broker.partitions), 1)
        given.on_step(f"{processes} processes start")
        began_at = time.perf_counter()
        async with side.home.awake():
            start_s = time.perf_counter() - began_at
            given.on_step(f"{processes} processes, {len(batch.paths)} events")
            workers = Processes(side.pids)
            before_s = workers.cpu_s()
            run = await side.run(batch, None)
            cpu_s = workers.cpu_s() - before_s
    return Growth(
        processes=processes,
        partitions=at.broker.partitions,
        events=len(batch.paths),
        start_s=start_s,
        events_per_s=run.images_per_s,
        ratio=share_of_sleepers(run.images_per_s, processes, order.sleep_ms),
        cpu_ms=cpu_s * 1000 / run.computed,
    )


def share_of_sleepers(events_per_s: float, processes: int, sleep_ms: float) -> float:
    """Of what so many processes do that only sleep, one event after the other."""
    return events_per_s / (processes * 1000 / sleep_ms)


async def _loop_cost(at: Ground, given: Given, batch: Batch) -> EventCost:
    given.on_step("a bare loop over models that do not sleep")
    async with LoopSide(at.settings, load_sleepless) as loop:
        return await _cost_of(loop, batch, None, loop.pids, [])


async def _cost(at: Ground, given: Given, batch: Batch, callers: int | None) -> EventCost:
    """callers: at the edge; None: without an edge, all published at once."""
    deployment = at.deployment(None if callers is None else given.start_edge, _WORKER)
    side = StreamSide(deployment) if callers is None else EdgeSide(deployment)
    given.on_step(f"workers that do not sleep, their {side.name}")
    async with deployment.awake() as up:
        return await _cost_of(side, batch, callers, up.supervisor.pids, up.edge_pids)


async def _cost_of(
    side: Side, batch: Batch, callers: int | None, worker_pids: list[int], edge_pids: list[int]
) -> EventCost:
    await side.run(replace(batch, paths=batch.paths[:_WARM_UP_EVENTS]), callers)
    workers, edge = Processes(worker_pids), Processes(edge_pids)
    before_s = workers.cpu_s(), edge.cpu_s()
    run = await side.run(batch, callers)
    workers_s, edge_s = workers.cpu_s() - before_s[0], edge.cpu_s() - before_s[1]
    return EventCost(
        processes=len(worker_pids),
        events=len(batch.paths),
        events_per_s=run.images_per_s,
        worker_cpu_ms=workers_s * 1000 / run.computed,
        edge_cpu_ms=edge_s * 1000 / run.computed if edge_pids else None,
    )
