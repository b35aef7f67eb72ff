"""Every commit of a consumer group, as the broker itself keeps them in `__consumer_offsets`.

Sampling the committed offsets would miss one that goes ahead, or back, and is put right again.
"""

from __future__ import annotations

import struct
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from benchmarks.arrivals import end_of
from stream.event import Partition, Position
from tests.brokers import Broker

_TOPIC = "__consumer_offsets"
_TIMEOUT_S = 10.0
#: versions of a record's key, which say what it is of
_OF_A_COMMIT = (0, 1)
_OF_A_GROUP = 2


@dataclass(frozen=True, slots=True)
class Commit:
    """`offset` is that of the next event, as Kafka counts."""

    partition: Partition
    offset: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class GroupLog:
    """What a group did, in its order."""

    commits: Sequence[Commit]
    generations: Sequence[int]

    def of(self, topic: str) -> GroupLog:
        """The commits of this topic alone."""
        commits = [commit for commit in self.commits if commit.partition.topic == topic]
        return GroupLog(commits, self.generations)

    @property
    def ends(self) -> dict[Partition, int]:
        return {commit.partition: commit.offset for commit in self.commits}

    def steps_back(self) -> list[Commit]:
        """Commits behind an earlier one of their partition: a late one over its successor's."""
        furthest: Counter[Partition] = Counter()
        back = []
        for commit in self.commits:
            if commit.offset < furthest[commit.partition]:
                back.append(commit)
            furthest[commit.partition] = max(furthest[commit.partition], commit.offset)
        return back

    def ahead_of(self, settled_at_ms: Mapping[Position, int]) -> list[Position]:
        """Events that were committed before they had a result: a crash then would have lost them.

        settled_at_ms: when the first result of each event was sent.
        """
        committed: defaultdict[Partition, int] = defaultdict(int)
        ahead = []
        for commit in self.commits:
            topic, number = commit.partition
            for offset in range(committed[commit.partition], commit.offset):
                position = Position(topic, number, offset)
                if settled_at_ms.get(position, commit.at_ms + 1) > commit.at_ms:
                    ahead.append(position)
            committed[commit.partition] = max(committed[commit.partition], commit.offset)
        return ahead


def group_log(broker: Broker) -> GroupLog:
    """Of the group of this test, up to now."""
    commits: list[Commit] = []
    generations: list[int] = []
    for message in _kept(broker):
        key, value = message.key(), message.value()
        assert isinstance(key, bytes)
        if not isinstance(value, bytes):
            continue  # removed with its topic
        (version,) = struct.unpack_from(">h", key)
        group, rest = _text(key, 2)
        if group != broker.group:
            continue
        if version in _OF_A_COMMIT:
            topic, end = _text(key, rest)
            (number,) = struct.unpack_from(">i", key, end)
            (offset,) = struct.unpack_from(">q", value, 2)
            commits.append(Commit(Partition(topic, number), offset, message.timestamp()[1]))
        elif version == _OF_A_GROUP:
            _, end = _text(value, 2)
            (generation,) = struct.unpack_from(">i", value, end)
            if not generations or generations[-1] != generation:
                generations.append(generation)
    return GroupLog(commits, generations)


def _kept(broker: Broker) -> Iterator[Message]:
    consumer = Consumer(
        broker.kafka_settings.librdkafka_consumer(
            **{"group.id": f"{broker.group}-log", "enable.auto.commit": False, "log_level": 0}
        )
    )
    try:
        end = end_of(consumer, TopicPartition(_TOPIC, 0))
        consumer.assign([TopicPartition(_TOPIC, 0, OFFSET_BEGINNING)])
        position = 0
        while position < end:
            message = consumer.poll(_TIMEOUT_S)
            assert message is not None, f"{_TOPIC} is not read to its end"
            if message.error() is None:
                position = (message.offset() or 0) + 1
                yield message
    finally:
        consumer.close()


def _text(data: bytes, at: int) -> tuple[str, int]:
    """Kafka's string at a place, and where it ends."""
    (length,) = struct.unpack_from(">h", data, at)
    end = at + 2 + max(length, 0)
    return data[at + 2 : end].decode(), end
