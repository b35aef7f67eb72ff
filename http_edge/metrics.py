"""The edge's metrics: a closed list, each with its unit and meaning, in a registry of its own."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    exposition,
)

CONTENT_TYPE = exposition.CONTENT_TYPE_LATEST

#: seconds: from a health check to the longest wait that REQUEST_TIMEOUT_S usually allows
_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class EdgeMetrics:
    """What an edge counts. Labels take values of short, fixed lists only."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "facestream_edge_requests",
            "Requests answered, by route (`other` where there is none) and status.",
            ("route", "status"),
            registry=self.registry,
        )
        self._latency = Histogram(
            "facestream_edge_request_seconds",
            "From a request's head to its answer, by route.",
            ("route",),
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self._in_flight = Gauge(
            "facestream_edge_images_in_flight",
            "Images that hold one of MAX_IN_FLIGHT places.",
            registry=self.registry,
        )
        self._uploads = Gauge(
            "facestream_edge_uploads",
            "Bodies being received, each of which holds one of UPLOAD_PLACES.",
            registry=self.registry,
        )
        self._upload_bytes = Counter(
            "facestream_edge_upload_bytes",
            "Bytes of bodies received.",
            registry=self.registry,
        )
        self._live_listeners = Gauge(
            "facestream_edge_live_listeners",
            "Callers who follow results live, each of which holds one of LIVE_LISTENERS.",
            registry=self.registry,
        )
        self._reply_latency = Histogram(
            "facestream_edge_reply_seconds",
            "From the event handed to Kafka to its reply.",
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self._pending = Gauge(
            "facestream_edge_pending_replies",
            "Requests that wait for their reply.",
            registry=self.registry,
        )
        self._able_workers = Gauge(
            "facestream_edge_able_workers",
            "Workers heard that would answer a request; 0: callers are told 503.",
            registry=self.registry,
        )
        self._late = Counter(
            "facestream_edge_late_replies",
            "Replies for which nobody waited any more.",
            registry=self.registry,
        )
        self._unknown = Counter(
            "facestream_edge_unknown_replies",
            "Replies that are to no request of this edge, or are no result; dropped.",
            registry=self.registry,
        )

    def answered(self, route: str, status: int, seconds: float) -> None:
        """A request was answered. `route`: its pattern, never a caller's path."""
        self._requests.labels(route, str(status)).inc()
        self._latency.labels(route).observe(seconds)

    def in_flight(self, images: int) -> None:
        self._in_flight.set(images)

    def uploads(self, bodies: int) -> None:
        self._uploads.set(bodies)

    def live_listeners(self, listeners: int) -> None:
        self._live_listeners.set(listeners)

    def uploaded(self, size_bytes: int) -> None:
        self._upload_bytes.inc(size_bytes)

    def replied(self, seconds: float) -> None:
        """A reply came in time, `seconds` after its event was handed to Kafka."""
        self._reply_latency.observe(seconds)

    def pending(self, requests: int) -> None:
        self._pending.set(requests)

    def late_reply(self) -> None:
        self._late.inc()

    def unknown_reply(self) -> None:
        self._unknown.inc()

    def exposed(self, able_workers: int) -> bytes:
        """Everything in Prometheus' text format, for `CONTENT_TYPE`."""
        self._able_workers.set(able_workers)
        return exposition.generate_latest(self.registry)
