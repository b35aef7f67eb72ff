"""Events that are published in a thread, and what of them is settled, read in another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from schemas.topics import OPERATIONS
from tests.brokers import Broker
from tests.load.events import Event

_POLL_S = 0.02
_CONFIRMED_S = 30.0


class Load:
    """Publishes so many events as `allowed` says for the number settled. Keeps only their keys."""

    def __init__(
        self, broker: Broker, events: Iterator[Event], allowed: Callable[[int], int]
    ) -> None:
        self.published = 0
        self._broker = broker
        self._events = events
        self._allowed = allowed
        self._settled: set[bytes] = set()
        self._failure: BaseException | None = None
        self._ending = threading.Event()

    @property
    def settled(self) -> int:
        """Events with a result, or dead-lettered as no request."""
        return len(self._settled)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Events flow while the `with` block lasts. Raises what a thread of it raised."""
        threads = [
            threading.Thread(target=self._guarded, args=(work,), daemon=True)
            for work in (self._read, self._publish)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ending.set()
            for thread in threads:
                thread.join()
        self.check()

    def check(self) -> None:
        """Raises what a thread of it raised."""
        if self._failure is not None:
            raise self._failure

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again in the test's thread
            self._failure = error

    def _publish(self) -> None:
        producer = Producer(self._broker.kafka_settings.librdkafka(**{"linger.ms": 5}))
        topic, partitions = self._broker.topics.images, self._broker.partitions
        while not self._ending.is_set():
            producer.poll(0)
            for event in self._next(self._allowed(self.settled) - self.published):
                partition = self.published % partitions
                producer.produce(topic, event.value, key=event.key, partition=partition)
                self.published += 1
            time.sleep(_POLL_S)
        producer.flush(_CONFIRMED_S)

    def _next(self, most: int) -> Iterator[Event]:
        for _ in range(min(most, 200)):  # in small portions: other threads measure time
            yield next(self._events)

    def _read(self) -> None:
        consumer = Consumer(
            self._broker.kafka_settings.librdkafka_consumer(
                **{"group.id": f"{self._broker.group}-load", "enable.auto.commit": False}
            )
        )
        topics = self._broker.topics
        names = [*(topics.result(operation) for operation in OPERATIONS), topics.rejected]
        consumer.assign(
            [
                TopicPartition(name, number, OFFSET_BEGINNING)
                for name in names
                for number in range(self._broker.partitions)
            ]
        )
        while not self._ending.is_set():
            for message in consumer.consume(500, _POLL_S):
                assert message.error() is None, message.error()
                key = message.key() or b""
                if key.startswith(b"load-"):
                    self._settled.add(key)
        consumer.close()
