"""`facestream bench --edge`: edge, broker and workers brought up, one caller measured at them."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from benchmarks.brokers import EMBEDDED, BenchBroker, open_broker
from benchmarks.latency import LatencyReport, OneCaller, summarize_waits
from benchmarks.machine import this_machine
from cli.edge_process import EdgeFailed, EdgeProcess
from schemas.topics import DEFAULT_PARTITIONS
from stream.settings import WorkerSettings
from stream.supervisor import Supervisor

if TYPE_CHECKING:
    from benchmarks.photographs import PhotographSet


@dataclass(frozen=True, slots=True)
class EdgeOrder:
    """What shall be measured. `broker`: `embedded` or `host:port`."""

    photographs: PhotographSet
    images: int
    broker: str


async def run_edge(
    order: EdgeOrder,
    environ: Mapping[str, str],
    changes: Mapping[str, str],
    on_step: Callable[[str], None],
) -> dict[str, Any]:
    """The document of one run; settings are `environ` and, above it, `changes`.

    Raises `BenchmarkFailed`, `EdgeFailed`, `WorkersFailed`, and what the broker raises.
    """
    on_step("the broker starts")
    with (
        tempfile.TemporaryDirectory(prefix="facestream-bench-") as folder,
        open_broker(order.broker, DEFAULT_PARTITIONS) as broker,
    ):
        own = {"BLOB_STORE_URL": folder, "HOST": "127.0.0.1", "PORT": "0"}
        changes = {**changes, **broker.environment, **own, "API_KEY": secrets.token_urlsafe(24)}
        settings = WorkerSettings.model_validate(
            {name.lower(): value for name, value in changes.items()}
        )
        report = await _measure(order, settings, changes, {**environ, **changes}, on_step)
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": asdict(this_machine()),
        "setup": _setup(order, settings, broker),
        "latency": asdict(report),
    }


async def _measure(
    order: EdgeOrder,
    settings: WorkerSettings,
    changes: Mapping[str, str],
    environ: Mapping[str, str],
    on_step: Callable[[str], None],
) -> LatencyReport:
    from stream.models.loading import load_models
    from stream.pipeline import Pipeline

    on_step("the models are loaded")
    pipeline = Pipeline(load_models(settings), settings)
    async with AsyncExitStack() as stack:
        log = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
        supervisor = await stack.enter_async_context(Supervisor(settings, environ))
        edge = EdgeProcess(environ, longest_answer_s=1, log=log)
        await stack.enter_async_context(edge)
        on_step("workers and edge start")
        await supervisor.ready()
        try:
            await edge.ready()
        except EdgeFailed:
            log.seek(0)
            raise EdgeFailed(f"the HTTP edge does not start: {log.read().decode()}") from None
        assert edge.url is not None, "it is ready"
        session = await stack.enter_async_context(aiohttp.ClientSession())
        authorized = {"Authorization": f"Bearer {changes['API_KEY']}"}
        caller = OneCaller(pipeline, settings, session, edge.url, authorized)
        return summarize_waits(
            await caller.measure(order.photographs.sample(order.images), on_step)
        )


def _setup(order: EdgeOrder, settings: WorkerSettings, broker: BenchBroker) -> dict[str, Any]:
    return {
        "photographs": order.photographs.name,
        "bytes_median": _median_bytes(order.photographs.sample(order.images)),
        "workers": settings.max_workers,
        "pack": settings.model_pack,
        "det_size": settings.det_size,
        "broker": EMBEDDED if broker.pid is not None else "kafka",
        "partitions": broker.partitions,
    }


def _median_bytes(paths: tuple[Path, ...]) -> int:
    return sorted(path.stat().st_size for path in paths)[len(paths) // 2]


def lines_of(document: Mapping[str, Any]) -> list[str]:
    """What is printed of it."""
    machine, setup, latency = document["machine"], document["setup"], document["latency"]
    return [
        f"{machine['cpu'] or 'unknown'}, {machine['cores']} cores",
        (
            f"{setup['pack']}, detection {setup['det_size']}, {setup['workers']} worker(s), "
            f"{setup['broker']}, {setup['partitions']} partitions"
        ),
        (
            f"extract-embedding, one caller, {latency['images']} of {setup['photographs']}, "
            f"{setup['bytes_median'] / 1000:.0f} KB at the median, "
            f"{latency['no_face']} without a face"
        ),
        _line("edge and broker", latency["edge_median_ms"], f"p95 {latency['edge_p95_ms']:.1f}"),
        _line(
            "called directly", latency["direct_median_ms"], f"p95 {latency['direct_p95_ms']:.1f}"
        ),
        _line(
            "added",
            latency["added_median_ms"],
            f"image by image {latency['added_by_image_median_ms']:.1f}",
        ),
    ]


def _line(name: str, median_ms: float, more: str) -> str:
    return f"  {name:<16}{median_ms:7.1f} ms at the median, {more}"
