"""The stream: real workers, from a request's publishing to its result's arrival."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import replace
from pathlib import Path

from benchmarks.arrivals import Arrivals, Arrived, listening
from benchmarks.backlog import lengthened, seconds_of
from benchmarks.batches import Batch, Run
from benchmarks.callers import ask_all
from benchmarks.dealing import dealt
from benchmarks.deployment import Awake, Deployment
from benchmarks.pauses import Pauses
from schemas import wire
from schemas.requests import ImageRef, Request
from schemas.results import Result
from schemas.topics import Operation
from stream.lanes import LaneLimits

_SOURCE = "/facestream/bench"


class StreamSide:
    """`async with stream.home.awake(): await stream.run(batch, callers)`."""

    name = "stream"

    def __init__(self, deployment: Deployment, pauses: Pauses | None = None) -> None:
        """pauses: that may come while a batch is computed that was published at once."""
        self.home = deployment
        self._pauses = pauses or Pauses()

    @property
    def pids(self) -> list[int]:
        """Of the workers; none asleep, another after a death."""
        return [] if self.home.up is None else self.home.up.supervisor.pids

    async def run(self, batch: Batch, callers: int | None) -> Run:
        """With so many requests in flight; None: all are published at once, amid a backlog.

        Raises `BenchmarkFailed` when results stay away for as long as a worker may hang.
        """
        up = self.home.up
        assert up is not None, "asleep"
        settings, operation = self.home.settings, batch.operation
        async with listening(settings, operation, at_leisure=callers is None) as arrivals:
            if callers is None:
                return await self._all_at_once(up, arrivals, batch)
            workers, sizes = len(self.pids), [path.stat().st_size for path in batch.paths]
            partitions = iter(dealt(sizes, self.home.partitions, workers))
            answered = await ask_all(
                batch.paths,
                callers,
                lambda path: self._ask(up, arrivals, batch, path, next(partitions)),
            )
        return _run(answered.elapsed_s, answered.answers, answered.waits_ms)

    async def flood(self, batch: Batch, in_flight: int, ended: asyncio.Event) -> int:
        """Keep so many of the bulk lane in flight until it shall end; wait for those then.

        Returns how many came before.
        """
        up = self.home.up
        assert up is not None, "asleep"
        came = 0

        async def publish_and_wait(arrivals: Arrivals, first: int) -> None:
            nonlocal came
            number = first
            while not ended.is_set():
                path = batch.paths[number % len(batch.paths)]
                await self._ask(up, arrivals, batch, path, number % self.home.partitions)
                came += not ended.is_set()
                number += in_flight

        async with listening(self.home.settings, batch.operation, at_leisure=False) as arrivals:
            await asyncio.gather(*(publish_and_wait(arrivals, each) for each in range(in_flight)))
        return came

    async def _ask(
        self, up: Awake, arrivals: Arrivals, batch: Batch, path: Path, partition: int
    ) -> Arrived:
        key = str(uuid.uuid4())
        arrival = arrivals.expect([key.encode()])
        sent = await self._publish(up, key, _request(key, batch, path), partition)
        await arrival.wait(self.home.settings.worker_timeout)
        await sent
        return arrival.came[key.encode()]

    async def _all_at_once(self, up: Awake, arrivals: Arrivals, batch: Batch) -> Run:
        images, workers = len(batch.paths), len(self.pids)
        held = self.home.partitions * LaneLimits().waiting_full
        keys = {number: str(uuid.uuid4()) for number in lengthened(images, workers, held)}
        values = [
            _request(key, batch, batch.paths[number % images]) for number, key in keys.items()
        ]
        sizes = [path.stat().st_size for path in batch.paths]
        partitions = dealt(sizes, self.home.partitions, workers)
        arrival = arrivals.expect(key.encode() for key in keys.values())
        began_at = time.perf_counter()
        sent = [
            await self._publish(up, key, value, partitions[number % images])
            for (number, key), value in zip(keys.items(), values, strict=True)
        ]
        await asyncio.gather(*sent)
        await arrival.wait(self.home.settings.worker_timeout)
        ran_s = self._pauses.ran_s
        all_sent_s = [ran_s(one.sent_at) - ran_s(began_at) for one in arrival.came.values()]
        came = tuple(arrival.came[keys[number].encode()] for number in range(images))
        waits_ms = tuple((one.at - began_at) * 1000 for one in came)
        run = _run(seconds_of(images, all_sent_s), came, waits_ms)
        return replace(run, copies=len(keys) - images)

    async def _publish(
        self, up: Awake, key: str, value: bytes, partition: int
    ) -> asyncio.Future[None]:
        return await up.producer.enqueue(
            self.home.settings.topics.images,
            value,
            key=key.encode(),
            headers=wire.request_headers(request_id=key, source=_SOURCE),
            partition=partition,
        )


def _request(key: str, batch: Batch, path: Path) -> bytes:
    image = ImageRef(uri=path.as_uri())
    operation: Operation = batch.operation
    return wire.dumps(Request(id=key, operation=operation, image=image, max_faces=batch.max_faces))


def _run(elapsed_s: float, came: tuple[Arrived, ...], waits_ms: tuple[float, ...]) -> Run:
    results = [Result.model_validate_json(one.value) for one in came]
    return Run(
        elapsed_s=elapsed_s,
        faces=tuple(None if one.status == "failed" else len(one.faces) for one in results),
        waits_ms=waits_ms,
        stages_ms=tuple(
            {**result.timings_ms, "publish": one.under_way_ms}
            for result, one in zip(results, came, strict=True)
        ),
        model=results[0].model,
    )
