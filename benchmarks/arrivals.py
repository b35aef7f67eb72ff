"""Results as they come: by their key, with the time of each; nothing is parsed meanwhile."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import NamedTuple, Self

from confluent_kafka import Consumer, KafkaException, TopicPartition

from benchmarks.batches import BenchmarkFailed
from schemas.topics import OPERATIONS, Operation
from stream.io.kafka import KafkaSettings

_POLL_S = 0.1
_ANSWER_TIMEOUT_S = 10.0


class Arrived(NamedTuple):
    """A result's bytes, time.perf_counter() when it was read, and milliseconds since it was sent,
    by the two clocks."""

    value: bytes
    at: float
    under_way_ms: float


@dataclass(slots=True)
class Arrival:
    """What is expected, and what of it came: a result has its request's key."""

    missing: set[bytes]
    came: dict[bytes, Arrived] = field(default_factory=dict)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    _complete: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, key: bytes, arrived: Arrived) -> None:
        """From any thread. What is not expected, or came before, changes nothing."""
        if key not in self.missing:
            return
        self.came[key] = arrived
        self.missing.discard(key)
        if not self.missing:
            self._loop.call_soon_threadsafe(self._complete.set)

    async def wait(self, patience_s: float) -> None:
        """Until all came. Raises `BenchmarkFailed` when nothing new comes for `patience_s`."""
        before = -1
        while not self._complete.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._complete.wait(), patience_s)
                return
            if len(self.came) == before:
                raise BenchmarkFailed(
                    f"{len(self.missing)} of {before + len(self.missing)} results are missing, "
                    f"and none came for {patience_s:g} s"
                )
            before = len(self.came)


class Arrivals:
    """Reads the results of one operation at a time, in a thread, while the `with` block lasts.

    The others' partitions would be asked for too, again and again, on the cores that are measured.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._expected: dict[bytes, Arrival] = {}
        self._places: dict[Operation, list[TopicPartition]] = {}
        #: whose results are read
        self._operation: Operation | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Raises `KafkaException`."""
        self._consumer = Consumer(
            self._settings.librdkafka_consumer(
                **{
                    "group.id": f"bench-{uuid.uuid4()}",  # asked for, and never joined
                    "enable.auto.commit": False,
                    "log_level": 0,
                }
            )
        )
        try:
            known = self._consumer.list_topics(timeout=_ANSWER_TIMEOUT_S).topics
        except BaseException:
            self._consumer.close()
            raise
        for operation in OPERATIONS:
            topic = self._settings.topics.result(operation)
            self._places[operation] = [
                TopicPartition(topic, one) for one in known[topic].partitions
            ]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop_reading()
        self._consumer.close()

    def listen(self, operation: Operation) -> None:
        """Read what is published of it from now on, and of no other. Blocks.

        Raises `KafkaException`.
        """
        if operation == self._operation:
            return
        self._stop_reading()  # what is asked while another thread polls, it never answers
        places = self._places[operation]
        for place in places:
            place.offset = end_of(self._consumer, place)
        self._consumer.assign(places)
        self._operation = operation
        self._thread = threading.Thread(target=self._read, name="arrivals", daemon=True)
        self._thread.start()

    def _stop_reading(self) -> None:
        if self._thread is not None:
            self._stopping.set()
            self._thread.join()
            self._stopping.clear()

    def expect(self, keys: Iterable[bytes]) -> Arrival:
        """From now on these are collected too."""
        arrival = Arrival(set(keys))
        self._expected.update(dict.fromkeys(arrival.missing, arrival))
        return arrival

    def _read(self) -> None:
        while not self._stopping.is_set():
            message = self._consumer.poll(_POLL_S)
            if message is None or message.error() is not None:
                continue
            at, sent_ms = time.perf_counter(), message.timestamp()[1]
            arrival = self._expected.pop(message.key() or b"", None)
            if arrival is not None:
                under_way_ms = max(0.0, time.time() * 1000 - sent_ms)
                arrival.take(
                    message.key() or b"", Arrived(message.value() or b"", at, under_way_ms)
                )


def end_of(consumer: Consumer, place: TopicPartition) -> int:
    """The offset after a partition's last record. Raises `KafkaException` after 10 s of trying.

    A topic that was created just now has no leader yet, nor has one of a broker just back.
    """
    deadline = time.monotonic() + _ANSWER_TIMEOUT_S
    while True:
        try:
            return int(consumer.get_watermark_offsets(place, timeout=_ANSWER_TIMEOUT_S)[1])
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL_S)
