"""A whole benchmark: bring both sides up, compare them, and say what came of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks.batches import Batch
from benchmarks.brokers import EMBEDDED, BenchBroker, open_broker
from benchmarks.comparison import Comparison
from benchmarks.loop_side import LoopSide
from benchmarks.machine import this_machine
from benchmarks.photographs import PhotographSet
from benchmarks.processes import Processes
from benchmarks.report import OperationReport, Report, Setup, summarize
from benchmarks.stream_side import StreamSide
from schemas.topics import DEFAULT_PARTITIONS, Operation
from stream.settings import WorkerSettings


@dataclass(frozen=True, slots=True)
class Order:
    """What shall be compared."""

    operations: Sequence[Operation]
    photographs: PhotographSet
    images: int
    rounds: int
    max_faces: int
    #: `embedded` or `host:port`
    broker: str


async def run_suite(
    order: Order,
    environ: Mapping[str, str],
    changes: Mapping[str, str],
    on_step: Callable[[str], None],
) -> Report:
    """Compare stream and loop; the workers' settings are `environ` and, above it, `changes`.

    Raises `PsutilMissing`, `BenchmarkFailed`, `WorkersFailed`, and what the broker raises.
    """
    Processes([])  # psutil is missed before anything is started
    # each worker holds as many partitions as the others
    workers = WorkerSettings.model_validate(_fields(changes)).max_workers
    partitions = workers * math.ceil(DEFAULT_PARTITIONS / workers)
    on_step("the broker starts")
    with open_broker(order.broker, partitions) as broker:
        changes = {**changes, **broker.environment, "IMAGE_SOURCES": _sources(order)}
        settings = WorkerSettings.model_validate(_fields(changes))
        reports = await _compare(order, settings, {**environ, **changes}, broker, on_step)
    return Report(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=this_machine(),
        setup=_setup(order, settings, broker),
        operations=tuple(reports),
    )


async def _compare(
    order: Order,
    settings: WorkerSettings,
    environ: Mapping[str, str],
    broker: BenchBroker,
    on_step: Callable[[str], None],
) -> list[OperationReport]:
    paths = order.photographs.sample(order.images)
    on_step("the bare loop's processes load their models")
    async with LoopSide(settings) as loop:
        stream = StreamSide(settings, environ, broker.partitions)
        comparison = Comparison(stream, loop, broker.pid)
        reports = []
        for operation in order.operations:
            batch = Batch(operation, paths, order.max_faces)
            rounds = await comparison.rounds(batch, order.rounds, on_step)
            reports.append(summarize(operation, rounds))
        return reports


def _fields(changes: Mapping[str, str]) -> dict[str, str]:
    """Variables of the environment as the settings' fields."""
    return {name.lower(): value for name, value in changes.items()}


def _sources(order: Order) -> str:
    return ",".join(folder.as_uri() for folder in order.photographs.folders)


def _setup(order: Order, settings: WorkerSettings, broker: BenchBroker) -> Setup:
    return Setup(
        photographs=order.photographs.name,
        files=min(order.images, len(order.photographs.paths)),
        images=order.images,
        workers=settings.max_workers,
        rounds=order.rounds,
        max_faces=order.max_faces,
        det_size=settings.det_size,
        det_size_mode=settings.det_size_mode,
        threads_per_session=settings.threads_per_session,
        engine=_engine(settings),
        broker=EMBEDDED if broker.pid is not None else "kafka",
        partitions=broker.partitions,
    )


def _engine(settings: WorkerSettings) -> str:
    if settings.inference_engine == "openvino":
        return f"openvino {settings.precision}"
    import onnxruntime

    from stream.models.sessions import candidates

    available = onnxruntime.get_available_providers()
    return f"onnxruntime {candidates(settings.execution_provider, available)[0]}"
