"""Results followed live from a real broker: from the moment on at which somebody follows."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from pydantic import SecretStr

from http_edge.live import Listener, Live, LiveMessage
from http_edge.live_reading import ResultReader
from http_edge.settings import EdgeSettings
from schemas import wire
from schemas.http import LiveMissed, LiveResult, LiveState
from schemas.results import Result
from schemas.topics import OPERATIONS, Operation
from stream.io.producer import Producer
from tests.brokers import Broker

GOLDEN = Path(__file__).parents[1] / "contract" / "golden" / "result_analysis.json"


def settings_of(broker: Broker) -> EdgeSettings:
    about = {name.lower(): value for name, value in broker.environment.items()}
    return EdgeSettings.model_validate({"api_key": SecretStr("k"), **about})


def result(operation: Operation, name: str) -> Result:
    whole = Result.model_validate_json(GOLDEN.read_bytes())
    return whole.model_copy(update={"operation": operation, "id": name})


async def publish(broker: Broker, producer: Producer, operation: Operation, count: int = 1) -> None:
    sent = [
        await producer.enqueue(
            broker.topics.result(operation), wire.dumps(result(operation, str(number)))
        )
        for number in range(count)
    ]
    await asyncio.gather(*sent)


async def until_following(listener: Listener) -> None:
    async with asyncio.timeout(30):
        while LiveState(following=True) not in await listener.next():
            pass


async def told(listener: Listener, enough: int) -> list[LiveMessage]:
    """What is told until so many results were shown or missed."""
    messages: list[LiveMessage] = []
    async with asyncio.timeout(30):
        while _results(messages) < enough:
            messages += await listener.next()
    return messages


def _results(messages: list[LiveMessage]) -> int:
    missed = [message.results for message in messages if isinstance(message, LiveMissed)]
    return sum(missed) + sum(isinstance(message, LiveResult) for message in messages)


async def test_what_is_published_while_somebody_follows_is_told_of_all_three_topics(
    broker: Broker,
) -> None:
    live = Live(settings_of(broker), lambda _: None)
    async with Producer(broker.kafka_settings.librdkafka()) as producer:
        await publish(broker, producer, "embed")
        async with live.listen() as listener:
            await until_following(listener)
            for operation in OPERATIONS:
                await publish(broker, producer, operation)
            messages = await told(listener, len(OPERATIONS))
    operations = [message.operation for message in messages if isinstance(message, LiveResult)]
    assert sorted(map(str, operations)) == sorted(OPERATIONS), "and none from before"
    assert ResultReader.what not in {thread.name for thread in threading.enumerate()}


async def test_of_a_burst_some_are_shown_and_all_are_counted(broker: Broker) -> None:
    live = Live(settings_of(broker), lambda _: None)
    async with Producer(broker.kafka_settings.librdkafka()) as producer, live.listen() as listener:
        await until_following(listener)
        await publish(broker, producer, "analyze", 400)
        messages = await told(listener, 400)
    assert _results(messages) == 400
    assert any(isinstance(message, LiveMissed) for message in messages)
