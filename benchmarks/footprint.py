"""`facestream up` as a user starts it: how soon it answers, and what it keeps in memory."""

from __future__ import annotations

import asyncio
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from benchmarks.batches import Batch, BenchmarkFailed
from benchmarks.brokers import EMBEDDED, open_broker
from benchmarks.edge_side import ROUTES
from benchmarks.ground import Given
from benchmarks.http_callers import call
from benchmarks.photographs import PhotographSet
from benchmarks.processes import Processes, parts_of_up
from schemas.topics import DEFAULT_PARTITIONS, Operation

_CALLERS = 16
_START_TIMEOUT_S = 120.0
_STOP_TIMEOUT_S = 30.0
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
        async with _up(environ, Path(folder)) as (pid, url), aiohttp.ClientSession() as session:
            address = f"{url}/api/v1/{ROUTES[order.operation]}"
            first = Batch(order.operation, order.photographs.sample(1), 1)
            await call(session, address, first, 1, headers)
            first_answer_s = time.perf_counter() - began_at
            first_pss = _pss_of(pid)
            given.on_step(f"{order.images} photographs")
            paths = order.photographs.sample(order.images)
            await call(session, address, Batch(order.operation, paths, 1), _CALLERS, headers)
            last_pss = _pss_of(pid)
            workers = len(parts_of_up(pid)["workers"])
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


@asynccontextmanager
async def _up(environ: Mapping[str, str], folder: Path) -> AsyncIterator[tuple[int, str]]:
    """The process's id and where its edge listens, once it says that it is ready."""
    with (folder / "up.log").open("w+b") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli.main", "up"),
            env=environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            start_new_session=True,  # Ctrl-C in a terminal is for the parent, which ends it
        )
        assert process.stdout is not None
        try:
            url = None
            async with asyncio.timeout(_START_TIMEOUT_S):
                while url is None and (line := await process.stdout.readline()):
                    url = _url_in(line.decode())
            if url is None:
                log.seek(0)
                raise BenchmarkFailed(f"`facestream up` does not start: {log.read().decode()}")
            emptying = asyncio.create_task(_empty(process.stdout))
            yield process.pid, url
            emptying.cancel()
        finally:
            await _stop(process)


def _url_in(line: str) -> str | None:
    """Of `Ready: http://…/docs`."""
    if not line.startswith(_READY):
        return None
    return line.removeprefix("Ready: ").partition("/docs")[0]


async def _empty(pipe: asyncio.StreamReader) -> None:
    """A pipe that nobody empties would stop the edge at its next line."""
    while await pipe.readline():
        pass


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(_STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
