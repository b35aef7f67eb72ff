"""The thread that reads an edge's reply partition, and the workers' words, without a group.

Which partition of the replies is drawn at random: that needs nobody's consent, spreads the edges
over the brokers, and an edge that is started again need not wait until its forerunner counts as
gone. Two edges may draw the same; each then passes over the other's replies.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar, cast

import orjson
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from schemas import wire
from stream.io.kafka import KafkaSettings

Told = TypeVar("Told")

log = logging.getLogger(__name__)

_ANSWER_TIMEOUT_S = 5.0
_PAUSE_S = 1.0
_POLL_S = 0.1
_BATCH = 500
_STATISTICS_MS = 1000


@dataclass(frozen=True, slots=True)
class Place:
    """Where this edge reads its replies, and how many partitions take its requests."""

    reply_partition: int
    request_partitions: int


@dataclass(frozen=True, slots=True)
class Record:
    """What was read, of a reply or of a worker's word."""

    topic: str
    value: bytes | None
    correlation_id: bytes | None


class _NotYet(Exception):
    """The reader cannot be positioned now."""


class Reader:
    """Calls back in the event loop that started it: `on_place` when it is positioned (`None` when
    it no longer is), `on_records` with what came, `on_broker` with whether a broker is connected.

    The offsets of the ends are asked for and then read from: what is published after `on_place`
    is read, whenever the first fetch is made.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        on_place: Callable[[Place | None], None],
        on_records: Callable[[list[Record]], None],
        on_broker: Callable[[bool], None],
    ) -> None:
        self._settings = settings
        self._topics = settings.topics
        self._on_place = on_place
        self._on_records = on_records
        self._on_broker = on_broker
        self._stopping = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="replies", daemon=True)

    def start(self) -> None:
        """Call from the event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def stop(self) -> None:
        """Returns when the thread has ended: at most the time of one request to a broker."""
        self._stopping.set()
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._read()
            except _NotYet as reason:
                log.warning("waiting: %s", reason)
            except Exception:
                # Whatever it was, an edge that no longer reads would let every caller wait.
                log.exception("replies are no longer read; the reader starts anew")
            self._call(self._on_place, None)
            self._stopping.wait(_PAUSE_S)

    def _read(self) -> None:
        consumer = Consumer(self._config())
        try:
            place = self._position(consumer)
            self._call(self._on_broker, True)
            self._call(self._on_place, place)
            while not self._stopping.is_set():
                self._take(consumer)
        finally:
            consumer.close()

    def _config(self) -> dict[str, object]:
        return self._settings.librdkafka_consumer(
            **{
                "group.id": "facestream-edge",  # asked for, and never joined
                "enable.auto.commit": False,
                # a topic that was made anew begins before our place: nothing of it is passed over
                "auto.offset.reset": "earliest",
                "reconnect.backoff.max.ms": 1000,
                "socket.timeout.ms": 10_000,
                "statistics.interval.ms": _STATISTICS_MS,
                "stats_cb": self._on_statistics,
            }
        )

    def _position(self, consumer: Consumer) -> Place:
        """Assign the ends. Raises `_NotYet`."""
        replies, words = self._topics.replies, self._topics.workers
        try:
            requests = self._partitions(consumer, self._topics.requests)
            mine = random.choice(self._partitions(consumer, replies))  # noqa: S311 - it spreads, and hides nothing
            places = [_end(consumer, replies, mine)]
            places += [
                _end(consumer, words, number) for number in self._partitions(consumer, words)
            ]
            consumer.assign(places)
        except KafkaException as error:
            servers = self._settings.kafka_bootstrap_servers
            raise _NotYet(f"Kafka at {servers}: {error.args[0].str()}") from None
        log.info("replies are read from %s, partition %d", replies, mine)
        return Place(mine, len(requests))

    def _partitions(self, consumer: Consumer, topic: str) -> list[int]:
        found = consumer.list_topics(topic, timeout=_ANSWER_TIMEOUT_S).topics[topic]
        if found.error is not None or not found.partitions:
            raise _NotYet(f"there is no topic {topic}; `facestream topics` creates it")
        return sorted(found.partitions)

    def _take(self, consumer: Consumer) -> None:
        """What has come, in one call to the loop. `consume` alone would wait for a full batch."""
        first = consumer.poll(_POLL_S)
        if first is None:
            return
        messages = [first, *consumer.consume(_BATCH - 1, 0)]
        records = [record for record in map(_record, messages) if record is not None]
        if records:
            self._call(self._on_records, records)

    def _on_statistics(self, statistics: str) -> None:
        brokers = orjson.loads(statistics).get("brokers", {}).values()
        self._call(self._on_broker, any(broker["state"] == "UP" for broker in brokers))

    def _call(self, callback: Callable[[Told], None], argument: Told) -> None:
        assert self._loop is not None
        with suppress(RuntimeError):  # the loop was closed under us: nobody is there to be told
            self._loop.call_soon_threadsafe(callback, argument)


def _end(consumer: Consumer, topic: str, partition: int) -> TopicPartition:
    asked = TopicPartition(topic, partition)
    offsets = consumer.get_watermark_offsets(asked, timeout=_ANSWER_TIMEOUT_S)
    if offsets is None:
        raise _NotYet(f"the end of {topic}, partition {partition}, is not told")
    return TopicPartition(topic, partition, offsets[1])


def _record(message: Message) -> Record | None:
    error = message.error()
    if error is not None:
        if error.fatal():
            raise KafkaException(error)
        return None  # librdkafka tries again by itself
    headers = cast("list[tuple[str, bytes | None]]", message.headers() or [])
    return Record(
        topic=message.topic() or "",
        value=message.value(),
        correlation_id=dict(headers).get(wire.CORRELATION_ID),
    )
