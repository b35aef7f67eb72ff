"""The stream: real workers, from the first request's publishing to the last result's arrival."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from benchmarks.arrivals import Arrivals
from benchmarks.batches import Batch, Run, mean_by_stage
from schemas import wire
from schemas.requests import ImageRef, Request
from schemas.results import Result
from stream.io.producer import Producer
from stream.settings import WorkerSettings
from stream.supervisor import Supervisor

_SOURCE = "/facestream/bench"


@dataclass(frozen=True, slots=True)
class _Awake:
    arrivals: Arrivals
    producer: Producer
    supervisor: Supervisor


class StreamSide:
    """`async with stream.awake(): await stream.run(batch)`.

    The workers are the supervisor's, as in `facestream up`. Asleep there are none: idle ones would
    go on asking the broker for events, at the other side's cost.
    """

    name = "stream"

    def __init__(
        self, settings: WorkerSettings, environ: Mapping[str, str], partitions: int
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._partitions = partitions
        self._awake: _Awake | None = None

    @asynccontextmanager
    async def awake(self) -> AsyncIterator[None]:
        """Every worker is at work while the block lasts. Raises `WorkersFailed`."""
        async with AsyncExitStack() as stack:
            arrivals = stack.enter_context(Arrivals(self._settings))
            producer = await stack.enter_async_context(
                Producer(self._settings.librdkafka(log_level=0))
            )
            supervisor = await stack.enter_async_context(Supervisor(self._settings, self._environ))
            await supervisor.ready()
            self._awake = _Awake(arrivals, producer, supervisor)
            try:
                yield
            finally:
                self._awake = None

    @property
    def pids(self) -> list[int]:
        """Of the workers; none asleep, another after a death."""
        return [] if self._awake is None else self._awake.supervisor.pids

    async def run(self, batch: Batch) -> Run:
        """Raises `BenchmarkFailed` when results stay away for as long as a worker may hang."""
        awake = self._awake
        assert awake is not None, "asleep"
        ids = [f"{uuid.uuid4()}-{number}" for number in range(len(batch.paths))]
        values = [
            wire.dumps(
                Request(
                    id=request_id,
                    operation=batch.operation,
                    image=ImageRef(uri=path.as_uri()),
                    max_faces=batch.max_faces,
                )
            )
            for request_id, path in zip(ids, batch.paths, strict=True)
        ]
        arrival = awake.arrivals.expect(request_id.encode() for request_id in ids)
        started_at = time.perf_counter()
        await self._publish(awake.producer, ids, values)
        await arrival.wait(self._settings.worker_timeout)
        results = [
            Result.model_validate_json(arrival.values[request_id.encode()]) for request_id in ids
        ]
        return Run(
            elapsed_s=arrival.last_at - started_at,
            faces=tuple(None if one.status == "failed" else len(one.faces) for one in results),
            stage_ms=mean_by_stage([one.timings_ms for one in results]),
            model=results[0].model,
        )

    async def _publish(self, producer: Producer, ids: list[str], values: list[bytes]) -> None:
        """Dealt to the partitions in turn, and confirmed."""
        sent = []
        for number, (request_id, value) in enumerate(zip(ids, values, strict=True)):
            sent.append(
                await producer.enqueue(
                    self._settings.topics.images,
                    value,
                    key=request_id.encode(),
                    headers=wire.request_headers(request_id=request_id, source=_SOURCE),
                    partition=number % self._partitions,
                )
            )
        await asyncio.gather(*sent)
