"""The workers' metrics: a closed list, each with its unit and meaning.

A worker counts in a registry of its own, from its start. Its supervisor puts those of all its
workers together, each under the label `worker`, which outlives the process: a new one begins at 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    ProcessCollector,
    exposition,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from schemas.errors import FacestreamError
from schemas.results import Result
from stream.event import LaneName, Partition

CONTENT_TYPE = exposition.CONTENT_TYPE_LATEST

#: seconds: from the detection of a face on one core to an image that waits in a long queue
_BUCKETS_S = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0),
)
#: of bytes that are no request, and of results that could not be written
_NO_OPERATION = "none"
_MS_PER_S = 1000.0


@dataclass(frozen=True, slots=True)
class Load:
    """What a worker has in hand at the moment."""

    waiting: Mapping[LaneName, int] = field(default_factory=dict)
    in_flight: Mapping[LaneName, int] = field(default_factory=dict)
    #: by partition held, where it is known
    lag: Mapping[Partition, int] = field(default_factory=dict)


class WorkerMetrics:
    """What a worker counts. Labels take values of short, fixed lists only."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._events = Counter(
            "facestream_events",
            "Events whose end the broker has confirmed, by lane, operation (`none` where the bytes "
            "named none) and outcome: ok, no_face, or the error's code.",
            ("lane", "operation", "outcome"),
            registry=self.registry,
        )
        self._dead_letters = Counter(
            "facestream_dead_letters",
            "Events put on the topic of rejected ones, by the error's code.",
            ("code",),
            registry=self.registry,
        )
        self._stages = Histogram(
            "facestream_stage_seconds",
            "What an event spent in a stage, by stage: queue (from its publication until it was "
            "taken up), fetch, decode, detect, embed, analyze.",
            ("stage",),
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self._waiting = Gauge(
            "facestream_waiting_events",
            "Events delivered to the worker that wait for a place, by lane.",
            ("lane",),
            registry=self.registry,
        )
        self._in_flight = Gauge(
            "facestream_in_flight_events",
            "Events in work, from their admission until their end is confirmed, by lane.",
            ("lane",),
            registry=self.registry,
        )
        self._lag = Gauge(
            "facestream_consumer_lag_events",
            "Events of a partition held that are not committed: the end that its last fetch told, "
            "minus the committed offset. A partition that is not fetched for a while, because the "
            "worker has enough in hand, keeps the end it had.",
            ("topic", "partition"),
            registry=self.registry,
        )
        self._rebalances = Counter(
            "facestream_rebalances",
            "Times that the group gave the worker its partitions, the first included.",
            registry=self.registry,
        )
        self._replies_failed = Counter(
            "facestream_failed_replies",
            "Replies that could not be sent.",
            registry=self.registry,
        )
        self._cache_hits = Counter(
            "facestream_result_cache_hits",
            "Images whose faces were remembered, or about to be computed for an equal request.",
            registry=self.registry,
        )
        self._cache_misses = Counter(
            "facestream_result_cache_misses",
            "Images that were computed although RESULT_CACHE_BYTES is above 0.",
            registry=self.registry,
        )
        self._model_load = Gauge(
            "facestream_model_load_seconds",
            "What loading the models took; 0 until they are loaded.",
            registry=self.registry,
        )

    def settled(
        self, lane: LaneName, result: Result | None, rejected: FacestreamError | None
    ) -> None:
        """An event came to its end: with this result, this dead letter, or both."""
        operation = result.operation if result is not None else None
        outcome = _outcome(result, rejected)
        self._events.labels(lane, operation or _NO_OPERATION, outcome).inc()
        if rejected is not None:
            self._dead_letters.labels(rejected.code).inc()
        for stage, ms in (result.timings_ms if result is not None else {}).items():
            self._stages.labels(stage).observe(ms / _MS_PER_S)

    def rebalanced(self) -> None:
        self._rebalances.inc()

    def reply_failed(self) -> None:
        self._replies_failed.inc()

    def remembered(self) -> None:
        """The faces of an image were there already."""
        self._cache_hits.inc()

    def not_remembered(self) -> None:
        """An image is computed, and its faces could have been there already."""
        self._cache_misses.inc()

    def models_loaded(self, seconds: float) -> None:
        self._model_load.set(seconds)

    def exposed(self, load: Load) -> bytes:
        """Everything in Prometheus' text format, for `CONTENT_TYPE`."""
        for gauge, by_lane in ((self._waiting, load.waiting), (self._in_flight, load.in_flight)):
            for lane, events in by_lane.items():
                gauge.labels(lane).set(events)
        self._lag.clear()  # partitions come and go
        for partition, events in load.lag.items():
            self._lag.labels(partition.topic, str(partition.number)).set(events)
        return exposition.generate_latest(self.registry)


def _outcome(result: Result | None, rejected: FacestreamError | None) -> str:
    if result is not None:
        return result.status if result.error is None else result.error.code
    assert rejected is not None, "an event ends with a result, a dead letter, or both"
    return rejected.code


@dataclass(frozen=True, slots=True)
class Scraped:
    """A worker as its supervisor sees it at a scrape."""

    worker_id: str
    #: of the processes under this id
    starts: int
    #: what it exposes; `None` where it does not answer
    text: str | None


def merged(workers: Iterable[Scraped]) -> bytes:
    """The metrics of all workers in Prometheus' text format, each with the label `worker`."""
    registry = CollectorRegistry()
    registry.register(_Merged(tuple(workers)))
    return exposition.generate_latest(registry)


class _Merged(Collector):
    def __init__(self, workers: tuple[Scraped, ...]) -> None:
        self._workers = workers

    def collect(self) -> Iterable[Metric]:
        answers = GaugeMetricFamily(
            "facestream_worker_up",
            "1 while the worker's process answers, else 0.",
            labels=["worker"],
        )
        starts = CounterMetricFamily(
            "facestream_worker_starts",
            "Processes started for the worker: the first, and one for each that died or hung.",
            labels=["worker"],
        )
        families: dict[str, Metric] = {answers.name: answers, starts.name: starts}
        for worker in self._workers:
            answers.add_metric([worker.worker_id], float(worker.text is not None))
            starts.add_metric([worker.worker_id], worker.starts)
            for family in text_string_to_metric_families(worker.text or ""):
                if family.name.endswith("_created"):
                    continue  # process_start_time_seconds says the same once
                whole = families.setdefault(
                    family.name, Metric(family.name, family.documentation, family.type)
                )
                for sample in family.samples:
                    labels = {**sample.labels, "worker": worker.worker_id}
                    whole.add_sample(sample.name, labels, sample.value)
        return families.values()
