"""The afternoon's service, as a process with a pool, asked over HTTP as the edge is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from benchmarks.batches import Batch, Run
from benchmarks.children import started
from benchmarks.http_callers import call
from benchmarks.processes import tree
from schemas.topics import Operation


@dataclass(frozen=True, slots=True)
class _Service:
    operation: Operation
    url: str
    pid: int


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
        return [] if self._service is None else tree(self._service.pid)

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
        given = {
            "--pack": str(self._pack),
            "--operation": operation,
            "--processes": str(self._processes),
            "--max-faces": str(self._max_faces),
        }
        arguments = [word for option in given.items() for word in option]
        async with started(
            "benchmarks.afternoon", *arguments, environ=self._environ, understood=int
        ) as (pid, port):
            self._service = _Service(operation, f"http://127.0.0.1:{port}/", pid)
            try:
                yield
            finally:
                self._service = None
