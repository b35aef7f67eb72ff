"""A worker's app on a Kafka that is not there, and its consumer; neither connects."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from stream.app import FaceApp, build_app
from stream.consumer_in_loop import ConsumerInLoop
from stream.faust_kafka import Consumer
from stream.settings import WorkerSettings


async def unused(*_: Any, **__: Any) -> None: ...


def an_app() -> FaceApp:
    """Its events take 20 ms."""
    return build_app(
        WorkerSettings(kafka_brokers="localhost:1"),
        unused,
        instance_id=None,
        crash=lambda error: pytest.fail(repr(error)),
        seconds_each=lambda: 0.02,
    )


def a_consumer(app: FaceApp, deliver: Callable[[Any], Awaitable[None]] = unused) -> Consumer:
    """deliver: called with each message that it reads."""
    consumer: Consumer = app.transport.create_consumer(
        deliver, on_partitions_revoked=unused, on_partitions_assigned=unused
    )
    return consumer


async def started(
    consumer: Consumer, *, fetcher: Any | None = None, group: Any | None = None
) -> ConsumerInLoop:
    """What it reads with, at its start, with these in the place of aiokafka's parts."""
    parts = SimpleNamespace(
        start=unused,
        _closed=False,
        _max_poll_records=50,
        _fetcher=fetcher or SimpleNamespace(_get_actions_per_node=unused),
        _coordinator=group or SimpleNamespace(_do_heartbeat=unused),
    )
    in_loop: ConsumerInLoop = consumer._thread
    in_loop._create_consumer = lambda loop: parts
    await in_loop.on_start()
    return in_loop
