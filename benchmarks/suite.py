"""The comparison as a whole: bring all sides up, and say what came of it."""

from __future__ import annotations

from contextlib import AsyncExitStack

from benchmarks.afternoon_side import AfternoonSide
from benchmarks.cells import Order, SideName
from benchmarks.comparison import Comparison, Side
from benchmarks.edge_side import EdgeSide
from benchmarks.ground import Given, Ground, ground
from benchmarks.loop_side import LoopSide
from benchmarks.pauses import Pauses
from benchmarks.report import ComparisonReport, summarize
from benchmarks.stream_side import StreamSide


async def compare(order: Order, given: Given) -> ComparisonReport:
    """Raises `BenchmarkFailed`, `WorkersFailed`, and what the broker and the edge raise."""
    folders = [folder for photographs in order.sets for folder in photographs.folders]
    with ground(given, folders) as at:
        async with AsyncExitStack() as stack:
            pauses = Pauses()
            sides = await _sides(order, at, given, pauses, stack)
            comparison = Comparison(order, sides, at.broker.pid, pauses)
            return summarize(await comparison.rounds(given.on_step))


async def _sides(
    order: Order, at: Ground, given: Given, pauses: Pauses, stack: AsyncExitStack
) -> dict[SideName, Side]:
    from stream.models import packs

    # An edge that nobody asks still asks the embedded broker for replies, a hundred times a second:
    # it is not there while the stream is measured.
    sides: dict[SideName, Side] = {
        "stream": StreamSide(at.deployment(), pauses),
        "edge": EdgeSide(at.deployment(given.start_edge)),
    }
    if "afternoon" in order.sides:
        pack = packs.ensure(at.settings)
        workers = at.settings.max_workers
        sides["afternoon"] = AfternoonSide(
            pack, workers, order.max_faces, given.environ, frugal=order.frugal
        )
    if "loop" in order.sides:
        given.on_step("the bare loop's processes load their models")
        sides["loop"] = await stack.enter_async_context(LoopSide(at.settings))
    return sides
