"""Edges and workers on Apache Kafka, over HTTP: everybody gets the answer to its own image."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cli.edge_process import EdgeProcess
from tests.apache_kafka import ApacheKafka
from tests.brokers import Broker, on_kafka
from tests.rig import Rig

_KEY = "a-key-of-this-test"
_IMAGES = 50
#: tiny graphs whose embeddings depend on the pixels: what is shown is who gets which answer
_ENVIRON = {"MODEL_PACK": "synthetic", "DET_SIZE": "128"}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    embedding: NDArray[np.float64] | None
    at: float


@dataclass(slots=True)
class Callers:
    """So many at once, each with one request after another, each with another image."""

    images: Sequence[bytes]
    urls: Sequence[str]
    answers: list[tuple[int, Answer]] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)

    async def call(self, callers: int, requests: int, *, again: Sequence[int] = ()) -> None:
        """Who is answered with a status of `again` comes again; then who finds no edge, too."""
        numbers = iter(range(requests))

        async def caller(session: aiohttp.ClientSession, own: int) -> None:
            for number in numbers:
                which = number % len(self.images)
                url = self.urls[own % len(self.urls)]
                answer = await self._until_answered(session, url, which, again)
                self.answers.append((which, answer))

        async with aiohttp.ClientSession() as session:
            await asyncio.gather(*(caller(session, own) for own in range(callers)))

    async def _until_answered(
        self, session: aiohttp.ClientSession, url: str, which: int, again: Sequence[int]
    ) -> Answer:
        while True:
            try:
                answer = await ask(session, url, self.images[which])
            except aiohttp.ClientError as error:
                if not again:
                    raise
                self.failed[type(error).__name__] += 1
            else:
                if answer.status not in again:
                    return answer
                self.failed[str(answer.status)] += 1
            await asyncio.sleep(0.1)

    def crossed(self, expected: Sequence[NDArray[np.float64]]) -> int:
        """Answers that are not to the image that was sent."""
        return sum(
            answer.embedding is None
            or not np.allclose(answer.embedding, expected[which], atol=1e-4)
            for which, answer in self.answers
        )


async def ask(
    session: aiohttp.ClientSession, url: str, image: bytes, *, timeout_s: float = 60
) -> Answer:
    headers = {"Authorization": f"Bearer {_KEY}", "Content-Type": "image/png"}
    async with session.post(
        f"{url}/api/v1/extract-embedding",
        data=image,
        headers=headers,
        timeout=aiohttp.ClientTimeout(timeout_s),
    ) as response:
        body = await response.json()
    embedding = np.array(body["embedding"]) if response.status == 200 else None
    return Answer(response.status, embedding, time.monotonic())


@asynccontextmanager
async def edge_on(broker: Broker, **environ: str) -> AsyncIterator[EdgeProcess]:
    settings = {
        **os.environ,
        **broker.environment,
        "API_KEY": _KEY,
        "HOST": "127.0.0.1",
        "PORT": str(_free_port()),
        **environ,
    }
    async with EdgeProcess(settings, longest_answer_s=5) as edge:
        await edge.ready()
        yield edge


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture(scope="module")
def images() -> list[bytes]:
    random = np.random.default_rng(4)
    return [
        bytes(cv2.imencode(".png", random.integers(0, 255, (48, 48, 3), dtype=np.uint8))[1])
        for _ in range(_IMAGES)
    ]


async def expected_of(images: Sequence[bytes], url: str) -> list[NDArray[np.float64]]:
    """Each image's embedding, asked for one at a time, when no answer can go astray."""
    callers = Callers(images, [url])
    await callers.call(1, len(images))
    embeddings = [answer.embedding for _, answer in callers.answers]
    found = [embedding for embedding in embeddings if embedding is not None]
    assert len(found) == len(images)
    for number, embedding in enumerate(found):
        others = [other for index, other in enumerate(found) if index != number]
        assert not any(np.allclose(embedding, other, atol=1e-3) for other in others)
    return found


@pytest.mark.timeout(240)
async def test_two_edges_three_workers_and_16_callers_lose_and_cross_nothing_in_2000_requests(
    apache_kafka: ApacheKafka, images: list[bytes]
) -> None:
    async with AsyncExitStack() as stack:
        broker = stack.enter_context(on_kafka(apache_kafka))
        await stack.enter_async_context(Rig(broker, workers=3, environ=_ENVIRON))
        edges = [await stack.enter_async_context(edge_on(broker)) for _ in range(2)]
        urls = [edge.url for edge in edges if edge.url is not None]
        expected = await expected_of(images, urls[0])
        callers = Callers(images, urls)
        await callers.call(16, 2000)

    assert Counter(answer.status for _, answer in callers.answers) == {200: 2000}
    assert callers.crossed(expected) == 0


@pytest.mark.timeout(240)
async def test_an_edge_that_is_killed_is_back_within_seconds_and_nobody_gets_a_strangers_answer(
    apache_kafka: ApacheKafka, images: list[bytes]
) -> None:
    async with AsyncExitStack() as stack:
        broker = stack.enter_context(on_kafka(apache_kafka))
        await stack.enter_async_context(Rig(broker, environ=_ENVIRON))
        edge = await stack.enter_async_context(edge_on(broker))
        assert edge.url is not None
        expected = await expected_of(images, edge.url)
        callers = Callers(images, [edge.url])
        calling = asyncio.create_task(callers.call(16, 1000, again=(503,)))
        while len(callers.answers) < 300:  # noqa: ASYNC110 - the callers are other tasks
            await asyncio.sleep(0.01)
        assert edge.pid is not None
        os.kill(edge.pid, signal.SIGKILL)
        killed_at = time.monotonic()
        await calling

    assert callers.failed, "nobody noticed"
    assert Counter(answer.status for _, answer in callers.answers) == {200: 1000}
    assert callers.crossed(expected) == 0
    back_at = min(answer.at for _, answer in callers.answers if answer.at > killed_at + 0.5)
    assert back_at - killed_at < 10


@pytest.mark.timeout(180)
async def test_frozen_workers_are_504_while_they_are_heard_and_503_afterwards(
    apache_kafka: ApacheKafka, images: list[bytes]
) -> None:
    async with AsyncExitStack() as stack:
        broker = stack.enter_context(on_kafka(apache_kafka))
        rig = await stack.enter_async_context(Rig(broker, workers=1, environ=_ENVIRON))
        edge = await stack.enter_async_context(edge_on(broker, REQUEST_TIMEOUT_S="1.5"))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        url = edge.url
        assert url is not None
        assert (await ask(session, url, images[0])).status == 200

        (worker,) = rig.supervisor.pids
        os.kill(worker, signal.SIGSTOP)
        try:
            began_at = time.monotonic()
            answers = await asyncio.gather(*(ask(session, url, image) for image in images[:8]))
            assert {answer.status for answer in answers} == {504}
            assert all(1.5 <= answer.at - began_at < 3 for answer in answers)

            await asyncio.sleep(8)  # three heartbeats and a little, from the last one
            began_at = time.monotonic()
            gone = await ask(session, url, images[0])
            assert gone.status == 503
            assert gone.at - began_at < 0.5
        finally:
            os.kill(worker, signal.SIGCONT)

        callers = Callers(images[:1], [url])
        async with asyncio.timeout(60):
            await callers.call(1, 1, again=(503, 504))
        assert [answer.status for _, answer in callers.answers] == [200]
