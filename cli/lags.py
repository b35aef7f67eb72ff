"""How far the workers' group is behind: offsets of the lanes, asked without holding anything up."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # they lack an `__all__`
    AdminClient,
    OffsetSpec,
)

from cli.top_figures import LaneFigures
from cli.windows import Growth
from stream.event import Partition

_ANSWER_TIMEOUT_S = 5.0
_ENDS = (OffsetSpec.earliest(), OffsetSpec.latest())  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Offsets:
    """A partition: its first offset, the one of its next event, and what the group committed."""

    low: int
    high: int
    committed: int | None = None

    @property
    def done(self) -> int:
        """The group's place. One that committed nothing begins at the oldest event."""
        return self.low if self.committed is None else max(self.low, self.committed)

    @property
    def lag(self) -> int:
        """Events that are not committed, of those that are still there."""
        return max(0, self.high - self.done)


class LaneProgress:
    """One lane's lag, and how fast it comes and goes."""

    def __init__(self, window_s: float) -> None:
        self._published = Growth(window_s)
        self._done = Growth(window_s)
        self._lag: int | None = None

    def read(self, partitions: Iterable[Offsets], at: float) -> None:
        """All partitions of the lane at one moment."""
        offsets = tuple(partitions)
        self._lag = sum(partition.lag for partition in offsets)
        self._published.read(sum(partition.high for partition in offsets), at)
        self._done.read(sum(partition.done for partition in offsets), at)

    @property
    def figures(self) -> LaneFigures:
        return LaneFigures(self._lag, self._published.per_second, self._done.per_second)


class OffsetQuestion:
    """Asked in one go, without waiting; answered, or given up, within 5 s."""

    def __init__(
        self, admin: AdminClient, partitions: Iterable[Partition], group: str | None = None
    ) -> None:
        """group: whose commits are asked for too; `None`: nobody's."""
        self.asked_at = time.monotonic()
        places = [TopicPartition(*partition) for partition in partitions]
        self._ends = [
            admin.list_offsets(dict.fromkeys(places, spec), request_timeout=_ANSWER_TIMEOUT_S)
            for spec in _ENDS
        ]
        self._group: Future[Any] | None = None
        if group is not None:
            [self._group] = admin.list_consumer_group_offsets(
                [ConsumerGroupTopicPartitions(group, places)], request_timeout=_ANSWER_TIMEOUT_S
            ).values()

    @property
    def answered(self) -> bool:
        futures = [future for ends in self._ends for future in ends.values()]
        return all(future.done() for future in (*futures, *filter(None, [self._group])))

    def answer(self) -> Mapping[Partition, Offsets]:
        """Once it is `answered`. Raises `KafkaException`."""
        lows, highs = (_by_partition(ends) for ends in self._ends)
        committed: dict[Partition, int] = {}
        if self._group is not None:
            for place in self._group.result().topic_partitions or ():
                if place.error is not None:
                    raise KafkaException(place.error)
                if place.offset >= 0:
                    committed[Partition(place.topic, place.partition)] = place.offset
        return {
            partition: Offsets(low, highs[partition], committed.get(partition))
            for partition, low in lows.items()
        }


def _by_partition(futures: Mapping[TopicPartition, Future[Any]]) -> dict[Partition, int]:
    return {
        Partition(place.topic, place.partition): future.result().offset
        for place, future in futures.items()
    }
