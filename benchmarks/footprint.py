"""`facestream up` as a user starts it: how soon it answers, and what it keeps in memory."""

from __future__ import annotations

import secrets
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass

import aiohttp

from benchmarks.batches import Batch
from benchmarks.brokers import EMBEDDED, open_broker
from benchmarks.children import started
from benchmarks.edge_side import ROUTES
from benchmarks.ground import Given
from benchmarks.http_callers import call
from benchmarks.photographs import PhotographSet
from benchmarks.processes import Processes, parts_of_up, workers_under
from schemas.topics import DEFAULT_PARTITIONS, Operation

_CALLERS = 16
_READY = "Ready: http"


@dataclass(frozen=True, slots=True)
class FootprintOrder:
    photographs: PhotographSet
    #: through the edge, before memory is read
    images: int
    operation: Operation


@dataclass(frozen=True, slots=True)
class FootprintReport:
    photographs: str
    operation: Operation
    images: int
    workers: int
    #: from the command's start to the first answer with a result, the broker's start included
    #: where it is the embedded one
    first_answer_s: float
    #: bytes of the proportional share (PSS), after the first answer and after all of them
    first_pss: dict[str, int]
    last_pss: dict[str, int]

    @property
    def workers_and_edge(self) -> int:
        """Bytes, after all images."""
        return self.last_pss["workers"] + self.last_pss["edge"]


async def measure_footprint(order: FootprintOrder, given: Given) -> FootprintReport:
    """Raises `BenchmarkFailed`, and what the broker raises."""
    key = secrets.token_urlsafe(24)
    headers = {"Authorization": f"Bearer {key}"}
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="facestream-bench-"))
        environ = {**given.environ, **given.changes}
        environ |= {"API_KEY": key, "BLOB_STORE_URL": f"{folder}/blobs", "XDG_RUNTIME_DIR": folder}
        environ |= {"HOST": "127.0.0.1", "PORT": "0"}
        environ.pop("KAFKA_BOOTSTRAP_SERVERS", None)  # `up` starts the embedded one
        if given.broker != EMBEDDED:
            broker = stack.enter_context(open_broker(given.broker, DEFAULT_PARTITIONS))
            environ |= broker.environment
        given.on_step("workers, edge and broker start")
        began_at = time.perf_counter()
        async with (
            started("cli.main", "up", environ=environ, understood=_url_in) as (pid, url),
            aiohttp.ClientSession() as session,
        ):
            address = f"{url}/api/v1/{ROUTES[order.operation]}"
            first = Batch(order.operation, order.photographs.sample(1), 1)
            await call(session, address, first, 1, headers)
            first_answer_s = time.perf_counter() - began_at
            first_pss = _pss_of(pid)
            given.on_step(f"{order.images} photographs")
            paths = order.photographs.sample(order.images)
            await call(session, address, Batch(order.operation, paths, 1), _CALLERS, headers)
            last_pss = _pss_of(pid)
            workers = len(workers_under(pid))
    return FootprintReport(
        photographs=order.photographs.name,
        operation=order.operation,
        images=order.images,
        workers=workers,
        first_answer_s=first_answer_s,
        first_pss=first_pss,
        last_pss=last_pss,
    )


def _pss_of(pid: int) -> dict[str, int]:
    """By part: `workers`, `edge`, and all else that the command runs."""
    return {part: Processes(pids).pss_bytes() for part, pids in parts_of_up(pid).items()}


def _url_in(line: str) -> str | None:
    """Of `Ready: http://…/docs`."""
    if not line.startswith(_READY):
        return None
    return line.removeprefix("Ready: ").partition("/docs")[0]
