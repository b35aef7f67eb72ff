"""What goes on in the stream, from Kafka alone: no group is joined, nothing is written."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from cli.following import BrokerAway, Record, TopicMissing, to_record, without_group
from cli.lags import LaneProgress, OffsetQuestion, Offsets
from cli.top_figures import Figures, LaneFigures, RejectedFigures, WorkerFigures
from cli.top_results import TopResults
from cli.top_workers import TopWorkers
from schemas.topics import OPERATIONS
from schemas.wire import ERROR_PREFIX
from stream.event import LaneName, Partition
from stream.io.kafka import GroupSettings

#: a worker that was not heard for so long has nothing in flight that anybody knows of
SILENT_S = 15.0

_READ_AT_ONCE = 500
_READ_TIMEOUT_S = 0.1
_METADATA_TIMEOUT_S = 0.5
_ASK_EVERY_S = 1.0
#: what the client says when it reaches nobody; the last one, when it finds no partition's leader
_AWAY = (
    KafkaError._TRANSPORT,  # noqa: SLF001 - so they are called
    KafkaError._TIMED_OUT,  # noqa: SLF001
    KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
    KafkaError._NOENT,  # noqa: SLF001
)
_CODE = re.compile(r"[a-z0-9_]{1,40}")
_NO_REASON = "no reason given"


class Observation:
    """`with Observation(settings, window_s) as observation:` and `advance` again and again.

    What comes after `connected` turns true is counted. Until then, and when Kafka goes away,
    `trouble` says why.
    """

    def __init__(self, settings: GroupSettings, window_s: float) -> None:
        self.settings = settings
        self.connected = False
        self.trouble: str | None = None
        self._window_s = window_s
        topics = settings.topics
        self._lanes: dict[str, LaneName] = {topics.images: "bulk", topics.requests: "interactive"}
        self._operations = {topics.result(operation): operation for operation in OPERATIONS}
        self._progress = {lane: LaneProgress(window_s) for lane in self._lanes.values()}
        self._workers = TopWorkers(topics, window_s)
        self._results = TopResults(window_s, time.monotonic())
        self._rejected_on_topic: int | None = None
        self._rejected: Counter[str] = Counter()
        self._asked: tuple[Partition, ...] = ()
        self._opening: OffsetQuestion | None = None
        self._question: OffsetQuestion | None = None
        self._ask_at = 0.0
        self._listening_from: Mapping[Partition, int] = {}

    def __enter__(self) -> Self:
        self._consumer = without_group(self.settings, error_cb=_pass_over)
        self._admin = AdminClient(self.settings.librdkafka(log_level=0, error_cb=_pass_over))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._consumer.close()

    def advance(self, for_s: float) -> None:
        """Take in what comes; returns after about so long."""
        until = time.monotonic() + for_s
        if not self.connected:
            self._connect()
        while self.connected and (left_s := until - time.monotonic()) > 0:
            for message in self._consumer.consume(_READ_AT_ONCE, min(left_s, _READ_TIMEOUT_S)):
                record = to_record(message)
                if record is not None:
                    self._take(record)
            self._ask()
        time.sleep(max(0.0, until - time.monotonic()))

    def figures(self) -> Figures:
        """All that is known now."""
        now = time.monotonic()
        workers = self._workers.figures(now)
        results = self._results if self.connected else None
        return Figures(
            at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            broker=self.settings.kafka_bootstrap_servers,
            topic_prefix=self.settings.topic_prefix,
            consumer_group=self.settings.consumer_group,
            trouble=self.trouble,
            window_s=round(results.covered_s(now), 3) if results else 0.0,
            workers=workers if self.connected else None,
            in_flight=_in_flight(workers),
            images_per_second=results.per_second(now) if results else None,
            lanes={
                lane: LaneFigures() if self.trouble else progress.figures
                for lane, progress in self._progress.items()
            },
            operations=results.operations(now) if results else {},
            stages=results.stages(now) if results else {},
            rejected=RejectedFigures(
                None if self.trouble else self._rejected_on_topic,
                dict(self._rejected.most_common()),
            ),
        )

    def _connect(self) -> None:
        """Settle from where to read. Leaves `trouble` where that cannot be done now."""
        try:
            if self._opening is None:
                self._opening = self._open()
            elif self._opening.answered:
                opening, self._opening = self._opening, None
                self._begin(opening.answer())
        except KafkaException as error:
            self.trouble = _trouble(self.settings, error)
        except TopicMissing as error:
            self.trouble = str(error)

    def _open(self) -> OffsetQuestion:
        """Raises `KafkaException`, `TopicMissing`."""
        topics = self.settings.topics
        wanted = (*self._lanes, *self._operations, topics.rejected, topics.workers)
        known = self._consumer.list_topics(timeout=_METADATA_TIMEOUT_S).topics
        for name in wanted:
            if name not in known or known[name].error is not None:
                raise TopicMissing.named(name)
        partitions = [
            Partition(name, number) for name in wanted for number in known[name].partitions
        ]
        return OffsetQuestion(self._admin, partitions)

    def _begin(self, offsets: Mapping[Partition, Offsets]) -> None:
        workers, rejected = self.settings.topics.workers, self.settings.topics.rejected
        read = {place: known for place, known in offsets.items() if place.topic not in self._lanes}
        self._listening_from = {place: known.high for place, known in read.items()}
        self._consumer.assign(
            [
                # of the workers, what they said before as well
                TopicPartition(*place, known.low if place.topic == workers else known.high)
                for place, known in read.items()
            ]
        )
        self._asked = tuple(p for p in offsets if p.topic in self._lanes or p.topic == rejected)
        self._results = TopResults(self._window_s, time.monotonic())
        self.connected, self.trouble = True, None

    def _take(self, record: Record) -> None:
        now = time.monotonic()
        topics = self.settings.topics
        if record.topic == topics.workers:
            before = record.offset < self._listening_from[Partition(record.topic, record.partition)]
            age_s = max(0.0, time.time() - record.timestamp_ms / 1000) if before else 0.0
            self._workers.hear(record.value, now - age_s)
        elif record.topic == topics.rejected:
            self._rejected[_reason(record)] += 1
        else:
            self._results.take(record.value, self._operations[record.topic], now)

    def _ask(self) -> None:
        """Lag and dead letters, once a second; a question that is open holds up nothing."""
        if self._question is not None and self._question.answered:
            self._take_answer(self._question)
            self._question = None
        now = time.monotonic()
        if self._question is None and now >= self._ask_at:
            self._ask_at = now + min(_ASK_EVERY_S, self._window_s / 4)
            self._question = OffsetQuestion(self._admin, self._asked, self.settings.consumer_group)

    def _take_answer(self, question: OffsetQuestion) -> None:
        try:
            offsets = question.answer()
        except KafkaException as error:
            self.trouble = _trouble(self.settings, error)
            return
        self.trouble = None
        for topic, lane in self._lanes.items():
            of_lane = (o for partition, o in offsets.items() if partition.topic == topic)
            self._progress[lane].read(of_lane, question.asked_at)
        self._rejected_on_topic = sum(
            o.high - o.low
            for partition, o in offsets.items()
            if partition.topic == self.settings.topics.rejected
        )


def _reason(record: Record) -> str:
    """The dead letter's code; one word for all that are none of ours."""
    code = (dict(record.headers).get(f"{ERROR_PREFIX}code") or b"").decode("ascii", "replace")
    return code if _CODE.fullmatch(code) else _NO_REASON


def _in_flight(workers: Sequence[WorkerFigures]) -> int | None:
    heard = [worker.in_flight for worker in workers if worker.heard_s < SILENT_S]
    return sum(heard) if heard else None


def _trouble(settings: GroupSettings, error: KafkaException) -> str:
    if error.args[0].code() in _AWAY:
        return str(BrokerAway.at(settings, error))
    return f"Kafka: {error.args[0].str()}"


def _pass_over(_: KafkaError) -> None:
    """What matters is asked again, and its answer told as `trouble`."""
