"""500 idle and 64 slow connections beside 16 callers: every caller is answered, every time."""

from __future__ import annotations

import asyncio
import itertools
import logging
import statistics
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import aiohttp
import pytest

from tests.brokers import Broker
from tests.edge_fake import PNG
from tests.fake_worker import FakeWorker
from tests.running_edge import RunningEdge, running_edge

log = logging.getLogger(__name__)

_KEY = "a-key-of-this-test"
_IDLE, _SLOW, _CALLERS, _REQUESTS = 500, 64, 16, 40
_HEAD = (
    "POST /api/v1/verify-face HTTP/1.1\r\nHost: h\r\n"
    f"Authorization: Bearer {_KEY}\r\nContent-Type: image/png\r\n"
)


class Disturbance:
    """Connections that say nothing, and ones that say a byte a second: so many of a body, the
    others of a head. Who is sent away comes again at once.
    """

    def __init__(self, edge: RunningEdge, bodies: int) -> None:
        self._address = edge.address
        self._bodies = bodies
        self._tasks: list[asyncio.Task[None]] = []
        self.open = 0

    async def __aenter__(self) -> Self:
        body = f"{_HEAD}Content-Length: 100000\r\n\r\n".encode() + PNG[:8]
        for number in range(_SLOW):
            begin = body if number < self._bodies else b"POST /"
            self._keep(begin, itertools.repeat(b"x"))
        for _ in range(_IDLE):
            self._keep(b"", iter(()))
        async with asyncio.timeout(20):
            while self.open < _IDLE + _SLOW:  # noqa: ASYNC110 - they open one by one
                await asyncio.sleep(0.01)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _keep(self, begin: bytes, rest: Iterator[bytes]) -> None:
        self._tasks.append(asyncio.create_task(self._hold(begin, rest)))

    async def _hold(self, begin: bytes, rest: Iterator[bytes]) -> None:
        while True:
            reader, writer = await asyncio.open_connection(*self._address)
            try:
                writer.write(begin)
                self.open += 1
                with suppress(ConnectionError):
                    await self._until_sent_away(reader, writer, rest)
            finally:
                self.open -= 1
                writer.transport.abort()

    async def _until_sent_away(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rest: Iterator[bytes]
    ) -> None:
        answer = asyncio.create_task(reader.read(1))
        try:
            for byte in rest:
                await asyncio.wait({answer}, timeout=1)
                if answer.done():
                    return
                writer.write(byte)
            await answer
        finally:
            answer.cancel()


async def _call(edge: RunningEdge) -> tuple[list[int], list[float]]:
    """Statuses and seconds of every answer."""
    statuses: list[int] = []
    seconds: list[float] = []
    headers = {"Authorization": f"Bearer {_KEY}", "Content-Type": "image/png"}

    async def caller(session: aiohttp.ClientSession) -> None:
        for _ in range(_REQUESTS):
            began_at = time.monotonic()
            async with session.post(
                f"{edge.url}/api/v1/verify-face", data=PNG, headers=headers
            ) as response:
                await response.read()
            statuses.append(response.status)
            seconds.append(time.monotonic() - began_at)

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(caller(session) for _ in range(_CALLERS)))
    return statuses, seconds


def _of(seconds: list[float]) -> tuple[float, float]:
    """Median and 95th percentile."""
    return statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1]


@pytest.mark.parametrize("bodies", [_SLOW // 2, _SLOW])
async def test_idle_and_slow_connections_leave_every_caller_its_answer(
    embedded_broker: Broker, tmp_path: Path, bodies: int
) -> None:
    """How much later they come is logged at INFO."""
    async with FakeWorker(embedded_broker), running_edge(embedded_broker, tmp_path, _KEY) as edge:
        await _call(edge)
        alone, alone_s = await _call(edge)
        async with Disturbance(edge, bodies) as disturbance:
            beside, beside_s = await _call(edge)
            assert disturbance.open == _IDLE + _SLOW
        after, _ = await _call(edge)
    for statuses in (alone, beside, after):
        assert statuses == [200] * _CALLERS * _REQUESTS
    (median, p95), (median_alone, p95_alone) = _of(beside_s), _of(alone_s)
    log.info("latency: x%.2f at the median, x%.2f at p95", median / median_alone, p95 / p95_alone)
