"""Reading a topic without a group: from its end as it is now, or from its beginning."""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from stream.io.kafka import KafkaSettings

_ANSWER_TIMEOUT_S = 10.0
_ASK_AGAIN_S = 0.1
#: what a broker says of a partition that is new, or moves
_LEADER_CHANGES = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
)


class TopicMissing(Exception):
    """The topic is not there; the message says what creates it."""

    @classmethod
    def named(cls, topic: str) -> Self:
        return cls(f"there is no topic {topic}: `facestream topics` creates it")


class BrokerAway(Exception):
    """Nothing answers at the address; the message names it."""

    @classmethod
    def at(cls, settings: KafkaSettings, error: KafkaException) -> Self:
        return cls(
            f"no broker answers at {settings.kafka_bootstrap_servers} "
            f"({error.args[0].str()}): `facestream up` starts one, KAFKA_BOOTSTRAP_SERVERS "
            "names another"
        )


@dataclass(frozen=True, slots=True)
class Record:
    """An event as it lies on its topic."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


class Follower:
    """`with Follower(settings, topic) as follower: follower.read(…)`.

    Its place is settled when the block begins: what is published later is read.
    """

    def __init__(
        self, settings: KafkaSettings, topic: str, *, from_beginning: bool = False
    ) -> None:
        self._settings = settings
        self._topic = topic
        self._from_beginning = from_beginning
        self._in_use = threading.Lock()  # a read in another thread ends before the consumer does
        self._closed = False

    def __enter__(self) -> Self:
        """Raises `BrokerAway`, `TopicMissing`, `KafkaException`."""
        self._consumer = without_group(self._settings)
        try:
            partitions = check_topic(self._settings, self._topic, self._consumer)
            self._consumer.assign([self._place(number) for number in partitions])
        except BaseException:
            self._consumer.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._in_use:
            self._closed = True
            self._consumer.close()

    def read(self, most: int, timeout_s: float) -> list[Record]:
        """Up to `most` records; none when nothing came within `timeout_s`."""
        with self._in_use:
            first = None if self._closed else self._consumer.poll(timeout_s)
            if first is None:
                return []
            rest = self._consumer.consume(most - 1, 0) if most > 1 else []
        return [record for record in map(to_record, (first, *rest)) if record is not None]

    def _place(self, partition: int) -> TopicPartition:
        low, high = offsets_of(self._consumer, self._topic, partition)
        return TopicPartition(self._topic, partition, low if self._from_beginning else high)


def without_group(settings: KafkaSettings, **more: Any) -> Consumer:
    """A consumer that is told where to read. `more` has librdkafka's own names."""
    return Consumer(
        settings.librdkafka_consumer(
            **{
                "group.id": f"facestream-reader-{uuid.uuid4()}",  # asked for, and never joined
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",  # where retention was faster than we are
                "log_level": 0,  # what matters is raised
                **more,
            }
        )
    )


def check_topic(
    settings: KafkaSettings, topic: str, client: Consumer | AdminClient | None = None
) -> list[int]:
    """The topic's partitions. Raises `BrokerAway`, `TopicMissing`."""
    client = client or AdminClient(settings.librdkafka(log_level=0))
    try:
        found = client.list_topics(topic, timeout=_ANSWER_TIMEOUT_S).topics[topic]
    except KafkaException as error:
        raise BrokerAway.at(settings, error) from None
    if found.error is not None:
        raise TopicMissing.named(topic)
    return sorted(found.partitions)


def offsets_of(consumer: Consumer, topic: str, partition: int) -> tuple[int, int]:
    """A partition's first offset, and the one that its next event will have.

    Raises `KafkaException`; while the partition's leader changes it asks again.
    """
    asked = TopicPartition(topic, partition)
    give_up_at = time.monotonic() + _ANSWER_TIMEOUT_S
    while True:
        try:
            low, high = consumer.get_watermark_offsets(asked, timeout=_ANSWER_TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].code() not in _LEADER_CHANGES or time.monotonic() > give_up_at:
                raise
            time.sleep(_ASK_AGAIN_S)
        else:
            return low, high


def to_record(message: Message) -> Record | None:
    """`None` for an error that the client gets over by itself. Raises `KafkaException`."""
    error = message.error()
    if error is not None:
        if error.fatal():
            raise KafkaException(error)
        return None  # librdkafka tries again by itself
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None
    assert partition is not None
    assert offset is not None
    headers = cast("list[tuple[str, str | bytes | None]]", message.headers() or [])
    return Record(
        topic=topic,
        partition=partition,
        offset=offset,
        timestamp_ms=message.timestamp()[1],
        key=_bytes(message.key()),
        value=_bytes(message.value()),
        headers=tuple((name, _bytes(value)) for name, value in headers),
    )


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
