"""Outcomes → topics: result, dead letter and reply, each event's confirmed before it is acked."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from schemas import wire
from schemas.errors import FacestreamError, ResultTooLarge
from schemas.results import ErrorInfo, Result
from schemas.topics import MAX_MESSAGE_BYTES, Topics
from schemas.wire import Headers
from stream.event import Event
from stream.io.producer import MessageTooLarge, Producer, SendFailed
from stream.metrics import WorkerMetrics
from stream.outcome import Outcome

log = logging.getLogger(__name__)

_RETRY_PAUSE_S = 1.0
#: what Kafka takes as a name; others would not come back from the producer as an error
_TOPIC_NAME = re.compile(r"[a-zA-Z0-9._-]{1,249}")
#: a part of the producer's queue: replies to a partition that is away leave room for the rest
_UNCONFIRMED_REPLIES_BYTES = 64 * 1024 * 1024


class Publisher:
    """Sends what an event became. Returns when the broker has confirmed what must not be lost."""

    def __init__(
        self,
        producer: Producer,
        topics: Topics,
        *,
        reply_topics: Sequence[str],
        source: str,
        metrics: WorkerMetrics,
    ) -> None:
        self._producer = producer
        self._metrics = metrics
        self._topics = topics
        self._reply_topics = reply_topics
        self._source = source
        self.replies_failed = 0
        #: not yet confirmed, and the bytes of each
        self._replies: dict[asyncio.Future[None], int] = {}

    async def publish(self, event: Event, outcome: Outcome) -> None:
        """Publish result and dead letter, confirmed; send the reply beside them.

        Raises `SendFailed` only when the producer itself is beyond repair.
        """
        rejected = outcome.rejected
        result = outcome.result
        if result is not None:
            try:
                await self._publish_result(event, outcome, result)
            except MessageTooLarge as cause:
                faces = len(result.faces)
                error = ResultTooLarge(f"{faces} faces make too large a result: {cause}")
                result = _without_faces(result, error)
                await self._publish_failure(event, outcome, result)
                rejected = error if event.lane == "bulk" else None
        if rejected is not None:
            await self._reject(event, rejected)
        self._metrics.settled(event.lane, result, rejected)

    async def _publish_failure(self, event: Event, outcome: Outcome, result: Result) -> None:
        try:
            await self._publish_result(event, outcome, result)
        except MessageTooLarge:
            # It is no face that is too large, but what the producer wants to have echoed.
            await self._publish_result(
                replace(event, key=None),
                replace(outcome, headers=replace(outcome.headers, traceparent=None)),
                result.model_copy(update={"metadata": {}}),
            )

    async def _publish_result(self, event: Event, outcome: Outcome, result: Result) -> None:
        value = wire.dumps(result)
        if len(value) > MAX_MESSAGE_BYTES:
            raise MessageTooLarge(f"{len(value)} bytes")
        headers = wire.result_headers(
            result_id=result.id,
            operation=result.operation,
            source=self._source,
            traceparent=outcome.headers.traceparent,
        )
        key = event.key if event.key is not None else result.request_id.encode()
        if not outcome.published or result.operation is None:
            await self._reply(outcome, key, value, headers)
            return
        topic = self._topics.result(result.operation)
        # The broker takes a connection's messages one after the other, and a caller waits for this
        await self._reply(outcome, key, value, headers)
        sent = await self._enqueue(topic, key, value, headers)
        await self._confirm(sent, topic, key, value, headers)

    async def _reject(self, event: Event, error: FacestreamError) -> None:
        without_value = replace(event, value=None)
        for letter in (event, without_value, replace(without_value, key=None, headers=())):
            try:
                await self._send_rejected(letter, error)
            except MessageTooLarge as cause:
                log.warning(
                    "dead letter of %s is larger than its topic takes: %s", event.position, cause
                )
            else:
                return

    async def _send_rejected(self, event: Event, error: FacestreamError) -> None:
        headers = wire.rejected_headers(
            event.headers,
            error,
            topic=event.topic,
            partition=event.partition,
            offset=event.offset,
            source=self._source,
        )
        topic = self._topics.rejected
        sent = await self._enqueue(topic, event.key, event.value, headers)
        await self._confirm(sent, topic, event.key, event.value, headers)

    async def _enqueue(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Headers
    ) -> asyncio.Future[None]:
        while True:
            try:
                return await self._producer.enqueue(topic, value, key=key, headers=headers)
            except SendFailed as error:
                await _pause_before_sending_again(topic, error)

    async def _confirm(
        self,
        sent: asyncio.Future[None],
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers,
    ) -> None:
        """Wait for the confirmation; send again until it comes."""
        while True:
            try:
                return await sent
            except SendFailed as error:
                await _pause_before_sending_again(topic, error)
            sent = await self._enqueue(topic, key, value, headers)

    async def _reply(self, outcome: Outcome, key: bytes, value: bytes, headers: Headers) -> None:
        reply = outcome.headers.reply
        if reply is None:
            return
        if not self._allows(reply.topic):
            self._count_failed_reply(f"topic {reply.topic!r} is not among REPLY_TOPICS")
            return
        if sum(self._replies.values()) + len(value) > _UNCONFIRMED_REPLIES_BYTES:
            self._count_failed_reply("too many before it are not confirmed")
            return
        try:
            sent = await self._producer.enqueue(
                reply.topic,
                value,
                key=key,
                headers=wire.reply_headers(headers, reply),
                partition=reply.partition,
            )
        except (MessageTooLarge, SendFailed) as error:
            self._count_failed_reply(str(error))
            return
        self._replies[sent] = len(value)
        sent.add_done_callback(self._on_reply)

    def _allows(self, topic: str) -> bool:
        return _TOPIC_NAME.fullmatch(topic) is not None and any(
            fnmatchcase(topic, allowed) for allowed in self._reply_topics
        )

    def _on_reply(self, sent: asyncio.Future[None]) -> None:
        del self._replies[sent]
        if not sent.cancelled() and (error := sent.exception()) is not None:
            self._count_failed_reply(str(error))

    def _count_failed_reply(self, reason: str) -> None:
        self.replies_failed += 1
        self._metrics.reply_failed()
        log.warning("a reply was not sent: %s", reason)


async def _pause_before_sending_again(topic: str, error: SendFailed) -> None:
    if error.fatal:
        raise error
    log.warning("not confirmed on %s, sent again: %s", topic, error)
    await asyncio.sleep(_RETRY_PAUSE_S)


def _without_faces(result: Result, error: ResultTooLarge) -> Result:
    return result.model_copy(
        update={
            "id": wire.result_id(result.request_id, result.operation, result.model, error.code),
            "status": "failed",
            "error": ErrorInfo(code=error.code, message=str(error)),
            "faces": [],
        }
    )
