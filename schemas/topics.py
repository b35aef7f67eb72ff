"""Topic names, partition counts and settings: the one place that knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Operation = Literal["detect", "embed", "analyze"]
OPERATIONS: tuple[Operation, ...] = ("detect", "embed", "analyze")

#: a group photograph of 300 people makes a result of 2 to 3 MB
MAX_MESSAGE_BYTES = 8 * 1024 * 1024
DEFAULT_PREFIX = "face."
DEFAULT_PARTITIONS = 8

_DAY_MS = 24 * 60 * 60 * 1000


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as `facestream topics` creates it on a real cluster."""

    name: str
    partitions: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics' names under one prefix."""

    prefix: str = DEFAULT_PREFIX

    @property
    def images(self) -> str:
        """The bulk lane's requests."""
        return f"{self.prefix}images"

    @property
    def requests(self) -> str:
        """The interactive lane's requests."""
        return f"{self.prefix}requests"

    @property
    def detections(self) -> str:
        return f"{self.prefix}detections"

    @property
    def embeddings(self) -> str:
        return f"{self.prefix}embeddings"

    @property
    def analyses(self) -> str:
        return f"{self.prefix}analyses"

    @property
    def rejected(self) -> str:
        """Dead letters: the original bytes, the reason in headers."""
        return f"{self.prefix}rejected"

    @property
    def replies(self) -> str:
        return f"{self.prefix}replies"

    @property
    def workers(self) -> str:
        """Compacted heartbeats, keyed by worker id."""
        return f"{self.prefix}workers"

    @property
    def crashes(self) -> str:
        """Internal: which events were in native code when a worker died."""
        return f"{self.prefix}crashes"

    @property
    def replayed(self) -> str:
        """Internal: which dead letters were sent again."""
        return f"{self.prefix}replayed"

    def result(self, operation: Operation) -> str:
        """The topic on which an operation's results are published."""
        return {
            "detect": self.detections,
            "embed": self.embeddings,
            "analyze": self.analyses,
        }[operation]

    def specs(self, partitions: int = DEFAULT_PARTITIONS) -> tuple[TopicSpec, ...]:
        """Every topic with its settings; those that events flow through have `partitions` each."""
        large = {"max.message.bytes": str(MAX_MESSAGE_BYTES)}
        short = MappingProxyType({**large, "retention.ms": str(_DAY_MS // 24)})
        week = MappingProxyType({**large, "retention.ms": str(7 * _DAY_MS)})
        day = MappingProxyType({**large, "retention.ms": str(_DAY_MS)})
        compacted = MappingProxyType(
            {**large, "cleanup.policy": "compact,delete", "retention.ms": str(_DAY_MS)}
        )
        return (
            TopicSpec(self.images, partitions, week),
            TopicSpec(self.requests, partitions, short),
            TopicSpec(self.detections, partitions, week),
            TopicSpec(self.embeddings, partitions, week),
            TopicSpec(self.analyses, partitions, week),
            TopicSpec(self.rejected, partitions, week),
            TopicSpec(self.replies, partitions, short),
            TopicSpec(self.workers, 1, compacted),
            TopicSpec(self.crashes, 1, day),
            TopicSpec(self.replayed, 1, week),
        )
