"""Behaviour once, brokers many: what a test is given, whichever broker runs under it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from schemas.topics import DEFAULT_PARTITIONS, Topics
from stream.embedded import EmbeddedBroker
from stream.io.kafka import KafkaSettings
from stream.io.topic_admin import delete_topics, ensure_topics
from tests.apache_kafka import ApacheKafka


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker with this test's own topics on it."""

    bootstrap_servers: str
    embedded: bool
    topic_prefix: str
    partitions: int
    #: how it is reached, beside its address
    security: Mapping[str, str] = field(default_factory=dict)

    @property
    def group(self) -> str:
        """A consumer group that no other test has."""
        return f"{self.topic_prefix}group"

    @property
    def topics(self) -> Topics:
        return Topics(self.topic_prefix)

    @property
    def environment(self) -> dict[str, str]:
        """For a process of ours that shall use this broker."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "KAFKA_EMBEDDED": str(self.embedded).lower(),
            "TOPIC_PREFIX": self.topic_prefix,
            **self.security,
        }

    @property
    def kafka_settings(self) -> KafkaSettings:
        return KafkaSettings.model_validate(
            {name.lower(): value for name, value in self.environment.items()}
        )


class BrokerMaker(Protocol):
    """What the fixture `make_broker` gives."""

    def __call__(self, partitions: int = ...) -> Broker: ...


@contextmanager
def on_embedded(
    partitions: int = DEFAULT_PARTITIONS, prefix: str | None = None
) -> Iterator[Broker]:
    """An embedded broker of the test's own."""
    prefix = prefix or _own_prefix()
    with EmbeddedBroker(prefix, partitions) as running:
        yield Broker(running.bootstrap_servers, True, prefix, partitions)


@contextmanager
def on_kafka(running: ApacheKafka, partitions: int = DEFAULT_PARTITIONS) -> Iterator[Broker]:
    """The test's own topics on the Kafka that all tests share."""
    broker = Broker(
        running.bootstrap_servers, False, _own_prefix(), partitions, running.client_settings
    )
    states = ensure_topics(broker.kafka_settings, partitions)
    try:
        yield broker
    finally:
        delete_topics(broker.kafka_settings, [state.name for state in states])


def _own_prefix() -> str:
    return f"t{uuid.uuid4().hex[:8]}."
