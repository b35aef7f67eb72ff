"""Request and reply over Kafka: `await gateway.ask(…)`."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from http_edge.load_balancer import LoadBalancer
from http_edge.metrics import EdgeMetrics
from http_edge.reading import Place, Reader, Record
from http_edge.replies import PendingReplies, PendingReply
from http_edge.settings import EdgeSettings
from http_edge.workers import HeardWorker, HeardWorkers
from schemas import wire
from schemas.requests import ImageRef, Request
from schemas.results import Result
from schemas.topics import Operation
from stream.io.producer import Producer, SendFailed

#: a broker that is away for less than this is waited for
_HANDOVER_S = 5.0


class NoWorker(Exception):
    """No worker is heard that would answer."""


class NoAnswer(Exception):
    """Nothing came before the deadline. The workers know it, and will not compute it any more."""


class BrokerAway(Exception):
    """The request could not be handed to Kafka in time."""


class Gateway:
    """`async with Gateway(settings, metrics) as gateway:` begins when replies can be received."""

    def __init__(self, settings: EdgeSettings, metrics: EdgeMetrics) -> None:
        self._settings = settings
        self._topics = settings.topics
        self._replies = PendingReplies(metrics)
        self._workers = HeardWorkers(
            self._topics.requests,
            interval_s=settings.heartbeat_interval_s,
            stalled_s=settings.worker_stalled_s,
        )
        self._reader = Reader(
            settings,
            on_place=self._on_place,
            on_records=self._on_records,
            on_broker=self._on_broker,
        )
        self._producer = Producer(
            settings.librdkafka(
                **{
                    # what a caller was told has failed is not sent later
                    "message.timeout.ms": round(_HANDOVER_S * 1000),
                    # a request that is sent twice is answered twice, and the second one dropped
                    "enable.idempotence": False,
                    "reconnect.backoff.max.ms": 1000,
                }
            )
        )
        self._place: Place | None = None
        self._placed = asyncio.Event()
        self._became_ready = asyncio.Event()
        self._broker_up = False
        self._source = f"/facestream/edges/{uuid.uuid4()}"
        self._balancer = LoadBalancer()

    async def __aenter__(self) -> Self:
        """Waits for the broker and its topics, as long as it takes."""
        await self._producer.__aenter__()
        self._reader.start()
        try:
            await self._placed.wait()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        await asyncio.gather(self._reader.stop(), self._producer.__aexit__(None, None, None))

    async def ask(
        self,
        operation: Operation,
        image: ImageRef,
        *,
        max_faces: int = 1,
        deadline_s: float | None = None,
        traceparent: bytes | None = None,
    ) -> Result:
        """Have an image computed; a result whose status is `failed` is returned like any other.

        deadline_s: from now, else `REQUEST_TIMEOUT_S`. Raises `NoWorker`, `BrokerAway`,
        `NoAnswer`; and `MessageTooLarge` where the topic is not set up for images of
        `INLINE_LIMIT_BYTES`.
        """
        place = self._place_that_answers()
        wait_s = self._settings.request_timeout_s if deadline_s is None else deadline_s
        ends_at = time.monotonic() + wait_s
        request = Request(
            id=str(uuid.uuid4()), operation=operation, image=image, max_faces=max_faces
        )
        assert request.id is not None
        shares = self._workers.shares(place.request_partitions)
        with (
            self._replies.expect(request.id) as pending,
            self._balancer.placed(shares) as partition,
        ):
            headers = wire.request_headers(
                request_id=request.id,
                source=self._source,
                reply=wire.ReplyAddress(
                    self._topics.replies, place.reply_partition, pending.correlation_id
                ),
                deadline_ms=round((time.time() + wait_s) * 1000),
                traceparent=traceparent,
            )
            await self._hand_over(request, headers, partition, pending, min(wait_s, _HANDOVER_S))
            try:
                async with asyncio.timeout(ends_at - time.monotonic()):
                    return await pending.result
            except TimeoutError:
                raise NoAnswer(f"no answer within {wait_s:g} s") from None

    def _place_that_answers(self) -> Place:
        """Where replies are read. Raises `NoWorker`, `BrokerAway` when none is to be expected."""
        if self._place is None:
            raise BrokerAway("replies cannot be received")
        if not self.any_able:
            if not self._broker_up:
                raise BrokerAway("no broker is connected")
            raise NoWorker("no worker is heard that would answer")
        return self._place

    async def _hand_over(
        self,
        request: Request,
        headers: wire.Headers,
        partition: int | None,
        pending: PendingReply,
        wait_s: float,
    ) -> None:
        """Returns when Kafka has the request, or its reply is here already. Raises `BrokerAway`."""
        assert request.id is not None
        try:
            async with asyncio.timeout(wait_s):
                sent = await self._producer.enqueue(
                    self._topics.requests,
                    wire.dumps(request),
                    key=request.id.encode(),
                    headers=headers,
                    partition=partition,
                )
                # Its error is for us, or for nobody when the caller has left.
                sent.add_done_callback(lambda done: done.cancelled() or done.exception())
                either: set[asyncio.Future[Any]] = {sent, pending.result}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not pending.result.done():
                sent.result()
        except TimeoutError:
            raise BrokerAway(f"the request was not taken within {wait_s:g} s") from None
        except SendFailed as error:
            raise BrokerAway(str(error)) from None

    async def until_ready(self) -> None:
        """Wait until this edge has been ready once."""
        await self._became_ready.wait()

    @property
    def workers(self) -> Sequence[HeardWorker]:
        """Those that were heard since this edge was started, by id."""
        return self._workers.all

    @property
    def any_able(self) -> bool:
        """Whether a worker is heard that would answer."""
        return self._workers.any_able()

    @property
    def ready(self) -> bool:
        """Whether a request would be answered: replies are read, and an able worker is heard."""
        return self._place is not None and self._broker_up and self.any_able

    @property
    def broker_up(self) -> bool:
        """Whether a broker is connected, as of the last second."""
        return self._broker_up

    @property
    def pending(self) -> int:
        """Requests that wait for their reply."""
        return len(self._replies)

    def _on_place(self, place: Place | None) -> None:
        self._place = place
        if place is not None:
            self._placed.set()

    def _on_broker(self, up: bool) -> None:
        self._broker_up = up

    def _on_records(self, records: list[Record]) -> None:
        for record in records:
            if record.topic == self._topics.replies:
                self._replies.deliver(record.correlation_id, record.value)
            else:
                self._workers.hear(record.value)
        if self.ready:
            self._became_ready.set()
