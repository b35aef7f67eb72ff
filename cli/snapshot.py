"""A topic as it is now: everything from its beginning to its present end, and then no more."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaError, Message, TopicPartition

from cli.following import BrokerAway, Record, check_topic, offsets_of, to_record, without_group
from stream.io.kafka import KafkaSettings

_READ_AT_ONCE = 100
_SILENCE_S = 10.0


class Snapshot:
    """`with Snapshot(settings, topic) as snapshot: for record in snapshot.read(): …`

    Its end is settled when the block begins; it may be read several times.
    """

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        self._settings = settings
        self._topic = topic
        #: partition → the first offset, and the one behind the last
        self._bounds: dict[int, tuple[int, int]] = {}

    def __enter__(self) -> Self:
        """Raises `BrokerAway`, `TopicMissing`, `KafkaException`."""
        self._consumer = without_group(self._settings, **{"enable.partition.eof": True})
        try:
            for number in check_topic(self._settings, self._topic, self._consumer):
                self._bounds[number] = offsets_of(self._consumer, self._topic, number)
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
        self._consumer.close()

    def read(self, places: Collection[tuple[int, int]] | None = None) -> Iterator[Record]:
        """Partition by partition, each in order. `places`: no more than what lies around these
        (partition, offset). Raises `KafkaException`."""
        for number, (low, high) in sorted(self._narrowed(places).items()):
            if low < high:
                yield from self._read_partition(number, low, high)

    def _read_partition(self, number: int, low: int, high: int) -> Iterator[Record]:
        self._consumer.assign([TopicPartition(self._topic, number, low)])
        while True:
            for message in self._some():
                error = message.error()
                if error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its name
                    return  # what lay before the end was removed meanwhile
                record = to_record(message)
                if record is None:
                    continue
                if record.offset < high:
                    yield record
                if record.offset >= high - 1:
                    return

    def _some(self) -> list[Message]:
        first = self._consumer.poll(_SILENCE_S)
        if first is None:
            raise BrokerAway(
                f"{self._settings.kafka_bootstrap_servers} gave nothing of {self._topic} "
                f"for {_SILENCE_S:g} s"
            )
        return [first, *self._consumer.consume(_READ_AT_ONCE, 0)]

    def _narrowed(self, places: Collection[tuple[int, int]] | None) -> dict[int, tuple[int, int]]:
        if places is None:
            return self._bounds
        narrowed = {}
        for number, (low, high) in self._bounds.items():
            offsets = [offset for partition, offset in places if partition == number]
            if offsets:
                narrowed[number] = max(low, min(offsets)), min(high, max(offsets) + 1)
        return narrowed
