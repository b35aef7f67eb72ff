"""The edge's gateway on both brokers: asks over Kafka, and gets its own answers only."""

from __future__ import annotations

import asyncio
import base64
import gc
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import psutil
import pytest

from http_edge.kafka import BrokerAway, Gateway, NoAnswer, NoWorker
from http_edge.metrics import EdgeMetrics
from http_edge.settings import EdgeSettings
from schemas.requests import ImageRef, Request
from schemas.results import ErrorInfo, Result
from stream.embedded import EmbeddedBroker
from stream.io.producer import Producer
from tests.brokers import Broker, BrokerMaker
from tests.fake_worker import FakeWorker, answer

IMAGE = ImageRef(data=base64.b64encode(b"an image").decode())


def edge_settings(broker: Broker) -> EdgeSettings:
    return EdgeSettings(
        api_key="k",
        kafka_bootstrap_servers=broker.bootstrap_servers,
        kafka_embedded=broker.embedded,
        topic_prefix=broker.topic_prefix,
    )


@asynccontextmanager
async def gateway_on(broker: Broker, metrics: EdgeMetrics | None = None) -> AsyncIterator[Gateway]:
    async with Gateway(edge_settings(broker), metrics or EdgeMetrics()) as gateway:
        yield gateway


async def until(condition: Callable[[], bool], timeout_s: float = 10) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - it is set in other threads and processes
            await asyncio.sleep(0.01)


def metadata_echo(request: Request) -> Result:
    return answer(request, metadata={"data": request.image.data})


async def test_a_request_gets_its_answer(broker: Broker) -> None:
    async with FakeWorker(broker) as worker, gateway_on(broker) as gateway:
        await asyncio.wait_for(gateway.until_ready(), 10)
        assert gateway.ready
        assert gateway.broker_up
        before_ms = time.time() * 1000
        result = await gateway.ask(
            "embed", IMAGE, max_faces=3, deadline_s=20, traceparent=b"00-trace"
        )
        (request, headers), *others = worker.requests

    assert result.status == "ok"
    assert result.faces[0].embedding == [1.0] * 512
    assert not others
    assert (request.operation, request.image, request.max_faces) == ("embed", IMAGE, 3)
    assert headers.traceparent == b"00-trace"
    assert headers.deadline_ms == pytest.approx(before_ms + 20_000, abs=2_000)
    assert headers.reply is not None
    assert headers.reply.topic == broker.topics.replies
    assert headers.reply.partition in range(broker.partitions)
    assert len(headers.reply.correlation_id or b"") == 16
    assert gateway.pending == 0


async def test_a_failed_result_is_an_answer(broker: Broker) -> None:
    error = ErrorInfo(code="damaged_image", message="cut off")

    def fail(request: Request) -> Result:
        return answer(request, status="failed", error=error)

    async with FakeWorker(broker, fail), gateway_on(broker) as gateway:
        await asyncio.wait_for(gateway.until_ready(), 10)
        assert (await gateway.ask("detect", IMAGE)).error == error


async def test_without_a_worker_the_answer_is_no_at_once(broker: Broker) -> None:
    async with gateway_on(broker) as gateway:
        began_at = time.monotonic()
        with pytest.raises(NoWorker):
            await gateway.ask("embed", IMAGE)
        assert time.monotonic() - began_at < 0.1
        assert not gateway.ready
        assert gateway.broker_up


async def test_a_word_from_before_the_edge_was_started_does_not_count(broker: Broker) -> None:
    async with FakeWorker(broker, heartbeat_interval_s=60):
        await asyncio.sleep(0.3)
        async with gateway_on(broker) as gateway:
            await asyncio.sleep(0.3)
            assert gateway.workers == []


async def test_who_is_not_answered_is_told_at_the_deadline(broker: Broker) -> None:
    async with FakeWorker(broker, lambda _: None), gateway_on(broker) as gateway:
        await asyncio.wait_for(gateway.until_ready(), 10)
        began_at = time.monotonic()
        with pytest.raises(NoAnswer):
            await gateway.ask("embed", IMAGE, deadline_s=0.5)
        assert 0.5 <= time.monotonic() - began_at < 1.0
        assert gateway.pending == 0


async def test_a_caller_who_hangs_up_leaves_nothing(broker: Broker) -> None:
    async with FakeWorker(broker, lambda _: None) as worker, gateway_on(broker) as gateway:
        await asyncio.wait_for(gateway.until_ready(), 10)
        caller = asyncio.create_task(gateway.ask("embed", IMAGE))
        await until(lambda: len(worker.requests) == 1)
        assert gateway.pending == 1
        caller.cancel()
        await asyncio.wait({caller})
        assert caller.cancelled()
        assert gateway.pending == 0


async def test_edges_that_share_a_reply_partition_answer_their_own(
    make_broker: BrokerMaker,
) -> None:
    broker = make_broker(partitions=1)
    images = [ImageRef(data=base64.b64encode(b"%d" % number).decode()) for number in range(100)]
    async with (
        FakeWorker(broker, metadata_echo),
        gateway_on(broker) as one,
        gateway_on(broker) as another,
    ):
        await asyncio.wait_for(asyncio.gather(one.until_ready(), another.until_ready()), 10)
        asked = [
            (one, another)[number % 2].ask("embed", image) for number, image in enumerate(images)
        ]
        results = await asyncio.gather(*asked)
    assert [result.metadata["data"] for result in results] == [image.data for image in images]


async def test_requests_at_once_go_to_all_partitions_alike(broker: Broker) -> None:
    async with FakeWorker(broker) as worker, gateway_on(broker) as gateway:
        await asyncio.wait_for(gateway.until_ready(), 10)
        await asyncio.gather(*(gateway.ask("embed", IMAGE) for _ in range(2 * broker.partitions)))
    assert sorted(worker.partitions) == sorted([*range(broker.partitions)] * 2)


async def test_a_worker_that_hangs_holds_up_one_request_and_no_more(broker: Broker) -> None:
    first, *rest = range(broker.partitions)
    async with (
        FakeWorker(broker, lambda _: None, share=[first]) as hangs,
        FakeWorker(broker, share=rest) as works,
        gateway_on(broker) as gateway,
    ):
        await until(lambda: sum(worker.able for worker in gateway.workers) == 2)
        two = [asyncio.create_task(gateway.ask("embed", IMAGE)) for _ in range(2)]
        await until(lambda: len(hangs.requests) == 1 and any(one.done() for one in two))
        for _ in range(5):
            await gateway.ask("embed", IMAGE, deadline_s=10)
        assert (len(hangs.requests), len(works.requests)) == (1, 6)
        for one in two:
            one.cancel()
        await asyncio.gather(*two, return_exceptions=True)


async def test_what_is_no_reply_of_ours_disturbs_nobody(broker: Broker) -> None:
    metrics = EdgeMetrics()
    settings = broker.kafka_settings
    async with (
        FakeWorker(broker) as worker,
        gateway_on(broker, metrics) as gateway,
        Producer(settings.librdkafka()) as producer,
    ):
        await asyncio.wait_for(gateway.until_ready(), 10)
        await gateway.ask("embed", IMAGE)
        reply = worker.requests[0][1].reply
        assert reply is not None
        for value in (b"no JSON", None):
            await producer.send(reply.topic, value, partition=reply.partition)
            await producer.send(broker.topics.workers, value, key=b"anybody")
        result = await gateway.ask("embed", IMAGE)
    assert result.status == "ok"
    assert metrics.registry.get_sample_value("facestream_edge_unknown_replies_total") == 2


async def test_ten_thousand_requests_that_nobody_answers_leave_no_memory_behind(
    embedded_broker: Broker,
) -> None:
    image = ImageRef(data=base64.b64encode(bytes(3_000)).decode())
    process = psutil.Process()

    async def ask_in_vain(times: int) -> None:
        for _ in range(times):
            # A machine that is busy may not have confirmed the event so soon.
            with pytest.raises((NoAnswer, BrokerAway)):
                await gateway.ask("embed", image, deadline_s=0.1)

    async with FakeWorker(embedded_broker, None), gateway_on(embedded_broker) as gateway:
        await asyncio.wait_for(gateway.until_ready(), 10)
        await asyncio.gather(*(ask_in_vain(20) for _ in range(100)))
        gc.collect()
        warm_bytes = process.memory_info().rss
        await asyncio.gather(*(ask_in_vain(100) for _ in range(100)))
        gc.collect()
        grown_bytes = process.memory_info().rss - warm_bytes
        assert gateway.pending == 0
    assert grown_bytes < 2_000_000, "each kept its 4 KB event: 40 MB"


async def test_a_broker_that_takes_nothing_is_told_in_time_and_waited_for_no_longer() -> None:
    with EmbeddedBroker() as running:
        broker = Broker(running.bootstrap_servers, True, running.prefix, running.partitions)
        async with FakeWorker(broker), gateway_on(broker) as gateway:
            await asyncio.wait_for(gateway.until_ready(), 10)
            os.kill(running.pid, signal.SIGSTOP)
            try:
                began_at = time.monotonic()
                with pytest.raises(BrokerAway):
                    await gateway.ask("embed", IMAGE, deadline_s=0.5)
                assert time.monotonic() - began_at < 1
                assert gateway.pending == 0
            finally:
                os.kill(running.pid, signal.SIGCONT)
            assert (await gateway.ask("embed", IMAGE)).status == "ok"


async def test_a_broker_that_died_is_seen_and_callers_are_sent_away() -> None:
    with EmbeddedBroker() as running:
        broker = Broker(running.bootstrap_servers, True, running.prefix, running.partitions)
        async with FakeWorker(broker), gateway_on(broker) as gateway:
            await asyncio.wait_for(gateway.until_ready(), 10)
            os.kill(running.pid, signal.SIGKILL)
            await until(lambda: not gateway.broker_up)
            assert not gateway.ready
            with pytest.raises(BrokerAway):
                await gateway.ask("embed", IMAGE, deadline_s=0.5)


async def test_an_edge_that_is_started_without_a_broker_waits_and_can_be_stopped() -> None:
    settings = EdgeSettings(api_key="k", kafka_bootstrap_servers="127.0.0.1:1")
    entering = asyncio.create_task(Gateway(settings, EdgeMetrics()).__aenter__())
    await asyncio.sleep(0.2)
    assert not entering.done()
    entering.cancel()
    began_at = time.monotonic()
    await asyncio.wait({entering})
    assert entering.cancelled()
    assert time.monotonic() - began_at < 7
