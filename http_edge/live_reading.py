"""The thread that reads all results as they flow by, for those who follow them live."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from confluent_kafka import Consumer, Message

from http_edge.consuming import POLL_S, ConsumerThread, end_of, is_event, partitions_of
from http_edge.live_results import LiveView
from schemas.http import LiveResult
from schemas.topics import OPERATIONS
from stream.io.kafka import KafkaSettings

_BATCH = 500
#: of what came since the last time so many are looked at; people see no more
_LOOKED_AT = 20
_PACE_S = 0.25
#: however much comes, others are told of it after so many batches
_MOST_BATCHES = 20
#: librdkafka would fetch 64 MiB ahead
_FETCHED_AHEAD_KIB = 16 * 1024


@dataclass(frozen=True, slots=True)
class Flow:
    """What came since the last one. `passed_over`: how many results were not looked at."""

    results: tuple[LiveResult, ...]
    passed_over: int = 0


class ResultReader(ConsumerThread):
    """Calls back in the event loop that started it: `on_following` with whether the topics are
    read, `on_flow` with what came on them.
    """

    what = "results"

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        on_following: Callable[[bool], None],
        on_flow: Callable[[Flow], None],
    ) -> None:
        super().__init__(settings)
        self._on_following = on_following
        self._on_flow = on_flow
        self._view = LiveView()

    def _more_config(self) -> dict[str, object]:
        return {"queued.max.messages.kbytes": _FETCHED_AHEAD_KIB}

    def _begin(self, consumer: Consumer) -> None:
        topics = [self._topics.result(operation) for operation in OPERATIONS]
        consumer.assign(
            [
                end_of(consumer, topic, number)
                for topic in topics
                for number in partitions_of(consumer, topic)
            ]
        )
        self._call(self._on_following, True)

    def _take(self, consumer: Consumer) -> None:
        first = consumer.poll(POLL_S)
        if first is None:
            return
        came, newest = 0, deque[Message](maxlen=_LOOKED_AT)
        batch = [first]
        for _ in range(_MOST_BATCHES):
            batch += consumer.consume(_BATCH, 0)
            if not batch:
                break
            events = [message for message in batch if is_event(message)]
            came += len(events)
            newest.extend(events)
            batch = []
        seen = [self._view.of(event.value(), event.timestamp()[1]) for event in newest]
        results = tuple(result for result in seen if result is not None)
        self._call(self._on_flow, Flow(results, passed_over=came - len(newest)))
        self._stopping.wait(_PACE_S)

    def _lost(self) -> None:
        self._call(self._on_following, False)
