"""Workers, and an edge before them where one is wanted, and who publishes to them and reads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import aiohttp

from stream.forked import WORKER
from stream.io.producer import Producer
from stream.settings import WorkerSettings
from stream.supervisor import Supervisor


class RunningEdge(Protocol):
    """An edge's process that is ready."""

    @property
    def url(self) -> str | None: ...

    @property
    def pid(self) -> int | None: ...


#: the edge's environment → a block in which it runs
StartEdge = Callable[[Mapping[str, str]], AbstractAsyncContextManager[RunningEdge]]


@dataclass(frozen=True, slots=True)
class Awake:
    """What there is while a deployment is up."""

    producer: Producer
    supervisor: Supervisor
    session: aiohttp.ClientSession
    edge: RunningEdge | None

    @property
    def edge_pids(self) -> list[int]:
        return [] if self.edge is None or self.edge.pid is None else [self.edge.pid]


class Deployment:
    """`async with deployment.awake() as up:` every worker is at work, and the edge is ready.

    The workers are the supervisor's, as in `facestream up`. Asleep there are none: idle ones would
    go on asking the broker for events, at the other sides' cost.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        environ: Mapping[str, str],
        partitions: int,
        *,
        start_edge: StartEdge | None = None,
        worker: Sequence[str] = WORKER,
    ) -> None:
        self.settings = settings
        self.environ = environ
        self.partitions = partitions
        self._start_edge = start_edge
        self._worker = worker
        self._awake: Awake | None = None

    @property
    def up(self) -> Awake | None:
        """None asleep."""
        return self._awake

    @asynccontextmanager
    async def awake(self) -> AsyncIterator[Awake]:
        """Raises `WorkersFailed`, and what an edge raises that does not start."""
        async with AsyncExitStack() as stack:
            producer = await stack.enter_async_context(
                Producer(self.settings.librdkafka(log_level=0))
            )
            supervisor = await stack.enter_async_context(
                Supervisor(self.settings, self.environ, worker=self._worker)
            )
            edge = None
            if self._start_edge is not None:
                edge = await stack.enter_async_context(self._start_edge(self.environ))
            await supervisor.ready()
            session = await stack.enter_async_context(aiohttp.ClientSession())
            self._awake = Awake(producer, supervisor, session, edge)
            try:
                yield self._awake
            finally:
                self._awake = None
