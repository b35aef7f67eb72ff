"""A worker without models: it says that it is at work, and answers requests as it is told to."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Consumer, TopicPartition

from benchmarks.arrivals import end_of
from schemas import wire
from schemas.requests import Request, parse_request
from schemas.results import Box, Face, ImageInfo, ModelInfo, Result, WorkerStatus
from stream.heartbeat import publish_status
from stream.io.producer import Producer
from tests.brokers import Broker

MODELS = ModelInfo(pack="fake", detector="det@00000000", recognizer="rec@00000000")

#: what becomes of a request; None: it gets no answer
Answer = Callable[[Request], Result | None]


def one_face(request: Request) -> Result:
    """A face with an embedding of ones."""
    face = Face(
        bbox=Box(1, 2, 30, 40),
        confidence=0.9,
        landmarks_5=None,
        embedding=[1.0] * 512,
        embedding_norm=512**0.5,
    )
    return answer(request, faces=[face])


def answer(request: Request, **changes: Any) -> Result:
    """A result for a request; `no_face` unless `changes` say otherwise."""
    assert request.id is not None
    faces: list[Face] = changes.pop("faces", [])
    result = Result(
        id=wire.result_id(request.id, request.operation, MODELS),
        request_id=request.id,
        operation=request.operation,
        status="ok" if faces else "no_face",
        error=None,
        image=ImageInfo(uri=request.image.uri, sha256=None, width=64, height=64),
        faces=faces,
        model=MODELS,
        timings_ms={},
    )
    return result.model_copy(update=changes)


class FakeWorker:
    """`async with FakeWorker(broker, answer):` holds every partition of the interactive lane, or
    those of `share`.

    `requests` are those that came, with their headers; `partitions`, where they lay. Where `answer`
    is None it is heard, and reads nothing.
    """

    def __init__(
        self,
        broker: Broker,
        answer: Answer | None = one_face,
        *,
        heartbeat_interval_s: float = 0.2,
        share: Sequence[int] | None = None,
    ) -> None:
        self.requests: list[tuple[Request, wire.RequestHeaders]] = []
        self.partitions: list[int] = []
        self._share = [*range(broker.partitions)] if share is None else [*share]
        self._broker = broker
        self._answer = answer
        self._interval_s = heartbeat_interval_s
        self._id = f"fake-{uuid.uuid4().hex[:8]}"
        self._producer = Producer(broker.kafka_settings.librdkafka())
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        await self._producer.__aenter__()
        if self._answer is not None:
            consumer = await asyncio.to_thread(self._consumer)
            reading = (consumer, self._answer)
            self._thread = threading.Thread(target=self._read, args=reading, daemon=True)
            self._thread.start()
        self._keep(self._say())
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._producer.__aexit__(None, None, None)

    def _consumer(self) -> Consumer:
        topic = self._broker.topics.requests
        consumer = Consumer(
            self._broker.kafka_settings.librdkafka_consumer(
                **{"group.id": self._id, "enable.auto.commit": False, "fetch.wait.max.ms": 10}
            )
        )
        consumer.assign(
            [
                TopicPartition(topic, number, end_of(consumer, TopicPartition(topic, number)))
                for number in self._share
            ]
        )
        return consumer

    def _read(self, consumer: Consumer, answer: Answer) -> None:
        while not self._stopping.is_set():
            message = consumer.poll(0.05)
            if message is None or message.error() is not None:
                continue
            headers: Any = message.headers() or []
            came = (parse_request(message.value()), wire.parse_headers(headers))
            self.requests.append(came)
            self.partitions.append(message.partition() or 0)
            self._loop.call_soon_threadsafe(self._keep, self._reply(answer, *came))
        consumer.close()

    def _keep(self, coroutine: Any) -> None:
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reply(self, answer: Answer, request: Request, headers: wire.RequestHeaders) -> None:
        result = answer(request)
        reply = headers.reply
        if result is None or reply is None:
            return
        about = wire.result_headers(
            result_id=result.id,
            operation=result.operation,
            source="/fake",
            traceparent=headers.traceparent,
        )
        await self._producer.send(
            reply.topic,
            wire.dumps(result),
            key=result.request_id.encode(),
            headers=wire.reply_headers(about, reply),
            partition=reply.partition,
        )

    async def _say(self) -> None:
        started_at_ms = round(time.time() * 1000)
        while True:
            status = WorkerStatus(
                id=self._id,
                host="fake",
                pid=None,
                state="running",
                partitions={self._broker.topics.requests: self._share},
                models=MODELS,
                in_flight=0,
                settled=0,
                replies_failed=0,
                progress_at_ms=None,
                at_ms=round(time.time() * 1000),
                started_at_ms=started_at_ms,
            )
            await publish_status(self._producer, self._broker.topics, status)
            await asyncio.sleep(self._interval_s)
