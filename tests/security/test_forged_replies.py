"""Replies that somebody else writes to an edge's partition: counted, and nobody gets them."""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from http_edge.kafka import Gateway
from http_edge.metrics import EdgeMetrics
from http_edge.settings import EdgeSettings
from schemas import wire
from schemas.requests import ImageRef, Request
from schemas.results import Result
from stream.io.producer import Producer
from tests.brokers import Broker
from tests.fake_worker import FakeWorker, answer

IMAGE = ImageRef(data=base64.b64encode(b"an image").decode())
_OWN_BYTES = 8


class Forger:
    """Holds back the true answer, and knows everything of a request but its correlation id."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def __call__(self, request: Request) -> Result | None:
        self._loop.call_soon_threadsafe(self.asked.set)
        return None


@asynccontextmanager
async def gateway_on(broker: Broker, metrics: EdgeMetrics) -> AsyncIterator[Gateway]:
    settings = EdgeSettings(
        api_key="k",
        kafka_bootstrap_servers=broker.bootstrap_servers,
        kafka_embedded=broker.embedded,
        topic_prefix=broker.topic_prefix,
    )
    async with Gateway(settings, metrics) as gateway:
        await asyncio.wait_for(gateway.until_ready(), 10)
        yield gateway


def _counted(metrics: EdgeMetrics) -> tuple[float, float]:
    """Unknown and late replies."""
    names = ("unknown_replies", "late_replies")
    values = [metrics.registry.get_sample_value(f"facestream_edge_{name}_total") for name in names]
    unknown, late = (value or 0.0 for value in values)
    return unknown, late


async def test_only_who_knows_the_correlation_id_answers(broker: Broker) -> None:
    """Right topic, right partition, right request id and a whole result: that is not enough."""
    metrics, forger = EdgeMetrics(), Forger()
    async with (
        FakeWorker(broker, forger) as worker,
        gateway_on(broker, metrics) as gateway,
        Producer(broker.kafka_settings.librdkafka()) as producer,
    ):

        async def reply(result: Result, correlation: dict[str, bytes]) -> None:
            assert address is not None
            await producer.send(
                address.topic,
                wire.dumps(result),
                key=result.request_id.encode(),
                headers=list(correlation.items()),
                partition=address.partition,
            )

        asking = asyncio.create_task(gateway.ask("embed", IMAGE, deadline_s=30))
        await asyncio.wait_for(forger.asked.wait(), 10)
        request, headers = worker.requests[0]
        address = headers.reply
        assert address is not None
        true_id = address.correlation_id
        assert true_id is not None
        assert request.id is not None
        forged = answer(request, metadata={"forged": True})
        own, other = true_id[:_OWN_BYTES], secrets.token_bytes(_OWN_BYTES)
        for correlation in (
            {},
            {"correlation_id": b""},
            {"correlation_id": secrets.token_bytes(16)},
            {"correlation_id": bytes(16)},
            {"correlation_id": request.id.encode()},
            {"correlation_id": true_id.hex().encode()},
            {"correlation_id": true_id + b"\0"},
            {"correlation_id": true_id[:-1]},
            {"correlation_id": own + other},
            {"kafka_correlationId": true_id},
        ):
            await reply(forged, correlation)
        # known, and yet an answer to something else, or none
        another = answer(request.model_copy(update={"id": "another"}), metadata={"forged": True})
        await reply(another, {"correlation_id": true_id})
        await reply(answer(request, metadata={"forged": False}), {"correlation_id": true_id})
        result = await asking
        await reply(forged, {"correlation_id": true_id})  # seen on the topic, and used again
        async with asyncio.timeout(10):
            while sum(_counted(metrics)) < 12:  # noqa: ASYNC110 - a counter tells nobody
                await asyncio.sleep(0.01)
    assert result.metadata == {"forged": False}
    assert _counted(metrics) == (8, 4)
