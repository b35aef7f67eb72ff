"""The afternoon's service, as a process with a pool, asked over HTTP as the edge is."""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from benchmarks.batches import Batch, BenchmarkFailed, Run
from benchmarks.http_callers import call
from benchmarks.processes import tree
from schemas.topics import Operation

_START_TIMEOUT_S = 120.0
_STOP_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class _Service:
    operation: Operation
    url: str
    process: asyncio.subprocess.Process


class AfternoonSide:
    """`async with afternoon.awake(): await afternoon.run(batch, callers)`.

    There is one service at a time, for one operation: a batch of another one starts another.
    """

    name = "afternoon"

    def __init__(
        self, pack: Path, processes: int, max_faces: int, environ: Mapping[str, str]
    ) -> None:
        self.home = self
        self._pack = pack
        self._processes = processes
        self._max_faces = max_faces
        self._environ = environ
        self._service: _Service | None = None
        self._session: aiohttp.ClientSession | None = None
        self._running = AsyncExitStack()

    @asynccontextmanager
    async def awake(self) -> AsyncIterator[None]:
        async with aiohttp.ClientSession() as self._session:
            try:
                yield
            finally:
                await self._running.aclose()

    @property
    def pids(self) -> list[int]:
        """Of the service and of its pool, once a batch was run."""
        return [] if self._service is None else tree(self._service.process.pid)

    async def run(self, batch: Batch, callers: int | None) -> Run:
        """Raises `BenchmarkFailed`."""
        assert self._session is not None, "asleep"
        assert callers is not None, "it is asked by callers"
        if self._service is None or self._service.operation != batch.operation:
            await self._running.aclose()
            await self._running.enter_async_context(self._started(batch.operation))
        assert self._service is not None, "it was started"
        return await call(self._session, self._service.url, batch, callers)

    @asynccontextmanager
    async def _started(self, operation: Operation) -> AsyncIterator[None]:
        with tempfile.TemporaryFile() as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "benchmarks.afternoon"),
                *("--pack", str(self._pack), "--operation", operation),
                *("--processes", str(self._processes), "--max-faces", str(self._max_faces)),
                env=self._environ,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C in a terminal is for the parent, which ends it
            )
            try:
                port = await _port_said_by(process)
                if port is None:
                    log.seek(0)
                    raise BenchmarkFailed(
                        f"the afternoon's service does not start: {log.read().decode()[-2000:]}"
                    )
                self._service = _Service(operation, f"http://127.0.0.1:{port}/", process)
                yield
            finally:
                self._service = None
                await _stop(process)


async def _port_said_by(process: asyncio.subprocess.Process) -> int | None:
    assert process.stdout is not None
    async with asyncio.timeout(_START_TIMEOUT_S):
        line = await process.stdout.readline()
    return int(line) if line else None


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGINT)  # as asyncio.run takes it: the pool is ended too
    try:
        async with asyncio.timeout(_STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
