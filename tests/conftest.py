"""Fixtures of the whole tree. What a machine lacks skips with the reason; with CI=true it fails."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

import pytest

from schemas.topics import DEFAULT_PARTITIONS
from tests.apache_kafka import ApacheKafka, KafkaUnavailable
from tests.brokers import Broker, BrokerMaker, on_embedded, on_kafka


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A coroutine that never ends fails where it waits. pytest-timeout, which ends the whole run,
    sees an event loop at rest and cannot tell what it rests for."""
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            mark = item.get_closest_marker("timeout")
            limit = float(mark.args[0] if mark else config.getini("timeout"))
            item.obj = _within(limit - min(15.0, limit / 5), item.obj)


def _within(
    seconds: float, test: Callable[..., Coroutine[Any, Any, None]]
) -> Callable[..., Coroutine[Any, Any, None]]:
    @functools.wraps(test)
    async def limited(*args: Any, **named: Any) -> None:
        async with asyncio.timeout(seconds):
            await test(*args, **named)

    return limited


def skip_or_fail(reason: str) -> NoReturn:
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of weights and photographs beside the repository."""
    folder = Path(__file__).parents[2] / "shared"
    if not folder.is_dir():
        skip_or_fail("../shared, with the weights and the photographs, is not there")
    return folder


@pytest.fixture(scope="session")
def apache_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    """One Apache Kafka for all tests. A test that stops or freezes it has `own_kafka`."""
    with _kafka_in(tmp_path_factory.mktemp("kafka")) as kafka:
        yield kafka


@pytest.fixture
def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    """An Apache Kafka of this test alone, which may stop and freeze it."""
    with _kafka_in(tmp_path_factory.mktemp("own-kafka")) as kafka:
        yield kafka


def _kafka_in(folder: Path) -> ApacheKafka:
    try:
        return ApacheKafka(folder)
    except KafkaUnavailable as unavailable:
        skip_or_fail(str(unavailable))


@pytest.fixture
def embedded_broker() -> Iterator[Broker]:
    with on_embedded() as broker:
        yield broker


@pytest.fixture(params=["embedded", "kafka"])
def make_broker(request: pytest.FixtureRequest) -> Iterator[BrokerMaker]:
    """`make_broker(partitions=8)` → `Broker`, on the embedded broker and on Apache Kafka."""
    with ExitStack() as running:

        def make(partitions: int = DEFAULT_PARTITIONS) -> Broker:
            if request.param == "embedded":
                return running.enter_context(on_embedded(partitions))
            kafka = request.getfixturevalue("apache_kafka")
            return running.enter_context(on_kafka(kafka, partitions))

        yield make


@pytest.fixture
def broker(make_broker: BrokerMaker) -> Broker:
    return make_broker()
