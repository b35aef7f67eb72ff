"""The broker under the stream: the embedded one, or topics of our own on a real one."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from stream.embedded import EmbeddedBroker
from stream.io.kafka import KafkaSettings
from stream.io.topic_admin import delete_topics, ensure_topics

EMBEDDED = "embedded"


def kind_of(address: str) -> str:
    """Without its address, which says nothing to others."""
    return EMBEDDED if address == EMBEDDED else "kafka"


@dataclass(frozen=True, slots=True)
class BenchBroker:
    """Where the workers of a benchmark work."""

    bootstrap_servers: str
    topic_prefix: str
    partitions: int
    #: the embedded broker's process; None where the broker is not ours
    pid: int | None

    @property
    def environment(self) -> dict[str, str]:
        """For the workers; the consumer group is this benchmark's own."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "KAFKA_EMBEDDED": str(self.pid is not None).lower(),
            "TOPIC_PREFIX": self.topic_prefix,
            "CONSUMER_GROUP": f"{self.topic_prefix}workers",
        }


@contextmanager
def open_broker(address: str, partitions: int) -> Iterator[BenchBroker]:
    """`embedded`, or `host:port` of a real one, on which the topics are removed in the end.

    Raises `EmbeddedBrokerFailed`, `TopicsFailed`.
    """
    prefix = f"bench-{uuid.uuid4().hex[:8]}."
    if address == EMBEDDED:
        with EmbeddedBroker(prefix, partitions) as embedded:
            yield BenchBroker(embedded.bootstrap_servers, prefix, partitions, embedded.pid)
        return
    settings = KafkaSettings(
        kafka_bootstrap_servers=address, kafka_embedded=False, topic_prefix=prefix
    )
    ensure_topics(settings, partitions)
    try:
        yield BenchBroker(settings.kafka_bootstrap_servers, prefix, partitions, None)
    finally:
        delete_topics(settings, [spec.name for spec in settings.topics.specs(partitions)])
