"""A thread that reads topics without a group, and tells the event loop what came."""

from __future__ import annotations

import asyncio
import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from schemas.topics import Topics
from stream.io.kafka import EMBEDDED_FETCH_WAIT_MS, KafkaSettings

Told = TypeVar("Told")

log = logging.getLogger(__name__)

_ANSWER_TIMEOUT_S = 5.0
_PAUSE_S = 1.0
POLL_S = 0.1


class NotYet(Exception):
    """The thread cannot be positioned now."""


class ConsumerThread(ABC):
    """`start()` from an event loop, `await stop()` there; whatever ends the reading starts it anew.

    The offsets of the ends are asked for and then read from: what is published after `_begin` is
    read, whenever the first fetch is made.
    """

    #: what is read, for the log and the thread's name
    what: str
    #: that it waits at most on the embedded broker
    embedded_wait_ms = EMBEDDED_FETCH_WAIT_MS

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._stopping = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name=self.what, daemon=True)

    @property
    def _topics(self) -> Topics:
        return self._settings.topics

    def start(self) -> None:
        """Call from the event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def stop(self) -> None:
        """Returns when the thread has ended: at most the time of one request to a broker."""
        self._stopping.set()
        await asyncio.to_thread(self._thread.join)

    @abstractmethod
    def _more_config(self) -> dict[str, object]:
        """In librdkafka's own names."""

    @abstractmethod
    def _begin(self, consumer: Consumer) -> None:
        """Assign the ends, and tell of it. Raises `NotYet`, `KafkaException`."""

    @abstractmethod
    def _take(self, consumer: Consumer) -> None:
        """Wait a moment, and tell of what has come."""

    @abstractmethod
    def _lost(self) -> None:
        """Tell that nothing is read for now."""

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._read()
            except NotYet as reason:
                log.warning("waiting: %s", reason)
            except Exception:
                # Whatever it was, an edge that no longer reads would let every caller wait.
                log.exception("%s are no longer read; the reader starts anew", self.what)
            self._lost()
            self._stopping.wait(_PAUSE_S)

    def _read(self) -> None:
        consumer = Consumer(
            self._settings.librdkafka_consumer(
                self.embedded_wait_ms,
                **{
                    "group.id": "facestream-edge",  # asked for, and never joined
                    "enable.auto.commit": False,
                    # a topic that was made anew begins before our place: nothing is passed over
                    "auto.offset.reset": "earliest",
                    "reconnect.backoff.max.ms": 1000,
                    "socket.timeout.ms": 10_000,
                    **self._more_config(),
                },
            )
        )
        try:
            try:
                self._begin(consumer)
            except KafkaException as error:
                servers = self._settings.kafka_bootstrap_servers
                raise NotYet(f"Kafka at {servers}: {error.args[0].str()}") from None
            while not self._stopping.is_set():
                self._take(consumer)
        finally:
            consumer.close()

    def _call(self, callback: Callable[[Told], None], argument: Told) -> None:
        assert self._loop is not None
        with suppress(RuntimeError):  # the loop was closed under us: nobody is there to be told
            self._loop.call_soon_threadsafe(callback, argument)


def partitions_of(consumer: Consumer, topic: str) -> list[int]:
    """Raises `NotYet` where the topic is not there."""
    found = consumer.list_topics(topic, timeout=_ANSWER_TIMEOUT_S).topics[topic]
    if found.error is not None or not found.partitions:
        raise NotYet(f"there is no topic {topic}; `facestream topics` creates it")
    return sorted(found.partitions)


def end_of(consumer: Consumer, topic: str, partition: int) -> TopicPartition:
    """Where the next event will lie. Raises `NotYet`."""
    asked = TopicPartition(topic, partition)
    offsets = consumer.get_watermark_offsets(asked, timeout=_ANSWER_TIMEOUT_S)
    if offsets is None:
        raise NotYet(f"the end of {topic}, partition {partition}, is not told")
    return TopicPartition(topic, partition, offsets[1])


def is_event(message: Message) -> bool:
    """False of an error that librdkafka gets over by itself. Raises `KafkaException` of others."""
    error = message.error()
    if error is None:
        return True
    if error.fatal():
        raise KafkaException(error)
    return False
