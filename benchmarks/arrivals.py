"""Results as they come: by their key, with the time of each; nothing is parsed meanwhile."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from benchmarks.batches import BenchmarkFailed
from schemas.topics import Operation
from stream.io.kafka import KafkaSettings

_POLL_S = 0.1
_ANSWER_TIMEOUT_S = 10.0
#: a broker answers when it has so much, or when it has waited for so long
_AT_LEISURE = {"fetch.wait.max.ms": 500, "fetch.min.bytes": 1024 * 1024}


class Arrived(NamedTuple):
    """A result's bytes, time.perf_counter() when it was read, and milliseconds since it was sent,
    by the two clocks."""

    value: bytes
    at: float
    under_way_ms: float

    @property
    def sent_at(self) -> float:
        """time.perf_counter() when it was sent, to a millisecond."""
        return self.at - self.under_way_ms / 1000


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
    """Collects what a consumer that has its partitions reads, in a thread, and closes it."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._expected: dict[bytes, Arrival] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._read, name="arrivals", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Blocks."""
        self._stopping.set()
        self._thread.join()

    def expect(self, keys: Iterable[bytes]) -> Arrival:
        """From now on these are collected too."""
        arrival = Arrival(set(keys))
        self._expected.update(dict.fromkeys(arrival.missing, arrival))
        return arrival

    def _read(self) -> None:
        with closing(self._consumer) as consumer:
            while not self._stopping.is_set():
                message = consumer.poll(_POLL_S)
                if message is not None and message.error() is None:
                    self._take(message)

    def _take(self, message: Message) -> None:
        at, sent_ms = time.perf_counter(), message.timestamp()[1]
        key = message.key() or b""
        arrival = self._expected.pop(key, None)
        if arrival is not None:
            under_way_ms = max(0.0, time.time() * 1000 - sent_ms)
            arrival.take(key, Arrived(message.value() or b"", at, under_way_ms))


@asynccontextmanager
async def listening(
    settings: KafkaSettings, operation: Operation, *, at_leisure: bool
) -> AsyncIterator[Arrivals]:
    """Reads what is published of an operation while the block lasts, and nothing else: that would
    cost the cores that are measured.

    `at_leisure`: as who wants many results and not the next one, twice a second at most.
    Raises `KafkaException`.
    """
    more = _AT_LEISURE if at_leisure else {}
    arrivals = Arrivals(await asyncio.to_thread(_at_the_end, settings, operation, more))
    arrivals.start()
    try:
        yield arrivals
    finally:
        await asyncio.to_thread(arrivals.stop)


def _at_the_end(
    settings: KafkaSettings, operation: Operation, more: Mapping[str, object]
) -> Consumer:
    """Of the operation's results; before another thread polls, which would keep the answers."""
    given = {"group.id": f"bench-{uuid.uuid4()}"}  # asked for, and never joined
    quiet = {"enable.auto.commit": False, "log_level": 0}
    consumer = Consumer(settings.librdkafka_consumer(**given, **quiet, **more))
    try:
        topic = settings.topics.result(operation)
        known = consumer.list_topics(timeout=_ANSWER_TIMEOUT_S).topics[topic]
        places = [TopicPartition(topic, one) for one in known.partitions]
        for place in places:
            place.offset = end_of(consumer, place)
        consumer.assign(places)
    except BaseException:
        consumer.close()
        raise
    return consumer


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
