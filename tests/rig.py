"""Workers on a broker, somebody who publishes, and everything that came out of it."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import orjson
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from schemas import wire
from schemas.results import Result, WorkerStatus
from schemas.topics import OPERATIONS
from stream.io.producer import Producer
from stream.settings import WorkerSettings
from stream.supervisor import Supervisor
from tests.brokers import Broker


@dataclass(frozen=True, slots=True)
class Record:
    """What somebody reads from an output topic, and when."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes
    headers: dict[str, bytes]
    sent_at_ms: int
    arrived_at: float

    @property
    def result(self) -> Result:
        return Result.model_validate_json(self.value)


class Outputs:
    """Reads every output topic from its beginning, in a thread, while the `with` block lasts."""

    def __init__(self, broker: Broker) -> None:
        self.records: list[Record] = []
        self._topics = broker.topics
        self._consumer = Consumer(
            broker.kafka_settings.librdkafka_consumer(
                **{
                    "group.id": f"{broker.group}-outputs",
                    "enable.auto.commit": False,
                    "fetch.wait.max.ms": 10,
                    # what is told of an outage's end is the workers' time, not the reader's
                    "reconnect.backoff.max.ms": 200,
                    "log_level": 0,
                }
            )
        )
        names = [*(self._topics.result(operation) for operation in OPERATIONS)]
        names += [self._topics.rejected, self._topics.replies, self._topics.workers]
        known = self._consumer.list_topics(timeout=10).topics
        self._consumer.assign(
            [
                TopicPartition(name, number, OFFSET_BEGINNING)
                for name in names
                for number in known[name].partitions
            ]
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._consumer.close()

    def _read(self) -> None:
        while not self._stopping.is_set():
            message = self._consumer.poll(0.05)
            if message is None or message.error() is not None:
                continue
            headers: Any = message.headers() or []
            self.records.append(
                Record(
                    topic=message.topic() or "",
                    partition=message.partition() or 0,
                    key=message.key(),
                    value=message.value() or b"",
                    headers={name: _bytes(value or b"") for name, value in headers},
                    sent_at_ms=message.timestamp()[1],
                    arrived_at=time.monotonic(),
                )
            )

    def on(self, topic: str) -> list[Record]:
        return [record for record in list(self.records) if record.topic == topic]

    @property
    def results(self) -> list[Record]:
        """Of all operations, as they came, duplicates included."""
        topics = {self._topics.result(operation) for operation in OPERATIONS}
        return [record for record in list(self.records) if record.topic in topics]

    @property
    def rejected(self) -> list[Record]:
        return self.on(self._topics.rejected)

    @property
    def replies(self) -> list[Record]:
        return self.on(self._topics.replies)

    def statuses(self) -> dict[str, WorkerStatus]:
        """The last word of each worker, by its id."""
        records = self.on(self._topics.workers)
        words = (WorkerStatus.model_validate_json(record.value) for record in records)
        return {status.id: status for status in words}

    def by_request(self) -> dict[str, Result]:
        return {record.result.request_id: record.result for record in self.results}

    async def until(self, condition: Callable[[], bool], timeout_s: float, what: str) -> None:
        """Wait for the thing itself. Raises AssertionError that says what did not come."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"after {timeout_s:g} s still not: {what}"
            await asyncio.sleep(0.02)

    async def settled(self, request_ids: Iterable[str], timeout_s: float) -> dict[str, Result]:
        """The results by request id, once every one of these has its own."""
        wanted = set(request_ids)
        seen: set[str] = set()
        position = 0

        def all_seen() -> bool:
            nonlocal position
            records = self.results
            seen.update(_request_id(record) for record in records[position:])
            position = len(records)
            return wanted <= seen

        await self.until(all_seen, timeout_s, f"all of {len(wanted)} results")
        return self.by_request()


class Rig:
    """`async with Rig(broker, …) as rig:` two real workers, a producer and the outputs."""

    def __init__(
        self,
        broker: Broker,
        *,
        workers: int = 2,
        environ: Mapping[str, str] | None = None,
        log: IO[bytes] | None = None,
    ) -> None:
        """log: what the workers write, else standard error."""
        self.broker = broker
        self.topics = broker.topics
        self.environ = {
            **{name: value for name, value in os.environ.items() if name != "IMAGE_SOURCES"},
            **broker.environment,
            "CONSUMER_GROUP": broker.group,
            "MODEL_PACK": "buffalo_s",
            "MAX_WORKERS": str(workers),
            **(environ or {}),
        }
        self.settings = WorkerSettings.model_validate(
            {
                name.lower(): value
                for name, value in self.environ.items()
                if name.lower() in WorkerSettings.model_fields
            }
        )
        self.supervisor = Supervisor(self.settings, self.environ, log=log)
        self.outputs = Outputs(broker)
        self.producer = Producer(broker.kafka_settings.librdkafka())
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._stack.enter_context(self.outputs)
        await self._stack.enter_async_context(self.producer)
        await self._stack.enter_async_context(self.supervisor)
        await self.supervisor.ready()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def publish(
        self,
        requests: Sequence[Mapping[str, Any] | bytes],
        *,
        topic: str | None = None,
        partition: int | None = None,
        headers: wire.Headers | None = None,
    ) -> None:
        """Publish requests (or raw bytes), spread over the partitions, and have them confirmed."""
        sent = []
        for number, request in enumerate(requests):
            value = request if isinstance(request, bytes) else orjson.dumps(request)
            where = number % self.broker.partitions if partition is None else partition
            sent.append(
                await self.producer.enqueue(
                    topic or self.topics.images,
                    value,
                    key=b"key-%d" % number,
                    headers=headers,
                    partition=where,
                )
            )
        await asyncio.gather(*sent)


def by_reference(path: Path, operation: str = "embed", **more: Any) -> dict[str, Any]:
    """A request for a local file; its id is the file's name."""
    return {"id": path.name, "operation": operation, "image": {"uri": path.as_uri()}, **more}


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _request_id(record: Record) -> str:
    document = orjson.loads(record.value)
    return str(document["request_id"])
