"""Callers beside a backlog: what they wait while the bulk lane is saturated, and while it is idle.

One caller at the edge, with one request after the other; by turns without and with a flood, which
keeps more in flight than the workers hold.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from benchmarks.batches import Batch, BenchmarkFailed, percentile
from benchmarks.edge_side import EdgeSide
from benchmarks.ground import Given, ground
from benchmarks.photographs import PhotographSet
from benchmarks.stream_side import StreamSide
from schemas.topics import Operation

_WARM_UP_IMAGES = 20
#: of the bulk lane in flight, for each worker: it takes at most 16 in work and some more in hand
_FLOOD_A_WORKER = 256


@dataclass(frozen=True, slots=True)
class LanesOrder:
    operation: Operation
    photographs: PhotographSet
    #: in a round, idle and flooded each
    calls: int
    rounds: int


@dataclass(frozen=True, slots=True)
class LanesReport:
    """Milliseconds of an interactive caller, over all rounds."""

    photographs: str
    operation: Operation
    calls: int
    idle_p50_ms: float
    idle_p95_ms: float
    flooded_p50_ms: float
    flooded_p95_ms: float
    p95_ratio: float
    in_flight: int
    #: of the bulk lane, settled while it was flooded
    bulk_images: int


async def measure_lanes(order: LanesOrder, given: Given) -> LanesReport:
    """Raises `BenchmarkFailed`, `WorkersFailed`, and what the broker and the edge raise."""
    with ground(given, order.photographs.folders) as at:
        deployment = at.deployment(given.start_edge)
        edge, stream = EdgeSide(deployment), StreamSide(deployment)
        batch = Batch(order.operation, order.photographs.sample(order.calls), 1)
        idle_ms: list[float] = []
        flooded_ms: list[float] = []
        in_flight = _FLOOD_A_WORKER * at.settings.max_workers
        came = 0
        async with deployment.awake():
            warm_up = order.photographs.sample(_WARM_UP_IMAGES)
            await edge.run(Batch(order.operation, warm_up, 1), 1)
            for number in range(1, order.rounds + 1):
                given.on_step(f"round {number} of {order.rounds}: an idle bulk lane")
                idle_ms += (await edge.run(batch, 1)).waits_ms
                given.on_step(f"round {number} of {order.rounds}: a saturated bulk lane")
                waits_ms, settled = await _flooded(edge, stream, batch, in_flight)
                flooded_ms += waits_ms
                came += settled
    return summarize_lanes(order, idle_ms, flooded_ms, in_flight, came)


async def _flooded(
    edge: EdgeSide, stream: StreamSide, batch: Batch, in_flight: int
) -> tuple[tuple[float, ...], int]:
    """What the caller waited, and how much of the flood was settled; it is over afterwards."""
    ended = asyncio.Event()
    flood = asyncio.create_task(stream.flood(batch, in_flight, ended))
    try:
        await edge.run(Batch(batch.operation, batch.paths[:_WARM_UP_IMAGES], 1), 1)  # it has begun
        run = await edge.run(batch, 1)
    finally:
        ended.set()
        settled = await flood
    if not settled:
        raise BenchmarkFailed("nothing of the bulk lane was settled while the caller waited")
    return run.waits_ms, settled


def summarize_lanes(
    order: LanesOrder, idle_ms: list[float], flooded_ms: list[float], in_flight: int, came: int
) -> LanesReport:
    """At least one call of each is wanted."""
    idle_p95_ms, flooded_p95_ms = percentile(idle_ms, 95), percentile(flooded_ms, 95)
    return LanesReport(
        photographs=order.photographs.name,
        operation=order.operation,
        calls=len(idle_ms),
        idle_p50_ms=percentile(idle_ms, 50),
        idle_p95_ms=idle_p95_ms,
        flooded_p50_ms=percentile(flooded_ms, 50),
        flooded_p95_ms=flooded_p95_ms,
        p95_ratio=flooded_p95_ms / idle_p95_ms,
        in_flight=in_flight,
        bulk_images=came,
    )
