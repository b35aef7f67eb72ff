"""What `top` tells, in figures: the JSON that it prints, and what its screen is drawn from.

`None` is what is not known yet. All but `lag`, `on_topic` and the workers' own words is of the last
`window_s` seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from schemas.results import Status
from schemas.topics import Operation
from stream.event import LaneName


@dataclass(frozen=True, slots=True)
class WorkerFigures:
    """A worker's last word, and how long ago it came."""

    id: str
    host: str
    state: str
    #: why it failed, in its supervisor's words
    message: str | None
    pack: str | None
    #: held, by lane
    partitions: Mapping[LaneName, Sequence[int]]
    in_flight: int
    settled: int
    settled_per_second: float | None
    heard_s: float


@dataclass(frozen=True, slots=True)
class LaneFigures:
    """Requests: published, and committed by the workers."""

    lag: int | None = None
    in_per_second: float | None = None
    done_per_second: float | None = None

    @property
    def drained_in_s(self) -> float | None:
        """At this pace; `None` where the lag does not shrink."""
        if self.lag is None or self.in_per_second is None or self.done_per_second is None:
            return None
        shrinks = self.done_per_second - self.in_per_second
        return self.lag / shrinks if self.lag and shrinks > 0 else None


@dataclass(frozen=True, slots=True)
class OperationFigures:
    """Results of one operation."""

    per_second: float | None
    by_status: Mapping[Status, int]


@dataclass(frozen=True, slots=True)
class StageFigures:
    """What events spent in a stage."""

    events: int
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class RejectedFigures:
    """Dead letters: those that lie on their topic, and those that came since `top` began."""

    on_topic: int | None = None
    by_reason: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Figures:
    """All of it at one moment."""

    #: ISO 8601
    at: str
    broker: str
    topic_prefix: str
    consumer_group: str
    #: what keeps it from being known
    trouble: str | None
    window_s: float
    workers: Sequence[WorkerFigures] | None
    in_flight: int | None
    images_per_second: float | None
    lanes: Mapping[LaneName, LaneFigures]
    operations: Mapping[Operation, OperationFigures]
    stages: Mapping[str, StageFigures]
    rejected: RejectedFigures
