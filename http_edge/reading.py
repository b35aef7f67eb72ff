"""The thread that reads an edge's reply partition, and the workers' words, without a group.

Which partition of the replies is drawn at random: that needs nobody's consent, spreads the edges
over the brokers, and an edge that is started again need not wait until its forerunner counts as
gone. Two edges may draw the same; each then passes over the other's replies.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import orjson
from confluent_kafka import Consumer, Message

from http_edge.consuming import POLL_S, ConsumerThread, end_of, is_event, partitions_of
from schemas import wire
from stream.io.kafka import EMBEDDED_EAGER_FETCH_WAIT_MS, KafkaSettings

log = logging.getLogger(__name__)

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


class Reader(ConsumerThread):
    """Calls back in the event loop that started it: `on_place` when it is positioned (`None` when
    it no longer is), `on_records` with what came, `on_broker` with whether a broker is connected.
    """

    what = "replies"
    embedded_wait_ms = EMBEDDED_EAGER_FETCH_WAIT_MS

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        on_place: Callable[[Place | None], None],
        on_records: Callable[[list[Record]], None],
        on_broker: Callable[[bool], None],
    ) -> None:
        super().__init__(settings)
        self._on_place = on_place
        self._on_records = on_records
        self._on_broker = on_broker

    def _more_config(self) -> dict[str, object]:
        return {"statistics.interval.ms": _STATISTICS_MS, "stats_cb": self._on_statistics}

    def _begin(self, consumer: Consumer) -> None:
        replies, words = self._topics.replies, self._topics.workers
        requests = partitions_of(consumer, self._topics.requests)
        mine = random.choice(partitions_of(consumer, replies))  # noqa: S311 - it spreads, and hides nothing
        places = [end_of(consumer, replies, mine)]
        places += [end_of(consumer, words, number) for number in partitions_of(consumer, words)]
        consumer.assign(places)
        log.info("replies are read from %s, partition %d", replies, mine)
        self._call(self._on_broker, True)
        self._call(self._on_place, Place(mine, len(requests)))

    def _take(self, consumer: Consumer) -> None:
        """What has come, in one call to the loop. `consume` alone would wait for a full batch."""
        first = consumer.poll(POLL_S)
        if first is None:
            return
        messages = [first, *consumer.consume(_BATCH - 1, 0)]
        records = [_record(message) for message in messages if is_event(message)]
        if records:
            self._call(self._on_records, records)

    def _lost(self) -> None:
        self._call(self._on_place, None)

    def _on_statistics(self, statistics: str) -> None:
        brokers = orjson.loads(statistics).get("brokers", {}).values()
        self._call(self._on_broker, any(broker["state"] == "UP" for broker in brokers))


def _record(message: Message) -> Record:
    headers = cast("list[tuple[str, bytes | None]]", message.headers() or [])
    return Record(
        topic=message.topic() or "",
        value=message.value(),
        correlation_id=dict(headers).get(wire.CORRELATION_ID),
    )
