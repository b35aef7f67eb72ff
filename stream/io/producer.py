"""A confluent-kafka producer behind asyncio: a send is awaited until the broker confirmed it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from confluent_kafka import KafkaError, KafkaException, Message
from confluent_kafka import Producer as NativeProducer

from schemas.topics import MAX_MESSAGE_BYTES
from schemas.wire import Headers
from stream.io.thread_names import name_thread

_POLL_S = 0.1
_ANY_PARTITION = -1  # librdkafka's own constant: where the key leads
_QUEUE_FULL_PAUSE_S = 0.02
#: what Kafka adds to a record: its headers and the batch around it
_FRAME_BYTES = 64 * 1024


class MessageTooLarge(Exception):
    """The topic does not take a message of this size: final, not to be retried."""


class SendFailed(Exception):
    """The message was not confirmed. `fatal`: this producer will send nothing any more."""

    def __init__(self, error: KafkaError) -> None:
        super().__init__(error.str())
        self.fatal = bool(error.fatal())


class Producer:
    """`async with Producer(settings.librdkafka()) as producer: await producer.send(…)`."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._native = NativeProducer(
            {
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 0,
                "partitioner": "murmur2_random",  # as Java's clients spread keys
                "message.max.bytes": MAX_MESSAGE_BYTES + _FRAME_BYTES,
                "message.timeout.ms": 0,  # an outage is waited out: nothing is given up
                "queue.buffering.max.kbytes": 256 * 1024,
                **config,
            }
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="producer", daemon=True)

    async def __aenter__(self) -> Self:
        self._thread.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._native.flush(2.0)
        self._stopping.set()
        self._thread.join()
        del self._native  # it would go on reconnecting, and complain

    def _poll(self) -> None:
        name_thread(self._thread.name)
        while not self._stopping.is_set():
            self._native.poll(_POLL_S)

    async def send(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        headers: Headers | None = None,
        partition: int | None = None,
    ) -> None:
        """Send and wait for the confirmation. Raises `MessageTooLarge` or `SendFailed`."""
        await (await self.enqueue(topic, value, key=key, headers=headers, partition=partition))

    async def enqueue(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        headers: Headers | None = None,
        partition: int | None = None,
    ) -> asyncio.Future[None]:
        """Hand the message over; the future is done when the broker has confirmed it.

        Waits while the local queue is full. Raises `MessageTooLarge`.
        """
        loop = asyncio.get_running_loop()
        confirmed: asyncio.Future[None] = loop.create_future()

        def on_delivery(error: KafkaError | None, _message: Message) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_settle, confirmed, error)

        where = _ANY_PARTITION if partition is None else partition
        while True:
            try:
                self._native.produce(
                    topic,
                    value,
                    key=key,
                    headers=list(headers or ()),
                    partition=where,
                    on_delivery=on_delivery,
                )
            except BufferError:
                await asyncio.sleep(_QUEUE_FULL_PAUSE_S)
            except KafkaException as error:
                raise _explained(error.args[0]) from None
            else:
                return confirmed


def _settle(confirmed: asyncio.Future[None], error: KafkaError | None) -> None:
    if confirmed.done():
        return
    if error is None:
        confirmed.set_result(None)
    else:
        confirmed.set_exception(_explained(error))


def _explained(error: KafkaError) -> MessageTooLarge | SendFailed:
    if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
        return MessageTooLarge(error.str())
    return SendFailed(error)
