"""An event as it was delivered: our own type, so that Faust's do not travel inward."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

LaneName = Literal["interactive", "bulk"]


class Partition(NamedTuple):
    topic: str
    number: int


class Position(NamedTuple):
    """Where an event stands: what it is known by across deliveries."""

    topic: str
    partition: int
    offset: int


def by_topic(partitions: set[Partition]) -> dict[str, list[int]]:
    """{topic: its partitions, ascending}."""
    grouped: defaultdict[str, list[int]] = defaultdict(list)
    for topic, number in sorted(partitions):
        grouped[topic].append(number)
    return dict(grouped)


@dataclass(frozen=True, slots=True)
class Event:
    """A Kafka record, and how to ack this delivery of it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp_ms: int | None
    lane: LaneName
    ack: Callable[[], None]

    @property
    def source(self) -> Partition:
        return Partition(self.topic, self.partition)

    @property
    def position(self) -> Position:
        return Position(self.topic, self.partition, self.offset)

    @property
    def size_bytes(self) -> int:
        return len(self.value or b"")
