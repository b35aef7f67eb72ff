"""The afternoon's service, as a process with a pool, asked over HTTP as the edge is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from benchmarks.batches import Batch, Run
from benchmarks.children import started
from benchmarks.http_callers import call
from benchmarks.processes import tree


@dataclass(frozen=True, slots=True)
class _Service:
    url: str
    pid: int
    session: aiohttp.ClientSession


class AfternoonSide:
    """`async with afternoon.awake(): await afternoon.run(batch, callers)`."""

    name = "afternoon"

    def __init__(
        self,
        pack: Path,
        processes: int,
        max_faces: int,
        environ: Mapping[str, str],
        *,
        frugal: bool,
    ) -> None:
        self.home = self
        self._arguments = ["--pack", str(pack), "--processes", str(processes)]
        self._arguments += ["--max-faces", str(max_faces), *(["--frugal"] if frugal else [])]
        self._environ = environ
        self._service: _Service | None = None

    @asynccontextmanager
    async def awake(self) -> AsyncIterator[None]:
        """Raises `BenchmarkFailed`."""
        async with (
            aiohttp.ClientSession() as session,
            started(
                "benchmarks.afternoon", *self._arguments, environ=self._environ, understood=int
            ) as (pid, port),
        ):
            self._service = _Service(f"http://127.0.0.1:{port}", pid, session)
            try:
                yield
            finally:
                self._service = None

    @property
    def pids(self) -> list[int]:
        """Of the service and of its pool; none asleep."""
        return [] if self._service is None else tree(self._service.pid)

    async def run(self, batch: Batch, callers: int | None) -> Run:
        """Raises `BenchmarkFailed`."""
        assert self._service is not None, "asleep"
        assert callers is not None, "it is asked by callers"
        url = f"{self._service.url}/{batch.operation}"
        return await call(self._service.session, url, batch, callers)
